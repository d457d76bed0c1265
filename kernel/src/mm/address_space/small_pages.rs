//! Small pages where a huge one might be, for `khugepaged` to find.
//!
//! A space notes in a byte of its own that there may be some: where a leaf table comes to a mapping that has room for a huge page, where a huge entry is split, where a
//! mapping grows, or is advised to have huge pages; a child inherits its parent's note. That two mappings have become one is not noted. A scan begins by
//! marking the byte, so that it sees at its end whether something was noted meanwhile.

use super::{
    AddressSpace, Map,
    collapse::might_be_huge,
    huge::{Part, has_room},
    vma::Vma,
};
use crate::mm::{USER_END, huge::HUGE_SIZE, khugepaged};
use abi::Errno;
use core::{
    ops::Range,
    sync::atomic::Ordering::{Relaxed, SeqCst},
};
use vma_tree::Entry as MapEntry;

/// There are none, or none that a scan could find.
pub(super) const NONE: u8 = 0;
/// The present scan has yet to see all that there is.
const SCANNED: u8 = 1;
/// There may be more than the present scan sees.
const MARKED: u8 = 2;

/// What a scan leaves behind in a space.
#[derive(Clone, Copy, Default, Debug)]
pub(in crate::mm) struct Rest {
    /// Small pages that may be collapsed later.
    pub(in crate::mm) later: bool,
    /// Small pages, perhaps, that may be once the settings are others.
    pub(in crate::mm) otherwise: bool,
}

impl AddressSpace {
    /// Small pages have come to where a huge one was, or may be from now on: `khugepaged` is called.
    pub(super) fn note_small_pages(&self) {
        self.mark();
        khugepaged::look();
    }

    /// Small pages may have come to where a huge one might be in this mapping.
    pub(in crate::mm) fn note_small_pages_in(&self, entry: &MapEntry<Vma>) {
        if has_room(entry) && might_be_huge(&entry.value) {
            self.mark();
            if self.allows_huge(&entry.value) {
                khugepaged::look();
            }
        }
    }

    /// A mapping has grown by `range`. Small pages in the place of a huge one that it had only a part of may be all in it now.
    pub(super) fn note_growth(&self, map: &Map, range: &Range<usize>) {
        if range.start / HUGE_SIZE != range.end / HUGE_SIZE
            && let Some(entry) = map.vmas.get(range.start)
        {
            self.note_small_pages_in(entry);
        }
    }

    /// What was noted of a parent is so for its child, too. Nobody else knows the child yet.
    pub(super) fn inherit_small_pages(&self, parent: &AddressSpace) {
        if parent.small_pages.load(Relaxed) != NONE {
            self.small_pages.store(MARKED, Relaxed);
        }
    }

    fn mark(&self) {
        // The entries come first: see `begin_scan`.
        self.small_pages.swap(MARKED, SeqCst);
    }

    /// Begins a scan; whether there may be something to find.
    pub(in crate::mm) fn begin_scan(&self) -> bool {
        if self.small_pages.load(SeqCst) == NONE {
            return false;
        }
        // An exchange, so that the scan sees what the last note was about.
        self.small_pages.swap(SCANNED, SeqCst);
        true
    }

    /// Ends it.
    pub(in crate::mm) fn end_scan(&self, rest: Rest) {
        if rest.later || rest.otherwise {
            self.small_pages.store(MARKED, SeqCst);
        } else {
            // What was noted meanwhile stays noted.
            let _ = self.small_pages.compare_exchange(SCANNED, NONE, SeqCst, SeqCst);
        }
    }

    /// The next place from `*at` on, which moves, where a leaf table is and a huge page might be. `None` at the end of the space, and when `budget` is used up:
    /// a mapping and a huge page that is passed over cost one each.
    pub(in crate::mm) fn next_small_pages(
        &self,
        at: &mut usize,
        budget: &mut usize,
        rest: &mut Rest,
    ) -> Option<usize> {
        let map = self.read_map();
        for entry in map.vmas.overlapping(*at..USER_END) {
            let start = entry.start.max(*at).next_multiple_of(HUGE_SIZE);
            let end = entry.end & !(HUGE_SIZE - 1);
            *budget = budget.saturating_sub(1);
            if start < end && might_be_huge(&entry.value) {
                if self.allows_huge(&entry.value) {
                    *at = start;
                    let found = self.first_leaf(start..end, at, budget);
                    if found.is_some() || *budget == 0 {
                        return found;
                    }
                } else {
                    rest.otherwise = true;
                }
            }
            *at = entry.end;
            if *budget == 0 {
                return None;
            }
        }
        *at = USER_END;
        None
    }

    /// The first leaf table in `range`, behind which `*at` moves.
    fn first_leaf(&self, range: Range<usize>, at: &mut usize, budget: &mut usize) -> Option<usize> {
        let mut found = None;
        // It fails where it stops.
        let _ = self.tables.for_each_part(range, |part| match part {
            Part::Leaf(leaf) => {
                (found, *at) = (Some(leaf.base), leaf.base + HUGE_SIZE);
                Err(Errno::EAGAIN)
            }
            Part::Huge(huge) => {
                *at = huge.range().end;
                *budget = budget.saturating_sub(1);
                if *budget == 0 { Err(Errno::EAGAIN) } else { Ok(()) }
            }
        });
        found
    }
}
