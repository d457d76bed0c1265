//! What a parent is told of its children (`wait(2)`, SIGCHLD).

use super::{ActionFlags, SigInfo, Signal, StopEvent};
use crate::{
    process::{
        ExitStatus, Process,
        status::{CLD_CONTINUED, CLD_STOPPED},
    },
    sync::rcu,
};
use alloc::sync::Arc;

/// Clock ticks a second in `si_utime` and `si_stime`.
const NANOS_PER_TICK: u64 = 10_000_000;

/// What becomes of a child that has just exited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildExit {
    /// It stays as a zombie until waited for.
    Zombie,
    /// The parent ignores SIGCHLD or has `SA_NOCLDWAIT`: it is reaped at once.
    AutoReap,
}

/// Tells `parent` that `child` exited with `status`: sends `signal` (the child's exit signal; none when
/// `None`) and wakes `wait4(2)`. The child is a zombie already, so that a waiter finds it.
pub fn notify_exit(
    parent: &Arc<Process>,
    child: &Process,
    signal: Option<Signal>,
    status: ExitStatus,
    times: (u64, u64),
) -> ChildExit {
    let mut outcome = ChildExit::Zombie;
    let mut send = signal;
    if signal == Some(Signal::SIGCHLD) {
        let handlers = parent.signals.handlers.load();
        let ignored = handlers.is_ignored(Signal::SIGCHLD);
        let action = handlers.get(Signal::SIGCHLD);
        if ignored || action.flags.contains(ActionFlags::NOCLDWAIT) {
            outcome = ChildExit::AutoReap;
        }
        if ignored {
            send = None;
        }
    }
    if let Some(signal) = send {
        let (code, status) = status.child_code();
        send_child_info(parent, child, signal, code, status, times);
    }
    parent.signals.child_wait.wake_all();
    outcome
}

/// Tells the parent that `child` stopped or continued, unless it has `SA_NOCLDSTOP`; wakes `wait4(2)`.
pub(super) fn notify_stop(child: &Arc<Process>, event: StopEvent) {
    let Some(parent) = child.parent() else { return };
    let handlers = parent.signals.handlers.load();
    let action = handlers.get(Signal::SIGCHLD);
    if !handlers.is_ignored(Signal::SIGCHLD) && !action.flags.contains(ActionFlags::NOCLDSTOP) {
        let (code, status) = match event {
            StopEvent::Stopped(signal) => (CLD_STOPPED, i32::from(signal.0)),
            StopEvent::Continued => (CLD_CONTINUED, i32::from(Signal::SIGCONT.0)),
        };
        let times = child.leader().map_or((0, 0), |leader| leader.sched.cpu_times());
        send_child_info(&parent, child, Signal::SIGCHLD, code, status, times);
    }
    parent.signals.child_wait.wake_all();
}

fn send_child_info(
    parent: &Arc<Process>,
    child: &Process,
    signal: Signal,
    code: i32,
    status: i32,
    times: (u64, u64),
) {
    let uid = child.leader().map_or(0, |leader| leader.credentials.get(&rcu::read()).uid.0);
    let ticks = (times.0 / NANOS_PER_TICK, times.1 / NANOS_PER_TICK);
    let info = SigInfo::child(signal, code, child.pid, uid, status, ticks);
    // A lost SIGCHLD is not an error: wait(2) is what counts, and it is woken below.
    let _ = super::send_process(parent, info);
}
