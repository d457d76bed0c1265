//! Free memory: a buddy allocator a NUMA node, and in front of it lists on each CPU: of single pages, and of small blocks for the kernel.
//!
//! A CPU's lists are its own: used with preemption off and a mark that they are in use, which an interrupt handler that finds
//! it set respects by going to the node instead. So the usual allocation takes no lock and no atomic operation.
//!
//! Locks: each node's buddy and its stock of zeroed pages (class FRAME, interrupts off, never both at once). Nothing here waits; what
//! to do when memory is short is in `reclaim`.

use super::{
    PAGE_SIZE, PhysAddr,
    page::{NodeTable, PageKind, page},
};
use crate::{
    arch::{copy, cpu, irq},
    sync::{IrqSpinLock, class},
    time::{self, Instant},
};
use buddy::{Buddy, NONE};
use core::{
    cell::{Cell, UnsafeCell},
    hint,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering, compiler_fence},
    time::Duration,
};

/// For whom memory is wanted: how deep into the reserve the allocation may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// What user space can ask for any amount of: its memory, page cache, page tables.
    User,
    /// The kernel's own heap, in part spent to free memory.
    Kernel,
}

/// NUMA nodes.
pub const NODE_COUNT: usize = 1;
/// Pages that go between a CPU's list and its node at once.
const BATCH: usize = 32;
/// Most pages on a CPU's list; memory that is small allows fewer.
const LIST_SIZE: usize = 256;
/// Most zeroed pages on a CPU's list.
const ZEROED_SIZE: usize = 64;
/// The largest blocks that CPUs keep for the kernel: 64 KiB.
const KEPT_ORDER: u8 = 4;
/// The blocks that they are cut from, and as much as a CPU keeps of each order.
const GROUP_ORDER: u8 = 5;
const GROUP: usize = 1 << GROUP_ORDER;

struct Node {
    buddy: IrqSpinLock<Buddy<NodeTable>>,
    /// Zeroed pages for all CPUs, linked through their [`super::page::Page`].
    zeroed: IrqSpinLock<ZeroedStock>,
    /// Free pages in the buddy, to look at without the lock.
    free: AtomicUsize,
    /// Pages in the stock, to look at without the lock.
    zeroed_len: AtomicUsize,
    /// Batches that went to the CPUs' lists and back.
    batches: AtomicUsize,
    /// How many there had been when free memory was last looked at for small blocks, and when that was.
    looked_at: AtomicUsize,
    looked_time: AtomicU64,
    /// How often the stock was put together anew.
    restocked: AtomicUsize,
}

struct ZeroedStock {
    head: u32,
}

impl ZeroedStock {
    fn take(&mut self) -> Option<u32> {
        let frame = self.head;
        if frame == NONE {
            return None;
        }
        self.head = page(frame).next();
        Some(frame)
    }
}

static NODES: [Node; NODE_COUNT] = [const {
    Node {
        buddy: IrqSpinLock::new(&class::FRAME, Buddy::new(NodeTable(0))),
        zeroed: IrqSpinLock::new(&class::FRAME, ZeroedStock { head: NONE }),
        free: AtomicUsize::new(0),
        zeroed_len: AtomicUsize::new(0),
        batches: AtomicUsize::new(0),
        looked_at: AtomicUsize::new(0),
        looked_time: AtomicU64::new(0),
        restocked: AtomicUsize::new(0),
    }
}; NODE_COUNT];

/// Pages under the allocator's care.
static TOTAL: AtomicUsize = AtomicUsize::new(0);
/// Free pages that user allocations leave alone.
static RESERVE: AtomicUsize = AtomicUsize::new(0);
static LIST_LIMIT: AtomicUsize = AtomicUsize::new(BATCH);

struct Stack<const N: usize> {
    /// At most `N`.
    len: usize,
    frames: [u32; N],
}

impl<const N: usize> Stack<N> {
    const fn new() -> Self {
        Self { len: 0, frames: [0; N] }
    }
    #[inline]
    fn pop(&mut self) -> Option<u32> {
        let rest = self.len.checked_sub(1)?;
        self.len = rest;
        // SAFETY: the length was at most the array's (see the field), and is one less.
        unsafe { hint::assert_unchecked(rest < N) };
        Some(self.frames[rest])
    }
    #[inline]
    fn push(&mut self, frame: u32) {
        self.frames[self.len] = frame;
        self.len += 1;
    }
}

struct Lists {
    pages: Stack<LIST_SIZE>,
    zeroed: Stack<ZEROED_SIZE>,
    /// The kernel's blocks of order 1 and on.
    blocks: [Stack<{ GROUP / 2 }>; KEPT_ORDER as usize],
}

impl Lists {
    const fn new() -> Lists {
        Lists {
            pages: Stack::new(),
            zeroed: Stack::new(),
            blocks: [const { Stack::new() }; KEPT_ORDER as usize],
        }
    }
    /// Keeps a block for the kernel if there is room.
    fn keep_block(&mut self, frame: u32, order: u8) -> Option<()> {
        let list = self.blocks.get_mut(usize::from(order) - 1)?;
        if list.len >= GROUP >> order {
            return None;
        }
        list.push(frame);
        count_in_blocks(1 << order);
        Some(())
    }
}

#[repr(align(128))]
struct CpuLists {
    busy: Cell<bool>,
    lists: UnsafeCell<Lists>,
    /// Single pages on the lists, for statistics.
    held: AtomicUsize,
    /// Pages in blocks on the lists.
    held_in_blocks: AtomicUsize,
    /// The node's `restocked` that the lists were last emptied for.
    restocked: AtomicUsize,
}

// SAFETY: `busy` and `lists` are only used by their own CPU, in `with_lists`.
unsafe impl Sync for CpuLists {}

static CPU_LISTS: [CpuLists; cpu::MAX_CPUS] = [const {
    CpuLists {
        busy: Cell::new(false),
        lists: UnsafeCell::new(Lists::new()),
        held: AtomicUsize::new(0),
        held_in_blocks: AtomicUsize::new(0),
        restocked: AtomicUsize::new(0),
    }
}; cpu::MAX_CPUS];

/// Runs `f` on this CPU's lists; `None` in an interrupt that came while they are in use.
#[inline]
fn with_lists<R>(f: impl FnOnce(&mut Lists) -> R) -> Option<R> {
    irq::preempt_disable();
    let here = &CPU_LISTS[cpu::id()];
    let result = if here.busy.get() {
        None
    } else {
        here.busy.set(true);
        compiler_fence(Ordering::SeqCst);
        // SAFETY: preemption is off, so no other task comes to this CPU; the mark keeps interrupts that come meanwhile
        // away; other CPUs have their own lists.
        let lists = unsafe { &mut *here.lists.get() };
        let result = f(lists);
        here.held.store(lists.pages.len + lists.zeroed.len, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        here.busy.set(false);
        Some(result)
    };
    irq::preempt_enable();
    result
}

/// Counts pages that come to this CPU's blocks, or go. In `with_lists` only.
fn count_in_blocks(pages: isize) {
    let held = &CPU_LISTS[cpu::id()].held_in_blocks;
    held.store(held.load(Ordering::Relaxed).wrapping_add_signed(pages), Ordering::Relaxed);
}

impl Node {
    fn with_buddy<R>(&self, f: impl FnOnce(&mut Buddy<NodeTable>) -> R) -> R {
        let mut buddy = self.buddy.lock();
        let result = f(&mut buddy);
        self.free.store(buddy.free_frames(), Ordering::Relaxed);
        result
    }
    /// Counts a batch. The buddy's lock is held, so nobody else counts.
    fn count_batch(&self) {
        self.batches.store(self.batches.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// Adds memory, at boot.
pub(super) fn add_memory(start: u32, end: u32) {
    for frame in start..end {
        page(frame).set_kind(PageKind::Free);
    }
    NODES[0].with_buddy(|buddy| buddy.add_range(start, end));
    let total = TOTAL.fetch_add((end - start) as usize, Ordering::Relaxed) + (end - start) as usize;
    // As Linux: 4 * sqrt(KiB) KiB, here twice that, as there is no reclaim in the background that would keep it filled.
    let reserve = 2 * (total * 4 * 16).isqrt() / 4;
    // Not a clamp: the first range added may be tiny.
    RESERVE.store(reserve.max(32).min(total / 8), Ordering::Relaxed);
    LIST_LIMIT.store((total / 512).clamp(BATCH, LIST_SIZE), Ordering::Relaxed);
}

/// Pages under the allocator's care.
pub fn total() -> usize {
    TOTAL.load(Ordering::Relaxed)
}

/// Free pages that user allocations leave alone.
pub fn reserve() -> usize {
    RESERVE.load(Ordering::Relaxed)
}

/// Free pages now: in the nodes and on the CPUs' lists.
pub fn free_pages() -> usize {
    let nodes: usize = NODES
        .iter()
        .map(|node| node.free.load(Ordering::Relaxed) + node.zeroed_len.load(Ordering::Relaxed))
        .sum();
    let held = |lists: &CpuLists| {
        lists.held.load(Ordering::Relaxed) + lists.held_in_blocks.load(Ordering::Relaxed)
    };
    nodes + CPU_LISTS.iter().map(held).sum::<usize>()
}

/// How many free blocks of each order a node's buddy holds (`/proc/buddyinfo`).
pub fn free_blocks(node: usize) -> [usize; buddy::ORDERS] {
    NODES[node].buddy.lock().free_blocks()
}

/// Whether an allocation of `pages` for `purpose` leaves the reserve alone, or may go into it.
fn allowed(free: usize, pages: usize, purpose: Purpose) -> bool {
    purpose == Purpose::Kernel || free >= reserve() + pages
}

/// Takes a block of 2^`order` pages; its first frame. Never waits.
pub(super) fn alloc_block(order: u8, purpose: Purpose) -> Option<u32> {
    let node = &NODES[0];
    let frame = node.with_buddy(|buddy| {
        if !allowed(buddy.free_frames(), 1 << order, purpose) {
            return None;
        }
        buddy.alloc(order)
    });
    if frame.is_none() && order == 0 {
        return take_zeroed(node);
    }
    frame
}

/// Gives back frames that came from [`alloc_block`], in part or in whole.
pub(super) fn free_range(start: u32, end: u32) {
    for frame in start..end {
        page(frame).set_kind(PageKind::Free);
    }
    NODES[page(start).node()].with_buddy(|buddy| buddy.add_range(start, end));
}

/// Takes a block of 2^`order` pages, at least two, for the kernel: of this CPU's if it has one. Never waits.
pub(super) fn alloc_kept_block(order: u8) -> Option<u32> {
    let kept = with_lists(|lists| {
        let frame = lists.blocks.get_mut(usize::from(order) - 1)?.pop()?;
        count_in_blocks(-1 << order);
        Some(frame)
    });
    kept.flatten().or_else(|| cut_blocks(order)).or_else(|| alloc_block(order, Purpose::Kernel))
}

/// Cuts a larger block into blocks for this CPU to keep; the first of them.
#[cold]
fn cut_blocks(order: u8) -> Option<u32> {
    if order > KEPT_ORDER {
        return None;
    }
    let first = alloc_block(GROUP_ORDER, Purpose::User)?;
    let rest = first + (1 << order);
    // What is not kept: an interrupt found the lists in use, or filled them.
    let mut end = first + GROUP as u32;
    with_lists(|lists| {
        // From the top, so that what comes next lies next.
        while end > rest && lists.keep_block(end - (1 << order), order).is_some() {
            end -= 1 << order;
        }
    });
    if end > rest {
        free_range(rest, end);
    }
    Some(first)
}

/// Gives back a block that came from [`alloc_kept_block`]; of its frames only the first was given a kind.
pub(super) fn free_kept_block(frame: u32, order: u8) {
    page(frame).set_kind(PageKind::Free);
    if with_lists(|lists| lists.keep_block(frame, order)).flatten().is_some() {
        return;
    }
    NODES[page(frame).node()].with_buddy(|buddy| buddy.free(frame, order));
}

/// Takes a page with any content. Never waits.
#[inline]
pub(super) fn alloc_page(purpose: Purpose) -> Option<u32> {
    if let Some(Some(frame)) = with_lists(|lists| lists.pages.pop()) {
        return Some(frame);
    }
    refill(purpose)
}

#[cold]
fn refill(purpose: Purpose) -> Option<u32> {
    let mut batch = Stack::<BATCH>::new();
    NODES[0].with_buddy(|buddy| {
        NODES[0].count_batch();
        // The lists are anybody's: what is in the reserve never gets there, and the kernel takes one page at a time.
        while batch.len < BATCH && allowed(buddy.free_frames(), 1, Purpose::User) {
            let Some(frame) = buddy.alloc(0) else { break };
            batch.push(frame);
        }
        if batch.len == 0
            && purpose == Purpose::Kernel
            && let Some(frame) = buddy.alloc(0)
        {
            batch.push(frame);
        }
    });
    let Some(first) = batch.pop() else {
        // Zeroed pages are free pages too, once there are no others.
        let spare = with_lists(|lists| lists.zeroed.pop()).flatten();
        return spare.or_else(|| take_zeroed(&NODES[0]));
    };
    with_lists(|lists| {
        while lists.pages.len < LIST_SIZE {
            let Some(frame) = batch.pop() else { break };
            lists.pages.push(frame);
        }
    });
    // What is left when an interrupt found the lists in use, or filled them.
    while let Some(frame) = batch.pop() {
        free_range(frame, frame + 1);
    }
    Some(first)
}

/// Takes a page of zeros. Never waits.
#[inline]
pub(super) fn alloc_zeroed_page(purpose: Purpose) -> Option<u32> {
    if let Some(Some(frame)) = with_lists(|lists| lists.zeroed.pop()) {
        return Some(frame);
    }
    if let Some(frame) = refill_zeroed(&NODES[0]) {
        return Some(frame);
    }
    let frame = alloc_page(purpose)?;
    zero(frame);
    Some(frame)
}

/// Takes zeroed pages from the stock, one of them for the caller, the others for this CPU's list.
#[inline]
fn refill_zeroed(node: &Node) -> Option<u32> {
    if node.zeroed_len.load(Ordering::Relaxed) == 0 { None } else { refill_zeroed_slow(node) }
}

#[cold]
fn refill_zeroed_slow(node: &Node) -> Option<u32> {
    let first = take_zeroed(node)?;
    with_lists(|lists| {
        let mut stock = node.zeroed.lock();
        let before = lists.zeroed.len;
        while lists.zeroed.len < before + BATCH && lists.zeroed.len < ZEROED_SIZE {
            let Some(frame) = stock.take() else { break };
            lists.zeroed.push(frame);
        }
        node.zeroed_len.fetch_sub(lists.zeroed.len - before, Ordering::Relaxed);
    });
    Some(first)
}

fn take_zeroed(node: &Node) -> Option<u32> {
    if node.zeroed_len.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let frame = node.zeroed.lock().take()?;
    node.zeroed_len.fetch_sub(1, Ordering::Relaxed);
    Some(frame)
}

/// Gives a page back.
#[inline]
pub(super) fn free_page(frame: u32) {
    page(frame).set_kind(PageKind::Free);
    let limit = LIST_LIMIT.load(Ordering::Relaxed);
    let kept = with_lists(|lists| {
        if lists.pages.len >= limit {
            drain(&mut lists.pages, limit / 4);
        }
        lists.pages.push(frame);
    });
    if kept.is_none() {
        free_range(frame, frame + 1);
    }
}

/// Gives the `count` pages that lie on a list longest back to their node.
#[cold]
fn drain(pages: &mut Stack<LIST_SIZE>, count: usize) {
    let count = count.min(pages.len);
    NODES[0].with_buddy(|buddy| {
        NODES[0].count_batch();
        for &frame in &pages.frames[..count] {
            buddy.free(frame, 0);
        }
    });
    pages.frames.copy_within(count..pages.len, 0);
    pages.len -= count;
}

/// Gives this CPU's pages back to the node, so that they can merge.
pub(super) fn drain_here() {
    with_lists(|lists| {
        drain(&mut lists.pages, LIST_SIZE);
        NODES[0].with_buddy(|buddy| {
            while let Some(frame) = lists.zeroed.pop() {
                buddy.free(frame, 0);
            }
            for (order, list) in (1..).zip(&mut lists.blocks) {
                while let Some(frame) = list.pop() {
                    buddy.free(frame, order);
                    count_in_blocks(-1 << order);
                }
            }
        });
    });
}

/// Gives the stock of zeroed pages back to the buddy, so that they can merge.
pub(super) fn drain_zeroed() {
    while let Some(frame) = take_zeroed(&NODES[0]) {
        NODES[0].with_buddy(|buddy| buddy.free(frame, 0));
    }
}

/// Fills a page with zeros.
pub(super) fn zero(frame: u32) {
    // SAFETY: the page is free or just allocated: nobody else uses it.
    unsafe { copy::zero_page(PhysAddr::of_frame(frame).to_virt().as_mut_ptr()) };
}

/// Zeroes one free page for later; whether there was one to zero.
pub(super) fn prezero() -> bool {
    let node = &NODES[0];
    if node.free.load(Ordering::Relaxed) < 2 * reserve() {
        return false;
    }
    let stock_limit = (total() / 64).min(8192);
    let room_here = with_lists(|lists| lists.zeroed.len < ZEROED_SIZE).unwrap_or(false);
    if !room_here && node.zeroed_len.load(Ordering::Relaxed) >= stock_limit {
        return restock(node);
    }
    let Some(frame) = node.with_buddy(|buddy| buddy.alloc(0)) else { return false };
    zero(frame);
    let kept = room_here
        && with_lists(|lists| {
            let room = lists.zeroed.len < ZEROED_SIZE;
            if room {
                lists.zeroed.push(frame);
            }
            room
        }) == Some(true);
    if !kept {
        let mut stock = node.zeroed.lock();
        page(frame).set_next(stock.head);
        stock.head = frame;
        node.zeroed_len.fetch_add(1, Ordering::Relaxed);
    }
    true
}

/// Gives zeroed pages back, to be put together anew, if they keep too much of the memory around them in small blocks; whether it did.
///
/// The stock and the lists are filled from small blocks. What they took in a time when memory was in pieces stays with them when all else is free
/// again, and each such page keeps its neighbours from merging.
fn restock(node: &Node) -> bool {
    let here = &CPU_LISTS[cpu::id()].restocked;
    let restocked = node.restocked.load(Ordering::Relaxed);
    if here.load(Ordering::Relaxed) != restocked {
        // Should this task have moved, the other CPU's lists are emptied in its place, which does no harm.
        here.store(restocked, Ordering::Relaxed);
        drain_here();
        return true;
    }
    let batches = node.batches.load(Ordering::Relaxed);
    let since = batches.wrapping_sub(node.looked_at.load(Ordering::Relaxed));
    if since < LOOK_AFTER {
        return false;
    }
    let now = time::monotonic();
    if now < Instant(node.looked_time.load(Ordering::Relaxed)).after(LOOK_EVERY) {
        return false;
    }
    node.looked_at.store(batches, Ordering::Relaxed);
    node.looked_time.store(now.0, Ordering::Relaxed);
    let (blocks, free) = node.with_buddy(|buddy| (buddy.free_blocks(), buddy.free_frames()));
    let small: usize = (0..).zip(&blocks[..SMALL]).map(|(order, count)| count << order).sum();
    if small < free / SMALL_SHARE {
        return false;
    }
    drain_here();
    drain_zeroed();
    node.restocked.store(restocked.wrapping_add(1), Ordering::Relaxed);
    here.store(restocked.wrapping_add(1), Ordering::Relaxed);
    true
}

/// Memory is looked at when so many batches have gone to and fro since the last time,
const LOOK_AFTER: usize = 32;
/// and not more often than this: while much goes on, it is no use.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Blocks below this order are small,
const SMALL: usize = 4;
/// and more than one page in so many in them is too much.
const SMALL_SHARE: usize = 128;

const _: () = assert!(PAGE_SIZE == 4096, "the reserve's formula is in 4 KiB pages");
