//! Signals (`signal(7)`): from the one who sends to the frame on the handler's stack.
//!
//! - `number`, `info`, `action`, `queue`: what a signal is, what travels with it, what is done with it, where it waits.
//! - `state`: the state of a process and a thread, its locks, and the hooks of fork, exec and exit.
//! - `send`, `permission`: sending, and who may.
//! - `deliver`, `frame`: what happens before the return to user mode; handlers' frames and `rt_sigreturn(2)`.
//! - `stop`, `group_exit`, `child`: job control, the end of all threads, what parents are told.
//! - `mask`, `alt_stack`, `wait`, `restart`: the calls of the same names.
//! - `itimer`: interval timers.
//!
//! Locks: the process's `SIGNAL`, inside it the thread's `SIGNAL_TASK`, inside them `SIGNAL_HANDLERS` and `SIGNAL_COUNT`; run
//! queues come after all of them, wait queues before, so pollers are woken when the locks are released.

mod action;
mod alt_stack;
mod child;
mod deliver;
mod frame;
mod group_exit;
mod info;
mod itimer;
mod mask;
mod number;
mod permission;
mod queue;
mod restart;
mod send;
mod state;
mod stop;
mod wait;

pub use action::{Action, ActionFlags, Handlers, SIG_DFL, SIG_IGN, UserAction};
pub use alt_stack::UserStack;
pub use child::{ChildExit, notify_exit};
pub use deliver::deliver;
pub use frame::sigreturn;
pub use info::{SigInfo, UserSigInfo, code};
pub use itimer::{TimerSetting, WhichTimer};
pub use mask::{MaskChange, change_mask, pending_and_blocked};
pub use number::{DefaultAction, Signal, SignalSet};
pub use permission::{kill, kill_thread, queue_to_process, queue_to_thread, signal_process};
pub use queue::queued_for;
pub use restart::{restart, restart_with, with_temporary_mask};
pub use send::{dequeue, force, force_fatal, send_group, send_process, send_task};
pub use state::{HandlerFork, ProcessSignals, StopEvent, TaskSignals};
pub use wait::{pause, timed_wait};

use queue::Queue;
use restart::RestartBlock;

use crate::{arch::thread::WorkFlags, process::Task, sched, sync::rcu};
use abi::{Errno, Result};
use core::sync::atomic::Ordering;

/// Whether a signal (not blocked, or a stop or exit order) ends the current task's interruptible sleep.
pub fn pending(task: &Task) -> bool {
    task.thread.work().contains(WorkFlags::SIGNAL)
}

/// Whether a fatal signal ends a killable sleep.
pub fn fatal_pending(task: &Task) -> bool {
    pending(task) && task.signals.pending_set().contains(Signal::SIGKILL)
}

/// How the current task treats a signal that its terminal is about to send (SIGTTIN, SIGTTOU).
pub fn is_ignored_or_blocked(signal: Signal) -> bool {
    let task = sched::current();
    task.signals.blocked().contains(signal)
        || task.process.signals.handlers.get(&rcu::read()).is_ignored(signal)
}

/// Keeps what a fault's signal frame shows beside the registers: the trap's number and error code, and the address (CR2).
/// The fault handler calls it before [`force`].
pub fn record_trap(trap: usize, error: usize, address: usize) {
    let task = sched::current();
    for (word, value) in task.signals.trap.iter().zip([trap, error, address]) {
        word.store(value, Ordering::Relaxed);
    }
}

/// `rt_sigaction(2)`: the old action. `EINVAL` for an attempt to change SIGKILL or SIGSTOP.
pub fn action(signal: Signal, new: Option<Action>) -> Result<Action> {
    let task = sched::current();
    let signals = &task.process.signals;
    if new.is_some() && SignalSet::KERNEL_ONLY.contains(signal) {
        return Err(Errno::EINVAL);
    }
    let guard = rcu::read();
    let handlers = signals.handlers.get(&guard);
    let Some(new) = new else { return Ok(handlers.get(signal)) };
    let default_ignored = signal.default_action() == DefaultAction::Ignore;
    if !(new.handler == SIG_IGN || new.handler == SIG_DFL && default_ignored) {
        return Ok(handlers.set(signal, new));
    }
    // POSIX: a pending signal that becomes ignored is discarded, blocked or not. The lock keeps out who queues one by the old action.
    let mut state = signals.state.lock();
    let old = handlers.set(signal, new);
    send::flush(signals, &mut state, SignalSet::EMPTY.with(signal));
    drop(state);
    Ok(old)
}
