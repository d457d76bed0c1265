//! Whose memory went to whom: the counters of `numastat(8)`.
//!
//! What a CPU gets from the node that it allocates from it counts alone, with its lists, as all that these serve. Pages of other nodes that come to the lists
//! are taken off that in advance.

use super::{NODES, free_pages, lists, total, with_memory};
use crate::{
    arch::cpu,
    mm::{VmEvent, page::page},
};
use core::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// Allocations, as Linux counts them for a node.
#[derive(Clone, Copy, Default, Debug)]
pub struct Events {
    /// Wanted here, and served here.
    pub hit: u64,
    /// Wanted from another node, which had none.
    pub miss: u64,
    /// Wanted here, and served by another node.
    pub foreign: u64,
    /// Served here to CPUs of this node, and to others.
    pub local: u64,
    /// See `local`.
    pub other: u64,
}

impl Events {
    /// With the names that every `vmstat` has for them. No policy spreads allocations over nodes.
    pub fn by_name(self) -> [(&'static str, u64); 6] {
        [
            ("numa_hit", self.hit),
            ("numa_miss", self.miss),
            ("numa_foreign", self.foreign),
            ("numa_interleave", 0),
            ("numa_local", self.local),
            ("numa_other", self.other),
        ]
    }
}

impl core::ops::AddAssign for Events {
    fn add_assign(&mut self, more: Events) {
        self.hit += more.hit;
        self.miss += more.miss;
        self.foreign += more.foreign;
        self.local += more.local;
        self.other += more.other;
    }
}

/// A node's part that is not counted by CPUs; below zero where what they count has to be less.
pub(super) struct Counts {
    hit: AtomicI64,
    miss: AtomicI64,
    foreign: AtomicI64,
    local: AtomicI64,
    other: AtomicI64,
}

impl Counts {
    pub(super) const fn new() -> Counts {
        Counts {
            hit: AtomicI64::new(0),
            miss: AtomicI64::new(0),
            foreign: AtomicI64::new(0),
            local: AtomicI64::new(0),
            other: AtomicI64::new(0),
        }
    }
}

/// Counts what a CPU that allocates from `home` got past its lists.
pub(super) fn count(home: usize, frame: u32) {
    let node = page(frame).node();
    if node == home {
        lists::here().count();
        return;
    }
    NODES[node].events.miss.fetch_add(1, Ordering::Relaxed);
    NODES[home].events.foreign.fetch_add(1, Ordering::Relaxed);
    by_place(cpu::node_of(cpu::id()), node).fetch_add(1, Ordering::Relaxed);
}

/// Counts what was wanted from the very node that it came from, whichever CPU asked.
pub(super) fn count_wanted_there(frame: u32) {
    let node = page(frame).node();
    if node == lists::home() {
        lists::here().count();
        return;
    }
    NODES[node].events.hit.fetch_add(1, Ordering::Relaxed);
    by_place(cpu::node_of(cpu::id()), node).fetch_add(1, Ordering::Relaxed);
}

/// Counts `pages` of `frame`'s node, which is not `home`, that come to the lists of this CPU.
pub(super) fn count_borrowed(home: usize, frame: u32, pages: usize) {
    let (node, here, pages) = (page(frame).node(), cpu::node_of(cpu::id()), pages as i64);
    NODES[home].events.hit.fetch_sub(pages, Ordering::Relaxed);
    by_place(here, home).fetch_sub(pages, Ordering::Relaxed);
    NODES[home].events.foreign.fetch_add(pages, Ordering::Relaxed);
    NODES[node].events.miss.fetch_add(pages, Ordering::Relaxed);
    by_place(here, node).fetch_add(pages, Ordering::Relaxed);
}

/// The counter of `node` for allocations of a CPU of the node `cpu`.
fn by_place(cpu: usize, node: usize) -> &'static AtomicI64 {
    let counts = &NODES[node].events;
    if cpu == node { &counts.local } else { &counts.other }
}

/// A node's figures now.
pub fn events(node: usize) -> Events {
    let counts = &NODES[node].events;
    let (mut near, mut far) = (0, 0);
    for (cpu, home, taken) in lists::taken() {
        if home == node && cpu::node_of(cpu) == node {
            near += taken;
        } else if home == node {
            far += taken;
        }
    }
    let sum = |count: &AtomicI64, taken: u64| {
        let count = count.load(Ordering::Relaxed);
        // Pages that are still on the lists were taken off already.
        taken.saturating_add_signed(count)
    };
    Events {
        hit: sum(&counts.hit, near + far),
        miss: sum(&counts.miss, 0),
        foreign: sum(&counts.foreign, 0),
        local: sum(&counts.local, near),
        other: sum(&counts.other, far),
    }
}

/// Pages that were given out since boot, and those that came back. Each allocation is counted for some node; what did not come back is what is not free.
pub fn pages_given_out() -> (usize, usize) {
    static CAME_BACK: AtomicUsize = AtomicUsize::new(0);
    let all = with_memory().map(events).map(|events| events.hit + events.miss);
    let given = all.sum::<u64>() as usize + VmEvent::MorePages.total();
    let back = (given + free_pages()).saturating_sub(total());
    // Pages on their way between a CPU and its node are free and in nobody's count for a moment; the figure must not fall for that.
    let before = CAME_BACK.fetch_max(back, Ordering::Relaxed);
    (given, back.max(before))
}
