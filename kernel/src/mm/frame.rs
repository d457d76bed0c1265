//! Physical page frames: a buddy allocator a node with per-CPU lists in front, and the counted handle
//! [`Frame`].

use super::{PAGE_SIZE, PhysAddr};
use abi::Result;

/// A counted reference to one page frame. Clone counts up; the last drop frees.
pub struct Frame(());

impl Frame {
    /// A zeroed frame for user data or page cache. Fails with `ENOMEM` when free memory is below the reserve that
    /// kernel allocations may use, after reclaim was tried.
    pub fn alloc_zeroed() -> Result<Frame> {
        todo!()
    }
    /// The same with unspecified content; the caller overwrites all of it.
    pub fn alloc_uninit() -> Result<Frame> {
        todo!()
    }
    /// A handle on memory that is never freed: pages of the initramfs, used in place.
    pub fn from_reserved(_addr: PhysAddr) -> Frame {
        todo!()
    }
    /// Its physical address.
    pub fn addr(&self) -> PhysAddr {
        todo!()
    }
    /// How many references there are.
    pub fn ref_count(&self) -> usize {
        todo!()
    }
    /// Copies out of the page; `offset + dst.len()` is at most a page.
    pub fn read(&self, _offset: usize, _dst: &mut [u8]) {
        todo!()
    }
    /// Copies into the page.
    pub fn write(&self, _offset: usize, _src: &[u8]) {
        todo!()
    }
    /// Zeroes part of the page.
    pub fn zero(&self, _offset: usize, _len: usize) {
        todo!()
    }
    /// Copies from user memory into the page; how many bytes were copied before a fault.
    pub fn copy_from_user(&self, _offset: usize, _src: super::UserAddr, _len: usize) -> usize {
        todo!()
    }
    /// Copies to user memory.
    pub fn copy_to_user(&self, _offset: usize, _dst: super::UserAddr, _len: usize) -> usize {
        todo!()
    }
    /// The whole page as words that anybody may be writing (user mappings): futex, atomics.
    pub fn as_atomics(&self) -> &[core::sync::atomic::AtomicU8; PAGE_SIZE] {
        todo!()
    }
}

impl Clone for Frame {
    fn clone(&self) -> Frame {
        todo!()
    }
}

/// What `/proc/meminfo` and `sysinfo(2)` show, in pages.
#[derive(Clone, Copy, Default, Debug)]
pub struct MemoryStats {
    pub total: usize,
    pub free: usize,
    pub available: usize,
    pub page_cache: usize,
    pub shmem: usize,
    pub anonymous: usize,
    pub slab: usize,
    pub page_tables: usize,
    pub kernel_stacks: usize,
    pub mapped: usize,
    pub committed: usize,
}

impl MemoryStats {
    /// The figures now.
    pub fn now() -> MemoryStats {
        todo!()
    }
}
