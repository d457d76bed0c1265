//! Access to an address space that need not be the current one, and the keys of shared futexes.

use super::{AddressSpace, vma::Backing};
use crate::{
    mm::{
        Frame, PAGE_SIZE, USER_END, UserAddr,
        fault::{Access, map_frame, private_page},
    },
    sched,
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

impl AddressSpace {
    /// Reads memory of a space that may not be the current one (`/proc/<pid>/cmdline`, `process_vm_readv`); bytes read.
    pub fn read_remote(&self, addr: usize, dst: &mut [u8]) -> usize {
        let mut rest = dst;
        self.visit_pages(addr, rest.len(), Access::Read, |frame, offset, len| {
            let (now, later) = core::mem::take(&mut rest).split_at_mut(len);
            frame.read(offset, now);
            rest = later;
            len
        })
    }

    /// Writes memory of a space that may not be the current one (exec's stack); bytes written.
    pub fn write_remote(&self, addr: usize, src: &[u8]) -> usize {
        let mut rest = src;
        self.visit_pages(addr, rest.len(), Access::Write, |frame, offset, len| {
            let (now, later) = rest.split_at(len);
            frame.write(offset, now);
            rest = later;
            len
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
        let mut done = 0;
        self.visit_pages(addr, len, Access::Read, |frame, offset, len| {
            let copied = frame.copy_to_user(offset, dst.add(done), len);
            done += copied;
            copied
        })
    }

    /// Copies from the current space to this one; bytes copied (`process_vm_writev(2)`).
    pub fn copy_from_current(&self, addr: usize, src: UserAddr, len: usize) -> usize {
        let mut done = 0;
        self.visit_pages(addr, len, Access::Write, |frame, offset, len| {
            let copied = frame.copy_from_user(offset, src.add(done), len);
            done += copied;
            copied
        })
    }

    /// Says that the caller is about to look pages up and to write to them past the tables: none is replaced by a copy (see `collapse`) as long as the result is kept.
    pub fn write_past_tables(&self) -> Writing<'_> {
        self.writers.fetch_add(1, Ordering::SeqCst);
        Writing(self)
    }

    /// The page behind `addr`, for a debugger to read (`/proc/<pid>/mem`); `EIO`.
    pub fn page_to_read(&self, addr: usize) -> Result<Frame> {
        self.page_forced(addr, Access::Read).map_err(|_| Errno::EIO)
    }

    /// The same to write: a copy of its own in a private mapping, even if the program must not write there. See [`AddressSpace::write_past_tables`].
    pub fn page_to_write(&self, addr: usize) -> Result<Frame> {
        self.page_forced(addr, Access::Write).map_err(|_| Errno::EIO)
    }

    /// Calls `visit` with each page of a range, the offset and length within it; it returns how much it did. Stops where a page cannot be had.
    fn visit_pages(
        &self,
        addr: usize,
        len: usize,
        access: Access,
        mut visit: impl FnMut(&Frame, usize, usize) -> usize,
    ) -> usize {
        let _writing = (access == Access::Write).then(|| self.write_past_tables());
        let mut done = 0;
        while done < len {
            let Some(at) = addr.checked_add(done).filter(|&at| at < USER_END) else { break };
            let offset = at % PAGE_SIZE;
            let part = (PAGE_SIZE - offset).min(len - done);
            let Ok(frame) = self.page_at(at, access) else { break };
            let n = visit(&frame, offset, part);
            done += n;
            if n < part {
                break;
            }
        }
        done
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

/// Somebody who writes past the tables.
#[must_use]
pub struct Writing<'a>(&'a AddressSpace);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // What was written comes before.
        self.0.writers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The current task's address space; `ESRCH` for kernel threads.
pub fn current_space() -> Result<Arc<AddressSpace>> {
    sched::current().mm.load().ok_or(Errno::ESRCH)
}
