//! The vDSO's pages: the image, which is the same for everybody, and the data page in front of it, which `time` writes.

use super::{Frame, PAGE_SIZE, PageIndex, PageKind, PhysAddr, address_space::PageSource};
use crate::{
    arch::{boot, paging},
    sync::Once,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use vdso::data::Data;

/// The shared object, made by build.rs.
static IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vdso.so"));

/// Bytes of the data mapping, below the image: the image reads the page right below itself.
pub const DATA_SIZE: usize = PAGE_SIZE;
/// Bytes of the image's mapping.
pub const IMAGE_SIZE: usize = IMAGE.len().next_multiple_of(PAGE_SIZE);

/// The data page, in the kernel's image: the kernel's own clocks read it, too.
#[repr(C, align(4096))]
struct DataPage(Data, [u8; PAGE_SIZE - size_of::<Data>()]);

static DATA: DataPage = DataPage(Data::new(), [0; PAGE_SIZE - size_of::<Data>()]);

/// The data page, as the kernel reads and writes it.
#[inline(always)]
pub fn data() -> &'static Data {
    &DATA.0
}

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

/// The objects.
fn get() -> &'static Vdso {
    VDSO.call_once(|| {
        let copy = |part: &[u8]| {
            let frame =
                Frame::alloc_zeroed(PageKind::Other).expect("no memory for the vDSO at boot");
            frame.write(0, part);
            frame
        };
        let data = Frame::from_reserved(data_address());
        let image = IMAGE.chunks(PAGE_SIZE).map(copy).collect();
        Vdso {
            data: Arc::new(Pages { frames: [data].into(), name: "[vvar]" }),
            image: Arc::new(Pages { frames: image, name: "[vdso]" }),
        }
    })
}

/// Where the data page is.
fn data_address() -> PhysAddr {
    let offset = core::ptr::from_ref(&DATA).addr() - paging::IMAGE_BASE;
    PhysAddr(boot::info().image.0 + offset)
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

    fn name(&self) -> &'static str {
        self.name
    }
}
