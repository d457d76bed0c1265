//! `shmdt(2)`: undoes what `shmat(2)` has mapped, or what is left of it.

use super::{AddressSpace, Removed, map::page_align, tlb::Gather, vma::Backing};
use crate::mm::{PAGE_SIZE, USER_END};
use abi::{Errno, Result};
use alloc::sync::Arc;

impl AddressSpace {
    /// Unmaps the attachment that was made at `addr`: every part of it that is still where it was. `EINVAL` when there is none.
    pub fn detach(&self, addr: usize) -> Result<()> {
        if !addr.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let mut removed = Removed::new();
        let mut map = self.write_map_killable()?;
        let mut gather = Gather::new(self);
        let mut found = None;
        let (mut at, mut end) = (addr, USER_END);
        let mut result = Ok(());
        while let Some(entry) = map.vmas.find(at).filter(|entry| entry.end <= end) {
            let range = entry.start..entry.end;
            at = range.end;
            let Backing::Object(object) = &entry.value.backing else { continue };
            let Some(watcher) = &object.watcher else { continue };
            let in_place = range.start.checked_sub(addr).map(|offset| (offset / PAGE_SIZE) as u64)
                == Some(object.first);
            if !in_place || found.as_ref().is_some_and(|found| !Arc::ptr_eq(found, watcher)) {
                continue;
            }
            // Parts of it lie no further up than all of it would.
            let size = page_align(watcher.size()).ok_or(Errno::EINVAL)?;
            end = end.min(addr.saturating_add(size));
            found = Some(Arc::clone(watcher));
            result = self.unmap_locked(&mut map, range, &mut gather, &mut removed);
            if result == Err(Errno::EPERM) {
                // What is sealed stays, and nobody is told, as on Linux.
                result = Ok(());
            }
            if result.is_err() {
                break;
            }
        }
        drop(gather);
        drop(map);
        result.and(if found.is_some() { Ok(()) } else { Err(Errno::EINVAL) })
    }
}
