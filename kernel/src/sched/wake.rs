//! State and waking: the protocol that loses no wake-up; where a woken task goes.
//!
//! A task that is about to sleep stores its state, passes a full barrier, and tests what it waits for; a waker makes that
//! true, passes a full barrier, and looks at the state. In the order of the barriers one comes first, so either the
//! task sees the event or the waker sees the state. The waker then sets the state back to running under the task's wake
//! lock, and finds the task in one of three places: still runnable (it had not left its CPU yet: nothing else to do; checked
//! under its queue's lock, under which it leaves); off the queues but still on its CPU (its stack is in
//! use for a moment: wait); or away, and then it is placed.

use super::{
    cpu_queue::{QUEUES, enqueue_on, lock_queue_of},
    deadline,
    params::Policy,
    stats::{self, Event},
    task::{TaskSched, TaskState},
};
use crate::{
    arch::{clock, cpu, irq},
    process::{Task, TaskFlags},
    sync::current,
};
use alloc::sync::Arc;
use core::sync::atomic::{Ordering, fence};
use runqueue::Band;

/// What kind of event wakes a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WakeEvent {
    /// What it waits for: ends every sleep but a stop.
    Normal,
    /// A signal: ends an interruptible sleep.
    Signal,
    /// A fatal signal: ends interruptible and killable sleeps, and stops.
    Kill,
    /// SIGCONT: ends a stop.
    Continue,
}

impl WakeEvent {
    fn ends(self, state: u32) -> bool {
        use TaskState::{Interruptible, Killable, Stopped, Traced, Uninterruptible};
        let reached = match self {
            WakeEvent::Normal => Interruptible as u32 | Uninterruptible as u32 | Killable as u32,
            WakeEvent::Signal => Interruptible as u32,
            WakeEvent::Kill => {
                Interruptible as u32 | Killable as u32 | Stopped as u32 | Traced as u32
            }
            WakeEvent::Continue => Stopped as u32,
        };
        state & reached != 0
    }
}

/// Sets the current task's state before a test of the condition it waits for, with a full barrier.
pub fn set_state(state: TaskState) {
    let task = current::current();
    task.sched.state.store(state as u32, Ordering::Release);
    if state != TaskState::Running {
        fence(Ordering::SeqCst);
    }
}

/// Wakes a task that sleeps in one of the states that `event` reaches; whether it was asleep. Callable from interrupts.
pub fn wake(task: &Arc<Task>, event: WakeEvent) -> bool {
    fence(Ordering::SeqCst);
    let sched = &task.sched;
    // A task that sets its state after this look sees the event (the barriers).
    if !event.ends(sched.state.load(Ordering::Relaxed)) {
        return false;
    }
    let _waker = sched.wake_lock.lock();
    let state = sched.state.load(Ordering::Acquire);
    if !event.ends(state) {
        return false;
    }
    if sched.on_queue.load(Ordering::Acquire) {
        let (_, queue) = lock_queue_of(sched);
        if sched.on_queue.load(Ordering::Acquire) {
            sched.state.store(TaskState::Running as u32, Ordering::Release);
            stats::note(Event::Wake { cpu: sched.cpu() });
            return true;
        }
        drop(queue);
    }
    // It left its queue, so its state stays; its stack may be in use until its CPU has switched away, which waits for nobody.
    while sched.on_cpu().get() {
        cpu::relax();
    }
    if state & (TaskState::Uninterruptible as u32 | TaskState::Killable as u32) != 0 {
        QUEUES.on(sched.cpu()).uninterruptible.fetch_sub(1, Ordering::Relaxed);
    }
    sched.state.store(TaskState::Running as u32, Ordering::Release);
    let now = clock::now_ns();
    let slept = now.saturating_sub(sched.left_at.load(Ordering::Relaxed));
    let has_deadlines = sched.has_policy(Policy::Deadline);
    if has_deadlines && deadline::throttle_woken(task, now) {
        return true;
    }
    let cpu = if has_deadlines {
        deadline::choose_cpu(task)
    } else if let Band::RealTime(priority) = sched.band() {
        note_wake(now);
        choose_urgent_cpu(task, priority)
    } else {
        place_woken(task, now)
    };
    stats::note(Event::Wake { cpu });
    enqueue_on(cpu, task.clone(), slept);
    true
}

/// Puts a new task on a run queue for the first time.
pub fn start(task: Arc<Task>) {
    let _waker = task.sched.wake_lock.lock();
    let cpu = place_woken(&task, clock::now_ns());
    task.sched.cpu.store(cpu, Ordering::Relaxed);
    enqueue_on(cpu, task.clone(), 0);
}

/// A task that sleeps this soon after it woke another hands its CPU over.
const HAND_OVER: u64 = 100_000;
/// The score from which it is taken for such a one.
const HAND_OVER_SURE: u8 = 4;

/// The current task wakes another; whether it is one that then sleeps soon (it asked and waits for the answer, it answered
/// and waits for the next question): the woken task best follows it on this CPU.
fn note_wake(now: u64) -> bool {
    if irq::in_interrupt() {
        return false;
    }
    let waker = current::current();
    waker.sched.woke_at.store(now, Ordering::Relaxed);
    waker.sched.hand_over_score.load(Ordering::Relaxed) >= HAND_OVER_SURE
        || waker.flags().contains(TaskFlags::EXITING)
}

/// The current task goes to sleep: it learns whether that is soon after a wake-up. Once soon outweighs once late, which may
/// have been an interrupt or the host's doing.
pub(super) fn note_sleep(sched: &TaskSched, now: u64) {
    let woke_at = sched.woke_at.load(Ordering::Relaxed);
    if woke_at != 0 {
        sched.woke_at.store(0, Ordering::Relaxed);
        let score = sched.hand_over_score.load(Ordering::Relaxed);
        let soon = now.saturating_sub(woke_at) < HAND_OVER;
        let score =
            if soon { (score + 2).min(2 * HAND_OVER_SURE) } else { score.saturating_sub(1) };
        sched.hand_over_score.store(score, Ordering::Relaxed);
    }
}

/// Where the current task's wake-up of `task` sends it.
fn place_woken(task: &Task, now: u64) -> usize {
    let hands_over = note_wake(now);
    let here = cpu::id();
    let alone = QUEUES.on(here).runnable.load(Ordering::Relaxed) == 1;
    if hands_over && alone && task.sched.may_run_on(here) { here } else { choose_cpu(task) }
}

/// Where a real-time task gets the CPU at once: where it was, if it goes before what runs and waits there, as its timer's interrupt
/// most often comes there; else where the least urgent task runs. Where it was, if all are as urgent as itself.
fn choose_urgent_cpu(task: &Task, priority: u8) -> usize {
    let sched = &task.sched;
    let allowed =
        |cpu: &usize| sched.may_run_on(*cpu) && QUEUES.on(*cpu).online.load(Ordering::Acquire);
    let urgency = |cpu: &usize| {
        let queue = QUEUES.on(*cpu).queue.lock();
        let running = match queue.running.map(|running| running.band) {
            None => 0,
            Some(Band::Fair) => 1,
            Some(Band::RealTime(priority)) => 1 + u32::from(priority),
            Some(Band::Deadline(_)) => u32::MAX,
        };
        let waiting = match queue.tasks.best_real_time() {
            _ if !queue.tasks.deadlines.is_empty() => u32::MAX,
            waiting => waiting.map_or(0, |priority| 1 + u32::from(priority)),
        };
        running.max(waiting)
    };
    let is_soon = |urgency: u32| urgency <= u32::from(priority);
    let last = sched.cpu();
    if allowed(&last) && is_soon(urgency(&last)) {
        return last;
    }
    let count = cpu::online_count();
    let others = (1..count).map(|step| (last + step) % count).filter(allowed);
    let best = others.map(|cpu| (urgency(&cpu), cpu)).min();
    match best {
        Some((urgency, cpu)) if is_soon(urgency) || !allowed(&last) => cpu,
        _ if allowed(&last) => last,
        _ => cpu::id(),
    }
}

/// Where a task that becomes runnable goes: its last CPU if that idles, else one of the same NUMA node that does, else any that does, else here or
/// where it was, whichever has less to do; among the CPUs that its affinity allows.
pub(super) fn choose_cpu(task: &Task) -> usize {
    let sched: &TaskSched = &task.sched;
    let allowed =
        |cpu: usize| sched.may_run_on(cpu) && QUEUES.on(cpu).online.load(Ordering::Acquire);
    let runnable = |cpu: usize| QUEUES.on(cpu).runnable.load(Ordering::Relaxed);
    let last = sched.cpu();
    if allowed(last) && runnable(last) == 0 {
        return last;
    }
    let count = cpu::online_count();
    let here = cpu::id();
    let (mut best, mut far) = (None, None);
    for step in 0..count {
        let cpu = (last + step) % count;
        if !allowed(cpu) {
            continue;
        }
        match runnable(cpu) {
            0 if cpu::node_of(cpu) == cpu::node_of(last) => return cpu,
            0 => far = far.or(Some(cpu)),
            load if best.is_none_or(|(least, _)| load < least) => best = Some((load, cpu)),
            _ => {}
        }
    }
    if let Some(idle) = far {
        return idle;
    }
    match best {
        // Staying where its data is beats a queue that is shorter by one.
        Some((load, _))
            if allowed(last) && runnable(last) <= load + 1 && runnable(last) <= runnable(here) =>
        {
            last
        }
        Some((load, _)) if allowed(here) && runnable(here) <= load => here,
        Some((_, cpu)) => cpu,
        // No allowed CPU is online: run somewhere rather than nowhere.
        None => here,
    }
}
