//! `MADV_FREE`: pages of private memory whose content may go when memory is short, unless they are written before.
//!
//! Private pages come with `DIRTY` in their entry, so one without it is a page that the advice was given for, and that was not written since. The CPU sets
//! the mark at the next write, as it remembers nothing of the entry (`madvise` flushes before it returns); what the kernel writes past the tables sets it in
//! `page_at`. When memory is short, [`shrink`] takes out clean entries whose page nobody else has, by an exchange that fails if the entry has changed. A CPU
//! that still remembers it as clean looks into the tables before its first write, and faults. So no write is lost.
//!
//! Spaces with such pages are on a list, in the order in which they are gone through. Its lock (class LAZY_FREE) is held as long as one of them is worked
//! on, and by a space that ends: it cannot go meanwhile. A space's state says whether there may be pages that the pass over it has left behind:
//! advice sets `MARKED` after it has changed the entries, a pass sets `LISTED` before it looks at them.
//!
//! Memory that was mapped to be dropped (`MAP_DROPPABLE`) goes in the same way, written or not: what is written until no CPU remembers the entry goes with it. A space with
//! such memory stays on the list.

use super::{
    AddressSpace,
    huge::Part,
    tables::is_sole_owner,
    tlb::Gather,
    vma::{Backing, VmaFlags},
};
use crate::{
    arch::paging::{Entry, PteFlags},
    mm::{USER_END, VmEvent, huge::HUGE_PAGES},
    sync::{Mutex, class},
};
use abi::{Errno, Result};
use alloc::vec::Vec;
use core::{ops::Range, sync::atomic::Ordering};

/// The advice was never given.
pub(super) const NEVER: u8 = 0;
/// Not on the list.
const UNLISTED: u8 = 1;
/// On the list; the present pass has yet to see all that there is.
const LISTED: u8 = 2;
/// On the list; there is more than the present pass sees.
const MARKED: u8 = 3;

/// A space on the list.
struct Listed {
    space: *const AddressSpace,
    /// Where the pass goes on.
    at: usize,
}

// SAFETY: the pointer is only followed with the list locked, where the space lives (see `forget`).
unsafe impl Send for Listed {}

static SPACES: Mutex<Vec<Listed>> = Mutex::new(&class::LAZY_FREE, Vec::new());

/// Frees up to `target` pages; how many went. Waits for no lock.
pub(in crate::mm) fn shrink(target: usize) -> usize {
    let Some(mut spaces) = SPACES.try_lock() else { return 0 };
    let mut freed = 0;
    // Each is looked at twice: what is behind it in its pass, and what came since.
    for _ in 0..2 * spaces.len() {
        if freed >= target || spaces.is_empty() {
            break;
        }
        let mut listed = spaces.remove(0);
        // SAFETY: a space on the list has not got past `forget`, which waits for the lock that we hold.
        let space = unsafe { &*listed.space };
        if listed.at == 0 {
            space.lazy_free.store(LISTED, Ordering::SeqCst);
        }
        let went = space.free_lazily(&mut listed.at, target - freed);
        VmEvent::LazilyFreed.count(went);
        freed += went;
        let through = listed.at >= USER_END;
        if through {
            listed.at = 0;
        }
        let all = through
            && space
                .lazy_free
                .compare_exchange(LISTED, UNLISTED, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok();
        if !all {
            // It was taken out, so there is room.
            spaces.push(listed);
        }
    }
    freed
}

impl AddressSpace {
    /// Remembers that entries have lost their mark.
    pub(super) fn may_be_freed_lazily(&self) {
        if self.lazy_free.swap(MARKED, Ordering::SeqCst) >= LISTED {
            return;
        }
        let mut spaces = SPACES.lock();
        if spaces.try_reserve(1).is_ok() {
            spaces.push(Listed { space: self, at: 0 });
        } else {
            // They stay, as they may.
            self.lazy_free.store(UNLISTED, Ordering::SeqCst);
        }
    }

    /// Takes a space that ends off the list.
    pub(super) fn forget_lazily_freed(&self) {
        if self.lazy_free.load(Ordering::SeqCst) != NEVER {
            let this = core::ptr::from_ref(self);
            SPACES.lock().retain(|listed| listed.space != this);
        }
    }

    /// Takes clean private pages out, from address `*at` on, which moves; how many went. A map that is being changed is passed over.
    fn free_lazily(&self, at: &mut usize, target: usize) -> usize {
        let Some(map) = self.map.try_read() else { return 0 };
        let mut gather = Gather::new(self);
        let mut freed = 0;
        for entry in map.vmas.overlapping(*at..USER_END) {
            let vma = &entry.value;
            if matches!(vma.backing, Backing::Object(_)) || vma.flags.contains(VmaFlags::LOCKED) {
                continue;
            }
            let part = entry.start.max(*at)..entry.end;
            let droppable = vma.flags.contains(VmaFlags::DROPPABLE);
            if droppable {
                // There may be more when this is over.
                self.lazy_free.store(MARKED, Ordering::SeqCst);
            }
            let may_go = |page: Entry| {
                if droppable { page.has(PteFlags::ANONYMOUS) } else { is_free_to_go(page) }
            };
            if self.free_clean(part, &mut freed, target, at, &mut gather, may_go).is_err() {
                return freed;
            }
        }
        *at = USER_END;
        freed
    }

    /// The same for a part of one mapping; `EAGAIN` when there are enough.
    fn free_clean(
        &self,
        part: Range<usize>,
        freed: &mut usize,
        target: usize,
        at: &mut usize,
        gather: &mut Gather<'_>,
        may_go: impl Fn(Entry) -> bool,
    ) -> Result<()> {
        self.for_each_whole(part.clone(), |tables| {
            let base = match &tables {
                Part::Leaf(leaf) => leaf.base,
                Part::Huge(huge) => huge.range().start,
            };
            if *freed >= target {
                *at = base.max(part.start);
                return Err(Errno::EAGAIN);
            }
            let leaf = match tables {
                Part::Leaf(leaf) => leaf,
                Part::Huge(huge) => {
                    if may_go(huge.entry())
                        && huge.is_sole_owner()
                        && let Some((addr, frame)) = self.take_huge_unchanged(huge)
                    {
                        gather.huge(addr, frame);
                        *freed += HUGE_PAGES;
                    }
                    return Ok(());
                }
            };
            gather.make_room();
            let _guard = leaf.lock();
            for index in leaf.indices(&part) {
                let page = leaf.table().load(index);
                if may_go(page)
                    && is_sole_owner(page)
                    && leaf.table().compare_exchange(index, page, Entry::NONE).is_ok()
                {
                    // SAFETY: the entry was taken out under the table's lock.
                    if let Some(frame) = unsafe { super::tables::take_frame(page) } {
                        gather.push(frame);
                    }
                    gather.touch(leaf.addr_of(index));
                    gather.uncount(1, 0);
                    *freed += 1;
                }
            }
            Ok(())
        })
    }
}

/// Whether an entry is of a private page that was not written since the advice.
pub(super) fn is_free_to_go(page: Entry) -> bool {
    page.has(PteFlags::ANONYMOUS) && !page.has(PteFlags::DIRTY)
}
