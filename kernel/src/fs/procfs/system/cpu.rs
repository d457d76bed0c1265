//! `cpuinfo`, `stat`, `schedstat`, `loadavg`, `uptime`, `interrupts`.

use crate::{
    arch::{self, cpu},
    process::{clone, pid},
    sched::{self, CpuTimes},
    time,
};
use abi::Result;
use alloc::{format, string::String};
use core::fmt::Write;

/// Nanoseconds in a tick of user space.
const TICK: u64 = 10_000_000;
const SECOND: u64 = 1_000_000_000;

/// `cpuinfo`.
pub fn cpuinfo(out: &mut String) -> Result<()> {
    for index in 0..cpu::online_count() {
        arch::cpuinfo::describe(index, out);
    }
    Ok(())
}

fn stat_line(name: &str, times: CpuTimes, out: &mut String) {
    let CpuTimes { user, nice, system, idle } = times;
    let _ = writeln!(
        out,
        "{name} {} {} {} {} 0 0 0 0 0 0",
        user / TICK,
        nice / TICK,
        system / TICK,
        idle / TICK,
    );
}

/// `schedstat`: what Linux's version 16 says of CPUs. There are no domains.
pub fn schedstat(out: &mut String) -> Result<()> {
    let _ = writeln!(out, "version 16\ntimestamp {}", time::monotonic().0 / sched::TICK);
    for index in 0..cpu::online_count() {
        let stats = sched::stats::of_cpu(index);
        let _ = writeln!(
            out,
            "cpu{index} {} 0 {} {} {} {} {} {} {}",
            stats.yields,
            stats.calls,
            stats.idles,
            stats.wakes,
            stats.local_wakes,
            stats.run,
            stats.waited,
            stats.arrivals,
        );
    }
    Ok(())
}

/// `stat`.
pub fn stat(out: &mut String) -> Result<()> {
    let cpus = cpu::online_count();
    let all = (0..cpus).map(sched::cpu_times).fold(CpuTimes::default(), |sum, one| CpuTimes {
        user: sum.user + one.user,
        nice: sum.nice + one.nice,
        system: sum.system + one.system,
        idle: sum.idle + one.idle,
    });
    stat_line("cpu ", all, out);
    for index in 0..cpus {
        stat_line(&format!("cpu{index}"), sched::cpu_times(index), out);
    }
    let interrupts: u64 = (0..cpus).map(cpu::interrupt_count).sum();
    let uptime = i64::try_from(time::monotonic().0 / SECOND).unwrap_or(i64::MAX);
    let booted = time::realtime().tv_sec.saturating_sub(uptime);
    let _ = writeln!(out, "intr {interrupts}");
    let _ = writeln!(out, "ctxt {}", sched::context_switches());
    let _ = writeln!(out, "btime {booted}");
    let _ = writeln!(out, "processes {}", clone::created_count());
    let _ = writeln!(out, "procs_running {}", sched::runnable_count());
    let _ = writeln!(out, "procs_blocked 0");
    let _ = writeln!(out, "softirq 0 0 0 0 0 0 0 0 0 0 0");
    Ok(())
}

/// `loadavg`.
pub fn loadavg(out: &mut String) -> Result<()> {
    const FRACTION: u32 = 11;
    for load in sched::load_averages() {
        // Rounded to hundredths, as Linux does.
        let load = load + (1 << FRACTION) / 200;
        let hundredths = ((load & ((1 << FRACTION) - 1)) * 100) >> FRACTION;
        let _ = write!(out, "{}.{hundredths:02} ", load >> FRACTION);
    }
    let _ = writeln!(
        out,
        "{}/{} {}",
        sched::runnable_count(),
        clone::thread_count(),
        pid::last_pid().0
    );
    Ok(())
}

/// `uptime`: since boot, and idle over all CPUs, in seconds.
pub fn uptime(out: &mut String) -> Result<()> {
    let up = time::monotonic().0;
    let idle: u64 = (0..cpu::online_count()).map(|cpu| sched::cpu_times(cpu).idle).sum();
    let shown = |ns: u64| format!("{}.{:02}", ns / SECOND, ns % SECOND / TICK);
    let _ = writeln!(out, "{} {}", shown(up), shown(idle));
    Ok(())
}

/// `interrupts`: the lines in use. What is counted for a vector is counted for all CPUs, so it is shown for the first.
pub fn interrupts(out: &mut String) -> Result<()> {
    let cpus = cpu::online_count();
    out.push_str("     ");
    for cpu in 0..cpus {
        let _ = write!(out, "      {:<5}", format!("CPU{cpu}"));
    }
    out.push('\n');
    let _ = write!(out, "LOC:");
    for cpu in 0..cpus {
        let _ = write!(out, " {:10}", cpu::interrupt_count(cpu));
    }
    out.push_str("   Local timer interrupts\n");
    Ok(())
}
