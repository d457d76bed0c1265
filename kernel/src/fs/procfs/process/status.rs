//! `/proc/<pid>/status` (`proc_pid_status(5)`).

use super::{Subject, state};
use crate::{
    arch::cpu,
    fs::FdTable,
    mm::PAGE_SIZE,
    process::{Resource, Task, TaskFlags, signal},
};
use abi::Result;
use alloc::string::String;
use core::fmt::Write;

/// The page.
pub fn show(subject: &Subject, out: &mut String) -> Result<()> {
    let task = subject.get_task()?;
    identity(subject, &task, out);
    memory(&task, out);
    signals(&task, out);
    rights(&task, out);
    placement(&task, out);
    Ok(())
}

/// A name with what would break the line escaped.
fn escaped_name(task: &Task) -> String {
    let mut out = String::new();
    for c in String::from_utf8_lossy(&task.name_bytes()).chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out
}

fn identity(subject: &Subject, task: &Task, out: &mut String) {
    let process = &task.process;
    let who = task.credentials.load();
    let (letter, word) = state(task);
    let id = subject.id.0;
    let _ = writeln!(out, "Name:\t{}", escaped_name(task));
    if let Some(fs) = task.fs.load() {
        let _ = writeln!(out, "Umask:\t{:04o}", fs.umask().0);
    }
    let _ = writeln!(out, "State:\t{letter} ({word})");
    let _ = writeln!(out, "Tgid:\t{}\nNgid:\t0\nPid:\t{id}", process.pid.0);
    let _ = writeln!(out, "PPid:\t{}\nTracerPid:\t0", process.parent_pid().0);
    let (u, g) = (
        [who.uid, who.euid, who.suid, who.fsuid].map(|uid| uid.0),
        [who.gid, who.egid, who.sgid, who.fsgid].map(|gid| gid.0),
    );
    let _ = writeln!(out, "Uid:\t{}\t{}\t{}\t{}", u[0], u[1], u[2], u[3]);
    let _ = writeln!(out, "Gid:\t{}\t{}\t{}\t{}", g[0], g[1], g[2], g[3]);
    let slots = task.files.load().map_or(0, |files| table_size(&files));
    let _ = write!(out, "FDSize:\t{slots}\nGroups:\t");
    for (i, gid) in who.groups.iter().enumerate() {
        let _ = write!(out, "{}{}", if i > 0 { " " } else { "" }, gid.0);
    }
    let _ = writeln!(out, " \nNStgid:\t{}\nNSpid:\t{id}", process.pid.0);
    let _ = writeln!(out, "NSpgid:\t{}\nNSsid:\t{}", process.group_id().0, process.session_id().0);
}

/// Slots of a descriptor table: at least 64, a power of two.
fn table_size(files: &FdTable) -> usize {
    let used = files.snapshot().last().map_or(0, |(fd, _)| fd.0 as usize + 1);
    used.next_power_of_two().max(64)
}

fn memory(task: &Task, out: &mut String) {
    let Some(mm) = task.mm.load() else { return };
    let usage = mm.usage();
    let kib = |pages: usize| pages * (PAGE_SIZE / 1024);
    let text = super::memory::text_pages(&mm);
    let anonymous = usage.resident.saturating_sub(usage.shared);
    for (name, value) in [
        ("VmPeak", kib(usage.size)),
        ("VmSize", kib(usage.size)),
        ("VmLck", kib(usage.locked)),
        ("VmPin", 0),
        ("VmHWM", kib(usage.resident_peak)),
        ("VmRSS", kib(usage.resident)),
        ("RssAnon", kib(anonymous)),
        ("RssFile", kib(usage.shared)),
        ("RssShmem", 0),
        ("VmData", kib(usage.data)),
        ("VmStk", kib(usage.stack)),
        ("VmExe", kib(text)),
        ("VmLib", kib(usage.text.saturating_sub(text))),
        ("VmPTE", kib(usage.page_tables)),
        ("VmSwap", 0),
        ("HugetlbPages", 0),
    ] {
        let _ = writeln!(out, "{name}:\t{value:8} kB");
    }
    let huge_pages = u8::from(!mm.has_no_huge_pages());
    let _ = writeln!(out, "CoreDumping:\t0\nTHP_enabled:\t{huge_pages}");
}

fn signals(task: &Task, out: &mut String) {
    let process = &task.process;
    let (ignored, caught) = process.signals.handler_summary();
    let _ = writeln!(out, "Threads:\t{}", process.signals.thread_count().max(1));
    let limit = process.limits().soft(Resource::SignalsPending);
    let queued = signal::queued_for(task.credentials.load().uid.0);
    let _ = writeln!(out, "SigQ:\t{queued}/{limit}");
    for (name, set) in [
        ("SigPnd", task.signals.pending_set()),
        ("ShdPnd", process.signals.pending_set()),
        ("SigBlk", task.signals.blocked()),
        ("SigIgn", ignored),
        ("SigCgt", caught),
    ] {
        let _ = writeln!(out, "{name}:\t{:016x}", set.0);
    }
}

fn rights(task: &Task, out: &mut String) {
    let who = task.credentials.load();
    for (name, set) in [
        ("CapInh", who.cap_inheritable),
        ("CapPrm", who.cap_permitted),
        ("CapEff", who.cap_effective),
        ("CapBnd", who.cap_bounding),
        ("CapAmb", who.cap_ambient),
    ] {
        let _ = writeln!(out, "{name}:\t{set:016x}");
    }
    let no_new = u8::from(task.flags().contains(TaskFlags::NO_NEW_PRIVS));
    let _ = writeln!(out, "NoNewPrivs:\t{no_new}\nSeccomp:\t0\nSeccomp_filters:\t0");
}

fn placement(task: &Task, out: &mut String) {
    let allowed = task.sched.affinity().0 & possible_mask();
    let _ = writeln!(out, "Cpus_allowed:\t{allowed:x}\nCpus_allowed_list:\t{}", list(allowed));
    let (voluntary, involuntary) = task.sched.switches();
    let _ = writeln!(out, "Mems_allowed:\t00000000,00000001\nMems_allowed_list:\t0");
    let _ = writeln!(out, "voluntary_ctxt_switches:\t{voluntary}");
    let _ = writeln!(out, "nonvoluntary_ctxt_switches:\t{involuntary}");
}

/// The CPUs that there are.
pub fn possible_mask() -> u64 {
    let count = cpu::online_count();
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// A set of CPUs as ranges: `0-3,5`.
pub fn list(mask: u64) -> String {
    let mut out = String::new();
    let mut cpu = 0;
    while cpu < 64 {
        if mask >> cpu & 1 == 0 {
            cpu += 1;
            continue;
        }
        let first = cpu;
        while cpu < 64 && mask >> cpu & 1 == 1 {
            cpu += 1;
        }
        let comma = if out.is_empty() { "" } else { "," };
        let _ = match cpu - first {
            1 => write!(out, "{comma}{first}"),
            _ => write!(out, "{comma}{first}-{}", cpu - 1),
        };
    }
    out
}
