//! Mappings that the kernel makes by itself: the vDSO and its data.

use super::{
    AddressSpace, MmapFlags,
    vma::{ACCESS, Backing, Object, Vma, VmaFlags},
};
use crate::mm::{
    PAGE_SIZE,
    vdso::{self, DATA_SIZE, IMAGE_SIZE},
};
use abi::Result;

/// Bytes that both mappings take.
pub const VDSO_SIZE: usize = DATA_SIZE + IMAGE_SIZE;

impl AddressSpace {
    /// Maps the vDSO at `hint`, if there is room, else where mappings go; the address of its ELF header. `ENOMEM`.
    ///
    /// As on Linux a program may move or remove each of the two mappings as a whole, and a debugger may write to the code.
    pub fn map_vdso(&self, hint: usize) -> Result<usize> {
        let (data, image) = vdso::objects();
        let mut map = self.write_map_killable()?;
        let start = map.find_area(hint, VDSO_SIZE, MmapFlags::empty())?;
        let code = start + DATA_SIZE;
        let of = |source, flags| Vma {
            flags: flags
                | VmaFlags::READ
                | VmaFlags::MAY_READ
                | VmaFlags::SPECIAL
                | VmaFlags::SOFT_DIRTY,
            backing: Backing::Object(Object {
                source,
                file: None,
                first: 0,
                watcher: None,
                writing: None,
            }),
        };
        let may_all = VmaFlags::from_bits_truncate(ACCESS.bits() << 4);
        map.link(start..code, of(data, VmaFlags::FOREIGN | VmaFlags::DONT_DUMP))?;
        map.link(code..code + IMAGE_SIZE, of(image, VmaFlags::EXEC | may_all))?;
        const { assert!(VDSO_SIZE.is_multiple_of(PAGE_SIZE)) };
        Ok(code)
    }
}
