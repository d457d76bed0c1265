//! Memory statistics: counters on each CPU ([`cpu::count`]), summed when somebody asks.

use super::{PAGE_SIZE, heap, huge::HUGE_PAGES, node, overcommit, reclaim};
use crate::arch::cpu;

/// What is counted, in pages, by node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Counter {
    /// Pages of files in memory.
    PageCache,
    /// Those of them that have no file behind them: tmpfs and shared anonymous memory.
    Shmem,
    /// Private memory of processes.
    Anonymous,
    /// Those of it that are in huge pages.
    AnonymousHuge,
    /// Page-table pages.
    PageTables,
    /// Kernel stacks, pooled ones included.
    KernelStacks,
    /// Pages of files that page tables map.
    Mapped,
    /// Pages that locked mappings keep in memory.
    Locked,
}

/// Each has sixteen of a CPU's counters, one a node.
const NODE_BITS: u32 = 4;
const _: () = assert!(numa::MAX_NODES <= 1 << NODE_BITS);

impl Counter {
    /// Counts `pages` more (or fewer).
    #[inline]
    pub fn add(self, pages: isize) {
        self.add_on(0, pages);
    }

    /// The same on a node.
    #[inline]
    pub fn add_on(self, node: usize, pages: isize) {
        cpu::count(self.on(node), pages);
    }

    #[inline]
    fn on(self, node: usize) -> u8 {
        (self as u8) << NODE_BITS | node as u8
    }

    /// The sum over all CPUs and nodes.
    pub fn sum(self) -> usize {
        (0..numa::MAX_NODES).map(|node| sum(self.on(node))).sum()
    }
}

/// A sum in motion may be below zero.
fn sum(counter: u8) -> usize {
    usize::try_from(cpu::counted(counter)).unwrap_or(0)
}

/// What is counted as it happens, since boot (`/proc/vmstat`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum VmEvent {
    /// A page fault; also what is brought in without an access.
    Fault = 0xf0,
    /// Pages that were given out in blocks, but for the first of each, which [`node::pages_given_out`] knows.
    MorePages,
    /// Pages that came to be locked, and that are no more.
    Locked,
    Unlocked,
    /// Private pages that were taken as they were advised to be free.
    LazilyFreed,
    /// A task that wanted memory had to make room first.
    Stall,
    /// The reclaim task went to work.
    Reclaim,
    /// The OOM killer chose.
    OomKill,
}

impl VmEvent {
    /// Counts `n` more.
    #[inline]
    pub fn count(self, n: usize) {
        cpu::count(self as u8, n as isize);
    }

    /// How many there were.
    pub fn total(self) -> usize {
        sum(self as u8)
    }
}

/// Counts a page fault: one instruction.
#[inline(always)]
pub(super) fn count_fault() {
    cpu::count_one::<{ VmEvent::Fault as u8 }>();
}

/// Counts pages of memory-only files (or takes them off the count).
pub fn count_shmem(pages: isize) {
    Counter::Shmem.add(pages);
    Counter::PageCache.add(pages);
}

/// What `/proc/meminfo` and `sysinfo(2)` show, in pages.
#[derive(Clone, Copy, Default, Debug)]
pub struct MemoryStats {
    pub total: usize,
    pub free: usize,
    pub available: usize,
    pub page_cache: usize,
    pub shmem: usize,
    pub anonymous: usize,
    pub anonymous_huge: usize,
    pub slab: usize,
    pub page_tables: usize,
    pub kernel_stacks: usize,
    pub mapped: usize,
    pub locked: usize,
    pub committed: usize,
}

impl MemoryStats {
    /// What pages are used for, with the names that `vmstat` has for them.
    pub fn by_name(&self) -> [(&'static str, usize); 13] {
        [
            ("nr_unevictable", self.locked),
            ("nr_mlock", self.locked),
            ("nr_anon_pages", self.anonymous),
            ("nr_mapped", self.mapped),
            ("nr_file_pages", self.page_cache),
            ("nr_dirty", 0),
            ("nr_writeback", 0),
            ("nr_slab_reclaimable", 0),
            ("nr_slab_unreclaimable", self.slab),
            ("nr_shmem", self.shmem),
            ("nr_page_table_pages", self.page_tables),
            ("nr_kernel_stack", self.kernel_stacks * (PAGE_SIZE / 1024)),
            ("nr_anon_transparent_hugepages", self.anonymous_huge / HUGE_PAGES),
        ]
    }

    /// The figures of one node; `None` if they are not known, as there are others.
    pub fn of_node(node: usize) -> Option<MemoryStats> {
        node::with_memory().eq([node]).then(MemoryStats::now)
    }

    /// The figures now.
    pub fn now() -> MemoryStats {
        let free = node::free_pages();
        MemoryStats {
            total: node::total(),
            free,
            available: (free + reclaim::reclaimable()).saturating_sub(node::reserve()),
            page_cache: Counter::PageCache.sum(),
            shmem: Counter::Shmem.sum(),
            anonymous: Counter::Anonymous.sum(),
            anonymous_huge: Counter::AnonymousHuge.sum(),
            slab: heap::slab_pages(),
            page_tables: Counter::PageTables.sum(),
            kernel_stacks: Counter::KernelStacks.sum(),
            mapped: Counter::Mapped.sum(),
            locked: Counter::Locked.sum(),
            committed: overcommit::committed(),
        }
    }
}
