//! The small files: name, limits, scheduling, oom, I/O.

use super::{Subject, stat::policy_number};
use crate::{
    arch,
    mm::MemoryStats,
    process::{Capability, Process, Resource, capable},
    sched,
};
use abi::{Errno, Result};
use alloc::{string::String, sync::Arc};
use core::{fmt::Write, sync::atomic::Ordering::Relaxed};

/// `comm`.
pub fn comm(subject: &Subject, out: &mut String) -> Result<()> {
    let name = subject.get_task()?.name_bytes();
    let _ = writeln!(out, "{}", String::from_utf8_lossy(&name));
    Ok(())
}

/// A thread's name can be changed by the threads of its process.
pub fn set_comm(subject: &Subject, bytes: &[u8]) -> Result<()> {
    let task = subject.get_task()?;
    if !Arc::ptr_eq(&task.process, &sched::current().process) {
        return Err(Errno::EINVAL);
    }
    let end = bytes.iter().position(|c| matches!(c, 0 | b'\n')).unwrap_or(bytes.len());
    task.set_name(&bytes[..end]);
    Ok(())
}

/// `personality`.
pub fn personality(subject: &Subject, out: &mut String) -> Result<()> {
    let task = subject.inspect()?;
    let _ = writeln!(out, "{:08x}", task.personality.load(Relaxed));
    Ok(())
}

/// `limits`.
pub fn limits(subject: &Subject, out: &mut String) -> Result<()> {
    const ROWS: [(Resource, &str, &str); 16] = [
        (Resource::Cpu, "Max cpu time", "seconds"),
        (Resource::FileSize, "Max file size", "bytes"),
        (Resource::Data, "Max data size", "bytes"),
        (Resource::Stack, "Max stack size", "bytes"),
        (Resource::Core, "Max core file size", "bytes"),
        (Resource::Rss, "Max resident set", "bytes"),
        (Resource::Processes, "Max processes", "processes"),
        (Resource::OpenFiles, "Max open files", "files"),
        (Resource::MemoryLocked, "Max locked memory", "bytes"),
        (Resource::AddressSpace, "Max address space", "bytes"),
        (Resource::Locks, "Max file locks", "locks"),
        (Resource::SignalsPending, "Max pending signals", "signals"),
        (Resource::MessageQueue, "Max msgqueue size", "bytes"),
        (Resource::Nice, "Max nice priority", ""),
        (Resource::RealTimePriority, "Max realtime priority", ""),
        (Resource::RealTimeTime, "Max realtime timeout", "us"),
    ];
    let process = subject.get_process()?;
    let shown = |value: u64| match value {
        u64::MAX => String::from("unlimited"),
        value => alloc::format!("{value}"),
    };
    let _ =
        writeln!(out, "{:<25} {:<20} {:<20} {:<10}", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (resource, name, unit) in ROWS {
        let limit = process.limits().get(resource);
        let _ = write!(out, "{name:<25} {:<20} {:<20} ", shown(limit.soft), shown(limit.hard));
        let _ = if unit.is_empty() { writeln!(out) } else { writeln!(out, "{unit:<10}") };
    }
    Ok(())
}

/// `sched`: the lines that have a meaning with this scheduler, as on Linux; `prio` is Linux's own scale.
pub fn sched(subject: &Subject, out: &mut String) -> Result<()> {
    let task = subject.get_task()?;
    let (voluntary, involuntary) = task.sched.switches();
    let stats = sched::stats::of_task(&task.sched);
    let name = task.name_bytes();
    let title = alloc::format!(
        "{} ({}, #threads: {})",
        String::from_utf8_lossy(&name),
        task.tid().0,
        task.process.signals.thread_count().max(1)
    );
    let _ = writeln!(out, "{title}\n{}", "-".repeat(67));
    for (name, time) in [
        ("se.exec_start", stats.charged_at),
        ("se.vruntime", stats.virtual_time),
        ("se.sum_exec_runtime", stats.run),
    ] {
        let _ = writeln!(out, "{name:<45}:{:>14}.{:06}", time / 1_000_000, time % 1_000_000);
    }
    let before = sched::stats::clock_now();
    let clock_delta = sched::stats::clock_now() - before;
    for (name, value) in [
        ("se.nr_migrations", stats.migrations),
        ("nr_switches", voluntary + involuntary),
        ("nr_voluntary_switches", voluntary),
        ("nr_involuntary_switches", involuntary),
        ("se.load.weight", stats.weight),
        ("policy", u64::from(policy_number(task.sched.policy()))),
        ("prio", u64::try_from(100 + task.sched.shown_priority()).unwrap_or(0)),
        ("clock-delta", clock_delta),
    ] {
        let _ = writeln!(out, "{name:<45}:{value:>21}");
    }
    Ok(())
}

/// `schedstat`: nanoseconds on a CPU and waiting for one, and how often it got one.
pub fn schedstat(subject: &Subject, out: &mut String) -> Result<()> {
    let task = subject.get_task()?;
    let stats = sched::stats::of_task(&task.sched);
    let _ = writeln!(out, "{} {} {}", stats.run, stats.waited, stats.arrivals);
    Ok(())
}

/// `wchan`: where a task sleeps is not recorded, which Linux shows as 0.
pub fn wchan(subject: &Subject, out: &mut String) -> Result<()> {
    subject.get_task()?;
    out.push('0');
    Ok(())
}

/// `syscall`: the call that a task sleeps in, its arguments, stack pointer and instruction pointer. `EPERM`.
pub fn syscall(subject: &Subject, out: &mut String) -> Result<()> {
    let task = subject.get_task()?;
    if !super::may_inspect(&task) {
        return Err(Errno::EPERM);
    }
    let frame = match core::ptr::eq(&*task, &raw const *sched::current()) {
        true => Some(arch::thread::with_user_frame(|frame| *frame)),
        false if task.sched.state() == sched::TaskState::Running => None,
        false => task.thread.user_frame(),
    };
    let Some(frame) = frame else {
        out.push_str("running\n");
        return Ok(());
    };
    let number = frame.orig_rax.cast_signed();
    let _ = write!(out, "{number}");
    if number >= 0 {
        for argument in [frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9] {
            let _ = write!(out, " {argument:#x}");
        }
    }
    let _ = writeln!(out, " {:#x} {:#x}", frame.rsp, frame.rip);
    Ok(())
}

/// `cgroup`: everybody is in the root of the one hierarchy.
pub fn cgroup(subject: &Subject, out: &mut String) -> Result<()> {
    subject.get_task()?;
    out.push_str("0::/\n");
    Ok(())
}

fn adjustment(process: &Process) -> i64 {
    i64::from(process.oom_score_adj.load(Relaxed)) - 1000
}

/// `oom_score`: 0 to 2000, Linux's scale: 666 for one that uses nothing.
pub fn oom_score(subject: &Subject, out: &mut String) -> Result<()> {
    let process = subject.get_process()?;
    let total = i64::try_from(MemoryStats::now().total).unwrap_or(i64::MAX).max(1);
    let usage = process.address_space().map(|mm| mm.usage()).unwrap_or_default();
    let used = i64::try_from(usage.resident + usage.page_tables).unwrap_or(0);
    let points = used + adjustment(&process) * total / 1000;
    let unkillable = adjustment(&process) == -1000;
    let score = if unkillable { 0 } else { ((1000 + points * 1000 / total) * 2 / 3).max(0) };
    let _ = writeln!(out, "{score}");
    Ok(())
}

fn parse(bytes: &[u8]) -> Result<i64> {
    core::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok()).ok_or(Errno::EINVAL)
}

/// `oom_score_adj`.
pub fn oom_score_adj(subject: &Subject, out: &mut String) -> Result<()> {
    let _ = writeln!(out, "{}", adjustment(&*subject.get_process()?));
    Ok(())
}

/// Lowering it needs `CAP_SYS_RESOURCE`.
pub fn set_oom_score_adj(subject: &Subject, bytes: &[u8]) -> Result<()> {
    let value = parse(bytes)?;
    if !(-1000..=1000).contains(&value) {
        return Err(Errno::EINVAL);
    }
    let process = subject.get_process()?;
    if value < adjustment(&process) && !capable(Capability::SysResource) {
        return Err(Errno::EACCES);
    }
    let biased = u32::try_from(value + 1000).map_err(|_| Errno::EINVAL)?;
    process.oom_score_adj.store(biased, Relaxed);
    Ok(())
}

/// `oom_adj`: the old scale, -17 to 15.
pub fn oom_adj(subject: &Subject, out: &mut String) -> Result<()> {
    let score = adjustment(&*subject.get_process()?);
    let old = if score == 1000 { 15 } else { score * 17 / 1000 };
    let _ = writeln!(out, "{old}");
    Ok(())
}

/// Sets [`oom_score_adj`] by the old scale.
pub fn set_oom_adj(subject: &Subject, bytes: &[u8]) -> Result<()> {
    let value = parse(bytes)?;
    if !(-17..=15).contains(&value) {
        return Err(Errno::EINVAL);
    }
    let score = if value == 15 { 1000 } else { value * 1000 / 17 };
    set_oom_score_adj(subject, alloc::format!("{score}").as_bytes())
}

/// `timerslack_ns`.
pub fn timer_slack(subject: &Subject, out: &mut String) -> Result<()> {
    let task = subject.inspect()?;
    let _ = writeln!(out, "{}", task.timer_slack.load(Relaxed));
    Ok(())
}
