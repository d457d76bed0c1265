//! What each CPU keeps at hand: single pages, zeroed pages, blocks of 2 to 16 pages for the kernel, all of its own node as a rule.
//!
//! A CPU's lists are its own: used with preemption off and a mark that they are in use, which an interrupt handler that finds
//! it set respects by going to the node instead. So the usual allocation takes no lock and no atomic operation. The fields are atomics
//! because others look at how long the lists are.
//!
//! Pages of other nodes that are freed here wait on a list of their own until they are enough to be given back together. Only when the CPU's node is short of
//! memory do its lists have pages of others.

use super::{NODES, Purpose, by_distance, events, free_blocks_of_any_node, free_range};
use crate::{
    arch::{cpu, irq},
    mm::{
        VmEvent,
        page::{Page, page},
    },
};
use arrayvec::ArrayVec;
use core::{
    hint,
    sync::atomic::{
        AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence,
    },
};

/// Pages that go between a CPU's list and its node at once.
pub(super) const BATCH: usize = 32;
/// Most pages on a CPU's list; memory that is small allows fewer.
const LIST_SIZE: usize = 256;
/// Most zeroed pages on a CPU's list.
pub(super) const ZEROED_SIZE: usize = 64;
/// The largest blocks that CPUs keep for the kernel: 64 KiB.
const KEPT_ORDER: u8 = 4;
/// The blocks that they are cut from, and as much as a CPU keeps of each order.
const GROUP_ORDER: u8 = 5;
const GROUP: usize = 1 << GROUP_ORDER;

static LIST_LIMIT: AtomicUsize = AtomicUsize::new(BATCH);

/// Free frames; `N` is a power of two. Only its own CPU changes it.
pub(super) struct Stack<const N: usize> {
    /// At most `N`.
    len: AtomicUsize,
    frames: [AtomicU32; N],
}

impl<const N: usize> Stack<N> {
    const fn new() -> Self {
        Self { len: AtomicUsize::new(0), frames: [const { AtomicU32::new(0) }; N] }
    }
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }
    #[inline]
    pub(super) fn pop(&self) -> Option<u32> {
        let rest = self.len().checked_sub(1)?;
        self.len.store(rest, Ordering::Relaxed);
        // SAFETY: the length was at most the array's (see the field), and is one less.
        unsafe { hint::assert_unchecked(rest < N) };
        Some(self.frames[rest].load(Ordering::Relaxed))
    }
    /// Adds a frame if there are fewer than `limit`, which is at most `N`; whether it did.
    #[inline]
    pub(super) fn push_below(&self, limit: usize, frame: u32) -> bool {
        let len = self.len();
        if len >= limit {
            return false;
        }
        // Below `N` as it is; saying so is less than a test.
        self.frames[len % N].store(frame, Ordering::Relaxed);
        self.len.store(len + 1, Ordering::Relaxed);
        true
    }
}

#[repr(align(128))]
pub(super) struct CpuLists {
    /// Somebody on this CPU is at the lists.
    busy: AtomicBool,
    /// The node that the CPU allocates from.
    home: AtomicU8,
    pages: Stack<LIST_SIZE>,
    pub(super) zeroed: Stack<ZEROED_SIZE>,
    /// Pages of other nodes, on their way there.
    foreign: Stack<BATCH>,
    /// The kernel's blocks of order 1 and on.
    blocks: [Stack<{ GROUP / 2 }>; KEPT_ORDER as usize],
    /// How often something was taken from the lists.
    taken: AtomicU64,
    /// The stock's `restocked` that the lists were last emptied for.
    pub(super) restocked: AtomicUsize,
}

static CPU_LISTS: [CpuLists; cpu::MAX_CPUS] = [const {
    CpuLists {
        busy: AtomicBool::new(false),
        home: AtomicU8::new(0),
        pages: Stack::new(),
        zeroed: Stack::new(),
        foreign: Stack::new(),
        blocks: [const { Stack::new() }; KEPT_ORDER as usize],
        taken: AtomicU64::new(0),
        restocked: AtomicUsize::new(0),
    }
}; cpu::MAX_CPUS];

/// Runs `f` on this CPU's lists; `None` in an interrupt that came while they are in use.
#[inline]
pub(super) fn with_lists<R>(f: impl FnOnce(&'static CpuLists) -> R) -> Option<R> {
    irq::preempt_disable();
    // Preemption is off, so no other task comes to this CPU; the mark keeps interrupts that come meanwhile away; other CPUs
    // have their own lists.
    let here = here();
    let result = if here.busy.load(Ordering::Relaxed) {
        None
    } else {
        here.busy.store(true, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        let result = f(here);
        compiler_fence(Ordering::SeqCst);
        here.busy.store(false, Ordering::Relaxed);
        Some(result)
    };
    irq::preempt_enable();
    result
}

/// The lists of the CPU that this runs on, or ran on a moment ago.
pub(super) fn here() -> &'static CpuLists {
    &CPU_LISTS[cpu::id()]
}

/// The node that the CPU allocates from.
pub(super) fn home() -> usize {
    usize::from(here().home.load(Ordering::Relaxed))
}

pub(super) fn set_home(cpu: usize, node: usize) {
    CPU_LISTS[cpu].home.store(node as u8, Ordering::Relaxed);
}

pub(super) fn set_limit(total: usize) {
    LIST_LIMIT.store((total / 512).clamp(BATCH, LIST_SIZE), Ordering::Relaxed);
}

/// Each CPU's index, the node that it allocates from, and its lists. The first counts before it is online.
fn all() -> impl Iterator<Item = (usize, usize, &'static CpuLists)> {
    let of_cpu = |(cpu, lists): (usize, &'static CpuLists)| {
        (cpu, usize::from(lists.home.load(Ordering::Relaxed)), lists)
    };
    CPU_LISTS.iter().take(cpu::online_count().max(1)).enumerate().map(of_cpu)
}

/// Each CPU's index, the node that it allocates from, and how often its lists served it.
pub(super) fn taken() -> impl Iterator<Item = (usize, usize, u64)> {
    all().map(|(cpu, home, lists)| (cpu, home, lists.taken.load(Ordering::Relaxed)))
}

/// Free pages on the lists of the CPUs that allocate from `node`, or of all.
pub(super) fn free_on_cpus(node: Option<usize>) -> usize {
    all()
        .filter(|(_, home, _)| node.is_none_or(|node| *home == node))
        .map(|(_, _, lists)| lists.free())
        .sum()
}

/// A CPU's lists of single pages (`/proc/zoneinfo`).
#[derive(Clone, Copy, Debug)]
pub struct PageSet {
    /// Pages on them.
    pub count: usize,
    /// How many there may be.
    pub high: usize,
    /// How many go to and fro at once.
    pub batch: usize,
}

/// What `cpu` has of pages of `node`.
pub fn page_set(cpu: usize, node: usize) -> PageSet {
    let lists = &CPU_LISTS[cpu];
    let mut set = PageSet { count: 0, high: BATCH, batch: BATCH };
    if usize::from(lists.home.load(Ordering::Relaxed)) == node {
        set.count = lists.pages.len() + lists.zeroed.len();
        set.high = LIST_LIMIT.load(Ordering::Relaxed) + ZEROED_SIZE;
    } else {
        let foreign = lists.foreign.frames.iter().take(lists.foreign.len());
        let on_node = |frame: &&AtomicU32| page(frame.load(Ordering::Relaxed)).node() == node;
        set.count = foreign.filter(on_node).count();
    }
    set
}

impl CpuLists {
    fn free(&self) -> usize {
        let blocks = (1..).zip(&self.blocks).map(|(order, list)| list.len() << order);
        self.pages.len() + self.zeroed.len() + self.foreign.len() + blocks.sum::<usize>()
    }

    /// Counts that something of the CPU's node was taken. When the lists are not in use, an interrupt may make it lose one.
    #[inline]
    pub(super) fn count(&self) {
        self.taken.store(self.taken.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn take<const N: usize>(&self, list: &Stack<N>) -> Option<u32> {
        let frame = list.pop()?;
        self.count();
        Some(frame)
    }

    /// Whether a page is on the node that this CPU allocates from.
    #[inline]
    fn is_home(&self, page: &Page) -> bool {
        page.node() == usize::from(self.home.load(Ordering::Relaxed))
    }

    /// Keeps a block for the kernel if there is room, and it is near; whether it did.
    #[inline]
    fn keep_block(&self, frame: u32, page: &Page, order: u8) -> bool {
        let list = self.blocks.get(usize::from(order) - 1);
        self.is_home(page) && list.is_some_and(|list| list.push_below(GROUP >> order, frame))
    }

    /// Keeps a page of another node until there are many.
    fn send_home(&self, frame: u32) {
        if !self.foreign.push_below(BATCH, frame) {
            free_blocks_of_any_node(0, || self.foreign.pop());
            self.foreign.push_below(BATCH, frame);
        }
    }

    /// Gives the `count` pages that lie on the list longest back to their node.
    fn drain(&self, count: usize) {
        let len = self.pages.len();
        let count = count.min(len);
        let mut oldest = self.pages.frames[..count].iter();
        free_blocks_of_any_node(0, || oldest.next().map(|frame| frame.load(Ordering::Relaxed)));
        for (from, to) in (count..len).zip(0..) {
            let frame = self.pages.frames[from].load(Ordering::Relaxed);
            self.pages.frames[to].store(frame, Ordering::Relaxed);
        }
        self.pages.len.store(len - count, Ordering::Relaxed);
    }

    fn drain_all(&self) {
        self.drain(LIST_SIZE);
        free_blocks_of_any_node(0, || self.zeroed.pop());
        free_blocks_of_any_node(0, || self.foreign.pop());
        for (order, list) in (1..).zip(&self.blocks) {
            free_blocks_of_any_node(order, || list.pop());
        }
    }
}

/// Takes a block of 2^`order` pages, at least two, for the kernel: of this CPU's if it has one. Never waits.
pub fn alloc_kept_block(order: u8) -> Option<u32> {
    let kept = with_lists(|lists| lists.take(lists.blocks.get(usize::from(order) - 1)?));
    let frame = kept.flatten().or_else(|| refill_blocks(order))?;
    VmEvent::MorePages.count((1 << order) - 1);
    Some(frame)
}

#[cold]
fn refill_blocks(order: u8) -> Option<u32> {
    cut_blocks(order).or_else(|| super::alloc_block(order, Purpose::Kernel))
}

/// Cuts a larger block into blocks for this CPU to keep; the first of them.
fn cut_blocks(order: u8) -> Option<u32> {
    if order > KEPT_ORDER {
        return None;
    }
    let first = super::alloc_block(GROUP_ORDER, Purpose::User)?;
    let rest = first + (1 << order);
    // What is not kept: it is another node's, or an interrupt found the lists in use, or filled them.
    let mut end = first + GROUP as u32;
    with_lists(|lists| {
        let list = lists.blocks.get(usize::from(order) - 1);
        // All of it is on one node.
        let Some(list) = list.filter(|_| lists.is_home(page(first))) else { return };
        // From the top, so that what comes next lies next.
        while end > rest && list.push_below(GROUP >> order, end - (1 << order)) {
            end -= 1 << order;
        }
    });
    if end > rest {
        free_range(rest, end);
    }
    Some(first)
}

/// Gives back a block that came from [`alloc_kept_block`], of which only the first frame was marked: as the heap's, which is not counted.
pub fn free_kept_block(frame: u32, order: u8) {
    let page = page(frame);
    page.set_free();
    if with_lists(|lists| lists.keep_block(frame, page, order)) != Some(true) {
        free_block(frame, page, order);
    }
}

#[cold]
fn free_block(frame: u32, page: &Page, order: u8) {
    NODES[page.node()].with_buddy(|buddy| buddy.free(frame, order));
}

/// Takes a page with any content. Never waits.
#[inline]
pub fn alloc_page(purpose: Purpose) -> Option<u32> {
    if let Some(Some(frame)) = with_lists(|lists| lists.take(&lists.pages)) {
        return Some(frame);
    }
    refill(purpose)
}

#[cold]
fn refill(purpose: Purpose) -> Option<u32> {
    let home = home();
    let mut batch = ArrayVec::<u32, BATCH>::new();
    for (step, node) in by_distance(home).enumerate() {
        node.with_buddy(|buddy| {
            node.count_batch();
            // The lists are anybody's: what is in the reserve never gets there, and the kernel takes one page at a time.
            let count = node.spare(buddy.free_frames()).min(BATCH);
            buddy.alloc_frames(count as u32, |run| batch.extend(run));
        });
        if !batch.is_empty() {
            if step != 0 {
                events::count_borrowed(home, batch[0], batch.len());
            }
            break;
        }
        // Zeroed pages are free pages too, once there are no others.
        if step == 0
            && let Some(Some(spare)) = with_lists(|lists| lists.take(&lists.zeroed))
        {
            return Some(spare);
        }
        if let Some(spare) = node.stock.take() {
            events::count(home, spare);
            return Some(spare);
        }
    }
    let Some((&first, rest)) = batch.split_first() else {
        let spare = with_lists(|lists| lists.take(&lists.foreign)).flatten();
        return spare.or_else(|| super::alloc_block(0, purpose));
    };
    let mut left = rest.len();
    let kept = with_lists(|lists| {
        // As if it had been on the list.
        lists.count();
        // From the end, so that what comes next lies next: pages that are used in a row go back in a row.
        while left > 0 && lists.pages.push_below(LIST_SIZE, rest[left - 1]) {
            left -= 1;
        }
    });
    if kept.is_none() {
        events::count(home, first);
    }
    // What is left when an interrupt found the lists in use, or filled them.
    let mut unplaced = rest[..left].iter().copied();
    free_blocks_of_any_node(0, || unplaced.next());
    Some(first)
}

/// Gives a page back.
#[inline]
pub fn free_page(frame: u32) {
    free_known_page(frame, page(frame));
}

/// Gives a page back whose entry the caller has at hand.
#[inline]
pub fn free_known_page(frame: u32, page: &Page) {
    page.end_use();
    if !keep_page(frame, page) {
        free_page_slow(frame);
    }
}

/// Keeps a page that is marked as free if there is room, and it is near; whether it did.
#[inline]
pub(super) fn keep_page(frame: u32, page: &Page) -> bool {
    let limit = LIST_LIMIT.load(Ordering::Relaxed);
    with_lists(|lists| lists.is_home(page) && lists.pages.push_below(limit, frame)) == Some(true)
}

/// Gives a page back that is full of zeros.
pub fn free_zeroed_page(frame: u32) {
    let page = page(frame);
    let kept = with_lists(|lists| {
        let is_wanted = lists.is_home(page) && lists.zeroed.len() < ZEROED_SIZE;
        if is_wanted {
            page.end_use();
            lists.zeroed.push_below(ZEROED_SIZE, frame);
        }
        is_wanted
    });
    if kept != Some(true) {
        free_known_page(frame, page);
    }
}

/// Makes room on the list, or does without it.
#[cold]
fn free_page_slow(frame: u32) {
    let limit = LIST_LIMIT.load(Ordering::Relaxed);
    let kept = with_lists(|lists| {
        if !lists.is_home(page(frame)) {
            return lists.send_home(frame);
        }
        if lists.pages.len() >= limit {
            // Few enough that nobody waits long for this CPU.
            lists.drain(BATCH.min(limit / 4));
        }
        // Not the limit: a refill may have gone beyond.
        lists.pages.push_below(LIST_SIZE, frame);
    });
    if kept.is_none() {
        free_range(frame, frame + 1);
    }
}

/// Gives this CPU's pages back to their nodes, so that they can merge.
pub fn drain_here() {
    with_lists(CpuLists::drain_all);
}
