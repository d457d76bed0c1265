//! `mlock(2)` and its family. Pages of locked mappings are brought in at once and count against RLIMIT_MEMLOCK; without swap they
//! cannot go away anyhow.

use super::{
    AddressSpace, Map,
    map::{limit_pages, may_lock_any, page_align},
    vma::VmaFlags,
};
use crate::{
    mm::{PAGE_SIZE, mlock::Change},
    process::Resource,
};
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
            self.set_lock(&mut map, range.clone(), mode.flags())?;
        }
        if mode == LockMode::Now { self.populate(range).map_err(lock_errno) } else { Ok(()) }
    }

    /// `munlock(2)`.
    pub fn unlock(&self, addr: usize, len: usize) -> Result<()> {
        let range = lock_range(addr, len)?;
        let mut map = self.write_map_killable()?;
        self.set_lock(&mut map, range, VmaFlags::empty())
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
                self.set_lock_everywhere(&mut map, mode.flags());
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
        self.set_lock_everywhere(&mut map, VmaFlags::empty());
        Ok(())
    }

    /// Sets or clears the lock of every mapping in `range`; `ENOMEM` where nothing is mapped.
    fn set_lock(&self, map: &mut Map, range: Range<usize>, lock: VmaFlags) -> Result<()> {
        let mut at = range.start;
        while at < range.end {
            let entry = map.vmas.get(at).ok_or(Errno::ENOMEM)?;
            let end = entry.end.min(range.end);
            let old = entry.value.flags;
            let new = with_lock(old, lock);
            if new != old {
                map.split_at(at)?;
                map.split_at(end)?;
                self.change_lock(map, at..end, old, new);
            }
            at = end;
        }
        map.merge_range(range);
        Ok(())
    }

    fn set_lock_everywhere(&self, map: &mut Map, lock: VmaFlags) {
        let mut at = 0;
        while let Some((start, end, old)) =
            map.vmas.find(at).map(|entry| (entry.start, entry.end, entry.value.flags))
        {
            self.change_lock(map, start..end, old, with_lock(old, lock));
            at = end;
        }
        map.merge_range(0..at);
    }

    /// Gives the mapping at `range` other flags, and counts the pages that it has by that.
    fn change_lock(&self, map: &mut Map, range: Range<usize>, old: VmaFlags, new: VmaFlags) {
        map.set_flags(range.start, new);
        if (old ^ new).contains(VmaFlags::LOCKED) {
            let locked = new.contains(VmaFlags::LOCKED);
            self.count_locked(range, if locked { Change::Lock } else { Change::Unlock });
        }
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

/// The flags of a mapping with `flags` that is locked so. Not those that the kernel made, whose pages are no memory, or may go at any time.
fn with_lock(flags: VmaFlags, lock: VmaFlags) -> VmaFlags {
    if flags.intersects(VmaFlags::SPECIAL | VmaFlags::FOREIGN | VmaFlags::DROPPABLE) {
        flags
    } else {
        flags.difference(LOCK_FLAGS) | lock
    }
}

fn lock_range(addr: usize, len: usize) -> Result<Range<usize>> {
    let start = addr & !(PAGE_SIZE - 1);
    let len = page_align(len.wrapping_add(addr - start)).ok_or(Errno::EINVAL)?;
    let end = start.checked_add(len).ok_or(Errno::EINVAL)?;
    Ok(start..end)
}
