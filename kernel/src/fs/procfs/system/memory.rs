//! `meminfo`, `vmstat`, `buddyinfo`, `zoneinfo`, `swaps`.

use crate::{
    arch::cpu,
    mm::{
        MemoryStats, MemoryUse, PAGE_SIZE, VmEvent,
        huge::Event,
        node::{self, Events},
        overcommit,
    },
};
use abi::Result;
use alloc::string::String;
use core::fmt::Write;

/// Pages as kibibytes.
pub const fn kibibytes(pages: usize) -> usize {
    pages * (PAGE_SIZE / 1024)
}

/// `meminfo`. What does not exist here (swap, dirty pages, huge pages of files) is 0, as on a Linux without it.
pub fn meminfo(out: &mut String) -> Result<()> {
    let now = MemoryStats::now();
    let used = now.used;
    let first = [
        ("MemTotal", now.total),
        ("MemFree", now.free),
        ("MemAvailable", now.available),
        ("Buffers", 0),
        ("Cached", used.shmem),
        ("SwapCached", 0),
    ];
    let rest = [
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", used.anonymous),
        ("Mapped", used.mapped),
        ("Shmem", used.shmem),
        ("KReclaimable", 0),
        ("Slab", used.slab),
        ("SReclaimable", 0),
        ("SUnreclaim", used.slab),
        ("KernelStack", used.kernel_stacks),
        ("PageTables", used.page_tables),
        ("NFS_Unstable", 0),
        ("Bounce", 0),
        ("WritebackTmp", 0),
        ("CommitLimit", overcommit::limit()),
        ("Committed_AS", now.committed),
    ];
    for (name, pages) in first.into_iter().chain(used.by_activity()).chain(rest) {
        let label = alloc::format!("{name}:");
        let _ = writeln!(out, "{label:<16}{:8} kB", kibibytes(pages));
    }
    let _ = writeln!(out, "{:<16}{:8} kB", "VmallocTotal:", 34_359_738_367_u64);
    let _ = writeln!(out, "{:<16}{:8} kB", "VmallocUsed:", kibibytes(used.kernel_stacks));
    let _ = writeln!(out, "{:<16}{:8} kB", "VmallocChunk:", 0);
    let _ = writeln!(out, "{:<16}{:8} kB", "Percpu:", 0);
    let huge = [
        ("HardwareCorrupted:", 0),
        ("AnonHugePages:", used.anonymous_huge),
        ("ShmemHugePages:", 0),
        ("ShmemPmdMapped:", 0),
        ("FileHugePages:", 0),
        ("FilePmdMapped:", 0),
    ];
    for (label, pages) in huge {
        let _ = writeln!(out, "{label:<15} {:8} kB", kibibytes(pages));
    }
    for name in ["HugePages_Total:", "HugePages_Free:", "HugePages_Rsvd:", "HugePages_Surp:"] {
        let _ = writeln!(out, "{name:<16}{:8}", 0);
    }
    let _ = writeln!(out, "{:<16}{:8} kB", "Hugepagesize:", 2048);
    Ok(())
}

/// `vmstat`: the counters that are kept.
pub fn vmstat(out: &mut String) -> Result<()> {
    let mut events = Events::default();
    for node in node::with_memory() {
        events += node::events(node);
    }
    let _ = writeln!(out, "nr_free_pages {}", node::free_pages());
    for (name, value) in events.by_name() {
        let _ = writeln!(out, "{name} {value}");
    }
    for (name, value) in MemoryUse::now().by_name() {
        let _ = writeln!(out, "{name} {value}");
    }
    let (given_out, came_back) = node::pages_given_out();
    // No object waits for a device, so no fault is a major one.
    for (name, count) in [
        ("pgpgin", 0),
        ("pgpgout", 0),
        ("pswpin", 0),
        ("pswpout", 0),
        ("pgalloc_normal", given_out),
        ("allocstall_normal", VmEvent::Stall.total()),
        ("pgfree", came_back),
        ("pgfault", VmEvent::Fault.total()),
        ("pgmajfault", 0),
        ("pglazyfreed", VmEvent::LazilyFreed.total()),
        ("pageoutrun", VmEvent::Reclaim.total()),
        ("oom_kill", VmEvent::OomKill.total()),
        ("unevictable_pgs_mlocked", VmEvent::Locked.total()),
        ("unevictable_pgs_munlocked", VmEvent::Unlocked.total()),
    ] {
        let _ = writeln!(out, "{name} {count}");
    }
    for (name, value) in Event::by_name() {
        let _ = writeln!(out, "{name} {value}");
    }
    Ok(())
}

/// `zoneinfo`: what there is of each node's memory, which is one zone. Below the least of the watermarks user space gets nothing.
pub fn zoneinfo(out: &mut String) -> Result<()> {
    for node in node::with_memory() {
        let now = node::stats(node);
        let (first, end) = now.frames;
        let _ = writeln!(out, "Node {node}, zone {:>8}", "Normal");
        out.push_str("  per-node stats\n");
        for (name, count) in MemoryUse::of_node(node).by_name() {
            let _ = writeln!(out, "      {name:<12} {count}");
        }
        let _ = writeln!(out, "  pages free     {}", now.free);
        for (name, pages) in [
            ("boost", 0),
            ("min", now.reserve),
            ("low", node::low_watermark(now.reserve)),
            ("high", node::high_watermark(now.reserve)),
            ("spanned", end.saturating_sub(first) as usize),
            ("present", now.present),
            ("managed", now.total),
            ("cma", 0),
        ] {
            let _ = writeln!(out, "        {name:<8} {pages}");
        }
        out.push_str("        protection: (0)\n");
        let _ = writeln!(out, "      {:<12} {}", "nr_free_pages", now.free);
        for (name, count) in node::events(node).by_name() {
            let _ = writeln!(out, "      {name:<12} {count}");
        }
        out.push_str("  pagesets\n");
        for cpu in cpu::online().iter() {
            let set = node::page_set(cpu, node);
            let _ = writeln!(out, "    cpu: {cpu}");
            for (name, pages) in [("count:", set.count), ("high:", set.high), ("batch:", set.batch)]
            {
                let _ = writeln!(out, "              {name:<6} {pages}");
            }
        }
        let _ = writeln!(out, "  node_unreclaimable:  0\n  start_pfn:           {first}");
    }
    Ok(())
}

/// `buddyinfo`: the free blocks of 1, 2, 4 … pages. A node's memory is one zone here.
pub fn buddyinfo(out: &mut String) -> Result<()> {
    for node in node::with_memory() {
        let _ = write!(out, "Node {node}, zone {:>8} ", "Normal");
        for count in node::free_blocks(node) {
            let _ = write!(out, "{count:6} ");
        }
        out.push('\n');
    }
    Ok(())
}

/// `swaps`: the heading.
pub fn swaps(out: &mut String) -> Result<()> {
    out.push_str("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    Ok(())
}
