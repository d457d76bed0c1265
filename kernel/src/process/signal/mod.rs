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
mod child;
mod group_exit;
mod info;
mod itimer;
mod mask;
mod number;
mod queue;
mod restart;
mod state;
mod stop;

pub use action::{Action, ActionFlags, Handlers, SIG_DFL, SIG_IGN, UserAction};
pub use child::{ChildExit, notify_exit};
pub use info::{SigInfo, UserSigInfo, code};
pub use mask::{MaskChange, change_mask, pending_and_blocked};
pub use number::{DefaultAction, SIGRTMIN, Signal, SignalSet};
pub use queue::queued_for;
pub use restart::{restart, restart_with, with_temporary_mask};
pub use state::{HandlerFork, ProcessSignals, StopEvent, TaskSignals};

use queue::Queue;
use restart::RestartBlock;

use super::{Process, ProcessGroup, Task};
use abi::Result;
use alloc::sync::Arc;

/// Whether a signal (not blocked, or a stop or exit order) ends the current task's interruptible sleep.
pub fn pending(_task: &Task) -> bool {
    todo!()
}

/// Whether a fatal signal ends a killable sleep.
pub fn fatal_pending(_task: &Task) -> bool {
    todo!()
}

/// Sends to a process; no permission check.
pub fn send_process(_process: &Arc<Process>, _info: SigInfo) -> Result<()> {
    todo!()
}

/// Sends to a thread; no permission check.
pub fn send_task(_task: &Arc<Task>, _info: SigInfo) -> Result<()> {
    todo!()
}

/// Sends to each process of a group; no permission check (terminals).
pub fn send_group(_group: &Arc<ProcessGroup>, _info: SigInfo) {
    todo!()
}

/// A synchronous fault of the current task: unblocks and delivers, or kills.
pub fn force(_info: SigInfo) {
    todo!()
}

/// Delivers pending signals before the return to user mode: sets up a handler's frame in the user registers, stops,
/// or ends the process. Called by the exit-to-user work loop with interrupts on.
pub fn deliver(_frame: &mut crate::arch::TrapFrame) {
    todo!()
}

/// How the current task treats a signal that its terminal is about to send (SIGTTIN, SIGTTOU).
pub fn is_ignored_or_blocked(_signal: Signal) -> bool {
    todo!()
}
