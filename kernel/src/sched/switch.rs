//! Giving up the CPU: `schedule`, preemption, the two halves of a switch, exit.
//!
//! A switch happens with interrupts off and a preempt count of 1. The queue's lock is not held across it: a task that leaves
//! its CPU is either off the queues (asleep, moving, dead), and then nobody runs it before its `on_cpu` flag is
//! cleared, or on this CPU's own queue, where thieves leave it alone while the flag is set.

use super::{
    balance,
    cpu_queue::{QUEUES, enqueue_on},
    deadline, idle,
    params::Policy,
    stats::{self, Event},
    task::{TaskState, bump},
    wake::{self, choose_cpu, set_state},
};
use crate::{
    arch::{
        clock, cpu,
        irq::{self, IrqState},
    },
    process::{Task, rseq, signal},
    sync::{PerCpu, current, per_cpu, rcu},
    time,
};
use alloc::{boxed::Box, sync::Arc};
use core::sync::atomic::{AtomicU8, Ordering};
use lists::End;

/// Why a task gives up the CPU.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It called `schedule`: its state says whether it sleeps.
    Called,
    /// It stays runnable whatever its state says.
    Preempted,
    /// It stays runnable and lets others go first.
    Yielded,
}

/// What becomes of the task that was switched away from.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum After {
    /// It is on a queue, or sleeps.
    Nothing = 0,
    /// It is runnable but may not run here.
    Move = 1,
    /// It has exited.
    Bury = 2,
    /// It used up its runtime and waits for its next period.
    Throttle = 3,
}

/// [`After`] for the switch that is under way.
static AFTER: PerCpu<AtomicU8> = per_cpu!(AtomicU8::new(0));

/// Gives up the CPU: sleeps if the task's state says so, else stays runnable.
pub fn schedule() {
    debug_assert!(irq::preempt_count() == 0, "schedule() with preemption off");
    let task = super::current();
    // A signal that came after the state was set did not wake us; one that came before is seen here.
    if task.sched.state() == TaskState::Interruptible && signal::pending(&task) {
        set_state(TaskState::Running);
    }
    reschedule(Reason::Called);
}

/// A reschedule is due and the preempt count reached 0 with interrupts on: switch, without sleeping.
pub fn preempt_schedule() {
    if irq::preempt_count() == 0 && irq::enabled() {
        reschedule(Reason::Preempted);
    }
}

/// The same from the return of an interrupt to kernel mode; enters and leaves with interrupts off.
pub fn preempt_schedule_irq() {
    reschedule(Reason::Preempted);
}

/// `sched_yield(2)`.
pub fn yield_now() {
    reschedule(Reason::Yielded);
}

/// The last thing a task does; its resources but the kernel stack are released. Preemption is turned off inside.
pub fn exit_current() -> ! {
    debug_assert!(irq::preempt_count() == 0, "a task exits with preemption off");
    set_state(TaskState::Dead);
    reschedule(Reason::Called);
    unreachable!("a dead task runs")
}

fn reschedule(reason: Reason) {
    let interrupts = irq::save_and_disable();
    let mut reason = reason;
    loop {
        irq::preempt_disable();
        switch_once(reason);
        irq::preempt_enable_no_resched();
        if !irq::need_resched() {
            break;
        }
        reason = Reason::Preempted;
    }
    irq::restore(interrupts);
}

/// Picks who runs next and switches to it. Interrupts are off, the preempt count is 1.
fn switch_once(reason: Reason) {
    let cpu = cpu::id();
    let of_cpu = QUEUES.on(cpu);
    of_cpu.kicked.store(false, Ordering::Release);
    irq::clear_need_resched();
    time::check_reprogram();
    rcu::note_quiescent();
    stats::note(Event::Call { yields: reason == Reason::Yielded });
    let previous = current::current();
    let now = clock::now_ns();
    let mut after = After::Nothing;

    let mut queue = of_cpu.queue.lock();
    queue.settle(&previous, now);
    let idles = idle::is_idle_task(&previous);
    let state = previous.sched.state();
    if idles {
        // The idle task is on no queue.
    } else if reason == Reason::Called && state != TaskState::Running {
        if state.is_load() {
            of_cpu.uninterruptible.fetch_add(1, Ordering::Relaxed);
        }
        if state == TaskState::Dead {
            after = After::Bury;
        }
        leave_queue(of_cpu, &queue.tasks, &previous, now);
        previous.sched.on_queue.store(false, Ordering::Release);
        wake::note_sleep(&previous.sched, now);
        bump(&previous.sched.voluntary, 1);
    } else if previous.sched.has_policy(Policy::Deadline) && is_spent(&previous, reason) {
        leave_queue(of_cpu, &queue.tasks, &previous, now);
        deadline::begin_throttling(&previous.sched);
        after = After::Throttle;
    } else if !previous.sched.may_run_on(cpu) {
        leave_queue(of_cpu, &queue.tasks, &previous, now);
        after = After::Move;
    } else {
        let end =
            if reason == Reason::Yielded || queue.slice_used { End::Back } else { End::Front };
        if reason == Reason::Yielded {
            queue.tasks.yield_to_first(&previous);
        }
        previous.sched.queued_at.store(now, Ordering::Relaxed);
        queue.tasks.insert(previous.to_arc(), end);
    }
    let mut next = queue.pick(now);
    if next.is_none() {
        queue.running = None;
        // One queue at a time: ours is open while we look into others.
        drop(queue);
        let stolen = balance::steal_for(cpu);
        queue = of_cpu.queue.lock();
        if let Some(stolen) = stolen {
            queue.admit(cpu, stolen, 0, now);
        }
        next = queue.pick(now);
    }
    let next = match next {
        Some(next) => {
            if !previous.is(&next) {
                queue.arrive(&next, now);
            }
            queue.set_running(&next, now);
            if next.sched.has_policy(Policy::RoundRobin)
                && next.sched.slice_left.load(Ordering::Relaxed) == 0
            {
                next.sched.slice_left.store(super::tick::RR_TICKS, Ordering::Relaxed);
            }
            next
        }
        None => {
            queue.running = None;
            stats::note(Event::Idle);
            idle::idle_task(cpu)
        }
    };
    drop(queue);
    if previous.is(&next) {
        return;
    }
    if after == After::Nothing && reason != Reason::Called {
        bump(&previous.sched.involuntary, 1);
    }
    bump(&of_cpu.switches, 1);
    if idles {
        super::tick::restart();
    }
    rseq::leave_cpu(&previous);
    AFTER.on(cpu).store(after as u8, Ordering::Relaxed);
    current::switch_to(next);
    arrive();
}

/// Whether a task with deadlines has nothing left of its runtime, or wants it no more.
fn is_spent(task: &Task, reason: Reason) -> bool {
    if reason == Reason::Yielded {
        task.sched.deadline.give_up();
    }
    task.sched.deadline.is_used_up()
}

fn leave_queue(
    of_cpu: &super::cpu_queue::CpuQueue,
    tasks: &runqueue::RunQueue<Task>,
    task: &Task,
    now: u64,
) {
    tasks.displace(task);
    task.sched.left_at.store(now, Ordering::Relaxed);
    of_cpu.count_runnable(-1);
}

/// The incoming task's half of a switch. A new thread calls it first, with interrupts off and a preempt count of 1; it turns
/// interrupts on and leaves the section.
pub fn finish_switch() {
    arrive();
    irq::restore(IrqState(true));
    irq::preempt_enable();
}

/// Lets go of the task that ran before, as the task that runs now. Interrupts are off.
fn arrive() {
    let after = AFTER.here_unguarded().swap(0, Ordering::Relaxed);
    // Kernel threads run on whatever page tables are there.
    if let Some(mm) = current::current().mm.try_borrow() {
        mm.activate();
    }
    let previous = current::take_previous();
    if after == After::Move as u8 {
        let cpu = choose_cpu(&previous);
        enqueue_on(cpu, previous, 0);
    } else if after == After::Bury as u8 {
        bury(previous);
    } else if after == After::Throttle as u8 {
        deadline::throttle(previous);
    }
}

/// Gives up the scheduler's reference on an exited task: after a grace period, since those who spin for a mutex look at its
/// owner without a reference; and because its kernel stack is not to be freed with interrupts off.
fn bury(task: Arc<Task>) {
    deadline::leave(&task.sched);
    rcu::call(Box::new(move || drop(task)));
}
