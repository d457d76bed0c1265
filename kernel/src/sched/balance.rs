//! Stealing by CPUs that have nothing to do, and evening out by the tick.

use super::{
    cpu_queue::{QUEUES, enqueue_on, reschedule_cpu},
    tick::TICK,
};
use crate::{
    arch::{clock, cpu},
    process::Task,
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::{Acquire, Relaxed};

/// How many tasks of a queue a thief looks at: bounds the time that it holds the lock.
const SEARCH_LIMIT: usize = 32;

/// Takes a task that may run on `cpu` from the busiest other queue, one of the same NUMA node if there is one; the task is on no queue
/// then, but still runnable.
pub(super) fn steal_for(cpu: usize) -> Option<Arc<Task>> {
    steal_above(cpu, 1)
}

/// As [`steal_for`], from a queue with more than `above` runnable tasks.
fn steal_above(cpu: usize, above: usize) -> Option<Arc<Task>> {
    let (victim, _) = (0..cpu::online_count())
        .filter(|&other| other != cpu)
        .map(|other| (other, QUEUES.on(other).runnable.load(Relaxed)))
        .filter(|&(_, runnable)| runnable > above)
        .max_by_key(|&(other, runnable)| (cpu::node_of(other) == cpu::node_of(cpu), runnable))?;
    let from = QUEUES.on(victim);
    // Whoever holds the lock changes the queue anyway.
    let mut queue = from.queue.try_lock()?;
    let stolen = queue.tasks.steal(SEARCH_LIMIT, |task| {
        // One that is being switched away from is left: its stack is in use.
        task.sched.may_run_on(cpu) && !task.sched.on_cpu().get()
    })?;
    let now = clock::now_ns();
    queue.advance_clock(now);
    queue.tasks.displace(&stolen);
    queue.end_wait(&stolen, now);
    from.count_runnable(-1);
    stolen.sched.move_to(cpu);
    Some(stolen)
}

/// The tick's part: takes over a task from a CPU that has at least two more than this one.
pub(super) fn even_out(cpu: usize) {
    debug_assert!(QUEUES.on(cpu).online.load(Acquire));
    let here = QUEUES.on(cpu).runnable.load(Relaxed);
    if let Some(task) = steal_above(cpu, here + 1) {
        enqueue_on(cpu, task, 0);
    }
}

/// The tick's other part: has a CPU that idles come for a task that has waited here for half a tick and may run there. One that
/// was just woken may be about to be handed this CPU.
pub(super) fn share(cpu: usize, now: u64) {
    let of_cpu = QUEUES.on(cpu);
    if of_cpu.runnable.load(Relaxed) < 2 {
        return;
    }
    let idles = |other: &usize| QUEUES.on(*other).runnable.load(Relaxed) == 0;
    let idle = (0..cpu::online_count())
        .filter(idles)
        .min_by_key(|&other| cpu::node_of(other) != cpu::node_of(cpu));
    let Some(idle) = idle else { return };
    let queue = of_cpu.queue.lock();
    let wanted = queue.tasks.any(SEARCH_LIMIT, |task| {
        let waited = now.saturating_sub(task.sched.queued_at.load(Relaxed));
        waited >= TICK / 2 && task.sched.may_run_on(idle)
    });
    drop(queue);
    if wanted {
        reschedule_cpu(idle);
    }
}
