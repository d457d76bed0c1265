//! Entries that faults fill. Those of locked mappings are counted.

use crate::{
    arch::paging::{self, Entry, PteFlags},
    mm::{
        Frame,
        address_space::{
            tables::{self, Leaf},
            vma::{Vma, VmaFlags},
        },
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

/// The same in one that is locked.
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
