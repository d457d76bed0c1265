//! Free memory: a buddy allocator a NUMA node, and in front of it lists of single pages on each CPU.
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
};
use buddy::{Buddy, NONE};
use core::{
    cell::{Cell, UnsafeCell},
    hint,
    sync::atomic::{AtomicUsize, Ordering, compiler_fence},
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

struct Node {
    buddy: IrqSpinLock<Buddy<NodeTable>>,
    /// Zeroed pages for all CPUs, linked through their [`super::page::Page`].
    zeroed: IrqSpinLock<ZeroedStock>,
    /// Free pages in the buddy, to look at without the lock.
    free: AtomicUsize,
    /// Pages in the stock, to look at without the lock.
    zeroed_len: AtomicUsize,
}

struct ZeroedStock {
    head: u32,
}

static NODES: [Node; NODE_COUNT] = [const {
    Node {
        buddy: IrqSpinLock::new(&class::FRAME, Buddy::new(NodeTable(0))),
        zeroed: IrqSpinLock::new(&class::FRAME, ZeroedStock { head: NONE }),
        free: AtomicUsize::new(0),
        zeroed_len: AtomicUsize::new(0),
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
}

#[repr(align(128))]
struct CpuLists {
    busy: Cell<bool>,
    lists: UnsafeCell<Lists>,
    /// Pages on the lists, for statistics.
    held: AtomicUsize,
}

// SAFETY: `busy` and `lists` are only used by their own CPU, in `with_lists`.
unsafe impl Sync for CpuLists {}

static CPU_LISTS: [CpuLists; cpu::MAX_CPUS] = [const {
    CpuLists {
        busy: Cell::new(false),
        lists: UnsafeCell::new(Lists { pages: Stack::new(), zeroed: Stack::new() }),
        held: AtomicUsize::new(0),
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

impl Node {
    fn with_buddy<R>(&self, f: impl FnOnce(&mut Buddy<NodeTable>) -> R) -> R {
        let mut buddy = self.buddy.lock();
        let result = f(&mut buddy);
        self.free.store(buddy.free_frames(), Ordering::Relaxed);
        result
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
    let lists: usize = CPU_LISTS.iter().map(|lists| lists.held.load(Ordering::Relaxed)).sum();
    nodes + lists
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
    if let Some(frame) = take_zeroed(&NODES[0]) {
        return Some(frame);
    }
    let frame = alloc_page(purpose)?;
    zero(frame);
    Some(frame)
}

fn take_zeroed(node: &Node) -> Option<u32> {
    if node.zeroed_len.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let mut stock = node.zeroed.lock();
    if stock.head == NONE {
        return None;
    }
    let frame = stock.head;
    stock.head = page(frame).next();
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
        return false;
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

const _: () = assert!(PAGE_SIZE == 4096, "the reserve's formula is in 4 KiB pages");
