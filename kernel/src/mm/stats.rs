//! Memory statistics: counters on each CPU ([`cpu::count`]), summed when somebody asks.
//!
//! A counter's number has what is counted above and the node below. What frames are used for comes first, by their kinds (see `page`), then the rest.

use super::{
    PAGE_SIZE,
    huge::HUGE_PAGES,
    mapped, node, overcommit,
    page::{KINDS, Page, PageKind},
    reclaim,
};
use crate::arch::cpu;
use core::ops::AddAssign;
use numa::MAX_NODES;

const NODE_BITS: u32 = MAX_NODES.next_power_of_two().ilog2();
/// The events: not by node.
const EVENTS: u8 = u8::MAX << NODE_BITS;
const _: () = assert!((Counter::Slab as u8) < EVENTS >> NODE_BITS);
const _: () = assert!(VmEvent::OomKill as u8 <= u8::MAX - EVENTS);

/// The counter of frames of `node` that are used for `kind`, and of whatever else is counted beside.
#[inline]
pub(super) const fn counter(kind: u8, node: u8) -> u8 {
    kind << NODE_BITS | node
}

/// What it counts.
#[inline]
pub(super) const fn kind_of_counter(counter: u8) -> u8 {
    counter >> NODE_BITS
}

/// What is counted of pages beside what they are used for, by their node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Counter {
    /// Pages of private memory that a huge entry maps.
    AnonymousHuge = KINDS,
    /// Entries that map pages of objects (see `mapped`: node 0's counter has all of them).
    Mapped,
    /// Pages that locked mappings keep in memory.
    Locked,
    /// Pages of slabs: a part of what the heap has.
    Slab,
}

impl Counter {
    /// Counts one page more, on its node.
    #[inline]
    pub(super) fn count_up(self, page: &Page) {
        cpu::count_up(page.counter_beside(self));
    }

    /// Counts one fewer.
    #[inline]
    pub(super) fn count_down(self, page: &Page) {
        cpu::count_down(page.counter_beside(self));
    }

    /// Counts `pages` more (or fewer) of a block that starts with `page`.
    pub(super) fn add(self, page: &Page, pages: isize) {
        cpu::count(page.counter_beside(self), pages);
    }
}

/// What all CPUs have counted. A sum in motion may be below zero.
pub(super) fn sum(counter: u8) -> usize {
    usize::try_from(cpu::counted(counter)).unwrap_or(0)
}

/// What is counted as it happens, since boot (`/proc/vmstat`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum VmEvent {
    /// A page fault; also what is brought in without an access.
    Fault,
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
        cpu::count(self.counter(), n as isize);
    }

    /// How many there were.
    pub fn total(self) -> usize {
        sum(self.counter())
    }

    const fn counter(self) -> u8 {
        EVENTS + self as u8
    }
}

/// Counts a page fault: one instruction.
#[inline(always)]
pub(super) fn count_fault() {
    cpu::count_one::<{ VmEvent::Fault.counter() }>();
}

/// What pages are used for, on one node or on all.
#[derive(Clone, Copy, Default, Debug)]
pub struct MemoryUse {
    /// Pages of files in memory and of shared memory: there are no other files' pages yet.
    pub shmem: usize,
    /// Private memory of processes.
    pub anonymous: usize,
    /// That of it that huge entries map.
    pub anonymous_huge: usize,
    /// Slabs.
    pub slab: usize,
    /// Page tables.
    pub page_tables: usize,
    /// Kernel stacks, pooled ones included.
    pub kernel_stacks: usize,
    /// Entries that map pages of files.
    pub mapped: usize,
    /// Pages that locked mappings keep in memory.
    pub locked: usize,
}

impl MemoryUse {
    /// On one node.
    pub fn of_node(node: usize) -> MemoryUse {
        let kind = |kind: PageKind| sum(counter(kind as u8, node as u8));
        let beside = |what: Counter| sum(counter(what as u8, node as u8));
        MemoryUse {
            shmem: kind(PageKind::Shmem) + kind(PageKind::SetAside),
            anonymous: kind(PageKind::Anonymous),
            anonymous_huge: beside(Counter::AnonymousHuge),
            slab: beside(Counter::Slab),
            page_tables: kind(PageKind::PageTable),
            kernel_stacks: kind(PageKind::KernelStack),
            mapped: mapped::on_node(node),
            locked: beside(Counter::Locked),
        }
    }

    /// On all.
    pub fn now() -> MemoryUse {
        (0..node::topology().node_count()).map(MemoryUse::of_node).fold(
            MemoryUse::default(),
            |mut all, one| {
                all += one;
                all
            },
        )
    }

    /// With the names that `vmstat` has for them.
    pub fn by_name(&self) -> [(&'static str, usize); 13] {
        [
            ("nr_unevictable", self.locked),
            ("nr_mlock", self.locked),
            ("nr_anon_pages", self.anonymous),
            ("nr_mapped", self.mapped),
            ("nr_file_pages", self.shmem),
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

    /// What of it could be taken away if there were somewhere to keep it, with the names that every `meminfo` has for it. Nothing is known of its age.
    pub fn by_activity(&self) -> [(&'static str, usize); 8] {
        [
            ("Active", self.anonymous),
            ("Inactive", self.shmem),
            ("Active(anon)", self.anonymous),
            ("Inactive(anon)", self.shmem),
            ("Active(file)", 0),
            ("Inactive(file)", 0),
            ("Unevictable", self.locked),
            ("Mlocked", self.locked),
        ]
    }
}

impl AddAssign for MemoryUse {
    fn add_assign(&mut self, more: MemoryUse) {
        self.shmem += more.shmem;
        self.anonymous += more.anonymous;
        self.anonymous_huge += more.anonymous_huge;
        self.slab += more.slab;
        self.page_tables += more.page_tables;
        self.kernel_stacks += more.kernel_stacks;
        self.mapped += more.mapped;
        self.locked += more.locked;
    }
}

/// What `/proc/meminfo` and `sysinfo(2)` show, in pages.
#[derive(Clone, Copy, Default, Debug)]
pub struct MemoryStats {
    pub total: usize,
    pub free: usize,
    pub available: usize,
    pub used: MemoryUse,
    pub committed: usize,
}

impl MemoryStats {
    /// The figures now.
    pub fn now() -> MemoryStats {
        let free = node::free_pages();
        MemoryStats {
            total: node::total(),
            free,
            available: (free + reclaim::reclaimable()).saturating_sub(node::reserve()),
            used: MemoryUse::now(),
            committed: overcommit::committed(),
        }
    }
}
