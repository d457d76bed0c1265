//! Load averages and CPU statistics.

use super::{cpu_queue::QUEUES, idle, task::bump};
use crate::{
    arch::{clock, cpu},
    process::Task,
    sync::{IrqSpinLock, PerCpu, class, per_cpu},
    time::Instant,
};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Fraction bits of the averages.
const FRACTION: u32 = 11;
const ONE: u64 = 1 << FRACTION;
/// e^(-5 s / 1, 5, 15 min) in that fixed point: what is left of an average after one period.
const DECAY: [u64; 3] = [1884, 2014, 2037];
/// Nanoseconds between samples.
const PERIOD: u64 = 5_000_000_000;

struct Averages {
    values: [u64; 3],
    next: u64,
}

static AVERAGES: IrqSpinLock<Averages> =
    IrqSpinLock::new(&class::LOAD, Averages { values: [0; 3], next: PERIOD });
/// `Averages::next`, to look without the lock.
static NEXT: AtomicU64 = AtomicU64::new(PERIOD);

/// Time that a CPU spent, in nanoseconds (`/proc/stat`).
#[derive(Clone, Copy, Default, Debug)]
pub struct CpuTimes {
    /// In user mode.
    pub user: u64,
    /// In user mode, nice above 0.
    pub nice: u64,
    /// In the kernel.
    pub system: u64,
    /// With nothing to do.
    pub idle: u64,
}

/// Time of tasks on one CPU; which kind, the last tick of the task says.
struct Charged {
    user: AtomicU64,
    nice: AtomicU64,
    system: AtomicU64,
}

static CHARGED: PerCpu<Charged> = per_cpu!(Charged {
    user: AtomicU64::new(0),
    nice: AtomicU64::new(0),
    system: AtomicU64::new(0),
});

/// Counts time of a task that ran here, and is not the idle one.
pub(super) fn charge(task: &Task, is_nice: bool, ran: u64) {
    let charged = CHARGED.here_unguarded();
    let counter = match (task.sched.in_user_mode.load(Relaxed), is_nice) {
        (true, true) => &charged.nice,
        (true, false) => &charged.user,
        (false, _) => &charged.system,
    };
    bump(counter, ran);
}

/// How `cpu` spent its time since boot.
pub fn cpu_times(cpu: usize) -> CpuTimes {
    let charged = CHARGED.on(cpu);
    CpuTimes {
        user: charged.user.load(Relaxed),
        nice: charged.nice.load(Relaxed),
        system: charged.system.load(Relaxed),
        idle: idle::idle_time(cpu),
    }
}

/// Context switches since boot, on all CPUs.
pub fn context_switches() -> u64 {
    QUEUES.iter().map(|of_cpu| of_cpu.switches.load(Relaxed)).sum()
}

/// Runnable tasks in the system.
pub fn runnable_count() -> usize {
    (0..cpu::online_count()).map(|cpu| QUEUES.on(cpu).runnable.load(Relaxed)).sum()
}

/// Runnable tasks and those in uninterruptible sleep.
fn active() -> u64 {
    let sleeping: i64 = QUEUES.iter().map(|of_cpu| of_cpu.uninterruptible.load(Relaxed)).sum();
    runnable_count() as u64 + u64::try_from(sleeping).unwrap_or(0)
}

/// Brings the averages up to now, when a period is over.
pub(super) fn update(now: Instant) {
    if now.0 < NEXT.load(Relaxed) {
        return;
    }
    let active = active() << FRACTION;
    let mut averages = AVERAGES.lock();
    // A tick comes late only when all CPUs idled: what was missed counts with what is active now.
    let mut periods = 0;
    while averages.next <= now.0 && periods < 1000 {
        for (value, decay) in averages.values.iter_mut().zip(DECAY) {
            let mut new = *value * decay + active * (ONE - decay);
            if active >= *value {
                new += ONE - 1;
            }
            *value = new / ONE;
        }
        averages.next += PERIOD;
        periods += 1;
    }
    if averages.next <= now.0 {
        averages.next = now.0 + PERIOD;
    }
    NEXT.store(averages.next, Relaxed);
}

/// Load averages over 1, 5 and 15 minutes, in fixed point with 11 fraction bits, as in `/proc/loadavg`.
pub fn load_averages() -> [u64; 3] {
    update(Instant(clock::now_ns()));
    AVERAGES.lock().values
}

/// Tells that `cpu` kept a grace period waiting for `age` nanoseconds.
pub fn warn_stall(cpu: usize, age: u64) {
    crate::pr_warn!("rcu: CPU {cpu} passed no quiescent state for {} ms", age / 1_000_000);
}
