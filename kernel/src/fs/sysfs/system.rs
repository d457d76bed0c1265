//! `/sys/devices/system`: the CPUs, and the NUMA nodes with what is on each.

use super::Dir;
use crate::{
    arch::cpu::{self, CpuMask},
    mm::{
        MemoryUse, PAGE_SIZE,
        node::{self, NodeStats},
    },
};
use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;

pub(super) fn build(dir: &Dir<'_>) {
    cpus(&dir.dir("cpu"));
    nodes(&dir.dir("node"));
}

fn cpus(dir: &Dir<'_>) {
    let all = || list(cpu::online().0);
    for name in ["online", "possible", "present"] {
        dir.line(name, all);
    }
    dir.line("offline", String::new);
    dir.line("kernel_max", || format!("{}", cpu::MAX_CPUS - 1));
    for index in cpu::online().iter() {
        let one = dir.dir(&format!("cpu{index}"));
        let topology = one.dir("topology");
        topology.line("core_id", move || format!("{index}"));
        topology.line("physical_package_id", || String::from("0"));
        for name in ["thread_siblings_list", "core_cpus_list"] {
            topology.line(name, move || format!("{index}"));
        }
        for name in ["thread_siblings", "core_cpus"] {
            topology.line(name, move || map(CpuMask::of(index)));
        }
        for name in ["core_siblings_list", "package_cpus_list"] {
            topology.line(name, all);
        }
        let node = cpu::node_of(index);
        one.link(&format!("node{node}"), format!("../../node/node{node}"));
    }
}

fn nodes(dir: &Dir<'_>) {
    let with_cpu = |node: &usize| cpu::online().on_node(*node) != CpuMask(0);
    dir.line("online", || list(mask(node::online())));
    dir.line("possible", || list(mask(0..node::topology().node_count())));
    dir.line("has_cpu", move || list(mask(node::online().filter(with_cpu))));
    for name in ["has_memory", "has_normal_memory"] {
        dir.line(name, || list(mask(node::with_memory())));
    }
    for number in node::online() {
        let one = dir.dir(&format!("node{number}"));
        one.line("cpulist", move || list(cpu::online().on_node(number).0));
        one.line("cpumap", move || map(cpu::online().on_node(number)));
        one.line("distance", move || distances(number));
        one.text("meminfo", move || meminfo(number));
        one.text("numastat", move || numastat(number));
        one.text("vmstat", move || vmstat(number));
        for index in cpu::online().on_node(number).iter() {
            one.link(&format!("cpu{index}"), format!("../../cpu/cpu{index}"));
        }
    }
}

fn mask(members: impl Iterator<Item = usize>) -> u64 {
    members.fold(0, |mask, member| mask | 1 << member)
}

/// A set as a list of ranges: `0-2,5`.
fn list(mut mask: u64) -> String {
    let mut out = String::new();
    let mut base = 0;
    while mask != 0 {
        let first = base + mask.trailing_zeros();
        mask >>= mask.trailing_zeros();
        let len = mask.trailing_ones();
        mask = mask.checked_shr(len).unwrap_or(0);
        base = first + len;
        let comma = if out.is_empty() { "" } else { "," };
        let _ = match len {
            1 => write!(out, "{comma}{first}"),
            _ => write!(out, "{comma}{first}-{}", base - 1),
        };
    }
    out
}

/// A set of CPUs in hexadecimal, as wide as there are CPUs, with a comma every 32 of them.
fn map(cpus: CpuMask) -> String {
    let bits = cpu::online_count();
    let width = |bits: usize| bits.div_ceil(4);
    if bits <= 32 {
        return format!("{:0width$x}", cpus.0, width = width(bits));
    }
    let (high, low) = (cpus.0 >> 32, cpus.0 & 0xffff_ffff);
    format!("{high:0width$x},{low:08x}", width = width(bits - 32))
}

fn distances(node: usize) -> String {
    let distance = |other| format!("{}", node::topology().distance(node, other));
    node::online().map(distance).collect::<Vec<_>>().join(" ")
}

fn meminfo(node: usize) -> String {
    let NodeStats { total, free, .. } = node::stats(node);
    let used = MemoryUse::of_node(node);
    let first = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemUsed", total.saturating_sub(free)),
        ("SwapCached", 0),
    ];
    let rest = [
        ("Dirty", 0),
        ("Writeback", 0),
        ("FilePages", used.shmem),
        ("Mapped", used.mapped),
        ("AnonPages", used.anonymous),
        ("Shmem", used.shmem),
        ("KernelStack", used.kernel_stacks),
        ("PageTables", used.page_tables),
        ("NFS_Unstable", 0),
        ("Bounce", 0),
        ("WritebackTmp", 0),
        ("KReclaimable", 0),
        ("Slab", used.slab),
        ("SReclaimable", 0),
        ("SUnreclaim", used.slab),
        ("AnonHugePages", used.anonymous_huge),
        ("ShmemHugePages", 0),
        ("ShmemPmdMapped", 0),
        ("FileHugePages", 0),
        ("FilePmdMapped", 0),
    ];
    let mut out = String::new();
    for (name, pages) in first.into_iter().chain(used.by_activity()).chain(rest) {
        let label = format!("{name}:");
        out += &format!("Node {node} {label:<15} {:8} kB\n", pages * (PAGE_SIZE / 1024));
    }
    for label in ["HugePages_Total:", "HugePages_Free:", "HugePages_Surp:"] {
        out += &format!("Node {node} {label:<16}{:6}\n", 0);
    }
    out
}

fn numastat(node: usize) -> String {
    let events = node::events(node);
    let mut out = String::new();
    for (name, count) in [
        ("numa_hit", events.hit),
        ("numa_miss", events.miss),
        ("numa_foreign", events.foreign),
        ("interleave_hit", 0),
        ("local_node", events.local),
        ("other_node", events.other),
    ] {
        out += &format!("{name} {count}\n");
    }
    out
}

fn vmstat(node: usize) -> String {
    let mut out = format!("nr_free_pages {}\n", node::stats(node).free);
    for (name, count) in node::events(node).by_name() {
        out += &format!("{name} {count}\n");
    }
    for (name, count) in MemoryUse::of_node(node).by_name() {
        out += &format!("{name} {count}\n");
    }
    out
}
