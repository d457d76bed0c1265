//! Translations that CPUs remember.
//!
//! An entry that took a right away, or changed what it maps, must be forgotten by every CPU that has the tables loaded before the
//! frame behind it is used for something else. [`Gather`] collects what was taken out and frees it after one round of calls.
//! A CPU that loads the tables later starts from what they say then, so only those in the mask are called. Where translations are tagged with
//! the space that they are of ([`pcid`]), it starts from what it remembers instead, if the space was not changed since: see `asid`.

use super::{ACTIVE, AddressSpace};
use crate::{
    arch::{
        code_switch::{call_preserving, preserving_registers},
        cpu::{self, CpuMask, MAX_CPUS},
        irq, paging, pcid,
    },
    mm::{
        Frame, PAGE_SIZE, PhysAddr,
        huge::{HUGE_PAGES, HUGE_SIZE, HugeFrame},
        mapped,
        node::{self, FreeBatch},
        try_alloc,
    },
};
use alloc::vec::Vec;
use arrayvec::ArrayVec;
use asid::Forget;
use core::{ops::Range, sync::atomic::Ordering};
use crossbeam_utils::CachePadded;

/// Above so many pages, forgetting everything is cheaper than page by page.
const PAGE_BY_PAGE: usize = 32;
/// Frames collected in place. A page of the heap holds as many.
const FRAMES: usize = PAGE_SIZE / size_of::<Frame>();
/// Pages of the heap that take more frames, 64 MiB of them with those in place, so that other CPUs are called less often.
const ASIDE: usize = 15;
/// Huge pages collected before they are freed: 128 MiB.
const HUGE_FRAMES: usize = 64;
/// Room that a caller wants before it works on a leaf table.
const LEAF: usize = paging::ENTRIES;

/// What each CPU remembers of spaces that it has left, if translations are tagged.
static REMEMBERED: [CachePadded<asid::Cpu>; MAX_CPUS] =
    [const { CachePadded::new(asid::Cpu::new()) }; MAX_CPUS];

/// A new space's part in that.
pub(super) fn new_asid() -> asid::Space {
    let id = if pcid::on() {
        let cpu = cpu::id();
        REMEMBERED[cpu].new_id(cpu)
    } else {
        None
    };
    asid::Space::new(id)
}

// The scheduler's code around it needs no more registers than without tags.
preserving_registers!(load_tagged(word) calls load_remembered);

/// Loads a space's tables, as `AddressSpace::load`, where translations are tagged.
extern "C" fn load_remembered(space: &AddressSpace) {
    let load = REMEMBERED[cpu::id()].enter(&space.asid);
    // SAFETY: the mask keeps the space, and with it the tables (`load`). What is kept is right, as `flush` counts each change.
    unsafe { pcid::load_root(space.tables.root(), load) };
}

impl AddressSpace {
    /// Loads the tables. Interrupts are off.
    ///
    /// # Safety
    /// This CPU is in the mask, and stays there until it has loaded other tables.
    #[inline]
    pub(super) unsafe fn load(&self) {
        if pcid::on() {
            call_preserving!(load_tagged, core::ptr::from_ref(self));
        } else {
            // SAFETY: the mask keeps the space, and with it the tables (caller).
            unsafe { paging::load_root(self.tables.root()) };
        }
    }

    /// Makes every CPU forget its translations for `range`. May be called with preemption off, but not interrupts.
    pub(in crate::mm) fn flush(&self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        if pcid::on() {
            return self.flush_tagged(range);
        }
        irq::preempt_disable();
        let others = self.other_users();
        let this = core::ptr::from_ref(self).addr();
        let forget = move || {
            if ACTIVE[cpu::id()].load(Ordering::Relaxed).addr() == this {
                forget_range(range.clone());
            }
        };
        forget();
        if others.0 != 0 {
            cpu::call_on(others, &forget);
        }
        irq::preempt_enable();
    }

    /// The same where translations are tagged: CPUs that have left the space learn from its count of changes that they must forget some.
    #[inline(never)]
    fn flush_tagged(&self, range: Range<usize>) {
        irq::preempt_disable();
        // Before the mask is looked at.
        let change = self.asid.change();
        let others = self.other_users();
        let this = core::ptr::from_ref(self).addr();
        let catch_up = move || {
            let state = irq::save_and_disable();
            let cpu = cpu::id();
            if ACTIVE[cpu].load(Ordering::Relaxed).addr() == this {
                match REMEMBERED[cpu].catch_up(&self.asid, change) {
                    Forget::Nothing => {}
                    Forget::Changed => forget_range(range.clone()),
                    Forget::Everything => paging::flush_all(),
                }
            }
            irq::restore(state);
        };
        catch_up();
        if others.0 != 0 {
            cpu::call_on(others, &catch_up);
        }
        irq::preempt_enable();
    }

    /// The CPUs beside this one that have the tables loaded. Preemption is off.
    fn other_users(&self) -> CpuMask {
        self.cpu_mask().without(cpu::id())
    }
}

/// Forgets this CPU's translations for `range` of the space that it has loaded.
#[inline]
fn forget_range(range: Range<usize>) {
    if range.len() > PAGE_BY_PAGE * PAGE_SIZE {
        paging::flush_all();
    } else {
        range.step_by(PAGE_SIZE).for_each(paging::flush_page);
    }
}

/// Frames and tables taken out of an address space, to be freed when no CPU remembers them.
pub(super) struct Gather<'a> {
    space: &'a AddressSpace,
    /// The first page touched; all ones when there is none.
    start: usize,
    /// The end of the last page touched.
    end: usize,
    frames: ArrayVec<Frame, FRAMES>,
    /// Frames that were collected before those.
    aside: ArrayVec<Vec<Frame>, ASIDE>,
    huge: ArrayVec<HugeFrame, HUGE_FRAMES>,
    tables: ArrayVec<PhysAddr, 64>,
    anonymous: isize,
    file: isize,
}

impl<'a> Gather<'a> {
    pub(super) fn new(space: &'a AddressSpace) -> Self {
        Gather {
            space,
            start: usize::MAX,
            end: 0,
            frames: ArrayVec::new(),
            aside: ArrayVec::new(),
            huge: ArrayVec::new(),
            tables: ArrayVec::new(),
            anonymous: 0,
            file: 0,
        }
    }

    /// Makes room for a leaf table's worth. No spin lock is held.
    pub(super) fn make_room(&mut self) {
        if self.frames.remaining_capacity() < LEAF && !self.set_aside() {
            self.flush();
        }
    }

    /// Puts the frames that were collected aside, if memory is plentiful: then the heap has a page without waiting for one.
    #[cold]
    fn set_aside(&mut self) -> bool {
        if self.aside.is_full() || !node::is_plentiful(0) {
            return false;
        }
        let Ok(mut more) = try_alloc::vec_with_capacity::<Frame>(FRAMES) else { return false };
        let len = self.frames.len();
        // SAFETY: the vector has room for as many as there can be. They move there: here none are left before there are some.
        unsafe {
            self.frames.set_len(0);
            more.as_mut_ptr().copy_from_nonoverlapping(self.frames.as_ptr(), len);
            more.set_len(len);
        }
        self.aside.push(more);
        true
    }

    #[cold]
    fn free_aside(&mut self, batch: &mut FreeBatch) {
        for frames in self.aside.drain(..) {
            if mapped::by_node() {
                mapped::uncount_frames_on_nodes(&frames);
            }
            frames.into_iter().for_each(|frame| frame.drop_into(batch));
        }
    }

    /// An address whose translation changed.
    pub(super) fn touch(&mut self, addr: usize) {
        self.start = self.start.min(addr);
        self.end = self.end.max(addr + PAGE_SIZE);
    }

    /// A huge entry at `addr` whose translation changed.
    pub(super) fn touch_huge(&mut self, addr: usize) {
        self.start = self.start.min(addr);
        self.end = self.end.max(addr + HUGE_SIZE);
    }

    /// The frames that a huge entry mapped at `addr`, if they were counted. No spin lock is held.
    pub(super) fn huge(&mut self, addr: usize, frame: Option<HugeFrame>) {
        self.touch_huge(addr);
        let Some(frame) = frame else { return };
        self.anonymous -= HUGE_PAGES as isize;
        if let Err(full) = self.huge.try_push(frame) {
            self.flush();
            self.huge.push(full.element());
        }
    }

    /// A frame that was mapped at an address that is told besides.
    #[inline]
    pub(super) fn push(&mut self, frame: Frame) {
        if let Err(full) = self.frames.try_push(frame) {
            self.flush();
            self.frames.push(full.element());
        }
    }

    /// Pages that were resident and are not any more: private memory, and pages of objects.
    pub(super) fn uncount(&mut self, anonymous: isize, file: isize) {
        self.anonymous -= anonymous;
        self.file -= file;
    }

    /// A table that was unlinked, and an address in the range that it served.
    pub(super) fn table(&mut self, addr: PhysAddr, addr_in: usize) {
        // CPUs remember upper entries too; flushing any page makes them forget all of those.
        self.touch(addr_in);
        if self.tables.is_full() {
            self.flush();
        }
        self.tables.push(addr);
    }

    fn is_empty(&self) -> bool {
        let untouched = self.end == 0;
        untouched && self.frames.is_empty() && self.huge.is_empty() && self.tables.is_empty()
    }

    /// Flushes and frees what was collected. So does the end of `self`, which is large: to move it there is dear.
    pub(super) fn flush(&mut self) {
        if self.is_empty() {
            return;
        }
        self.space.flush(self.start..self.end);
        (self.start, self.end) = (usize::MAX, 0);
        let mut batch = FreeBatch::new();
        if !self.aside.is_empty() {
            self.free_aside(&mut batch);
        }
        if mapped::by_node() {
            mapped::uncount_frames_on_nodes(&self.frames);
        }
        self.frames.drain(..).for_each(|frame| frame.drop_into(&mut batch));
        drop(batch);
        self.huge.clear();
        for table in self.tables.drain(..) {
            self.space.tables.free_unlinked(table);
        }
        let (anonymous, file) = (self.anonymous, self.file);
        (self.anonymous, self.file) = (0, 0);
        self.space.count_resident(anonymous, file);
    }
}

impl Drop for Gather<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}
