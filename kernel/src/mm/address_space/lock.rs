//! `mlock(2)` and its family. Pages of locked mappings are brought in at once and count against RLIMIT_MEMLOCK; without swap they
//! cannot go away anyhow.

use super::{
    AddressSpace,
    map::{limit_pages, may_lock_any, page_align},
    vma::VmaFlags,
};
use crate::{mm::PAGE_SIZE, process::Resource};
use abi::{Errno, Result};
use core::ops::Range;

/// How pages are locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockMode {
    /// Brought in now.
    Now,
    /// When they are touched (`MLOCK_ONFAULT`).
    OnFault,
}

impl LockMode {
    fn flags(self) -> VmaFlags {
        match self {
            LockMode::Now => VmaFlags::LOCKED,
            LockMode::OnFault => VmaFlags::LOCKED | VmaFlags::LOCK_ON_FAULT,
        }
    }
}

const LOCK_FLAGS: VmaFlags = VmaFlags::LOCKED.union(VmaFlags::LOCK_ON_FAULT);

impl AddressSpace {
    /// `mlock2(2)`.
    pub fn lock(&self, addr: usize, len: usize, mode: LockMode) -> Result<()> {
        if limit_pages(Resource::MemoryLocked) == 0 && !may_lock_any() {
            return Err(Errno::EPERM);
        }
        let range = lock_range(addr, len)?;
        {
            let mut map = self.write_map_killable()?;
            let locked_already: usize = map
                .vmas
                .overlapping(range.clone())
                .filter(|entry| entry.value.flags.contains(VmaFlags::LOCKED))
                .map(|entry| entry.end.min(range.end) - entry.start.max(range.start))
                .sum();
            let more = (range.len() - locked_already) / PAGE_SIZE;
            if map.locked + more > limit_pages(Resource::MemoryLocked) && !may_lock_any() {
                return Err(Errno::ENOMEM);
            }
            map.set_lock(range.clone(), mode.flags())?;
        }
        if mode == LockMode::Now { self.populate(range).map_err(lock_errno) } else { Ok(()) }
    }

    /// `munlock(2)`.
    pub fn unlock(&self, addr: usize, len: usize) -> Result<()> {
        let range = lock_range(addr, len)?;
        self.write_map_killable()?.set_lock(range, VmaFlags::empty())
    }

    /// `mlockall(2)`: what is mapped now, what will be mapped, or both.
    pub fn lock_all(&self, current: bool, future: bool, mode: LockMode) -> Result<()> {
        if limit_pages(Resource::MemoryLocked) == 0 && !may_lock_any() {
            return Err(Errno::EPERM);
        }
        {
            let mut map = self.write_map_killable()?;
            if current && map.total > limit_pages(Resource::MemoryLocked) && !may_lock_any() {
                return Err(Errno::ENOMEM);
            }
            map.lock_future = if future { mode.flags() } else { VmaFlags::empty() };
            if current {
                map.set_lock_everywhere(mode.flags());
            }
        }
        if current && mode == LockMode::Now {
            self.populate_everything();
        }
        Ok(())
    }

    /// `munlockall(2)`.
    pub fn unlock_all(&self) -> Result<()> {
        let mut map = self.write_map_killable()?;
        map.lock_future = VmaFlags::empty();
        map.set_lock_everywhere(VmaFlags::empty());
        Ok(())
    }

    fn populate_everything(&self) {
        let mut at = 0;
        while let Some(range) = self.read_map().vmas.find(at).map(|entry| entry.start..entry.end) {
            at = range.end;
            // What cannot be had (guard mappings, holes in files) stays out, as on Linux.
            let _ = self.populate(range);
        }
    }
}

/// Linux's `__mlock_posix_error_return`.
fn lock_errno(errno: Errno) -> Errno {
    match errno {
        Errno::EFAULT => Errno::ENOMEM,
        Errno::ENOMEM => Errno::EAGAIN,
        errno => errno,
    }
}

fn lock_range(addr: usize, len: usize) -> Result<Range<usize>> {
    let start = addr & !(PAGE_SIZE - 1);
    let len = page_align(len.wrapping_add(addr - start)).ok_or(Errno::EINVAL)?;
    let end = start.checked_add(len).ok_or(Errno::EINVAL)?;
    Ok(start..end)
}

impl super::Map {
    /// Sets or clears the lock of every mapping in `range`; `ENOMEM` where nothing is mapped.
    fn set_lock(&mut self, range: Range<usize>, lock: VmaFlags) -> Result<()> {
        let mut at = range.start;
        while at < range.end {
            let entry = self.vmas.get(at).ok_or(Errno::ENOMEM)?;
            let end = entry.end.min(range.end);
            let old = entry.value.flags;
            let new = old.difference(LOCK_FLAGS) | lock;
            if new != old && !old.contains(VmaFlags::SPECIAL) {
                self.split_at(at)?;
                self.split_at(end)?;
                self.set_flags(at, new);
            }
            at = end;
        }
        self.merge_range(range);
        Ok(())
    }

    fn set_lock_everywhere(&mut self, lock: VmaFlags) {
        let mut at = 0;
        while let Some((start, end, flags)) =
            self.vmas.find(at).map(|entry| (entry.start, entry.end, entry.value.flags))
        {
            if !flags.contains(VmaFlags::SPECIAL) {
                self.set_flags(start, flags.difference(LOCK_FLAGS) | lock);
            }
            at = end;
        }
        self.merge_range(0..at);
    }
}
