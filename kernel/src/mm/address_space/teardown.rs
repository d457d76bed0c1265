//! The end of page tables: all that they map is freed, and they with it.
//!
//! What may be filled is known, so that little of the tables is looked at: of those above the leaves the groups of entries that were marked
//! ([`mark_filled`](super::tables::mark_filled)), of the leaves what lies in a mapping, as the entries between mappings are empty. Entries are emptied on the way, so
//! each table ends as a page of zeros, and is kept as one: the next process needs it as such.

use super::{
    slot,
    tables::{Leaf, Tables, is_counted, take_frame},
};
use crate::{
    arch::paging::{self, Entry, GROUP, LEVELS, PteFlags, Table},
    mm::{
        PhysAddr,
        huge::{self, HugeFrame},
        kernel_map, mapped,
        node::FreeBatch,
        page::page,
    },
};
use core::{
    iter::{self, Peekable},
    ops::Range,
};

/// What the end of a space needs at every table.
struct Ending<I: Iterator<Item = Range<usize>>> {
    /// The mappings that are not dealt with yet, in order.
    mapped: Peekable<I>,
    /// Pages on their way back.
    pages: FreeBatch,
}

impl Tables {
    /// Frees all that the user half maps, and all tables. `mapped` are the mappings, in order. No CPU has the tables loaded, and nothing uses them
    /// afterwards.
    pub fn free_all(&mut self, mapped: impl Iterator<Item = Range<usize>>) {
        if self.root.0 != 0 {
            kernel_map::take_out_of(self.root_table());
            let mut ending = Ending { mapped: mapped.peekable(), pages: FreeBatch::new() };
            self.free_upper(self.root, LEVELS - 1, 0, &mut ending);
            self.root = PhysAddr(0);
        }
    }

    /// Frees a table above the leaves, which maps memory from `base` on, and what is below it.
    fn free_upper(
        &self,
        addr: PhysAddr,
        level: usize,
        base: usize,
        ending: &mut Ending<impl Iterator<Item = Range<usize>>>,
    ) {
        // SAFETY: nobody else uses the tables any more.
        let table = unsafe { Table::at(addr) };
        if level == 1 {
            while let Some(spare) = slot::take_spare(addr) {
                self.free_table(spare);
            }
        }
        let mut groups = page(addr.frame_number()).groups();
        while groups != 0 {
            let first = groups.trailing_zeros() as usize * GROUP;
            groups &= groups - 1;
            table.for_each_filled(first..first + GROUP, |index, entry| {
                table.store(index, Entry::NONE);
                let start = base + index * paging::span(level);
                if level > 1 {
                    self.free_upper(entry.addr(), level - 1, start, ending);
                } else if !entry.has(PteFlags::LARGE) {
                    self.free_leaf(Leaf::new(entry.addr(), start), ending);
                } else if is_counted(entry) {
                    huge::uncount_mapping(entry.addr());
                    // SAFETY: the entry was taken out; a huge one that is counted owns a reference to each frame.
                    drop(unsafe { HugeFrame::from_counted(entry.addr()) });
                }
            });
        }
        self.free_empty_table(addr);
    }

    fn free_leaf(&self, leaf: Leaf<'_>, ending: &mut Ending<impl Iterator<Item = Range<usize>>>) {
        let end = leaf.base + paging::span(1);
        if mapped::by_node() {
            mapped::uncount_table_on_nodes(leaf.table());
        }
        let Ending { mapped, pages } = ending;
        while let Some(range) = mapped.peek().filter(|range| range.start < end) {
            if range.end > leaf.base {
                leaf.table().for_each_filled(leaf.indices(range), |index, entry| {
                    leaf.table().store(index, Entry::NONE);
                    // SAFETY: the entry was taken out, and nobody else uses the table any more.
                    if let Some(frame) = unsafe { take_frame(entry) } {
                        frame.drop_into(pages);
                    }
                });
            }
            if range.end > end {
                // The rest of it is for the tables that follow.
                break;
            }
            mapped.next();
        }
        self.free_empty_table(leaf.addr());
    }
}

impl Drop for Tables {
    /// What was never used maps nothing.
    fn drop(&mut self) {
        self.free_all(iter::empty());
    }
}
