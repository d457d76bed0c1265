//! The vDSO's pages: the image, which is the same for everybody, and the data page in front of it, which `time` writes.

use super::{Frame, PAGE_SIZE, PageIndex, address_space::PageSource};
use crate::sync::Once;
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::ops::Range;
use vdso::data::Data;

/// The shared object, made by build.rs.
static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vdso.so"));

/// Bytes of the data mapping, below the image: the image reads the page right below itself.
pub const DATA_SIZE: usize = PAGE_SIZE;
/// Bytes of the image's mapping.
pub const IMAGE_SIZE: usize = IMAGE.len().next_multiple_of(PAGE_SIZE);

const _: () = assert!(size_of::<Data>() <= PAGE_SIZE);

/// Pages that every process maps.
struct Pages {
    frames: Vec<Frame>,
    name: &'static str,
}

/// Both objects.
struct Vdso {
    data: Arc<Pages>,
    image: Arc<Pages>,
}

static VDSO: Once<Vdso> = Once::new();

/// The objects; made at the first call, which is at boot.
fn get() -> &'static Vdso {
    VDSO.call_once(|| {
        let page = || Frame::alloc_zeroed().expect("no memory for the vDSO at boot");
        let copy = |part: &[u8]| {
            let frame = page();
            frame.write(0, part);
            frame
        };
        let image = IMAGE.chunks(PAGE_SIZE).map(copy).collect();
        Vdso {
            data: Arc::new(Pages { frames: [page()].into(), name: "[vvar]" }),
            image: Arc::new(Pages { frames: image, name: "[vdso]" }),
        }
    })
}

/// The data page, as the kernel writes it.
pub fn data() -> &'static Data {
    let page = get().data.frames[0].addr().to_virt().as_mut_ptr::<Data>();
    // SAFETY: the page is as large and as aligned, is never given back, and was zeroed, which is an empty `Data`; user space
    // can only read it, and all fields are atomic.
    unsafe { &*page }
}

/// What is mapped: the data page's object and the image's.
pub(super) fn objects() -> (Arc<dyn PageSource>, Arc<dyn PageSource>) {
    let vdso = get();
    (Arc::<Pages>::clone(&vdso.data), Arc::<Pages>::clone(&vdso.image))
}

impl PageSource for Pages {
    fn page(&self, index: PageIndex, _write: bool) -> Result<Frame> {
        let index = usize::try_from(index.0).map_err(|_| Errno::ENXIO)?;
        self.frames.get(index).cloned().ok_or(Errno::ENXIO)
    }

    fn cached_pages(
        &self,
        range: Range<PageIndex>,
        sink: &mut dyn FnMut(PageIndex, Frame) -> bool,
    ) {
        for index in range.start.0..range.end.0 {
            let index = PageIndex(index);
            let Ok(frame) = self.page(index, false) else { return };
            if !sink(index, frame) {
                return;
            }
        }
    }

    fn name(&self) -> &'static str {
        self.name
    }
}
