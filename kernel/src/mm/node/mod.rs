//! Free memory: a buddy allocator a NUMA node, and in front of them lists on each CPU: of single pages, and of small blocks for the kernel.
//!
//! | | |
//! |---|---|
//! | here | the nodes: their buddies and reserves, which node serves whom |
//! | `lists` | what each CPU keeps at hand |
//! | `batch` | pages that are given back many at a time |
//! | `zeroed` | each node's stock of zeroed pages, filled by idle CPUs |
//! | `spare` | large blocks where small ones would do |
//! | `events` | which node's memory went to whom, for statistics |
//!
//! Memory for a CPU comes from its node; when that has none above its reserve, from the others, the nearest first. It goes back to the
//! node that it is on.
//!
//! Locks: each node's buddy and its stock of zeroed pages (class FRAME, interrupts off, never two at once). Nothing here waits; what
//! to do when memory is short is in `reclaim`.

mod batch;
mod events;
mod lists;
mod spare;
mod zeroed;

pub use batch::FreeBatch;
pub use events::{Events, events, pages_given_out};
pub use lists::page_set;
pub(super) use lists::{
    alloc_kept_block, alloc_page, drain_here, free_kept_block, free_known_page, free_page,
    free_zeroed_page,
};
pub(super) use spare::{
    alloc_block_on, alloc_spare_block, alloc_spare_block_on, free_block, is_plentiful,
    is_plentiful_on,
};
pub(super) use zeroed::{alloc_zeroed_page, drain_zeroed, prezero, zero};

use super::{
    PAGE_SIZE,
    page::{NodeTable, PageKind, page},
};
use crate::{
    arch::cpu,
    sync::{IrqSpinLock, Once, class},
};
use buddy::Buddy;
use core::{
    iter,
    ops::Range,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
};
use numa::{MAX_NODES, Topology};
use zeroed::Stock;

/// For whom memory is wanted: how deep into the reserve the allocation may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// What user space can ask for any amount of: its memory, page cache, page tables.
    User,
    /// The kernel's own heap, in part spent to free memory.
    Kernel,
}

struct Node {
    buddy: IrqSpinLock<Buddy<NodeTable>>,
    /// Zeroed pages for the node's CPUs.
    stock: Stock,
    /// Free pages in the buddy, to look at without the lock.
    free: AtomicUsize,
    /// Batches that went to the CPUs' lists and back.
    batches: AtomicUsize,
    /// Pages under the allocator's care.
    total: AtomicUsize,
    /// Free pages that user allocations leave alone.
    reserve: AtomicUsize,
    /// Pages of memory, those that the allocator never had among them, and the first and last of them.
    present: AtomicUsize,
    first: AtomicU32,
    end: AtomicU32,
    events: events::Counts,
}

const fn node(number: u8) -> Node {
    Node {
        buddy: IrqSpinLock::new(&class::FRAME, Buddy::new(NodeTable(number))),
        stock: Stock::new(),
        free: AtomicUsize::new(0),
        batches: AtomicUsize::new(0),
        total: AtomicUsize::new(0),
        reserve: AtomicUsize::new(0),
        present: AtomicUsize::new(0),
        first: AtomicU32::new(u32::MAX),
        end: AtomicU32::new(0),
        events: events::Counts::new(),
    }
}

static NODES: [Node; MAX_NODES] = {
    // A buddy must know its node, so the array is built with an index.
    let mut nodes = [const { node(0) }; MAX_NODES];
    let mut n = 1;
    while n < MAX_NODES {
        nodes[n] = node(n as u8);
        n += 1;
    }
    nodes
};

static TOPOLOGY: Once<&Topology> = Once::new();
/// Pages under the allocator's care.
static TOTAL: AtomicUsize = AtomicUsize::new(0);
/// Free pages that user allocations leave alone.
static RESERVE: AtomicUsize = AtomicUsize::new(0);

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
    /// Whether an allocation of `pages` for `purpose` leaves the reserve alone, or may go into it, when so many are free.
    fn allowed(&self, free: usize, pages: usize, purpose: Purpose) -> bool {
        purpose == Purpose::Kernel || self.spare(free) >= pages
    }
    /// How many pages there are above the reserve when so many are free.
    fn spare(&self, free: usize) -> usize {
        free.saturating_sub(self.reserve.load(Ordering::Relaxed))
    }
    fn alloc_block(&self, order: u8, purpose: Purpose) -> Option<u32> {
        self.with_buddy(|buddy| {
            let allowed = self.allowed(buddy.free_frames(), 1 << order, purpose);
            allowed.then(|| buddy.alloc(order)).flatten()
        })
    }
}

/// Sets the nodes up. At boot, before there is memory.
pub(super) fn init(topology: &'static Topology) {
    TOPOLOGY.call_once(|| topology);
}

/// The nodes of the machine.
pub fn topology() -> &'static Topology {
    TOPOLOGY.get().expect("nodes are set up before there is memory")
}

/// The nodes, the nearest to `node` first.
fn by_distance(node: usize) -> impl Iterator<Item = &'static Node> {
    topology().by_distance(node).map(|node| &NODES[node])
}

/// Adds memory that is on one node, at boot.
pub(super) fn add_memory(frames: Range<u32>, node: usize) {
    for frame in frames.clone() {
        page(frame).set_node(node);
        page(frame).set_free();
    }
    let pages = frames.len();
    NODES[node].with_buddy(|buddy| buddy.add_range(frames.start, frames.end));
    NODES[node].total.fetch_add(pages, Ordering::Relaxed);
    let total = TOTAL.fetch_add(pages, Ordering::Relaxed) + pages;
    // As Linux: 4 * sqrt(KiB) KiB, here twice that, as most of what there is to reclaim is had in the midst of an allocation.
    let reserve = 2 * (total * 4 * 16).isqrt() / 4;
    // Not a clamp: the first range added may be tiny.
    let reserve = reserve.max(32).min(total / 8);
    RESERVE.store(reserve, Ordering::Relaxed);
    // Each node bears its share.
    for node in &NODES {
        let share = reserve * node.total.load(Ordering::Relaxed) / total;
        node.reserve.store(share, Ordering::Relaxed);
    }
    lists::set_limit(total);
}

/// Tells of memory on a node, whether or not the allocator gets it, at boot.
pub(super) fn note_present(frames: Range<u32>, node: usize) {
    let node = &NODES[node];
    node.present.fetch_add(frames.len(), Ordering::Relaxed);
    node.first.fetch_min(frames.start, Ordering::Relaxed);
    node.end.fetch_max(frames.end, Ordering::Relaxed);
}

/// Tells on which node `cpu` is, before it is started, and after all memory was added: what it allocates comes from there, or from the
/// nearest node that has memory.
pub fn set_node_of_cpu(cpu: usize, node: usize) {
    let has_memory = |node: &usize| NODES[*node].total.load(Ordering::Relaxed) != 0;
    let home = topology().by_distance(node).find(has_memory);
    lists::set_home(cpu, home.unwrap_or(node));
}

/// Pages under the allocator's care.
pub fn total() -> usize {
    TOTAL.load(Ordering::Relaxed)
}

/// Free pages that user allocations leave alone.
pub fn reserve() -> usize {
    RESERVE.load(Ordering::Relaxed)
}

/// Free pages below which the reclaim task is called, where so many are the reserve; as on Linux a quarter more.
pub fn low_watermark(reserve: usize) -> usize {
    reserve + reserve / 4
}

/// Free pages at which it stops; as on Linux half as many again.
pub fn high_watermark(reserve: usize) -> usize {
    reserve + reserve / 2
}

/// Free pages that are on no CPU's list.
pub(super) fn free_in_nodes() -> usize {
    (0..topology().node_count()).map(free_on_node).sum()
}

/// Free pages now: in the nodes and on the CPUs' lists.
pub fn free_pages() -> usize {
    free_in_nodes() + lists::free_on_cpus(None)
}

/// Free pages of a node that are on no CPU's list.
fn free_on_node(node: usize) -> usize {
    NODES[node].free.load(Ordering::Relaxed) + NODES[node].stock.len()
}

/// How many free blocks of each order a node's buddy holds (`/proc/buddyinfo`).
pub fn free_blocks(node: usize) -> [usize; buddy::ORDERS] {
    NODES[node].buddy.lock().free_blocks()
}

/// What is known of a node's memory, in pages.
#[derive(Clone, Copy, Debug)]
pub struct NodeStats {
    /// Under the allocator's care.
    pub total: usize,
    /// Free: on the node, and on the lists of the CPUs that it serves.
    pub free: usize,
    /// Of these, what user space's allocations leave alone.
    pub reserve: usize,
    /// Memory, whether the allocator has it or not.
    pub present: usize,
    /// The first page and the one behind the last.
    pub frames: (u32, u32),
}

/// The figures of a node now.
pub fn stats(node: usize) -> NodeStats {
    let of = &NODES[node];
    NodeStats {
        total: of.total.load(Ordering::Relaxed),
        free: free_on_node(node) + lists::free_on_cpus(Some(node)),
        reserve: of.reserve.load(Ordering::Relaxed),
        present: of.present.load(Ordering::Relaxed),
        frames: (of.first.load(Ordering::Relaxed), of.end.load(Ordering::Relaxed)),
    }
}

/// The nodes that have memory.
pub fn with_memory() -> impl Iterator<Item = usize> {
    let has_memory = |node: &usize| NODES[*node].total.load(Ordering::Relaxed) != 0;
    (0..topology().node_count()).filter(has_memory)
}

/// The nodes that have memory or CPUs.
pub fn online() -> impl Iterator<Item = usize> {
    let has_cpu = |node| cpu::online().iter().any(|cpu| cpu::node_of(cpu) == node);
    let has_memory = |node: usize| NODES[node].total.load(Ordering::Relaxed) != 0;
    (0..topology().node_count()).filter(move |&node| has_memory(node) || has_cpu(node))
}

/// Takes a block of 2^`order` pages; its first frame. Never waits.
pub(super) fn alloc_block(order: u8, purpose: Purpose) -> Option<u32> {
    let home = lists::home();
    let frame = NODES[home].alloc_block(order, Purpose::User);
    let frame = frame.or_else(|| alloc_where_there_is(home, order, purpose))?;
    events::count(home, frame);
    Some(frame)
}

/// The same when `home` has nothing above its reserve. No node's reserve is touched while another has memory above its own.
#[cold]
fn alloc_where_there_is(home: usize, order: u8, purpose: Purpose) -> Option<u32> {
    let take = |purpose| by_distance(home).find_map(|node| node.alloc_block(order, purpose));
    take(Purpose::User)
        .or_else(|| if order == 0 { zeroed::take_any(home) } else { None })
        .or_else(|| if purpose == Purpose::Kernel { take(purpose) } else { None })
}

/// Gives back frames that came from [`alloc_block`], in part or in whole.
pub(super) fn free_range(start: u32, end: u32) {
    for page in (start..end).map(page).filter(|page| !page.is(PageKind::Free)) {
        page.end_use();
    }
    NODES[page(start).node()].with_buddy(|buddy| buddy.add_range(start, end));
}

/// Gives back many blocks of one order, one after the other as `next` tells them.
fn free_blocks_of_any_node(order: u8, next: impl FnMut() -> Option<u32>) {
    let mut batch = FreeBatch::new();
    iter::from_fn(next).for_each(|start| batch.add_block(start..start + (1 << order)));
}

const _: () = assert!(PAGE_SIZE == 4096, "the reserve's formula is in 4 KiB pages");
