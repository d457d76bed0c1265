//! Huge entries: one in a table above the leaf tables that maps 512 frames of private memory at once.
//!
//! A huge entry is 512 equal entries written as one, and can be [split](AddressSpace::split) into them at any time: each of its frames has its own count, and the
//! leaf table that they will need is set aside when the entry is made. So a split needs no memory and cannot fail, and whoever does not know about huge entries
//! only has to split what it finds. It lies within one mapping when it is made; a mapping that is cut later leaves it as it is until somebody works on a part of it.
//!
//! Who may write: an entry becomes huge by one compare-exchange from empty, as it becomes a table. A huge one is changed, split or emptied under the lock of the table
//! that it is in, with the space's lock held for reading at least. Speculative faults (see `speculate`) need a leaf table, so they never meet one.

use super::{
    AddressSpace,
    slot::Slot,
    tables::{self, Leaf, TableGuard, UPPER},
    vma::{Backing, FORBIDDEN, Vma, VmaFlags},
};
use crate::{
    arch::paging::{self, ENTRIES, Entry, PteFlags},
    mm::{
        PAGE_SIZE, PhysAddr,
        fault::{self, Access, Failure},
        huge::{self, Event, HUGE_PAGES, HUGE_SIZE, HugeFrame},
        khugepaged,
        mlock::{self, Change},
    },
};
use abi::Result;
use core::{ops::Range, sync::atomic::Ordering};
use vma_tree::Entry as MapEntry;

/// A part of an address space, as its tables map it.
pub enum Part<'a> {
    /// By a leaf table.
    Leaf(Leaf<'a>),
    /// By a huge entry, whose table is locked.
    Huge(Huge<'a>),
}

impl Part<'_> {
    /// Calls `look` with the address and the entry of each page of `range`, under the table's lock: for a huge entry those that a split would make.
    pub fn for_each_entry(self, range: &Range<usize>, mut look: impl FnMut(usize, Entry)) {
        match self {
            Part::Leaf(leaf) => {
                let _guard = leaf.lock();
                for index in leaf.indices(range) {
                    look(leaf.addr_of(index), leaf.table().load(index));
                }
            }
            Part::Huge(huge) => {
                huge.entries_in(range).for_each(|(addr, entry)| look(addr, entry));
            }
        }
    }
}

/// A huge entry, its table's lock held.
#[must_use]
pub struct Huge<'a> {
    slot: Slot<'a>,
    entry: Entry,
    _guard: TableGuard<'a>,
}

impl<'a> Slot<'a> {
    /// The huge entry that is here; `None` if there is none.
    pub fn lock_huge(self) -> Option<Huge<'a>> {
        let guard = self.lock();
        let entry = self.load();
        entry.has(PteFlags::LARGE).then_some(Huge { slot: self, entry, _guard: guard })
    }
}

impl<'a> Huge<'a> {
    /// What it was when its table was locked; the CPU may have set the accessed and dirty bits since.
    pub fn entry(&self) -> Entry {
        self.entry
    }

    /// What it maps.
    pub fn range(&self) -> Range<usize> {
        self.slot.base..self.slot.base + HUGE_SIZE
    }

    /// Whether all of it lies in `range`.
    pub fn is_within(&self, range: &Range<usize>) -> bool {
        range.start <= self.slot.base && self.slot.base + HUGE_SIZE <= range.end
    }

    /// Where it maps pages of `range`, and the leaf entries that a split would make of those.
    pub fn entries_in(&self, range: &Range<usize>) -> impl Iterator<Item = (usize, Entry)> {
        let start = range.start.max(self.slot.base);
        let end = range.end.min(self.slot.base + HUGE_SIZE);
        let (base, entry) = (self.slot.base, self.entry);
        (start..end).step_by(PAGE_SIZE).map(move |addr| (addr, small(entry, addr - base)))
    }

    /// The leaf entry that a split would make for `addr`, which it maps.
    pub fn entry_of(&self, addr: usize) -> Entry {
        small(self.entry, (addr & !(PAGE_SIZE - 1)) - self.slot.base)
    }

    /// Whether it holds the only references to its frames.
    pub fn is_sole_owner(&self) -> bool {
        is_sole_owner(self.entry)
    }

    /// Adds flags.
    pub fn set_flags(&self, flags: PteFlags) {
        self.slot.table.set_flags(self.slot.index, flags);
    }

    /// Takes flags away.
    pub fn clear_flags(&self, flags: PteFlags) {
        self.slot.table.clear_flags(self.slot.index, flags);
    }

    /// Writes it anew; what the CPU set until then is returned.
    pub fn swap(&self, new: Entry) -> Entry {
        self.slot.table.swap(self.slot.index, new)
    }

    /// Lets go of the lock.
    pub fn release(self) -> Slot<'a> {
        self.slot
    }
}

/// One of the leaf entries that a huge entry stands for, `offset` bytes into it.
fn small(entry: Entry, offset: usize) -> Entry {
    Entry::new(PhysAddr(entry.addr().0 + offset), entry.flags().difference(PteFlags::LARGE))
}

/// Whether a huge entry holds the only references to its frames, which may then be written where they are. Its table is locked.
pub(super) fn is_sole_owner(entry: Entry) -> bool {
    tables::is_counted(entry) && huge::has_one_owner(entry.addr())
}

/// Whether a mapping has room for a huge page.
pub(super) fn has_room(entry: &MapEntry<Vma>) -> bool {
    let last = entry.end & !(HUGE_SIZE - 1);
    last.checked_sub(HUGE_SIZE).is_some_and(|first| first >= entry.start)
}

/// Counts a huge entry that a mapping with `flags` gets, or would have, if it is locked.
fn count_lock(flags: VmaFlags, entry: Entry, change: Change) {
    if flags.contains(VmaFlags::LOCKED) && tables::is_counted(entry) {
        mlock::count_huge(entry.addr(), change);
    }
}

/// Pages that a huge entry counts for.
const PAGES: isize = HUGE_PAGES as isize;

impl AddressSpace {
    /// Whether huge pages may come to a mapping with `flags`.
    pub(super) fn allows_huge(&self, vma: &Vma) -> bool {
        matches!(vma.backing, Backing::Anonymous)
            && huge::allows(vma.flags)
            && !self.no_huge.load(Ordering::Relaxed)
    }

    /// Whether this space gets no huge pages (`PR_SET_THP_DISABLE`).
    pub fn has_no_huge_pages(&self) -> bool {
        self.no_huge.load(Ordering::Relaxed)
    }

    /// Sets it; what is there stays.
    pub fn set_no_huge_pages(&self, no: bool) {
        let before = self.no_huge.load(Ordering::Relaxed);
        self.no_huge.store(no, Ordering::Relaxed);
        if before && !no {
            khugepaged::look();
        }
    }

    /// Visits what maps `range`; a huge entry that reaches out of it is split first.
    pub(super) fn for_each_whole<'a>(
        &'a self,
        range: Range<usize>,
        mut visit: impl FnMut(Part<'a>) -> Result<()>,
    ) -> Result<()> {
        self.tables.for_each_part(range.clone(), |part| match part {
            Part::Huge(huge) if !huge.is_within(&range) => visit(Part::Leaf(self.split(huge))),
            part => visit(part),
        })
    }

    /// Makes 512 entries of a huge one.
    ///
    /// No CPU may have both the large translation and small ones of the same memory at once (some have errata about it), so the entry is without access until all have
    /// forgotten the large one. Whoever faults meanwhile tries again.
    pub(in crate::mm) fn split<'a>(&self, huge: Huge<'a>) -> Leaf<'a> {
        let hidden = PteFlags::PRESENT | PteFlags::WRITE;
        let entry = huge.swap(huge.entry.without(hidden).with(FORBIDDEN));
        if entry.is_present() {
            self.flush(huge.range());
        }
        let addr = huge.slot.take_spare();
        let leaf = Leaf::new(addr, huge.slot.base);
        for index in 0..ENTRIES {
            leaf.table().store(index, small(entry, index * PAGE_SIZE));
        }
        huge.slot.store(Entry::new(addr, UPPER));
        if tables::is_counted(entry) {
            huge::uncount_mapping(entry.addr());
        }
        Event::Split.count();
        self.note_small_pages();
        leaf
    }

    /// Splits the huge entry that maps `addr`, if one does.
    pub(super) fn split_at(&self, addr: usize) {
        if let Some(huge) = self.tables.slot(addr).and_then(Slot::lock_huge) {
            self.split(huge);
        }
    }

    /// Empties a huge entry: where it was, and its frames. Whoever calls counts them and flushes.
    pub(super) fn take_huge(&self, huge: Huge<'_>) -> (usize, Option<HugeFrame>) {
        let entry = huge.swap(Entry::NONE);
        self.taken(huge, entry)
    }

    /// The same, unless the CPU has changed it.
    pub(super) fn take_huge_unchanged(&self, huge: Huge<'_>) -> Option<(usize, Option<HugeFrame>)> {
        let slot = huge.slot;
        slot.table.compare_exchange(slot.index, huge.entry, Entry::NONE).ok()?;
        let entry = huge.entry;
        Some(self.taken(huge, entry))
    }

    fn taken(&self, huge: Huge<'_>, entry: Entry) -> (usize, Option<HugeFrame>) {
        let (base, spare) = (huge.slot.base, huge.slot.take_spare());
        drop(huge);
        self.tables.free_unlinked(spare);
        if !tables::is_counted(entry) {
            return (base, None);
        }
        huge::uncount_mapping(entry.addr());
        // SAFETY: the entry was taken out under its table's lock; a huge entry that is counted owns a reference to each frame.
        (base, Some(unsafe { HugeFrame::from_counted(entry.addr()) }))
    }

    /// Whether a huge page may come to where `addr` is in a mapping.
    #[inline]
    pub(in crate::mm) fn wants_huge(&self, entry: &MapEntry<Vma>, addr: usize) -> bool {
        let base = addr & !(HUGE_SIZE - 1);
        entry.start <= base && base + HUGE_SIZE <= entry.end && self.allows_huge(&entry.value)
    }

    /// Brings in the page at `addr` where there is no leaf table, by a huge entry, if the mapping may have one there or has; whether that is done. Otherwise
    /// there is no huge entry any more.
    #[cold]
    pub(in crate::mm) fn fault_huge(
        &self,
        entry: &MapEntry<Vma>,
        addr: usize,
        access: Access,
    ) -> Result<bool, Failure> {
        if access == Access::Write && !entry.value.flags.contains(VmaFlags::WRITE) {
            // What only a debugger may write is written page by page.
            self.split_at(addr);
            return Ok(false);
        }
        let base = addr & !(HUGE_SIZE - 1);
        let fits = entry.start <= base && base + HUGE_SIZE <= entry.end;
        let wanted = self.wants_huge(entry, addr);
        let present = match self.tables.slot(addr) {
            Some(slot) => slot.load(),
            None => Entry::NONE,
        };
        if present.is_none() {
            return if wanted { self.bring_in_huge(&entry.value, addr, access) } else { Ok(false) };
        }
        if !present.has(PteFlags::LARGE) {
            return Ok(false);
        }
        if access == Access::Write && !present.has(PteFlags::WRITE) {
            return self.make_huge_writable(&entry.value, addr, fits, wanted);
        }
        // Somebody else was faster, or is splitting it, or this CPU remembered less than the tables allow.
        paging::flush_page(addr);
        Ok(true)
    }

    fn bring_in_huge(&self, vma: &Vma, addr: usize, access: Access) -> Result<bool, Failure> {
        let flags = vma.flags;
        let (new, frame) = if access == Access::Write {
            let Some(frame) = HugeFrame::alloc_zeroed(flags) else { return Ok(false) };
            (Entry::new(frame.addr(), fault::own_page(flags) | PteFlags::LARGE), Some(frame))
        } else {
            let Some(zeros) = huge::zeros() else { return Ok(false) };
            let marks = PteFlags::UNCOUNTED | PteFlags::ACCESSED | PteFlags::LARGE;
            (Entry::new(zeros, vma.protection() | marks), None)
        };
        let out_of_memory = |_| Failure::OutOfMemory;
        let slot = self.tables.slot_or_new(addr).map_err(out_of_memory)?;
        let spare = self.tables.alloc_spare().map_err(out_of_memory)?;
        // What is mapped may be gone at once, so it is counted before.
        count_lock(flags, new, Change::Lock);
        self.count_huge(new, 1);
        if !slot.fill(new, spare) {
            self.count_huge(new, -1);
            count_lock(flags, new, Change::Unlock);
            self.tables.free_unlinked(spare);
            // With what somebody else has put there the access may be tried again.
            return Ok(true);
        }
        if let Some(frame) = frame {
            frame.into_counted();
            Event::FaultAlloc.count();
        }
        Ok(true)
    }

    /// Counts a huge entry that this space gets, or that it would have got (`by` 1, -1).
    pub(super) fn count_huge(&self, entry: Entry, by: isize) {
        if !tables::is_counted(entry) {
            return;
        }
        if by > 0 {
            huge::count_mapping(entry.addr());
        } else {
            huge::uncount_mapping(entry.addr());
        }
        self.count_resident(by * PAGES, 0);
    }

    /// A write to a huge entry without the right to: done where its frames are nobody else's, and where it shows zeros and may be replaced. Else it is split,
    /// so that only the page that is written is copied.
    fn make_huge_writable(
        &self,
        vma: &Vma,
        addr: usize,
        fits: bool,
        wanted: bool,
    ) -> Result<bool, Failure> {
        let Some(slot) = self.tables.slot(addr) else { return Ok(true) };
        let Some(huge) = slot.lock_huge() else { return Ok(true) };
        let entry = huge.entry();
        if entry.has(PteFlags::WRITE) || !entry.is_present() {
            return Ok(true);
        }
        if fits && huge.is_sole_owner() {
            huge.set_flags(fault::WRITTEN | PteFlags::ACCESSED);
            return Ok(true);
        }
        if wanted && !tables::is_counted(entry) {
            drop(huge);
            let Some(frame) = HugeFrame::alloc_zeroed(vma.flags) else {
                if let Some(huge) = slot.lock_huge() {
                    self.split(huge);
                }
                return Ok(false);
            };
            let Some(huge) = slot.lock_huge() else { return Ok(true) };
            if huge.entry().addr() != entry.addr() || !huge.entry().is_present() {
                return Ok(true);
            }
            let flags = fault::own_page(vma.flags) | PteFlags::LARGE;
            let new = Entry::new(frame.into_counted(), flags);
            count_lock(vma.flags, new, Change::Lock);
            self.count_huge(new, 1);
            huge.swap(new);
            // All must see the new page before one writes it.
            self.flush(huge.range());
            drop(huge);
            Event::FaultAlloc.count();
            return Ok(true);
        }
        self.split(huge);
        Ok(false)
    }

    /// Shares what a huge entry maps with a child: neither may write it any more without a copy. The map is held for writing.
    pub(super) fn copy_huge(&self, huge: Huge<'_>, child: &AddressSpace) -> Result<()> {
        let entry = huge.entry();
        huge.clear_flags(PteFlags::WRITE);
        // What follows may wait. The map's lock keeps the entry.
        let base = huge.release().base;
        let slot = child.tables.slot_or_new(base)?;
        let spare = child.tables.alloc_spare()?;
        if tables::is_counted(entry) {
            huge::count_up(entry.addr());
            child.count_huge(entry, 1);
        }
        // The child keeps what the parent was advised to give up. Nothing is there yet, as nobody else knows the child.
        slot.fill(entry.without(PteFlags::WRITE).with(PteFlags::DIRTY), spare);
        Ok(())
    }

    /// Makes room for a huge entry to move to `target`; whether it can. The map is held for writing.
    pub(super) fn can_move_huge(&self, from: usize, target: usize) -> Result<bool> {
        if !(target.wrapping_sub(from)).is_multiple_of(HUGE_SIZE) {
            return Ok(false);
        }
        Ok(self.tables.slot_or_new(target)?.load().is_none())
    }

    /// Moves it there. Whoever calls flushes.
    pub(super) fn move_huge(&self, huge: Huge<'_>, target: usize) -> Result<()> {
        let place = self.tables.slot_or_new(target)?;
        let entry = huge.swap(Entry::NONE);
        let spare = huge.slot.take_spare();
        drop(huge);
        // The space's lock is held for writing, and the place was empty.
        place.fill(entry.with(PteFlags::SOFT_DIRTY), spare);
        Ok(())
    }

    /// Whether a mapping has room for a huge page and may get one (`THPeligible`).
    pub(super) fn is_huge_eligible(&self, entry: &MapEntry<Vma>) -> bool {
        self.allows_huge(&entry.value) && has_room(entry)
    }

    /// The end of the huge entry that maps `addr`; `None` if none does.
    pub(in crate::mm) fn end_of_huge(&self, addr: usize) -> Option<usize> {
        let slot = self.tables.slot(addr)?;
        slot.load().has(PteFlags::LARGE).then_some(slot.base + HUGE_SIZE)
    }
}
