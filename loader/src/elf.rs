//! Puts the kernel's segments into memory.

use arrayvec::ArrayVec;
use xmas_elf::{ElfFile, header, program};

use crate::memory::{EntryKind, MemoryMap, PAGE};

/// The lowest address that a kernel may be linked at: the last 2 GiB.
const KERNEL_SPACE: u64 = 0xffff_ffff_8000_0000;
const MAX_SEGMENTS: usize = 8;
/// The image starts on a large page, so that a kernel linked that way can map itself with them.
const IMAGE_ALIGN: u64 = 2 << 20;

/// A run of pages of the image with one set of permissions.
#[derive(Clone, Copy)]
pub struct Segment {
    /// First virtual address, page-aligned.
    pub virt: u64,
    /// First physical address, page-aligned.
    pub phys: u64,
    /// Length in bytes, whole pages.
    pub length: u64,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
}

/// A kernel in memory.
pub struct Kernel {
    /// The address to jump to.
    pub entry: u64,
    /// The lowest virtual address of the image.
    pub virt_base: u64,
    /// Where that lies in physical memory; the image is contiguous.
    pub phys_base: u64,
    /// The segments in ascending order.
    pub segments: ArrayVec<Segment, MAX_SEGMENTS>,
}

/// Loads the ELF file at fresh memory. Refuses a file with a segment that is both writable and
/// executable.
pub fn load(file: &[u8], memory: &mut MemoryMap) -> Result<Kernel, &'static str> {
    let elf = ElfFile::new(file)?;
    header::sanity_check(&elf)?;
    if elf.header.pt1.class() != header::Class::SixtyFour
        || elf.header.pt2.machine().as_machine() != header::Machine::X86_64
    {
        return Err("boot/nos is not for x86-64");
    }
    let loads = || {
        elf.program_iter().filter(|segment| {
            segment.get_type() == Ok(program::Type::Load) && segment.mem_size() != 0
        })
    };
    let mut virt_base = u64::MAX;
    let mut virt_end = 0;
    for segment in loads() {
        let end = segment.virtual_addr().checked_add(segment.mem_size());
        let in_place = segment.virtual_addr() >= KERNEL_SPACE
            && segment.file_size() <= segment.mem_size()
            && segment.virtual_addr() % PAGE == segment.offset() % PAGE;
        match end {
            Some(end) if in_place => {
                virt_base = virt_base.min(segment.virtual_addr() / PAGE * PAGE);
                virt_end = virt_end.max(end.next_multiple_of(PAGE));
            }
            _ => return Err("boot/nos has a segment that is out of place"),
        }
    }
    if virt_base >= virt_end {
        return Err("boot/nos has nothing to load");
    }

    let length = virt_end - virt_base;
    let phys_base = memory.allocate(length, IMAGE_ALIGN, EntryKind::ExecutableAndModules);
    let mut segments = ArrayVec::new();
    for segment in loads() {
        let flags = segment.flags();
        if flags.is_write() && flags.is_execute() {
            return Err("boot/nos has a segment that is writable and executable");
        }
        let from = segment.offset() as usize;
        let data = from
            .checked_add(segment.file_size() as usize)
            .and_then(|to| file.get(from..to))
            .ok_or("boot/nos is cut short")?;
        let to = phys_base + (segment.virtual_addr() - virt_base);
        // SAFETY: the destination is inside the memory just allocated, as the segment is inside
        // virt_base..virt_end; the file lies in the module, which that memory does not overlap.
        unsafe { core::ptr::copy_nonoverlapping(data.as_ptr(), to as *mut u8, data.len()) };
        let virt = segment.virtual_addr() / PAGE * PAGE;
        let end = (segment.virtual_addr() + segment.mem_size()).next_multiple_of(PAGE);
        segments
            .try_push(Segment {
                virt,
                phys: phys_base + (virt - virt_base),
                length: end - virt,
                write: flags.is_write(),
                execute: flags.is_execute(),
            })
            .map_err(|_| "boot/nos has too many segments")?;
    }
    Ok(Kernel { entry: elf.header.pt2.entry_point(), virt_base, phys_base, segments })
}
