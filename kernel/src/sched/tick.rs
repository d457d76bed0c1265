//! What the timer's tick does: slices, samples, balancing, RCU.
//!
//! A CPU has a tick while it runs anything but its idle task (and, idle, as long as it has RCU callbacks that wait).

use super::{balance, cpu_queue::QUEUES, idle, load, params::Policy, task::bump};
use crate::{
    arch::{clock, cpu, irq},
    mm,
    sync::{PerCpu, current, per_cpu, rcu},
    time::{self, Instant},
};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Nanoseconds between ticks: 250 a second.
pub const TICK: u64 = 4_000_000;
/// The `SCHED_RR` interval in ticks: 100 ms.
pub(super) const RR_TICKS: u32 = 25;
/// How often a CPU compares its queue with others, in ticks.
const BALANCE_TICKS: u32 = 4;

static COUNT: PerCpu<AtomicU32> = per_cpu!(AtomicU32::new(0));

/// The tick of this CPU, with interrupts off. `from_user`: it interrupted user mode. Says whether the tick goes on.
pub fn tick(now: Instant, from_user: bool) -> bool {
    rcu::tick(now);
    load::update(now);
    if idle::runs_idle_task() {
        // One that is about to switch restarts the tick when it does.
        return rcu::needs_tick();
    }
    let cpu = cpu::id();
    let task = current::current();
    task.sched.in_user_mode.store(from_user, Relaxed);
    bump(if from_user { &task.sched.user_samples } else { &task.sched.system_samples }, 1);
    let of_cpu = QUEUES.on(cpu);
    let mut queue = of_cpu.queue.lock();
    queue.settle(&task, now.0);
    if queue.watch_rest(now.0) {
        irq::set_need_resched();
    }
    if task.sched.has_policy(Policy::Deadline) && task.sched.deadline.is_used_up() {
        irq::set_need_resched();
    } else if !queue.tasks.is_empty() {
        let used = match task.sched.policy() {
            _ if task.sched.inherits_priority() => false,
            Policy::Fifo | Policy::Deadline => false,
            Policy::RoundRobin => {
                let left = task.sched.slice_left.load(Relaxed).saturating_sub(1);
                task.sched.slice_left.store(left, Relaxed);
                left == 0
            }
            _ => true,
        };
        if used {
            queue.slice_used = true;
            irq::set_need_resched();
        }
    }
    drop(queue);
    mm::reclaim_task::look();
    balance::share(cpu, now.0);
    let count = COUNT.on(cpu).load(Relaxed).wrapping_add(1);
    COUNT.on(cpu).store(count, Relaxed);
    // CPUs take turns.
    if (count as usize + cpu).is_multiple_of(BALANCE_TICKS as usize) {
        balance::even_out(cpu);
    }
    true
}

/// This CPU leaves its idle task: the tick goes on, if it had stopped. Interrupts are off.
pub(super) fn restart() {
    time::start_tick(Instant(clock::now_ns() + TICK));
}
