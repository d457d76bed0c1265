//! Each node's stock of zeroed pages. Idle CPUs fill it, those of the node; what they zero goes to their own list first.

use super::{
    NODES, Node, Purpose, by_distance,
    lists::{self, BATCH, ZEROED_SIZE, with_lists},
};
use crate::{
    arch::copy,
    mm::{PhysAddr, page::page},
    sync::{IrqSpinLock, class},
    time::{self, Instant},
};
use buddy::NONE;
use core::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

/// Memory is looked at when so many batches have gone to and fro since the last time,
const LOOK_AFTER: usize = 32;
/// and not more often than this: while much goes on, it is no use.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Blocks below this order are small,
const SMALL: usize = 4;
/// and more than one page in so many in them is too much.
const SMALL_SHARE: usize = 128;

/// A node's zeroed pages.
pub(super) struct Stock {
    /// The first of them, which are linked through their [`super::page::Page`].
    head: IrqSpinLock<u32>,
    /// How many there are, to look at without the lock.
    len: AtomicUsize,
    /// How many batches the node had given and taken when its free memory was last looked at for small blocks, and when that was.
    looked_at: AtomicUsize,
    looked_time: AtomicU64,
    /// How often the stock was put together anew.
    restocked: AtomicUsize,
}

impl Stock {
    pub(super) const fn new() -> Stock {
        Stock {
            head: IrqSpinLock::new(&class::FRAME, NONE),
            len: AtomicUsize::new(0),
            looked_at: AtomicUsize::new(0),
            looked_time: AtomicU64::new(0),
            restocked: AtomicUsize::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    fn put(&self, frame: u32) {
        let mut head = self.head.lock();
        page(frame).set_next(*head);
        *head = frame;
        self.len.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn take(&self) -> Option<u32> {
        let mut taken = None;
        self.take_many(1, |frame| taken = Some(frame));
        taken
    }

    /// Takes up to `count` pages.
    fn take_many(&self, count: usize, mut sink: impl FnMut(u32)) {
        if self.len() == 0 {
            return;
        }
        let mut head = self.head.lock();
        let mut taken = 0;
        while taken < count && *head != NONE {
            let frame = *head;
            *head = page(frame).next();
            sink(frame);
            taken += 1;
        }
        self.len.fetch_sub(taken, Ordering::Relaxed);
    }
}

/// Takes a page of zeros. Never waits.
#[inline]
pub fn alloc_zeroed_page(purpose: Purpose) -> Option<u32> {
    if let Some(Some(frame)) = with_lists(|lists| lists.take(&lists.zeroed)) {
        return Some(frame);
    }
    let node = &NODES[lists::home()];
    if node.stock.len() != 0
        && let Some(frame) = refill(node)
    {
        return Some(frame);
    }
    let frame = super::alloc_page(purpose)?;
    zero(frame);
    Some(frame)
}

/// Takes zeroed pages from the stock, one of them for the caller, the others for this CPU's list.
#[cold]
fn refill(node: &Node) -> Option<u32> {
    let first = node.stock.take()?;
    with_lists(|lists| {
        lists.count();
        let room = ZEROED_SIZE - lists.zeroed.len();
        node.stock.take_many(room.min(BATCH), |frame| {
            lists.zeroed.push_below(ZEROED_SIZE, frame);
        });
    });
    Some(first)
}

/// Takes a zeroed page of any node's stock, the nearest to `home`.
pub(super) fn take_any(home: usize) -> Option<u32> {
    by_distance(home).find_map(|node| node.stock.take())
}

/// Gives the stocks of zeroed pages back to the buddies, so that they can merge.
pub fn drain_zeroed() {
    NODES.iter().for_each(drain);
}

fn drain(node: &Node) {
    while let Some(frame) = node.stock.take() {
        node.with_buddy(|buddy| buddy.free(frame, 0));
    }
}

/// Fills a page with zeros.
pub fn zero(frame: u32) {
    // SAFETY: the page is free or just allocated: nobody else uses it.
    unsafe { copy::zero_page(PhysAddr::of_frame(frame).to_virt().as_mut_ptr()) };
}

/// Zeroes one free page for later; whether there was one to zero.
pub fn prezero() -> bool {
    let node = &NODES[lists::home()];
    if node.free.load(Ordering::Relaxed) < 2 * node.reserve.load(Ordering::Relaxed) {
        return false;
    }
    let stock_limit = (node.total.load(Ordering::Relaxed) / 64).min(8192);
    let room_here = with_lists(|lists| lists.zeroed.len() < ZEROED_SIZE).unwrap_or(false);
    if !room_here && node.stock.len() >= stock_limit {
        return restock(node);
    }
    let Some(frame) = node.with_buddy(|buddy| buddy.alloc(0)) else { return false };
    zero(frame);
    if with_lists(|lists| lists.zeroed.push_below(ZEROED_SIZE, frame)) != Some(true) {
        node.stock.put(frame);
    }
    true
}

/// Gives zeroed pages back, to be put together anew, if they keep too much of the memory around them in small blocks; whether it did.
///
/// The stock and the lists are filled from small blocks. What they took in a time when memory was in pieces stays with them when all else is free
/// again, and each such page keeps its neighbours from merging.
fn restock(node: &Node) -> bool {
    let here = &lists::here().restocked;
    let stock = &node.stock;
    let restocked = stock.restocked.load(Ordering::Relaxed);
    if here.load(Ordering::Relaxed) != restocked {
        // Should this task have moved, the other CPU's lists are emptied in its place, which does no harm.
        here.store(restocked, Ordering::Relaxed);
        lists::drain_here();
        return true;
    }
    let batches = node.batches.load(Ordering::Relaxed);
    let since = batches.wrapping_sub(stock.looked_at.load(Ordering::Relaxed));
    if since < LOOK_AFTER {
        return false;
    }
    let now = time::monotonic();
    if now < Instant(stock.looked_time.load(Ordering::Relaxed)).after(LOOK_EVERY) {
        return false;
    }
    stock.looked_at.store(batches, Ordering::Relaxed);
    stock.looked_time.store(now.0, Ordering::Relaxed);
    let (blocks, free) = node.with_buddy(|buddy| (buddy.free_blocks(), buddy.free_frames()));
    let small: usize = (0..).zip(&blocks[..SMALL]).map(|(order, count)| count << order).sum();
    if small < free / SMALL_SHARE {
        return false;
    }
    lists::drain_here();
    drain(node);
    stock.restocked.store(restocked.wrapping_add(1), Ordering::Relaxed);
    here.store(restocked.wrapping_add(1), Ordering::Relaxed);
    true
}
