//! `meminfo`, `vmstat`, `buddyinfo`, `swaps`.

use crate::mm::{self, MemoryStats, PAGE_SIZE};
use abi::Result;
use alloc::string::String;
use core::fmt::Write;

/// Pages as kibibytes.
pub const fn kibibytes(pages: usize) -> usize {
    pages * (PAGE_SIZE / 1024)
}

/// `meminfo`. What does not exist here (swap, dirty pages, huge pages) is 0, as on a Linux without it.
pub fn meminfo(out: &mut String) -> Result<()> {
    let now = MemoryStats::now();
    let file_cache = now.page_cache.saturating_sub(now.shmem);
    let rows = [
        ("MemTotal", now.total),
        ("MemFree", now.free),
        ("MemAvailable", now.available),
        ("Buffers", 0),
        ("Cached", now.page_cache),
        ("SwapCached", 0),
        ("Active", now.anonymous + file_cache),
        ("Inactive", now.shmem),
        ("Active(anon)", now.anonymous),
        ("Inactive(anon)", now.shmem),
        ("Active(file)", file_cache),
        ("Inactive(file)", 0),
        ("Unevictable", 0),
        ("Mlocked", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", now.anonymous),
        ("Mapped", now.mapped),
        ("Shmem", now.shmem),
        ("KReclaimable", 0),
        ("Slab", now.slab),
        ("SReclaimable", 0),
        ("SUnreclaim", now.slab),
        ("KernelStack", now.kernel_stacks),
        ("PageTables", now.page_tables),
        ("NFS_Unstable", 0),
        ("Bounce", 0),
        ("WritebackTmp", 0),
        ("CommitLimit", now.total / 2),
        ("Committed_AS", now.committed),
    ];
    for (name, pages) in rows {
        let label = alloc::format!("{name}:");
        let _ = writeln!(out, "{label:<16}{:8} kB", kibibytes(pages));
    }
    let _ = writeln!(out, "{:<16}{:8} kB", "VmallocTotal:", 34_359_738_367_u64);
    let _ = writeln!(out, "{:<16}{:8} kB", "VmallocUsed:", kibibytes(now.kernel_stacks));
    let _ = writeln!(out, "{:<16}{:8} kB", "VmallocChunk:", 0);
    let _ = writeln!(out, "{:<16}{:8} kB", "Percpu:", 0);
    for name in ["HugePages_Total:", "HugePages_Free:", "HugePages_Rsvd:", "HugePages_Surp:"] {
        let _ = writeln!(out, "{name:<16}{:8}", 0);
    }
    let _ = writeln!(out, "{:<16}{:8} kB", "Hugepagesize:", 2048);
    Ok(())
}

/// `vmstat`: the counters that are kept.
pub fn vmstat(out: &mut String) -> Result<()> {
    let now = MemoryStats::now();
    for (name, value) in [
        ("nr_free_pages", now.free),
        ("nr_anon_pages", now.anonymous),
        ("nr_mapped", now.mapped),
        ("nr_file_pages", now.page_cache),
        ("nr_dirty", 0),
        ("nr_writeback", 0),
        ("nr_slab_reclaimable", 0),
        ("nr_slab_unreclaimable", now.slab),
        ("nr_shmem", now.shmem),
        ("nr_page_table_pages", now.page_tables),
        ("nr_kernel_stack", kibibytes(now.kernel_stacks)),
        ("pgpgin", 0),
        ("pgpgout", 0),
        ("pswpin", 0),
        ("pswpout", 0),
    ] {
        let _ = writeln!(out, "{name} {value}");
    }
    Ok(())
}

/// `buddyinfo`: the free blocks of 1, 2, 4 … pages. A node's memory is one zone here.
pub fn buddyinfo(out: &mut String) -> Result<()> {
    for node in 0..mm::NODE_COUNT {
        let _ = write!(out, "Node {node}, zone {:>8} ", "Normal");
        for count in mm::free_blocks(node) {
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
