//! The page tables of an address space's user half.
//!
//! Who may write an entry of a leaf table (level 0):
//! - An empty entry may be filled by anybody who holds the space's lock for reading, with one compare-exchange.
//! - A filled entry is changed or emptied under the table's lock ([`Tables::lock`]), or with the space's lock held for writing. What it refers to
//!   may be read (and counted up) under the same. Only the right to write may be added by compare-exchange.
//! - The CPUs set the accessed and dirty bits at any time.
//!
//! An entry one level up may be a huge one instead of a table: see `huge`.
//!
//! Upper tables are only added to (by compare-exchange), and taken away with the space's lock held for writing.

use super::{huge::Part, slot::Slot, vma::FORBIDDEN};
use crate::{
    arch::{
        irq,
        paging::{self, ENTRIES, Entry, GROUP, LEVELS, PteFlags, Table},
    },
    mm::{
        Frame, PAGE_SIZE, PhysAddr, kernel_map,
        node::{self, Purpose},
        page::{PageKind, page},
        reclaim,
    },
};
use abi::Result;
use core::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

/// How often [`Leaf::lock_soon`] tries.
const SOON: usize = 32;

/// The flags of an entry that leads to a table.
pub const UPPER: PteFlags = PteFlags::PRESENT.union(PteFlags::WRITE).union(PteFlags::USER);

/// Page tables.
pub struct Tables {
    pub(super) root: PhysAddr,
    /// Table pages, the root included.
    count: AtomicUsize,
}

/// A leaf table and the first address that it maps.
#[derive(Clone, Copy)]
pub struct Leaf<'a> {
    table: &'a Table,
    addr: PhysAddr,
    /// The first address that it maps.
    pub base: usize,
}

/// A table's lock, held: preemption is off.
pub struct TableGuard<'a>(&'a crate::mm::page::Page);

impl Drop for TableGuard<'_> {
    fn drop(&mut self) {
        self.0.lock.store(0, Ordering::Release);
        irq::preempt_enable();
    }
}

/// Takes the lock of the table at `addr`.
pub(super) fn lock<'a>(addr: PhysAddr) -> TableGuard<'a> {
    irq::preempt_disable();
    let page = page(addr.frame_number());
    while page.lock.swap(1, Ordering::Acquire) != 0 {
        while page.lock.load(Ordering::Relaxed) != 0 {
            core::hint::spin_loop();
        }
    }
    TableGuard(page)
}

impl<'a> Leaf<'a> {
    /// The leaf table at `addr` that maps memory from `base` on. It is reachable, or about to be.
    pub(super) fn new(addr: PhysAddr, base: usize) -> Leaf<'a> {
        // SAFETY: as in `Tables::leaf`.
        Leaf { table: unsafe { Table::at(addr) }, addr, base }
    }

    /// Takes the lock for changes of filled entries.
    pub fn lock(self) -> TableGuard<'a> {
        lock(self.addr)
    }

    /// The same, unless that takes long: for a CPU that has interrupts off, which the holder may be waiting for.
    #[inline]
    pub fn lock_soon(self) -> Option<TableGuard<'a>> {
        irq::preempt_disable();
        let page = page(self.addr.frame_number());
        for _ in 0..SOON {
            if page.lock.swap(1, Ordering::Acquire) == 0 {
                return Some(TableGuard(page));
            }
            core::hint::spin_loop();
        }
        irq::preempt_enable();
        None
    }

    /// Waits for a speculative fault that is changing an entry. With the space's lock held for writing, no other comes until that is released (see
    /// `speculate`).
    pub fn settle(self) {
        drop(self.lock());
    }

    /// Where the table is.
    pub fn addr(self) -> PhysAddr {
        self.addr
    }

    /// The table.
    pub fn table(self) -> &'a Table {
        self.table
    }

    /// Indices of the entries for the part of `range` that the table maps.
    pub fn indices(self, range: &Range<usize>) -> Range<usize> {
        let start = range.start.max(self.base);
        let end = range.end.min(self.base + paging::span(1));
        (start - self.base) / PAGE_SIZE..(end - self.base).div_ceil(PAGE_SIZE)
    }

    /// The address that an entry maps.
    pub fn addr_of(self, index: usize) -> usize {
        self.base + index * PAGE_SIZE
    }
}

/// Whether an entry refers to a frame, be access allowed or not.
#[inline]
pub fn is_mapped(entry: Entry) -> bool {
    entry.has_any(PteFlags::PRESENT.union(FORBIDDEN))
}

/// Whether an entry holds a reference to its frame.
#[inline]
pub fn is_counted(entry: Entry) -> bool {
    is_mapped(entry) && !entry.has(PteFlags::UNCOUNTED)
}

/// The reference that an entry held.
///
/// # Safety
/// The caller took the entry out of its table, and nobody else takes its reference.
pub unsafe fn take_frame(entry: Entry) -> Option<Frame> {
    // SAFETY: entries that are counted own a reference (caller).
    is_counted(entry).then(|| unsafe { Frame::from_counted(entry.addr()) })
}

/// A new reference to what an entry maps.
///
/// # Safety
/// The caller keeps the entry from being emptied meanwhile.
pub unsafe fn clone_frame(entry: Entry) -> Option<Frame> {
    is_counted(entry).then(|| {
        // SAFETY: the entry owns a reference, which stays where it is: the copy is forgotten.
        let owned = core::mem::ManuallyDrop::new(unsafe { Frame::from_counted(entry.addr()) });
        (*owned).clone()
    })
}

/// Whether an entry holds the only reference to a private page, which may then be written where it is.
///
/// The caller keeps the entry from being emptied or copied meanwhile.
pub fn is_sole_owner(entry: Entry) -> bool {
    entry.has(PteFlags::ANONYMOUS)
        && is_counted(entry)
        && page(entry.addr().frame_number()).references().load(Ordering::Acquire) == 1
}

/// How many entries map what this one does, as far as references tell: an object holds one to each of its pages (two to memory that is never freed), and
/// what is on its way through a pipe has one too.
///
/// The caller keeps the entry from being emptied meanwhile.
pub fn map_count(entry: Entry) -> u32 {
    let page = page(entry.addr().frame_number());
    let references = page.references().load(Ordering::Relaxed);
    if entry.has(PteFlags::ANONYMOUS) {
        references
    } else {
        let objects = 1 + u32::from(page.is(PageKind::Reserved));
        references.saturating_sub(objects).max(1)
    }
}

/// An entry of the table at `table`, which is not a leaf, is about to be filled: those that never were need not be looked at in the end.
pub(super) fn mark_filled(table: PhysAddr, index: usize) {
    page(table.frame_number()).mark_group(index / GROUP);
}

impl Tables {
    /// Tables that map nothing in the user half.
    pub fn new() -> Result<Tables> {
        let mut tables = Tables { root: PhysAddr(0), count: AtomicUsize::new(0) };
        tables.root = tables.alloc_table()?;
        kernel_map::copy_into(tables.root_table());
        Ok(tables)
    }

    /// The root table.
    pub fn root(&self) -> PhysAddr {
        self.root
    }

    /// Table pages.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn alloc_table(&self) -> Result<PhysAddr> {
        self.alloc_table_by(node::alloc_zeroed_page)
    }

    /// A leaf table to be set aside for a huge entry, with any content.
    pub fn alloc_spare(&self) -> Result<PhysAddr> {
        self.alloc_table_by(node::alloc_page)
    }

    #[inline]
    fn alloc_table_by(&self, alloc: impl Fn(Purpose) -> Option<u32>) -> Result<PhysAddr> {
        let frame = reclaim::obtain(alloc)?;
        page(frame).use_as(PageKind::PageTable);
        page(frame).lock.store(0, Ordering::Relaxed);
        // No table is set aside here.
        page(frame).set_next(0);
        page(frame).clear_groups();
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(PhysAddr::of_frame(frame))
    }

    pub(super) fn free_table(&self, addr: PhysAddr) {
        self.free_table_by(addr, node::free_page);
    }

    /// The same of one that is empty.
    pub(super) fn free_empty_table(&self, addr: PhysAddr) {
        // SAFETY: the caller has it alone.
        debug_assert!(unsafe { Table::at(addr) }.is_empty());
        self.free_table_by(addr, node::free_zeroed_page);
    }

    #[inline]
    fn free_table_by(&self, addr: PhysAddr, free: impl Fn(u32)) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        free(addr.frame_number());
    }

    pub(super) fn root_table(&self) -> &Table {
        // SAFETY: the root lives as long as `self`.
        unsafe { Table::at(self.root) }
    }

    /// The place that leads to the leaf table for `addr` or holds a huge entry, if its table exists. The space's lock is held.
    pub fn slot(&self, addr: usize) -> Option<Slot<'_>> {
        let mut phys = self.root;
        for level in (2..LEVELS).rev() {
            // SAFETY: as in `leaf`.
            let entry = unsafe { Table::at(phys) }.load(paging::index(addr, level));
            if entry.is_none() {
                return None;
            }
            phys = entry.addr();
        }
        Some(Slot::new(phys, addr))
    }

    /// The same; tables that are missing are made.
    pub fn slot_or_new(&self, addr: usize) -> Result<Slot<'_>> {
        let mut phys = self.root;
        for level in (2..LEVELS).rev() {
            // SAFETY: as in `leaf`.
            let table = unsafe { Table::at(phys) };
            let index = paging::index(addr, level);
            let mut entry = table.load(index);
            if entry.is_none() {
                entry = self.add_table(phys, index)?;
            }
            phys = entry.addr();
        }
        Ok(Slot::new(phys, addr))
    }

    /// What maps `addr`, if anything does. The space's lock is held.
    pub fn part(&self, addr: usize) -> Option<Part<'_>> {
        if let Some(leaf) = self.leaf(addr) {
            return Some(Part::Leaf(leaf));
        }
        let huge = self.slot(addr)?.lock_huge();
        // Should it have been split meanwhile, there is a leaf table now.
        huge.map(Part::Huge).or_else(|| self.leaf(addr).map(Part::Leaf))
    }

    /// The leaf table for `addr`, if there is one. The space's lock is held, or interrupts are off on a CPU that has the tables loaded.
    #[inline]
    pub fn leaf(&self, addr: usize) -> Option<Leaf<'_>> {
        let mut table = self.root_table();
        let mut phys = self.root;
        for level in (1..LEVELS).rev() {
            let entry = table.load(paging::index(addr, level));
            if entry.is_none() || level == 1 && entry.has(PteFlags::LARGE) {
                return None;
            }
            phys = entry.addr();
            // SAFETY: tables are only taken away with the space's lock held for writing, and freed when every CPU that has them loaded has
            // answered an interrupt.
            table = unsafe { Table::at(phys) };
        }
        Some(Leaf { table, addr: phys, base: addr & !(paging::span(1) - 1) })
    }

    /// The same; tables that are missing are made. `None` where there is a huge entry.
    #[inline]
    pub fn leaf_or_new(&self, addr: usize) -> Result<Option<Leaf<'_>>> {
        let mut table = self.root_table();
        let mut phys = self.root;
        for level in (1..LEVELS).rev() {
            let index = paging::index(addr, level);
            let mut entry = table.load(index);
            if entry.is_none() {
                entry = self.add_table(phys, index)?;
            }
            if level == 1 && entry.has(PteFlags::LARGE) {
                return Ok(None);
            }
            phys = entry.addr();
            // SAFETY: as in `leaf`.
            table = unsafe { Table::at(phys) };
        }
        Ok(Some(Leaf { table, addr: phys, base: addr & !(paging::span(1) - 1) }))
    }

    #[cold]
    fn add_table(&self, above: PhysAddr, index: usize) -> Result<Entry> {
        // SAFETY: as in `leaf`.
        let table = unsafe { Table::at(above) };
        let new = Entry::new(self.alloc_table()?, UPPER);
        mark_filled(above, index);
        match table.compare_exchange(index, Entry::NONE, new) {
            Ok(()) => Ok(new),
            Err(other) => {
                self.free_table(new.addr());
                Ok(other)
            }
        }
    }

    /// Calls `visit` with each leaf table and huge entry that maps part of `range`, in order, until it says to stop.
    pub fn for_each_part<'a>(
        &'a self,
        range: Range<usize>,
        mut visit: impl FnMut(Part<'a>) -> Result<()>,
    ) -> Result<()> {
        let mut addr = range.start;
        while addr < range.end {
            let mut phys = self.root;
            let mut table = self.root_table();
            let mut level = LEVELS - 1;
            loop {
                let entry = table.load(paging::index(addr, level));
                if entry.is_none() {
                    // Nothing below: on with what the next entry covers.
                    addr = (addr & !(paging::span(level) - 1)).saturating_add(paging::span(level));
                    break;
                }
                if level == 1 && entry.has(PteFlags::LARGE) {
                    // Should it have changed meanwhile, it is looked at again.
                    if let Some(huge) = Slot::new(phys, addr).lock_huge() {
                        addr = huge.range().end;
                        visit(Part::Huge(huge))?;
                    }
                    break;
                }
                phys = entry.addr();
                // SAFETY: as in `leaf`.
                table = unsafe { Table::at(phys) };
                level -= 1;
                if level == 0 {
                    let base = addr & !(paging::span(1) - 1);
                    visit(Part::Leaf(Leaf { table, addr: phys, base }))?;
                    addr = base + paging::span(1);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Unlinks the tables that `changed` is mapped by and that map nothing outside `free`, whose entries are all empty; `sink` gets each, to be
    /// freed with [`Tables::free_unlinked`] once no CPU can walk through it. The space's lock is held for writing.
    pub fn unlink_tables(
        &self,
        changed: &Range<usize>,
        free: &Range<usize>,
        sink: &mut dyn FnMut(PhysAddr),
    ) {
        Self::unlink_level(self.root_table(), LEVELS - 1, 0, changed, free, sink);
    }

    fn unlink_level(
        table: &Table,
        level: usize,
        base: usize,
        changed: &Range<usize>,
        free: &Range<usize>,
        sink: &mut dyn FnMut(PhysAddr),
    ) {
        let span = paging::span(level);
        let first = changed.start.saturating_sub(base) / span;
        let last = (changed.end - 1 - base) / span;
        let entries = if level == LEVELS - 1 { ENTRIES / 2 } else { ENTRIES };
        for index in first..=last.min(entries - 1) {
            let entry = table.load(index);
            if entry.is_none() {
                continue;
            }
            let start = base + index * span;
            if level > 1 {
                // SAFETY: as in `leaf`.
                let below = unsafe { Table::at(entry.addr()) };
                Self::unlink_level(below, level - 1, start, changed, free, sink);
            }
            if free.start <= start && start + span <= free.end {
                table.store(index, Entry::NONE);
                sink(entry.addr());
            }
        }
    }

    /// Frees a table that was unlinked.
    pub fn free_unlinked(&self, addr: PhysAddr) {
        self.free_table(addr);
    }
}
