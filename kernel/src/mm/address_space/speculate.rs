//! Page faults that take no lock of the map: speculative page faults.
//!
//! A fault of user mode in private memory usually needs to know only that its address lies in a mapping that allows the access. Each CPU
//! remembers that of the mappings that its last faults were in, beside the space's [`Changes`] at the time. A fault that finds its address there fills the entry
//! (first touch) or replaces it (copy-on-write) under the lock of the leaf table alone, so threads in different tables write no common line. Whatever is
//! not this simple goes the long way, with the map held for reading: no such range, no table yet, no page free, an object's page, a table whose lock is busy.
//!
//! # Why what is remembered is right
//!
//! [`Changes`] is odd while somebody holds the map for writing, and never takes a value twice. A range is remembered with the map held for reading, so
//! its value is even and the range is right as long as the value stays. The fault looks at the value **with the leaf table's lock held**. A writer makes
//! it odd, *then* takes the lock of every leaf table whose entries it wants to rely on: to empty or change them (`munmap`, `mprotect`), or for
//! a moment only ([`Leaf::settle`]: `fork`, `mremap`). Of the fault's hold and the writer's of the same lock one is first. Is it the fault's, then the writer
//! sees the entry that it made. Is it the writer's, then its release and the fault's acquisition make the odd value (or a later one) visible, and the fault
//! changes nothing. So after a writer has had a leaf table's lock once, no such fault writes to the table until the writer is done; and tables that did not exist
//! when it came by are made by faults of the long way only, which the map's lock keeps out.
//!
//! Who holds the map for reading (`madvise`, other faults) may always meet faults, and knows it.
//!
//! # Why the tables stay
//!
//! The fault holds nothing that keeps a table from being unlinked; but interrupts are off from the exception on, and this CPU is in the space's mask, as it runs
//! on its tables. A table is freed only after a flush that was answered by every CPU of the mask (`Gather`), so after the fault. For the same reason the
//! fault waits for a table's lock only shortly: its holder may be waiting for this CPU's answer.

use super::{
    ACTIVE, AddressSpace, Map,
    tables::{self, Leaf},
    vma::{Backing, Vma, VmaFlags},
};
use crate::{
    arch::{
        cpu, irq,
        paging::{self, Entry, PteFlags},
    },
    mm::{
        Frame, PAGE_SIZE, PageKind,
        fault::{self, Access},
        mapped,
    },
    sync::RwLockWriteGuard,
};
use abi::Result;
use alloc::{boxed::Box, vec::Vec};
use core::{
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicIsize, AtomicU32, AtomicUsize, Ordering::Relaxed},
};
use vma_tree::Entry as MapEntry;

/// How often the map was begun to be changed, and how often that was over: odd while it is. Written by the one who holds the map for writing. The locks of the
/// leaf tables order it. On a line of its own, as every fault reads it.
#[repr(align(64))]
#[derive(Default)]
pub(super) struct Changes(AtomicUsize);

impl Changes {
    fn step(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

/// The map, held for writing.
#[must_use]
pub(super) struct MapWriteGuard<'a> {
    changes: &'a Changes,
    map: RwLockWriteGuard<'a, Map>,
}

impl<'a> MapWriteGuard<'a> {
    pub(super) fn new(changes: &'a Changes, map: RwLockWriteGuard<'a, Map>) -> Self {
        changes.step();
        MapWriteGuard { changes, map }
    }
}

impl Drop for MapWriteGuard<'_> {
    fn drop(&mut self) {
        self.changes.step();
    }
}

impl Deref for MapWriteGuard<'_> {
    type Target = Map;
    fn deref(&self) -> &Map {
        &self.map
    }
}

impl DerefMut for MapWriteGuard<'_> {
    fn deref_mut(&mut self) -> &mut Map {
        &mut self.map
    }
}

/// Mappings that a CPU remembers.
const KNOWN: usize = 3;

/// What each CPU has of a space, on lines of its own.
#[repr(align(128))]
#[derive(Default)]
pub(super) struct CpuPart {
    /// Resident pages that came here, less those that went: only the sum over all CPUs means something.
    pub(super) anonymous: AtomicIsize,
    pub(super) file: AtomicIsize,
    /// The place in `known` whose turn it is. This and what follows is used by its CPU alone, with preemption off.
    next: AtomicUsize,
    known: [Known; KNOWN],
}

/// What is remembered of a private mapping.
#[derive(Default)]
struct Known {
    /// The [`Changes`] that it is of.
    changes: AtomicUsize,
    start: AtomicUsize,
    /// 0: nothing is remembered here.
    len: AtomicUsize,
    /// Its flags, and [`OBJECT`].
    flags: AtomicU32,
}

/// Beside a mapping's flags: its untouched pages show an object.
const OBJECT: u32 = 1 << 31;
const _: () = assert!(VmaFlags::all().bits() & OBJECT == 0);

/// A part for every CPU. `ENOMEM`.
pub(super) fn cpu_parts() -> Result<Box<[CpuPart]>> {
    // Programs are started after all CPUs; one that comes up late uses the first one's counts, and speculates about nothing.
    let mut parts: Vec<CpuPart> = crate::mm::try_alloc::vec_with_capacity(cpu::online_count())?;
    parts.resize_with(cpu::online_count(), CpuPart::default);
    Ok(parts.into_boxed_slice())
}

impl CpuPart {
    #[inline]
    fn find(&self, changes: usize, addr: usize) -> Option<&Known> {
        self.known.iter().find(|known| {
            known.changes.load(Relaxed) == changes
                && addr.wrapping_sub(known.start.load(Relaxed)) < known.len.load(Relaxed)
        })
    }

    /// Remembers a mapping that `find` did not find; what is there twice does no harm.
    #[inline]
    fn remember(&self, changes: usize, entry: &MapEntry<Vma>) {
        let at = self.next.load(Relaxed);
        let known = &self.known[at];
        self.next.store(if at + 1 < KNOWN { at + 1 } else { 0 }, Relaxed);
        let object = match entry.value.backing {
            Backing::Object(_) => OBJECT,
            Backing::Anonymous => 0,
        };
        known.changes.store(changes, Relaxed);
        known.start.store(entry.start, Relaxed);
        known.len.store(entry.end - entry.start, Relaxed);
        known.flags.store(entry.value.flags.bits() | object, Relaxed);
    }
}

/// Deals with a fault of user mode if it is one of the simple ones; whether it was. Interrupts are off and were since the fault; they may have been on meanwhile
/// when it returns true.
#[inline]
pub(in crate::mm) fn fault_speculatively(addr: usize, access: Access) -> bool {
    // SAFETY: a space does not end while it is in use on a CPU (see its `drop`), and this CPU does not leave it with interrupts off. When they come
    // on, the running task keeps the space: the fault was one of user mode, so the tables in use are those of its own.
    let space = unsafe { ACTIVE[cpu::id()].load(Relaxed).as_ref() };
    space.is_some_and(|space| space.speculate(addr, access))
}

impl AddressSpace {
    /// This CPU remembers a mapping that a fault was in. The map is held for reading.
    #[inline]
    pub(in crate::mm) fn remember(&self, entry: &MapEntry<Vma>) {
        let flags = entry.value.flags;
        // Pages of locked mappings are counted one by one.
        const SLOW: VmaFlags = VmaFlags::SHARED
            .union(VmaFlags::SPECIAL)
            .union(VmaFlags::FOREIGN)
            .union(VmaFlags::LOCKED);
        if flags.intersects(SLOW) {
            return;
        }
        irq::preempt_disable();
        if let Some(part) = self.parts.get(cpu::id()) {
            part.remember(self.changes.0.load(Relaxed), entry);
        }
        irq::preempt_enable();
    }

    /// This CPU's counts.
    #[inline]
    pub(super) fn part_here(&self) -> &CpuPart {
        self.parts.get(cpu::id()).unwrap_or(&self.parts[0])
    }

    fn has_changed(&self, since: usize) -> bool {
        self.changes.0.load(Relaxed) != since
    }

    #[inline]
    fn speculate(&self, addr: usize, access: Access) -> bool {
        let Some(part) = self.parts.get(cpu::id()) else { return false };
        let changes = self.changes.0.load(Relaxed);
        let Some(known) = part.find(changes, addr) else { return false };
        let known = known.flags.load(Relaxed);
        let flags = VmaFlags::from_bits_retain(known & !OBJECT);
        if !fault::allows(flags, access) {
            return false;
        }
        let Some(leaf) = self.tables.leaf(addr) else { return false };
        let addr = addr & !(PAGE_SIZE - 1);
        let entry = leaf.table().load(paging::index(addr, 0));
        if entry.is_none() {
            known & OBJECT == 0 && self.speculate_zeros(part, leaf, flags, addr, access, changes)
        } else if access == Access::Write && entry.is_present() && !entry.has(PteFlags::WRITE) {
            self.speculate_copy(leaf, flags, addr, changes)
        } else {
            false
        }
    }

    /// The first touch of a page of private memory.
    #[inline]
    fn speculate_zeros(
        &self,
        part: &CpuPart,
        leaf: Leaf<'_>,
        flags: VmaFlags,
        addr: usize,
        access: Access,
        changes: usize,
    ) -> bool {
        if access != Access::Write {
            let Some(new) = fault::zero_entry(flags) else { return false };
            let Some(_guard) = leaf.lock_soon() else { return false };
            return !self.has_changed(changes) && fault::fill(leaf, addr, new);
        }
        // With interrupts off it neither waits nor reclaims.
        let Ok(frame) = Frame::alloc_zeroed(PageKind::Anonymous) else { return false };
        let done = {
            let Some(_guard) = leaf.lock_soon() else { return false };
            !self.has_changed(changes)
                && fault::map_frame(leaf, addr, frame, fault::own_page(flags))
        };
        if done {
            // Interrupts are off, so this still is the CPU's part.
            part.anonymous.fetch_add(1, Relaxed);
        }
        done
    }

    /// A write to a page of private memory that may not be written yet: another may have it too.
    fn speculate_copy(&self, leaf: Leaf<'_>, flags: VmaFlags, addr: usize, changes: usize) -> bool {
        let table = leaf.table();
        let slot = paging::index(addr, 0);
        let Some(guard) = leaf.lock_soon() else { return false };
        let entry = table.load(slot);
        if self.has_changed(changes) || !entry.is_present() || entry.has(PteFlags::WRITE) {
            return false;
        }
        if tables::is_sole_owner(entry) {
            table.store(slot, fault::written(entry));
            return true;
        }
        // The entry keeps the page that is copied, and the lock keeps the entry.
        let Ok(copy) = fault::copy_of(entry) else { return false };
        let old = table.swap(slot, Entry::new(copy.into_counted(), fault::own_page(flags)));
        drop(guard);
        // As in a copy with the map held; from here on nothing depends on interrupts being off, and with them off no CPU may be asked to flush.
        irq::enable();
        self.flush(addr..addr + PAGE_SIZE);
        // SAFETY: taken out under the table's lock, and flushed.
        let gone = unsafe { tables::take_frame(old) };
        self.count_copied(gone.is_some(), old);
        drop(gone);
        irq::disable();
        true
    }

    /// Counts a page that a copy took the place of; whether it was `counted`.
    pub(in crate::mm) fn count_copied(&self, counted: bool, old: Entry) {
        match (counted, old.has(PteFlags::ANONYMOUS)) {
            (true, true) => {}
            (true, false) => {
                if mapped::by_node() {
                    mapped::uncount_on_node(old.addr());
                }
                self.count_resident(1, -1);
            }
            (false, _) => self.count_resident(1, 0),
        }
    }
}
