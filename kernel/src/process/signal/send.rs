//! Sending, and taking off the queues.
//!
//! A signal is queued under the process's lock. Some act at once, at the sender: SIGCONT ends a stop, stop signals cancel a
//! pending SIGCONT, and a signal that will certainly end the process orders that here, so that its threads need not first
//! run to find out.

use super::{
    DefaultAction, Handlers, Queue, SigInfo, Signal, SignalSet,
    state::{ProcessSignals, State, TaskSignals, raise, recalculate},
};
use crate::{
    arch::thread::WorkFlags,
    process::{ExitStatus, Process, ProcessGroup, Resource, Task},
    sched::{self, TaskState, WakeEvent},
    sync::rcu,
};
use abi::Result;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

/// Whether init's immunity applies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Force {
    No,
    /// A fault of the task's own.
    Fault,
}

/// Sends to a process; no permission check. Callable from interrupts. `EAGAIN` when a real-time signal finds the queue full.
pub fn send_process(process: &Arc<Process>, info: SigInfo) -> Result<()> {
    send(process, None, info, Force::No)
}

/// Sends to a thread; no permission check. Callable from interrupts. `EAGAIN` as for [`send_process`].
pub fn send_task(task: &Arc<Task>, info: SigInfo) -> Result<()> {
    send(&task.process, Some(task), info, Force::No)
}

/// Sends to each process of a group; no permission check (terminals).
pub fn send_group(group: &Arc<ProcessGroup>, info: SigInfo) {
    for process in group.members() {
        // Each member gets what its queue can take; there is nobody to tell of the rest.
        let _ = send_process(&process, info);
    }
}

/// A synchronous fault of the current task: unblocks and delivers, or kills.
pub fn force(info: SigInfo) {
    let task = sched::current().to_arc();
    let signals = &task.process.signals;
    let handlers = signals.handlers.load();
    let blocked = task.signals.blocked();
    if blocked.contains(info.signal) || handlers.is_ignored(info.signal) {
        reset_to_default(&handlers, info.signal);
        unblock(&task, info.signal);
    }
    if handlers.is_default(info.signal) {
        // Even init dies of its own fault.
        signals.unkillable.store(false, Ordering::Relaxed);
    }
    // A full queue still leaves the signal pending.
    let _ = send(&task.process, Some(&task), info, Force::Fault);
}

/// Ends the current process by `signal` whatever it has arranged: its stack or its frame cannot be used.
pub fn force_fatal(signal: Signal) {
    let task = sched::current().to_arc();
    let signals = &task.process.signals;
    reset_to_default(&signals.handlers.load(), signal);
    unblock(&task, signal);
    signals.unkillable.store(false, Ordering::Relaxed);
    let _ = send(&task.process, Some(&task), SigInfo::kernel(signal), Force::Fault);
}

fn reset_to_default(handlers: &Handlers, signal: Signal) {
    let action = handlers.get(signal);
    handlers.set(signal, super::Action { handler: super::SIG_DFL, ..action });
}

fn unblock(task: &Task, signal: Signal) {
    let blocked = task.signals.blocked();
    super::mask::set_blocked(task, SignalSet(blocked.0 & !(1 << signal.index())));
}

fn send(
    process: &Arc<Process>,
    target: Option<&Arc<Task>>,
    info: SigInfo,
    force: Force,
) -> Result<()> {
    let signals = &process.signals;
    let signal = info.signal;
    let mut state = signals.state.lock();
    // A process that is being ended takes no more signals.
    if state.exit_status.is_some() {
        return Ok(());
    }
    if SignalSet::STOP.contains(signal) {
        flush(signals, &mut state, SignalSet::of(&[Signal::SIGCONT]));
    } else if signal == Signal::SIGCONT {
        flush(signals, &mut state, SignalSet::STOP);
        state.continues = state.continues.wrapping_add(1);
        signals.continue_all(&mut state);
    }
    // The lock keeps preemption off, so this is no cost.
    let guard = rcu::read();
    let handlers = signals.handlers.get(&guard);
    let Some(receiver) = target.or(state.threads.first()) else { return Ok(()) };
    if is_ignored(signals, &receiver.signals, handlers, signal, force) {
        return Ok(());
    }
    let user = receiver.credentials.get(&guard).uid.0;
    let limit = process.limits().soft(Resource::SignalsPending);
    match target {
        Some(task) => {
            let mut queue = task.signals.queue.lock();
            let result = queue.push(info, user, limit);
            task.signals.publish(&queue);
            result?;
        }
        None => {
            let result = state.queue.push(info, user, limit);
            signals.publish(&state);
            result?;
        }
    }
    notify_receiver(signals, &mut state, target, handlers, signal);
    drop(guard);
    drop(state);
    if !signals.signalfd.is_empty() {
        signals.signalfd.wake_all();
    }
    Ok(())
}

/// Whether the signal need not be queued: it would be dropped at delivery.
fn is_ignored(
    signals: &ProcessSignals,
    receiver: &TaskSignals,
    handlers: &Handlers,
    signal: Signal,
    force: Force,
) -> bool {
    let blocked = receiver.blocked().0 | receiver.real_blocked.load(Ordering::SeqCst);
    if SignalSet(blocked).contains(signal) {
        // It may be unblocked with another action in force.
        return false;
    }
    if handlers.is_ignored(signal) {
        return true;
    }
    let default = handlers.is_default(signal);
    let immune = signals.unkillable.load(Ordering::Relaxed) && force == Force::No;
    default && (immune || signal.default_action() == DefaultAction::Ignore)
}

/// Finds a thread to take a signal that has been queued, and wakes it; or ends the process if that is what the signal does.
fn notify_receiver(
    signals: &ProcessSignals,
    state: &mut State,
    target: Option<&Arc<Task>>,
    handlers: &Handlers,
    signal: Signal,
) {
    let taker = match target {
        Some(task) => wants(task, signal).then(|| Arc::clone(task)),
        None => {
            let count = state.threads.len();
            let start = state.next_target;
            let found =
                (0..count).map(|i| (start + i) % count).find(|&i| wants(&state.threads[i], signal));
            if let Some(i) = found {
                state.next_target = i;
            }
            found.map(|i| Arc::clone(&state.threads[i]))
        }
    };
    let Some(task) = taker else { return };
    let awaited = SignalSet(task.signals.real_blocked.load(Ordering::SeqCst)).contains(signal);
    let fatal = handlers.is_default(signal) && signal.default_action() == DefaultAction::Terminate;
    if fatal && !awaited {
        signals.order_exit(state, ExitStatus::Killed(signal));
    } else {
        raise(&task, if signal == Signal::SIGKILL { WakeEvent::Kill } else { WakeEvent::Signal });
    }
}

/// Whether `task` would take `signal` now.
fn wants(task: &Task, signal: Signal) -> bool {
    if task.signals.blocked().contains(signal) || !task.signals.has_slot() {
        return false;
    }
    if signal == Signal::SIGKILL {
        return true;
    }
    !task.signals.in_stop.load(Ordering::Relaxed)
        && (task.sched.state() == TaskState::Running
            || !task.thread.work().contains(WorkFlags::SIGNAL))
}

/// Drops pending signals of `set` from the process and all its threads.
pub(super) fn flush(signals: &ProcessSignals, state: &mut State, set: SignalSet) {
    if state.queue.flush(set) {
        signals.publish(state);
    }
    for task in &state.threads {
        if !task.signals.pending_set().intersection(set).is_empty() {
            let mut queue = task.signals.queue.lock();
            queue.flush(set);
            task.signals.publish(&queue);
        }
    }
}

/// Takes a pending signal in `wanted` off the current task's queue or its process's (`signalfd(2)`, `sigtimedwait(2)`).
pub fn dequeue(task: &Task, wanted: SignalSet) -> Option<SigInfo> {
    let wanted = wanted.difference(SignalSet::KERNEL_ONLY);
    let process = &task.process.signals;
    let pending = task.signals.pending_set().union(process.pending_set());
    if pending.intersection(wanted).is_empty() {
        return None;
    }
    let mut state = process.state.lock();
    let info = take(task, &mut state, wanted);
    drop(state);
    recalculate(task);
    info
}

/// The same with the lock held: the task's own first.
pub(super) fn take(task: &Task, state: &mut State, wanted: SignalSet) -> Option<SigInfo> {
    let process = &task.process.signals;
    if !task.signals.pending_set().intersection(wanted).is_empty() {
        let mut queue = task.signals.queue.lock();
        let info = queue.pop(wanted);
        task.signals.publish(&queue);
        if let Some(info) = info {
            return Some(timer_taken(process, info));
        }
    }
    let info = state.queue.pop(wanted)?;
    process.publish(state);
    if info.signal == Signal::SIGALRM {
        process.timers.alarm_taken();
    }
    Some(timer_taken(process, info))
}

/// A POSIX timer's signal says how many expiries it stands for, as of now.
fn timer_taken(process: &ProcessSignals, info: SigInfo) -> SigInfo {
    match info.code {
        super::code::SI_TIMER => process.posix_timers.taken(info),
        _ => info,
    }
}

impl TaskSignals {
    /// Publishes the queue's summary after a change, with its lock held.
    pub(super) fn publish(&self, queue: &Queue) {
        self.pending.store(queue.set().0, Ordering::SeqCst);
    }
}
