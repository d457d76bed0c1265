//! Files that are gone for everybody, but whose memory comes back only after a grace period: somebody who walks a path may be about to open one.
//!
//! `statfs(2)` counts what they have as free at once, as nobody could tell the difference and waiting for the grace period would make each call take as long as the
//! slowest CPU's next interrupt. A file has departed when it has no name and nobody has it open; should somebody open it after all, it is back.
//!
//! Whoever opens adds to the opens and then takes the departure back; whoever departs notes it and then looks at the opens again. Each has a full barrier in
//! between, so one of the two sees the other.

use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

/// What has departed from an instance.
#[derive(Default)]
pub struct Departed {
    pages: AtomicI64,
    inodes: AtomicI64,
}

impl Departed {
    /// Pages and inodes.
    pub fn counts(&self) -> (u64, u64) {
        let load = |count: &AtomicI64| count.load(Ordering::Relaxed).max(0) as u64;
        (load(&self.pages), load(&self.inodes))
    }

    fn add(&self, pages: i64, inodes: i64) {
        self.pages.fetch_add(pages, Ordering::Relaxed);
        self.inodes.fetch_add(inodes, Ordering::Relaxed);
    }
}

/// Whether one file has departed.
#[derive(Default)]
pub struct Departure {
    /// How many have it open.
    opens: AtomicU32,
    /// 0, or one more than the pages that it departed with.
    left_with: AtomicU64,
}

impl Departure {
    /// Somebody opened the file.
    pub fn opened(&self, from: &Departed) {
        self.opens.fetch_add(1, Ordering::SeqCst);
        self.take_back(from);
    }

    /// It was closed once. Whether nobody has it open now.
    pub fn closed(&self) -> bool {
        self.opens.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// It has no name any more, and `pages` pages.
    pub fn depart(&self, from: &Departed, pages: u64) {
        let is_open = || self.opens.load(Ordering::SeqCst) != 0;
        if is_open() {
            return;
        }
        let (left, mark) = (&self.left_with, pages + 1);
        if left.compare_exchange(0, mark, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
            from.add(pages as i64, 1);
            if is_open() {
                self.take_back(from);
            }
        }
    }

    /// It is there after all, or gone for good: its pages and its inode are taken off the counts themselves.
    pub fn take_back(&self, from: &Departed) {
        if self.left_with.load(Ordering::SeqCst) == 0 {
            return;
        }
        if let Some(pages) = self.left_with.swap(0, Ordering::SeqCst).checked_sub(1) {
            from.add(-(pages as i64), -1);
        }
    }
}
