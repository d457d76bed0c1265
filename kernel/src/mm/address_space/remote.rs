//! Access to an address space that need not be the current one, and the keys of shared futexes.
//!
//! Who writes to a page past the tables does so with the space's map held for reading. A fork, a change of protection, a collapse or whatever else takes the
//! right to write to the page away holds it for writing, and so comes before, or after the bytes are there: the space never gets a copy of the page without
//! them. So they are fetched before, as a fault at their source may want the same map.

use super::{AddressSpace, vma::Backing};
use crate::{
    mm::{
        Frame, PAGE_SIZE, USER_END, UserAddr,
        fault::{Access, Failure, map_frame, private_page},
        try_alloc, user,
    },
    sched,
};
use abi::{Errno, Result};
use alloc::sync::Arc;

impl AddressSpace {
    /// Reads memory of a space that may not be the current one (`/proc/<pid>/cmdline`, `process_vm_readv`); bytes read.
    pub fn read_remote(&self, addr: usize, dst: &mut [u8]) -> usize {
        for_each_page(addr, dst.len(), |at, done, len| {
            let Ok(frame) = self.page_to_look_at(at) else { return 0 };
            frame.read(at % PAGE_SIZE, &mut dst[done..done + len]);
            len
        })
    }

    /// Writes memory of a space that may not be the current one (exec's stack); bytes written.
    pub fn write_remote(&self, addr: usize, src: &[u8]) -> usize {
        for_each_page(addr, src.len(), |at, done, len| {
            let bytes = &src[done..done + len];
            let written =
                self.with_page(at, Access::Write, |frame| frame.write(at % PAGE_SIZE, bytes));
            if written.is_ok() { len } else { 0 }
        })
    }

    /// Makes `frame` the page at `addr` (page-aligned) of private memory, where nothing is yet (exec's stack). `EFAULT` if it is not so, `ENOMEM`.
    pub fn place(&self, addr: usize, frame: Frame) -> Result<()> {
        let map = self.read_map();
        let entry = map.vmas.get(addr).filter(|entry| entry.value.is_private());
        let vma = &entry.ok_or(Errno::EFAULT)?.value;
        let leaf = self.page_tables().leaf_or_new(addr)?.ok_or(Errno::EFAULT)?;
        if !map_frame(leaf, addr, frame, private_page(vma.flags)) {
            return Err(Errno::EFAULT);
        }
        self.count_resident(1, 0);
        Ok(())
    }

    /// Copies from this space to the current one; bytes copied (`process_vm_readv(2)`).
    pub fn copy_to_current(&self, addr: usize, dst: UserAddr, len: usize) -> usize {
        for_each_page(addr, len, |at, done, len| {
            let Ok(frame) = self.page_to_look_at(at) else { return 0 };
            frame.copy_to_user(at % PAGE_SIZE, dst.add(done), len)
        })
    }

    /// Copies from the current space to this one; bytes copied (`process_vm_writev(2)`). `ENOMEM`.
    pub fn copy_from_current(&self, addr: usize, src: UserAddr, len: usize) -> Result<usize> {
        let mut bytes = try_alloc::zeroed_bytes(len.min(PAGE_SIZE))?;
        Ok(for_each_page(addr, len, |at, done, len| {
            let fetched = user::copy_from_user_partial(&mut bytes[..len], src.add(done));
            self.write_remote(at, &bytes[..fetched])
        }))
    }

    /// The page behind `addr`, brought in if need be. It stays the caller's whatever becomes of the mapping.
    fn page_to_look_at(&self, addr: usize) -> Result<Frame, Failure> {
        self.with_page(addr, Access::Read, Frame::clone)
    }

    /// The page behind `addr`, for a debugger to read (`/proc/<pid>/mem`); `EIO`.
    pub fn page_for_debugger(&self, addr: usize) -> Result<Frame> {
        self.with_page_forced(addr, Access::Read, Frame::clone).map_err(|_| Errno::EIO)
    }

    /// Writes `bytes`, which lie in one page, for a debugger: to a page of its own in a private mapping, even if the program must not write there; `EIO`.
    pub fn write_for_debugger(&self, addr: usize, bytes: &[u8]) -> Result<()> {
        self.with_page_forced(addr, Access::Write, |frame| frame.write(addr % PAGE_SIZE, bytes))
            .map_err(|_| Errno::EIO)
    }

    /// What identifies the word at `addr` to all who can wake its waiters: the object and the byte offset for shared mappings, this space
    /// and the address for private ones. `EFAULT` where nothing is mapped.
    pub fn futex_key(&self, addr: UserAddr) -> Result<(u64, u64)> {
        let map = self.read_map();
        let entry = map.vmas.get(addr.0).ok_or(Errno::EFAULT)?;
        let vma = &entry.value;
        if vma.prot().is_empty() {
            return Err(Errno::EFAULT);
        }
        Ok(match &vma.backing {
            Backing::Object(object) if !vma.is_private() => {
                let index = vma.page_index(entry.start, addr.page_base().0);
                let identity = Arc::as_ptr(&object.source).addr() as u64;
                (identity, index.0 * PAGE_SIZE as u64 + addr.page_offset() as u64)
            }
            _ => (core::ptr::from_ref(self).addr() as u64, addr.0 as u64),
        })
    }
}

/// Calls `part` for what lies in each page of a range: where it is, how much was done before, its length; it returns how much it did. Stops where that is less, and
/// at the end of user space; how much was done in all.
fn for_each_page(
    addr: usize,
    len: usize,
    mut part: impl FnMut(usize, usize, usize) -> usize,
) -> usize {
    let mut done = 0;
    while done < len {
        let Some(at) = addr.checked_add(done).filter(|&at| at < USER_END) else { break };
        let wanted = (PAGE_SIZE - at % PAGE_SIZE).min(len - done);
        let moved = part(at, done, wanted);
        done += moved;
        if moved < wanted {
            break;
        }
    }
    done
}

/// The current task's address space; `ESRCH` for kernel threads.
pub fn current_space() -> Result<Arc<AddressSpace>> {
    sched::current().mm.load().ok_or(Errno::ESRCH)
}
