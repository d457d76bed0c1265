//! What the kernel knows of each page frame: one [`Page`] a frame, in an array indexed by frame number.
//!
//! Fields are atomics, written with plain moves by whoever owns the frame: a free block by its allocator (under the node's lock),
//! a block that was handed out by its user. Only the counts are shared.
//!
//! What frames are used for is counted by kind and node: by whoever says what a frame is used for ([`Page::use_as`]), and when it comes back. The counters are
//! each CPU's own ([`cpu::count`]), and their number is what the frame's entry holds, so either costs one instruction beside writing that.

use super::{
    PAGE_SIZE,
    stats::{self, Counter},
};
use crate::arch::cpu;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering};

/// What a frame is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PageKind {
    /// Not the allocator's: firmware, devices, the kernel's image, the initramfs.
    Reserved = 0,
    /// Free, in the buddy allocator or on a CPU's list.
    Free = 1,
    /// The heap's. Of a block only the first frame is marked.
    Heap = 2,
    /// Page tables.
    PageTable = 3,
    /// A kernel stack, in use or in the pool.
    KernelStack = 4,
    /// References are counted from here on, through `Frame`: private memory of processes.
    Anonymous = 5,
    /// Pages of files in memory, and of shared memory.
    Shmem = 6,
    /// As `Shmem`, of a file's space that was set aside and not yet used (`fallocate(2)`).
    SetAside = 7,
    /// What is in pipes and sockets, and the few pages that all programs see.
    Other = 8,
}

/// The number of kinds.
pub(super) const KINDS: u8 = PageKind::Other as u8 + 1;

/// What is known of a frame.
#[repr(C)]
pub struct Page {
    /// References: `Frame`s and page-table entries. Of a page-table page: half of the groups that were filled.
    references: AtomicU32,
    /// Links of the list that a free block is on. Of a page-table page: the other half. Of the first frame of a huge page: how many entries map that.
    prev: AtomicU32,
    /// Of a counted frame: the mappings that keep it in memory (see `mlock`).
    next: AtomicU32,
    /// What it is used for: the number of the counter for that on its node, if it is in use (see [`stats::counter`]).
    counter: AtomicU8,
    /// One more than the order of the free block that starts here; 0: none does.
    free_order: AtomicU8,
    /// The NUMA node.
    node: AtomicU8,
    /// A lock for the entries of a page-table page.
    pub(super) lock: AtomicU8,
}

static PAGES: AtomicPtr<Page> = AtomicPtr::new(core::ptr::null_mut());
static PAGE_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Installs the array.
///
/// # Safety
/// `pages` points to `count` zeroed entries that live for ever. Called once, before anything else here.
pub(super) unsafe fn install(pages: *mut Page, count: usize) {
    PAGES.store(pages, Ordering::Relaxed);
    PAGE_COUNT.store(count, Ordering::Release);
}

/// How many frames have an entry: one more than the highest number.
pub fn count() -> usize {
    PAGE_COUNT.load(Ordering::Relaxed)
}

/// A frame's entry. Panics when the number is that of no memory, which is a bug of the kernel.
#[inline]
pub fn page(frame: u32) -> &'static Page {
    let (pages, count) = (PAGES.load(Ordering::Relaxed), PAGE_COUNT.load(Ordering::Relaxed));
    if frame as usize >= count {
        no_such_frame(frame);
    }
    // SAFETY: the array has `count` entries and lives for ever; all fields are atomics.
    unsafe { &*pages.add(frame as usize) }
}

/// The same of a frame that was looked up before: without looking whether there is such a frame.
///
/// # Safety
/// [`page`] or [`pages`] has given the entry of this frame before.
#[inline]
pub(super) unsafe fn known_page(frame: u32) -> &'static Page {
    debug_assert!((frame as usize) < count());
    // SAFETY: as in `page`, which found the number to be below `count` (caller).
    unsafe { &*PAGES.load(Ordering::Relaxed).add(frame as usize) }
}

/// The entries of `count` frames. Panics as [`page`] does.
pub fn pages(first: u32, count: usize) -> &'static [Page] {
    let (pages, known) = (PAGES.load(Ordering::Relaxed), PAGE_COUNT.load(Ordering::Relaxed));
    if first as usize + count > known {
        no_such_frame(first);
    }
    // SAFETY: as in `page`; all of them are in the array.
    unsafe { core::slice::from_raw_parts(pages.add(first as usize), count) }
}

/// Out of line, as `page` is everywhere.
#[cold]
#[inline(never)]
fn no_such_frame(frame: u32) -> ! {
    panic!("frame {frame:#x} is not memory")
}

impl Page {
    /// Whether it is used for `kind`.
    #[inline]
    pub fn is(&self, kind: PageKind) -> bool {
        stats::kind_of_counter(self.counter.load(Ordering::Relaxed)) == kind as u8
    }
    /// Tells on which node a frame is, at boot.
    pub(super) fn set_node(&self, node: usize) {
        self.node.store(node as u8, Ordering::Relaxed);
    }
    /// Marks a frame as free that is not counted.
    pub(super) fn set_free(&self) {
        self.counter.store(const { stats::counter(PageKind::Free as u8, 0) }, Ordering::Relaxed);
    }
    /// The counter for frames of its node that are used for `kind`.
    #[inline(always)]
    pub(super) fn counter_for(&self, kind: PageKind) -> u8 {
        stats::counter(kind as u8, self.node.load(Ordering::Relaxed))
    }
    /// A frame that was handed out is used for `kind`, and counts as that until [`Page::end_use`].
    #[inline(always)]
    pub fn use_as(&self, kind: PageKind) {
        let counter = self.counter_for(kind);
        cpu::count_up(counter);
        self.counter.store(counter, Ordering::Relaxed);
    }
    /// The same for the heap, which nobody wants to know the pages of: slabs are counted by themselves.
    pub(super) fn use_for_heap(&self) {
        self.counter.store(const { stats::counter(PageKind::Heap as u8, 0) }, Ordering::Relaxed);
    }
    /// It is given back.
    #[inline]
    pub(super) fn end_use(&self) {
        // What was not counted is taken off a count that nobody reads.
        cpu::count_down(self.counter.load(Ordering::Relaxed));
        self.set_free();
    }
    /// What is used for `from` is used for `to` from now on; nothing if it is not.
    pub(super) fn change_use(&self, from: PageKind, to: PageKind) {
        let (old, new) = (self.counter_for(from), self.counter_for(to));
        // Others may be doing the same.
        if self.counter.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            cpu::count_down(old);
            cpu::count_up(new);
        }
    }
    /// The counter of its node for something else than what it is used for.
    #[inline(always)]
    pub(super) fn counter_beside(&self, what: Counter) -> u8 {
        stats::counter(what as u8, self.node.load(Ordering::Relaxed))
    }
    /// The NUMA node that the frame is on, of those that the allocator has.
    #[inline]
    pub fn node(&self) -> usize {
        usize::from(self.node.load(Ordering::Relaxed))
    }
    /// The reference count.
    #[inline]
    pub fn references(&self) -> &AtomicU32 {
        &self.references
    }
    /// The first reference to a frame, which no mapping keeps in memory.
    #[inline]
    pub(super) fn start_counts(&self) {
        self.set_next(0);
        self.references.store(1, Ordering::Relaxed);
    }
    /// The same of one in a block that all counts as used already.
    #[inline]
    pub(super) fn start_in_block(&self, counter: u8) {
        self.counter.store(counter, Ordering::Relaxed);
        self.start_counts();
    }
    /// Of the first frame of a huge page: how many entries map that as a whole.
    #[inline]
    pub(super) fn mappings(&self) -> &AtomicU32 {
        &self.prev
    }
    /// Of a counted frame: how many mappings keep it in memory.
    pub(super) fn locks(&self) -> &AtomicU32 {
        &self.next
    }
    /// Of a page-table page: the groups of entries that something was put into, one bit each. 64 of them are all.
    pub(super) fn groups(&self) -> u64 {
        let halves = [&self.prev, &self.references].map(|half| half.load(Ordering::Relaxed));
        u64::from(halves[0]) << 32 | u64::from(halves[1])
    }
    /// Marks a group, before its first entry is filled.
    pub(super) fn mark_group(&self, group: usize) {
        let half = if group < 32 { &self.references } else { &self.prev };
        half.fetch_or(1 << (group % 32), Ordering::Relaxed);
    }
    /// A page-table page is new: nothing was put into it.
    pub(super) fn clear_groups(&self) {
        self.references.store(0, Ordering::Relaxed);
        self.prev.store(0, Ordering::Relaxed);
    }
    /// Of a counted frame without references: whether the locks that came and went were all counted.
    pub(super) fn is_unlocked(&self) -> bool {
        self.locks().load(Ordering::Relaxed) == 0
    }
    /// The next frame of a list that its owner keeps.
    #[inline]
    pub fn next(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }
    /// Links a frame to the next.
    #[inline]
    pub fn set_next(&self, next: u32) {
        self.next.store(next, Ordering::Relaxed);
    }
}

/// The frames of one NUMA node, as its buddy allocator sees them.
pub(super) struct NodeTable(pub(super) u8);

impl buddy::FrameTable for NodeTable {
    fn free_order(&self, frame: u32) -> Option<u8> {
        if frame as usize >= count() {
            return None;
        }
        let page = page(frame);
        if page.node.load(Ordering::Relaxed) != self.0 {
            return None;
        }
        page.free_order.load(Ordering::Relaxed).checked_sub(1)
    }
    fn set_free_order(&self, frame: u32, order: Option<u8>) {
        page(frame).free_order.store(order.map_or(0, |order| order + 1), Ordering::Relaxed);
    }
    fn links(&self, frame: u32) -> (u32, u32) {
        let page = page(frame);
        (page.prev.load(Ordering::Relaxed), page.next())
    }
    fn set_prev(&self, frame: u32, prev: u32) {
        page(frame).prev.store(prev, Ordering::Relaxed);
    }
    fn set_next(&self, frame: u32, next: u32) {
        page(frame).set_next(next);
    }
}

/// Bytes that the array takes for memory up to `end`.
pub(super) const fn array_size(end: usize) -> usize {
    (end.div_ceil(PAGE_SIZE) * size_of::<Page>()).next_multiple_of(PAGE_SIZE)
}
