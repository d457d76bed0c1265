//! What `/proc/schedstat` and its kin show besides the accounting of time: how long tasks wait for a CPU and how often they get one,
//! always; yields, calls of the scheduler and wake-ups, while `kernel.sched_schedstats` is on.

use super::{
    cpu_queue::QUEUES,
    load,
    task::{TaskSched, bump},
};
use crate::{
    arch::{clock, code_switch, cpu},
    sync::{PerCpu, per_cpu},
};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use runqueue::NICE_0_WEIGHT;

/// Events that a CPU counts while that is on.
struct Events {
    yields: AtomicU64,
    calls: AtomicU64,
    idles: AtomicU64,
    wakes: AtomicU64,
    local_wakes: AtomicU64,
}

static EVENTS: PerCpu<Events> = per_cpu!(Events {
    yields: AtomicU64::new(0),
    calls: AtomicU64::new(0),
    idles: AtomicU64::new(0),
    wakes: AtomicU64::new(0),
    local_wakes: AtomicU64::new(0),
});

/// Whether events are counted (`kernel.sched_schedstats`).
pub fn events_are_counted() -> bool {
    code_switch::SCHED_EVENTS.is_on()
}

/// Turns the counting on or off; may sleep.
pub fn count_events(on: bool) {
    code_switch::turn(&code_switch::SCHED_EVENTS, on);
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The scheduler is called, by a yield or else.
    Call { yields: bool },
    /// This CPU goes to its idle task.
    Idle,
    /// A task was woken from here, to run on this CPU.
    Wake { cpu: usize },
}

/// Something happened here. Interrupts are off.
#[inline(always)]
pub(super) fn note(event: Event) {
    if code_switch::sched_events_on() {
        count(event);
    }
}

#[cold]
fn count(event: Event) {
    let events = EVENTS.here_unguarded();
    let (first, second) = match event {
        Event::Call { yields } => (&events.calls, yields.then_some(&events.yields)),
        Event::Idle => (&events.idles, None),
        Event::Wake { cpu } => (&events.wakes, (cpu == cpu::id()).then_some(&events.local_wakes)),
    };
    bump(first, 1);
    if let Some(second) = second {
        bump(second, 1);
    }
}

/// One CPU's figures, in the order of its line in `/proc/schedstat`.
#[derive(Clone, Copy, Debug)]
pub struct CpuStats {
    /// Calls of `sched_yield`.
    pub yields: u64,
    /// Calls of the scheduler.
    pub calls: u64,
    /// How many of them found nothing to run.
    pub idles: u64,
    /// Tasks woken from this CPU.
    pub wakes: u64,
    /// How many of them were to run on it.
    pub local_wakes: u64,
    /// Nanoseconds that tasks ran on it.
    pub run: u64,
    /// Nanoseconds that tasks waited on its queue.
    pub waited: u64,
    /// How often a task got it.
    pub arrivals: u64,
}

/// The figures of `cpu`.
pub fn of_cpu(cpu: usize) -> CpuStats {
    let events = EVENTS.on(cpu);
    let times = load::cpu_times(cpu);
    let (waited, arrivals) = {
        let queue = QUEUES.on(cpu).queue.lock();
        (queue.waited, queue.arrivals)
    };
    CpuStats {
        yields: events.yields.load(Relaxed),
        calls: events.calls.load(Relaxed),
        idles: events.idles.load(Relaxed),
        wakes: events.wakes.load(Relaxed),
        local_wakes: events.local_wakes.load(Relaxed),
        run: times.user + times.nice + times.system,
        waited,
        arrivals,
    }
}

/// One task's figures.
#[derive(Clone, Copy, Debug)]
pub struct TaskStats {
    /// Nanoseconds on a CPU.
    pub run: u64,
    /// Nanoseconds runnable, without a CPU.
    pub waited: u64,
    /// How often it got a CPU.
    pub arrivals: u64,
    /// How often it got to another CPU's queue.
    pub migrations: u64,
    /// When its time was charged last, in monotonic nanoseconds.
    pub charged_at: u64,
    /// Its virtual time, by the clock of its queue.
    pub virtual_time: u64,
    /// Its weight, in 1024ths of Linux's unit.
    pub weight: u64,
}

/// The figures of a task.
pub fn of_task(task: &TaskSched) -> TaskStats {
    // First: it charges a task that asks for its own.
    let run = task.exact_runtime();
    TaskStats {
        run,
        waited: task.waited.load(Relaxed),
        arrivals: task.arrivals.load(Relaxed),
        migrations: task.migrations.load(Relaxed),
        charged_at: task.charged_at.load(Relaxed),
        virtual_time: task.fair.virtual_time(),
        weight: task.weight() * NICE_0_WEIGHT,
    }
}

/// The scheduler's clock, in nanoseconds: what it charges by.
pub fn clock_now() -> u64 {
    clock::now_ns()
}
