//! Address spaces: a tree of VMAs over page tables.

use super::{Frame, PageIndex, UserAddr};
use abi::Result;
use alloc::{string::String, sync::Arc};

bitflags::bitflags! {
    /// `PROT_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Prot: u32 {
        const READ = 1;
        const WRITE = 2;
        const EXEC = 4;
    }
    /// `MAP_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct MmapFlags: u32 {
        const SHARED = 1;
        const PRIVATE = 2;
        const FIXED = 0x10;
        const ANONYMOUS = 0x20;
        const GROWSDOWN = 0x100;
        const LOCKED = 0x2000;
        const NORESERVE = 0x4000;
        const POPULATE = 0x8000;
        const STACK = 0x20000;
        const FIXED_NOREPLACE = 0x100000;
    }
}

/// What a mapping shows.
#[derive(Clone)]
pub enum MapKind {
    /// Zero pages, private or (with `SHARED`) common to parent and child.
    Anonymous,
    /// Part of a file, from the byte offset given (page-aligned).
    File(Arc<crate::fs::File>, u64),
}

/// What to map, and where.
pub struct MapRequest {
    /// Hint, or the place with `FIXED`.
    pub addr: usize,
    /// Bytes; rounded up to pages.
    pub len: usize,
    /// Protection.
    pub prot: Prot,
    /// Flags.
    pub flags: MmapFlags,
    /// Content.
    pub kind: MapKind,
}

/// Where file mappings get their pages: the page cache of an inode, or a device.
pub trait PageSource: Send + Sync {
    /// The page at `index`, read in if need be; for a shared writable mapping about to be written, `write` is set
    /// (the source marks it dirty, allocates blocks). Beyond the end of the file: `ENXIO` (the fault becomes SIGBUS).
    fn page(&self, index: PageIndex, write: bool) -> Result<Frame>;
    /// Pages around `index` that are there already, for fault-around: calls `sink` with each; it says whether to go on.
    fn cached_pages(
        &self,
        _range: core::ops::Range<PageIndex>,
        _sink: &mut dyn FnMut(PageIndex, Frame) -> bool,
    ) {
    }
}

/// Leaves the current user address space: only kernel memory is mapped here until the next [`AddressSpace::activate`]. A task does so
/// before it drops its own.
pub fn activate_kernel() {
    todo!()
}

/// An address space.
pub struct AddressSpace(());

impl AddressSpace {
    /// An empty one.
    pub fn new() -> Result<Arc<AddressSpace>> {
        todo!()
    }
    /// A copy-on-write copy, for fork.
    pub fn fork(&self) -> Result<Arc<AddressSpace>> {
        todo!()
    }
    /// Maps; the address. (`mmap(2)` with all its errors, RLIMIT_AS and overcommit included)
    pub fn map(&self, _request: MapRequest) -> Result<UserAddr> {
        todo!()
    }
    /// `munmap(2)`.
    pub fn unmap(&self, _addr: usize, _len: usize) -> Result<()> {
        todo!()
    }
    /// `mprotect(2)`.
    pub fn protect(&self, _addr: usize, _len: usize, _prot: Prot) -> Result<()> {
        todo!()
    }
    /// `brk(2)`: the break afterwards.
    pub fn brk(&self, _addr: usize) -> usize {
        todo!()
    }
    /// Places the heap, for exec.
    pub fn set_brk_start(&self, _addr: usize) {
        todo!()
    }
    /// Where `mmap` without an address begins, downwards, for exec. Set before the first mapping.
    pub fn set_mmap_base(&self, _addr: usize) {
        todo!()
    }
    /// Makes page tables of this space the ones in use here; cheap when they are already. The scheduler calls it as the
    /// incoming task, with interrupts off; exec calls it too. A CPU goes on using the tables while it runs
    /// kernel threads or idles, so it keeps the page tables themselves (not the mappings) alive until it
    /// activates others.
    pub fn activate(&self) {
        todo!()
    }
    /// Reads memory of a space that may not be the current one (`/proc/<pid>/cmdline`, `process_vm_readv`); bytes read.
    pub fn read_remote(&self, _addr: usize, _dst: &mut [u8]) -> usize {
        todo!()
    }
    /// Writes memory of a space that may not be the current one (exec's stack); bytes written.
    pub fn write_remote(&self, _addr: usize, _src: &[u8]) -> usize {
        todo!()
    }
    /// The frame and byte offset behind an address for a shared futex: identifies the object.
    pub fn futex_key(&self, _addr: UserAddr) -> Result<(u64, u64)> {
        todo!()
    }
    /// Layout that exec records and `/proc` shows.
    pub fn layout(&self) -> Layout {
        todo!()
    }
    /// Records it.
    pub fn set_layout(&self, _layout: Layout) {
        todo!()
    }
    /// Sizes for `/proc/<pid>/statm` and `status`, in pages.
    pub fn usage(&self) -> Usage {
        todo!()
    }
    /// `oom_score_adj`: -1000 (never chosen by the OOM killer) to 1000.
    pub fn oom_score_adj(&self) -> i32 {
        todo!()
    }
    /// The text of `/proc/<pid>/maps`.
    pub fn format_maps(&self, _out: &mut String) {
        todo!()
    }
}

/// Places in an address space.
#[derive(Clone, Copy, Default, Debug)]
pub struct Layout {
    pub start_code: usize,
    pub end_code: usize,
    pub start_data: usize,
    pub end_data: usize,
    pub start_stack: usize,
    pub arg_start: usize,
    pub arg_end: usize,
    pub env_start: usize,
    pub env_end: usize,
}

/// Sizes of an address space, in pages.
#[derive(Clone, Copy, Default, Debug)]
pub struct Usage {
    pub size: usize,
    pub resident: usize,
    pub resident_peak: usize,
    pub shared: usize,
    pub text: usize,
    pub data: usize,
    pub stack: usize,
    /// Page-table pages.
    pub page_tables: usize,
}
