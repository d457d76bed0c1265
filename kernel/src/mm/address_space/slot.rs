//! Places in the tables of level 1, and the leaf tables that are set aside for huge entries there.
//!
//! These are linked through the frames' [`Page`](crate::mm::page::Page), from that of the table on; its lock protects the list.

use super::tables::{self, TableGuard};
use crate::{
    arch::paging::{self, Entry, Table},
    mm::{PhysAddr, page::page},
};

/// The place in a table of level 1 that leads to a leaf table, or holds a huge entry.
#[derive(Clone, Copy)]
pub struct Slot<'a> {
    /// The table.
    pub table: &'a Table,
    addr: PhysAddr,
    /// Which entry of it.
    pub index: usize,
    /// The first address that it maps.
    pub base: usize,
}

impl<'a> Slot<'a> {
    /// The place for `addr` in the table of level 1 at `table`, which is reachable.
    pub(super) fn new(table: PhysAddr, addr: usize) -> Slot<'a> {
        let base = addr & !(paging::span(1) - 1);
        // SAFETY: as in `Tables::leaf`.
        let entries = unsafe { Table::at(table) };
        Slot { table: entries, addr: table, index: paging::index(addr, 1), base }
    }

    /// Takes the lock for changes of a huge entry.
    pub fn lock(self) -> TableGuard<'a> {
        tables::lock(self.addr)
    }

    /// Reads the entry.
    pub fn load(self) -> Entry {
        self.table.load(self.index)
    }

    /// Writes the entry.
    pub fn store(self, entry: Entry) {
        self.table.store(self.index, entry);
    }

    /// Fills the empty entry with a huge one, and sets the leaf table `spare` aside for it; whether it was empty. Otherwise the table stays the caller's.
    pub fn fill(self, huge: Entry, spare: PhysAddr) -> bool {
        let _guard = self.lock();
        tables::mark_filled(self.addr, self.index);
        let done = self.table.compare_exchange(self.index, Entry::NONE, huge).is_ok();
        if done {
            let first = page(self.addr.frame_number());
            page(spare.frame_number()).set_next(first.next());
            first.set_next(spare.frame_number());
        }
        done
    }

    /// Takes one of the leaf tables that were set aside. The table is locked, and the caller is about to empty or split a huge entry, or just did.
    pub fn take_spare(self) -> PhysAddr {
        match take_spare(self.addr) {
            Some(spare) => spare,
            None => unreachable!("each huge entry has set a table aside"),
        }
    }
}

/// Takes one of the leaf tables that were set aside with the table at `addr`, whose lock is held, or which nobody else uses any more.
pub fn take_spare(addr: PhysAddr) -> Option<PhysAddr> {
    let first = page(addr.frame_number());
    let spare = first.next();
    if spare == 0 {
        return None;
    }
    first.set_next(page(spare).next());
    Some(PhysAddr::of_frame(spare))
}
