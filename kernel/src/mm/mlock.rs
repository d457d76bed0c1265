//! Pages that mappings keep in memory (`mlock(2)`), counted as on Linux: a page once, by its node, however many mappings lock it.
//!
//! Each entry that maps a counted frame in a locked mapping counts as one lock of it: whoever makes the entry counts before, whoever takes it out
//! afterwards, while a reference keeps the frame. `address_space::locked` counts what is there when a mapping as a whole is locked or unlocked.

use super::{
    PhysAddr, VmEvent,
    huge::HUGE_PAGES,
    page::{Page, page, pages},
    stats::Counter,
};
use core::sync::atomic::Ordering;

/// Whether locks come or go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Lock,
    Unlock,
}

/// Counts an entry in a locked mapping for the frame at `addr`.
#[cold]
pub(super) fn count(addr: PhysAddr, change: Change) {
    count_page(page(addr.frame_number()), change);
}

/// The same of a huge entry.
pub(super) fn count_huge(addr: PhysAddr, change: Change) {
    pages(addr.frame_number(), HUGE_PAGES).iter().for_each(|page| count_page(page, change));
}

fn count_page(page: &Page, change: Change) {
    match change {
        Change::Lock => {
            if page.locks().fetch_add(1, Ordering::Relaxed) == 0 {
                Counter::Locked.count_up(page);
                VmEvent::Locked.count(1);
            }
        }
        Change::Unlock => {
            if page.locks().fetch_sub(1, Ordering::Relaxed) == 1 {
                Counter::Locked.count_down(page);
                VmEvent::Unlocked.count(1);
            }
        }
    }
}
