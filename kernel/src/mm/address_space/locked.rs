//! The pages of locked mappings, which are counted as they come and go (`mm::mlock`). Mappings that are not locked pay nothing for it: what changes
//! them asks their flags alone, and faults that take no lock of the map do without locked ones.

use super::{
    AddressSpace,
    tables::is_counted,
    vma::{Vma, VmaFlags},
};
use crate::{
    arch::paging::Entry,
    mm::mlock::{self, Change},
};
use core::ops::Range;

impl AddressSpace {
    /// Counts what is there of a mapping that becomes locked, or no longer is. The map is held for writing: no fault brings a page in that was not seen
    /// here, as one that takes no lock of the map is over, or too late, once its table's lock was taken (see `speculate`).
    pub(super) fn count_locked(&self, range: Range<usize>, change: Change) {
        self.count_locked_where(range, change, |_| true);
    }

    /// The same of some of the entries.
    fn count_locked_where(
        &self,
        range: Range<usize>,
        change: Change,
        wanted: impl Fn(Entry) -> bool,
    ) {
        // The visit never fails.
        let _ = self.tables.for_each_part(range.clone(), |part| {
            part.for_each_entry(&range, |_, entry| {
                if is_counted(entry) && wanted(entry) {
                    mlock::count(entry.addr(), change);
                }
            });
            Ok(())
        });
    }

    /// Pages of a part of a mapping are about to go, all or those that are `wanted`. The map is held for writing.
    #[inline]
    pub(super) fn before_zap(
        &self,
        vma: &Vma,
        range: Range<usize>,
        wanted: impl Fn(Entry) -> bool,
    ) {
        if vma.flags.contains(VmaFlags::LOCKED) {
            self.count_locked_where(range, Change::Unlock, wanted);
        }
    }

    /// The space ends.
    #[cold]
    pub(super) fn forget_locked(&self) {
        for entry in self.read_map().vmas.iter() {
            self.before_zap(&entry.value, entry.start..entry.end, |_| true);
        }
    }
}
