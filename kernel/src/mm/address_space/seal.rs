//! `mseal(2)`: mappings that stay as they are. They cannot be unmapped, moved, replaced or protected otherwise, and what is advised does not change what they
//! show. Nothing takes a seal away but the end of the space.

use super::{
    AddressSpace, Advice, Map,
    map::page_range,
    vma::{Backing, Vma, VmaFlags},
};
use abi::{Errno, Result};
use core::ops::Range;

impl AddressSpace {
    /// `mseal(2)`; `ENOMEM` where nothing is mapped: nothing is sealed then.
    pub fn seal(&self, addr: usize, len: usize) -> Result<()> {
        let range = page_range(addr, len)?;
        if range.is_empty() {
            return Ok(());
        }
        let mut map = self.write_map_killable()?;
        let mapped: usize = map
            .vmas
            .overlapping(range.clone())
            .map(|entry| entry.end.min(range.end) - entry.start.max(range.start))
            .sum();
        if mapped < range.len() {
            return Err(Errno::ENOMEM);
        }
        map.has_sealed = true;
        let mut at = range.start;
        let mut result = Ok(());
        while at < range.end && result.is_ok() {
            let Some(entry) = map.vmas.get(at) else { break };
            let part = at..entry.end.min(range.end);
            let flags = entry.value.flags | VmaFlags::SEALED;
            if flags != entry.value.flags {
                result = map.split_at(part.start).and_then(|()| map.split_at(part.end));
                if result.is_ok() {
                    map.set_flags(part.start, flags);
                }
            }
            at = part.end;
        }
        map.merge_range(range);
        result
    }
}

impl Map {
    /// Whether nothing in `range` is sealed; `EPERM`.
    #[inline]
    pub(super) fn check_unsealed(&self, range: Range<usize>) -> Result<()> {
        if self.has_sealed
            && self.vmas.overlapping(range).any(|entry| entry.value.check_unsealed().is_err())
        {
            return Err(Errno::EPERM);
        }
        Ok(())
    }
}

impl Vma {
    /// Whether it is not sealed; `EPERM`.
    pub(super) fn check_unsealed(&self) -> Result<()> {
        if self.flags.contains(VmaFlags::SEALED) { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Whether advice may be heeded: what takes the content of private memory away counts as writing to it, here or in a child. `EPERM`.
    pub(super) fn check_advice(&self, advice: Advice) -> Result<()> {
        let takes_content = matches!(
            advice,
            Advice::Free
                | Advice::DontNeed
                | Advice::DontNeedLocked
                | Advice::DontFork
                | Advice::WipeOnFork
        );
        let read_only = matches!(self.backing, Backing::Anonymous)
            && !self.flags.intersects(VmaFlags::SHARED | VmaFlags::WRITE);
        if takes_content && read_only { self.check_unsealed() } else { Ok(()) }
    }
}
