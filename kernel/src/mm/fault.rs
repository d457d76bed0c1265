//! Page faults: deciding what an access to a user address means, and bringing the page in.
//!
//! The simple ones take no lock of the address space: see `address_space::speculate`. Any other fault holds that lock for reading, and fills an empty entry with one
//! compare-exchange; a page that is there but may not be written is dealt with under the lock of its page-table page. The file's `PageSource` may sleep.

mod place;

pub(super) use place::{fill, map_frame};

use super::{
    AddressSpace, Frame, PAGE_SIZE, PageIndex, PageKind, PhysAddr,
    address_space::{
        speculate,
        tables::{self, Leaf},
        vma::{ACCESS, Backing, Object, Vma, VmaFlags, protection},
    },
    mapped,
    mlock::Change,
    stats,
    types::USER_END,
};
use crate::{
    arch::{
        TrapFrame, irq,
        paging::{self, Entry, PteFlags},
    },
    process::{Task, signal::Signal},
    sched,
    sync::Once,
};
use abi::{Errno, Result};
use place::{Around, count_lock, map_in};
use vma_tree::Entry as MapEntry;

bitflags::bitflags! {
    /// The error code that the CPU pushes.
    #[derive(Clone, Copy, Debug)]
    pub struct FaultCode: u64 {
        /// A protection violation, not a missing page.
        const PRESENT = 1;
        /// A write.
        const WRITE = 2;
        /// From user mode.
        const USER = 4;
        /// A reserved bit was set in a table.
        const RESERVED = 8;
        /// An instruction fetch.
        const FETCH = 16;
    }
}

impl FaultCode {
    fn access(self) -> Access {
        if self.contains(FaultCode::WRITE) {
            Access::Write
        } else if self.contains(FaultCode::FETCH) {
            Access::Execute
        } else {
            Access::Read
        }
    }
}

/// How a fault was dealt with.
#[derive(Debug)]
pub enum FaultOutcome {
    /// The access can be tried again.
    Retry,
    /// The access is wrong: signal number and `si_code` (SIGSEGV or SIGBUS); in the kernel, a fix-up.
    Signal(u32, i32),
    /// No memory; the task has been chosen to die, or tries again.
    OutOfMemory,
}

/// Whether a page was brought in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Brought {
    /// It was, or its rights were changed.
    Now,
    /// It was there.
    Before,
}

/// What is wanted of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    Read,
    Write,
    Execute,
}

/// Why a page cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// Nothing is mapped there.
    Unmapped,
    /// The mapping forbids it.
    Forbidden,
    /// The object has no such page, or could not read it.
    NoPage,
    /// No memory.
    OutOfMemory,
}

const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;
const BUS_ADRERR: i32 = 2;

/// Pages mapped around a fault: an aligned window. Where so many and more before it are mapped, somebody goes through the object in order, and as many are mapped
/// at once as there are before, up to a whole table.
const AROUND: usize = 16;

/// Handles a fault of user mode at `addr` (CR2) if it is simple; whether it was, and the access can be tried again. Called with interrupts off, as the fault
/// left them.
#[inline]
pub fn handle_simple(addr: usize, code: FaultCode) -> bool {
    let done = speculate::fault_speculatively(addr, code.access());
    if done {
        count(&sched::current());
    }
    done
}

/// Counts a fault of the running thread; no object waits for a device, so there are no major ones.
#[inline]
pub(super) fn count(current: &Task) {
    current.accounting.count_minor_fault();
    stats::count_fault();
}

/// Handles a fault at `addr` (CR2). Called with interrupts on.
pub fn handle(addr: usize, code: FaultCode, _frame: &TrapFrame) -> FaultOutcome {
    let segv = |code| FaultOutcome::Signal(u32::from(Signal::SIGSEGV.0), code);
    if addr >= USER_END || irq::preempt_count() != 0 || !irq::enabled() {
        return segv(SEGV_MAPERR);
    }
    let current = sched::current();
    let Some(space) = current.mm.try_borrow() else { return segv(SEGV_MAPERR) };
    match space.fault(addr, code.access()) {
        Ok(()) => {
            count(&current);
            FaultOutcome::Retry
        }
        Err(Failure::Unmapped) => segv(SEGV_MAPERR),
        Err(Failure::Forbidden) => segv(SEGV_ACCERR),
        Err(Failure::NoPage) => FaultOutcome::Signal(u32::from(Signal::SIGBUS.0), BUS_ADRERR),
        Err(Failure::OutOfMemory) => FaultOutcome::OutOfMemory,
    }
}

/// The page of zeros that reads of untouched private memory see.
static ZERO: Once<Option<Frame>> = Once::new();

fn zeros() -> Option<&'static Frame> {
    ZERO.call_once(|| Frame::alloc_zeroed(PageKind::Other).ok()).as_ref()
}

/// Where it is.
fn zero_page() -> PhysAddr {
    // Without memory for one page the kernel has not come this far.
    zeros().map_or(PhysAddr(0), Frame::addr)
}

/// A page of zeros that must not be written.
pub fn zero_frame() -> Result<Frame> {
    zeros().cloned().ok_or(Errno::ENOMEM)
}

/// The entry for a read of an untouched page of private memory with `flags`; `None` before the first.
pub(super) fn zero_entry(flags: VmaFlags) -> Option<Entry> {
    let zeros = ZERO.get()?.as_ref()?;
    Some(Entry::new(zeros.addr(), protection(flags) | PteFlags::UNCOUNTED | PteFlags::ACCESSED))
}

/// What an object's answer means for a fault.
fn source_failure(errno: Errno) -> Failure {
    if errno == Errno::ENOMEM { Failure::OutOfMemory } else { Failure::NoPage }
}

fn no_memory(_: Errno) -> Failure {
    Failure::OutOfMemory
}

impl AddressSpace {
    /// Brings in the page at `addr` for `access`, growing a stack if that is what is there.
    pub(super) fn fault(&self, addr: usize, access: Access) -> Result<(), Failure> {
        loop {
            {
                let map = self.read_map();
                let entry = map.vmas.find(addr).ok_or(Failure::Unmapped)?;
                if entry.start <= addr {
                    check_access(&entry.value, access)?;
                    return self.bring_in(entry, addr & !(PAGE_SIZE - 1), access).map(drop);
                }
                if !entry.value.flags.contains(VmaFlags::GROWSDOWN) {
                    return Err(Failure::Unmapped);
                }
            }
            self.grow_stack(addr).map_err(|_| Failure::Unmapped)?;
        }
    }

    /// Brings in the page at `addr` (page-aligned) of a mapping that allows `access`. The space's lock is held.
    pub(super) fn bring_in(
        &self,
        entry: &MapEntry<Vma>,
        addr: usize,
        access: Access,
    ) -> Result<Brought, Failure> {
        if self.is_reaped() {
            return Err(Failure::NoPage);
        }
        let leaf = match self.page_tables().leaf(addr) {
            Some(leaf) => leaf,
            None => match self.without_leaf(entry, addr, access)? {
                Some(leaf) => leaf,
                None => return Ok(Brought::Now),
            },
        };
        let pte = leaf.table().load(paging::index(addr, 0));
        if pte.is_none() {
            match &entry.value.backing {
                Backing::Anonymous => {
                    self.remember(entry);
                    self.bring_in_zeros(leaf, &entry.value, addr, access)?;
                }
                Backing::Object(object) => {
                    self.bring_in_object(leaf, entry, object, addr, access)?;
                }
            }
        } else if access == Access::Write && !pte.has(PteFlags::WRITE) {
            self.make_writable(leaf, entry, addr, pte)?;
        } else {
            // Somebody else was faster, or this CPU remembered less than the tables allow.
            paging::flush_page(addr);
            return Ok(Brought::Before);
        }
        Ok(Brought::Now)
    }

    /// The first touch near `addr`, or one of a huge page: done, or the leaf table to go on with.
    #[cold]
    fn without_leaf(
        &self,
        entry: &MapEntry<Vma>,
        addr: usize,
        access: Access,
    ) -> Result<Option<Leaf<'_>>, Failure> {
        if self.wants_huge(entry, addr) && self.fault_huge(entry, addr, access)? {
            return Ok(None);
        }
        let tables = self.page_tables();
        match tables.leaf_or_new(addr).map_err(no_memory)? {
            Some(leaf) => {
                self.note_small_pages_in(entry);
                Ok(Some(leaf))
            }
            // A huge page of what was one mapping, or that somebody has mapped just now.
            None if self.fault_huge(entry, addr, access)? => Ok(None),
            None => Ok(tables.leaf(addr)),
        }
    }

    fn bring_in_zeros(
        &self,
        leaf: Leaf<'_>,
        vma: &Vma,
        addr: usize,
        access: Access,
    ) -> Result<(), Failure> {
        if access != Access::Write {
            let flags = vma.protection() | PteFlags::UNCOUNTED | PteFlags::ACCESSED;
            fill(leaf, addr, Entry::new(zero_page(), flags));
            return Ok(());
        }
        let frame = Frame::alloc_zeroed(PageKind::Anonymous).map_err(no_memory)?;
        if map_in(vma, leaf, addr, frame, private_page(vma.flags)) {
            self.count_resident(1, 0);
        }
        Ok(())
    }

    fn bring_in_object(
        &self,
        leaf: Leaf<'_>,
        entry: &MapEntry<Vma>,
        object: &Object,
        addr: usize,
        access: Access,
    ) -> Result<(), Failure> {
        let vma = &entry.value;
        let index = vma.page_index(entry.start, addr);
        let write = access == Access::Write;
        if write && vma.is_private() {
            let source = object.source.page(index, false).map_err(source_failure)?;
            let copy = Frame::alloc_uninit(PageKind::Anonymous).map_err(no_memory)?;
            copy.copy_page_from(&source);
            if map_in(vma, leaf, addr, copy, private_page(vma.flags)) {
                self.count_resident(1, 0);
            }
            return Ok(());
        }
        // Writes are often far between: more than one page only if somebody seems to go through them.
        let around = !write || is_writable_at_once(vma, object) && is_mapped_before(leaf, addr, 1);
        if around && self.map_around(leaf, entry, object, addr) {
            return Ok(());
        }
        let frame = object.source.page(index, write).map_err(source_failure)?;
        let flags = shared_page(vma, object, write);
        let place = frame.addr();
        if map_in(vma, leaf, addr, frame, flags) {
            if mapped::by_node() {
                mapped::count_on_node(place);
            }
            self.count_resident(0, 1);
        }
        Ok(())
    }

    /// Maps the pages around `addr` that the object has in memory; whether there is one at `addr` now.
    fn map_around(
        &self,
        leaf: Leaf<'_>,
        entry: &MapEntry<Vma>,
        object: &Object,
        addr: usize,
    ) -> bool {
        let Some(cached) = object.source.cached_pages() else { return false };
        let window = addr & !(AROUND * PAGE_SIZE - 1);
        let in_order = !entry.value.flags.contains(VmaFlags::RANDOM);
        let count = if in_order { AROUND.max(mapped_before(leaf, window)) } else { AROUND };
        let start = window.max(entry.start).max(leaf.base);
        let end = (window + count * PAGE_SIZE).min(entry.end).min(leaf.base + paging::span(1));
        let first = entry.value.page_index(entry.start, start);
        let last = PageIndex(first.0 + ((end - start) / PAGE_SIZE) as u64);
        let flags = shared_page(&entry.value, object, false);
        let mut around = Around::new(&entry.value, leaf, (start, first), flags);
        // Asked once, not for each page.
        if mapped::by_node() {
            cached.for_each(first..last, |index, frame| around.map::<true>(index, frame));
        } else {
            cached.for_each(first..last, |index, frame| around.map::<false>(index, frame));
        }
        self.count_resident(0, around.mapped);
        !leaf.table().load(paging::index(addr, 0)).is_none()
    }

    /// A write to a page that is there but may not be written.
    fn make_writable(
        &self,
        leaf: Leaf<'_>,
        entry: &MapEntry<Vma>,
        addr: usize,
        pte: Entry,
    ) -> Result<(), Failure> {
        let vma = &entry.value;
        match &vma.backing {
            Backing::Object(object) if !vma.is_private() => {
                let index = vma.page_index(entry.start, addr);
                let frame = object.source.page(index, true).map_err(source_failure)?;
                let _guard = leaf.lock();
                let slot = paging::index(addr, 0);
                let now = leaf.table().load(slot);
                if tables::is_mapped(now) && now.addr() == frame.addr() {
                    leaf.table().store(slot, now.with(WRITTEN));
                } else if tables::is_mapped(now) {
                    // The object has another page here now: let it be mapped afresh.
                    let old = leaf.table().swap(slot, Entry::NONE);
                    self.flush(addr..addr + PAGE_SIZE);
                    count_lock(vma, old, Change::Unlock);
                    // SAFETY: taken out under the table's lock, and flushed.
                    drop(unsafe { tables::take_frame(old) });
                    if mapped::by_node() {
                        mapped::uncount_on_node(old.addr());
                    }
                    self.count_resident(0, -1);
                }
                Ok(())
            }
            _ => {
                self.remember(entry);
                self.copy_on_write(leaf, vma, addr, pte)
            }
        }
    }

    fn copy_on_write(
        &self,
        leaf: Leaf<'_>,
        vma: &Vma,
        addr: usize,
        pte: Entry,
    ) -> Result<(), Failure> {
        let slot = paging::index(addr, 0);
        let table = leaf.table();
        let same = |now: Entry| {
            tables::is_mapped(now) && now.addr() == pte.addr() && !now.has(PteFlags::WRITE)
        };
        let source = {
            let _guard = leaf.lock();
            let now = table.load(slot);
            if !same(now) {
                return Ok(());
            }
            // SAFETY: the table's lock is held.
            let source = unsafe { tables::clone_frame(now) };
            // Two references, the entry's and ours: the page is nobody else's.
            if let Some(source) = &source
                && now.has(PteFlags::ANONYMOUS)
                && source.ref_count() == 2
            {
                table.store(slot, now.with(private_page(vma.flags)));
                return Ok(());
            }
            source
        };
        let copy = copy(source.as_ref()).map_err(no_memory)?;
        let _guard = leaf.lock();
        let now = table.load(slot);
        if !same(now) {
            return Ok(());
        }
        let new = Entry::new(copy.into_counted(), private_page(vma.flags));
        count_lock(vma, new, Change::Lock);
        let old = table.swap(slot, new);
        self.flush(addr..addr + PAGE_SIZE);
        count_lock(vma, old, Change::Unlock);
        // SAFETY: taken out under the table's lock, and flushed.
        let gone = unsafe { tables::take_frame(old) };
        self.count_copied(gone.is_some(), old);
        Ok(())
    }
}

/// About how many pages right before `window` are mapped, by its leaf table: a look at some of them.
fn mapped_before(leaf: Leaf<'_>, window: usize) -> usize {
    if !is_mapped_before(leaf, window, 1) {
        return 0;
    }
    let steps = (AROUND.ilog2()..).map(|bits| 1 << bits);
    steps.take_while(|&distance| is_mapped_before(leaf, window, distance)).last().unwrap_or(0)
}

/// Whether the page that is `distance` pages before `addr` is in the same leaf table, and mapped.
fn is_mapped_before(leaf: Leaf<'_>, addr: usize, distance: usize) -> bool {
    let before = addr.saturating_sub(leaf.base) / PAGE_SIZE;
    distance <= before && tables::is_mapped(leaf.table().load(before - distance))
}

/// Whether the mapping allows it; `Forbidden`.
pub(super) fn check_access(vma: &Vma, access: Access) -> Result<(), Failure> {
    if allows(vma.flags, access) { Ok(()) } else { Err(Failure::Forbidden) }
}

/// Whether a mapping with `flags` allows `access`.
#[inline]
pub(super) fn allows(flags: VmaFlags, access: Access) -> bool {
    match access {
        Access::Write => flags.contains(VmaFlags::WRITE),
        Access::Execute => flags.contains(VmaFlags::EXEC),
        // The CPU cannot forbid reading what may be written or executed.
        Access::Read => flags.intersects(ACCESS),
    }
}

/// A page of one's own with what `source` has, or zeros. `ENOMEM`.
fn copy(source: Option<&Frame>) -> Result<Frame> {
    let Some(source) = source else { return Frame::alloc_zeroed(PageKind::Anonymous) };
    let copy = Frame::alloc_uninit(PageKind::Anonymous)?;
    copy.copy_page_from(source);
    Ok(copy)
}

/// The same of what `entry` maps, whose table's lock is held. `ENOMEM`.
pub(super) fn copy_of(entry: Entry) -> Result<Frame> {
    if !tables::is_counted(entry) {
        return Frame::alloc_zeroed(PageKind::Anonymous);
    }
    // SAFETY: the entry's reference, which the table's lock keeps where it is: it is not given up here.
    let source = core::mem::ManuallyDrop::new(unsafe { Frame::from_counted(entry.addr()) });
    copy(Some(&source))
}

/// An entry of a page that has become this space's own.
pub(super) fn written(entry: Entry) -> Entry {
    entry.with(WRITTEN | PteFlags::ACCESSED)
}

/// What a write adds to a page's flags.
pub(super) const WRITTEN: PteFlags =
    PteFlags::WRITE.union(PteFlags::DIRTY).union(PteFlags::SOFT_DIRTY);

/// Flags of a page that is this space's own, and is written now.
pub(super) fn own_page(flags: VmaFlags) -> PteFlags {
    protection(flags) | WRITTEN | PteFlags::ANONYMOUS | PteFlags::ACCESSED
}

/// The same of a page that perhaps only a debugger may write: the program cannot, unless its mapping says so.
pub(super) fn private_page(flags: VmaFlags) -> PteFlags {
    let own = own_page(flags);
    if flags.contains(VmaFlags::WRITE) { own } else { own.difference(PteFlags::WRITE) }
}

/// Flags of an object's page. It may be written at once where nobody need know.
fn shared_page(vma: &Vma, object: &Object, write: bool) -> PteFlags {
    let base = vma.protection() | PteFlags::ACCESSED;
    if write {
        return base | WRITTEN;
    }
    if is_writable_at_once(vma, object) { base | PteFlags::WRITE } else { base }
}

/// Whether an object's pages are mapped writable before anybody writes to them: nobody need know.
fn is_writable_at_once(vma: &Vma, object: &Object) -> bool {
    !vma.is_private()
        && vma.flags.contains(VmaFlags::WRITE | VmaFlags::SOFT_DIRTY)
        && !object.source.wants_write_notice()
}
