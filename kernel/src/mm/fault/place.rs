//! Entries that faults fill, and what is counted with them: pages of locked mappings, and objects' pages by their node.

use crate::{
    arch::paging::{self, Entry, PteFlags},
    mm::{
        Frame, PAGE_SIZE, PageIndex,
        address_space::{
            tables::{self, Leaf},
            vma::{Vma, VmaFlags},
        },
        mapped,
        mlock::{self, Change},
    },
};

/// Fills an empty entry; whether it was empty.
pub(in crate::mm) fn fill(leaf: Leaf<'_>, addr: usize, new: Entry) -> bool {
    leaf.table().compare_exchange(paging::index(addr, 0), Entry::NONE, new).is_ok()
}

/// Counts an entry that a locked mapping gets or loses. Its reference is the caller's.
pub(super) fn count_lock(vma: &Vma, entry: Entry, change: Change) {
    if vma.flags.contains(VmaFlags::LOCKED) && tables::is_counted(entry) {
        mlock::count(entry.addr(), change);
    }
}

/// As [`map_frame`], in a mapping that may be locked.
#[inline]
pub(super) fn map_in(
    vma: &Vma,
    leaf: Leaf<'_>,
    addr: usize,
    frame: Frame,
    flags: PteFlags,
) -> bool {
    if vma.flags.contains(VmaFlags::LOCKED) {
        map_locked(leaf, addr, frame, flags)
    } else {
        map_frame(leaf, addr, frame, flags)
    }
}

/// As [`map_in`] in a mapping that is locked.
#[cold]
fn map_locked(leaf: Leaf<'_>, addr: usize, frame: Frame, flags: PteFlags) -> bool {
    // It may be gone as soon as it is mapped, so it is counted before.
    let kept = frame.clone();
    mlock::count(kept.addr(), Change::Lock);
    let done = map_frame(leaf, addr, frame, flags);
    if !done {
        mlock::count(kept.addr(), Change::Unlock);
    }
    done
}

/// Maps `frame` where nothing is yet; whether that was so. Otherwise the frame is released.
#[inline]
pub(in crate::mm) fn map_frame(leaf: Leaf<'_>, addr: usize, frame: Frame, flags: PteFlags) -> bool {
    let done = fill(leaf, addr, Entry::new(frame.addr(), flags));
    if done {
        // The entry has the reference now.
        frame.into_counted();
    }
    done
}

/// Maps the pages of an object that are around a fault.
pub(super) struct Around<'a> {
    vma: &'a Vma,
    leaf: Leaf<'a>,
    /// The first address, and the page that belongs there.
    first: (usize, PageIndex),
    flags: PteFlags,
    /// How many were mapped.
    pub(super) mapped: isize,
}

impl<'a> Around<'a> {
    pub(super) fn new(
        vma: &'a Vma,
        leaf: Leaf<'a>,
        first: (usize, PageIndex),
        flags: PteFlags,
    ) -> Around<'a> {
        Around { vma, leaf, first, flags, mapped: 0 }
    }

    /// Maps one, unless something is there already, and counts it on its node if that is to be ([`mapped::by_node`]).
    #[inline(always)]
    pub(super) fn map<const BY_NODE: bool>(&mut self, index: PageIndex, frame: &Frame) {
        let (start, first) = self.first;
        let at = start + (index.0 - first.0) as usize * PAGE_SIZE;
        if !self.leaf.table().load(paging::index(at, 0)).is_none() {
            return;
        }
        let Some(frame) = frame.clone_used() else { return };
        let place = frame.addr();
        if map_in(self.vma, self.leaf, at, frame, self.flags) {
            self.mapped += 1;
            if BY_NODE {
                mapped::count_on_node(place);
            }
        }
    }
}
