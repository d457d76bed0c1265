//! Waiting for signals (`sigtimedwait(2)`, `sigsuspend(2)`, `pause(2)`).

use super::{SigInfo, SignalSet, dequeue, mask, pending, state::recalculate};
use crate::{
    sched::{self, TaskState},
    time::{self, Duration},
};
use abi::{Errno, Result};
use core::sync::atomic::Ordering;

/// Sleeps until a signal that is not blocked is pending (`pause(2)`).
pub fn pause() -> Result<usize> {
    let task = sched::current();
    loop {
        sched::set_state(TaskState::Interruptible);
        if pending(&task) {
            sched::set_state(TaskState::Running);
            return Err(Errno::ERESTARTNOHAND);
        }
        sched::schedule();
    }
}

/// `rt_sigtimedwait(2)`: `EAGAIN` when the time has passed, `EINTR` when another signal came.
pub fn timed_wait(set: SignalSet, timeout: Option<Duration>) -> Result<SigInfo> {
    let task = sched::current();
    let wanted = set.difference(SignalSet::KERNEL_ONLY);
    if let Some(info) = dequeue(&task, wanted) {
        return Ok(info);
    }
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(Errno::EAGAIN);
    }
    let deadline = timeout.map(|timeout| time::monotonic().after(timeout));
    // What is awaited is unblocked meanwhile, so that senders choose and wake this thread. `real_blocked` tells them that it
    // will be taken, not delivered.
    let blocked = task.signals.blocked();
    task.signals.real_blocked.store(blocked.0, Ordering::SeqCst);
    task.signals.blocked.store(blocked.difference(wanted).0, Ordering::SeqCst);
    recalculate(&task);
    let mut in_time = true;
    while in_time {
        sched::set_state(TaskState::Interruptible);
        if pending(&task) {
            break;
        }
        in_time = sched::schedule_until(deadline);
    }
    sched::set_state(TaskState::Running);
    let info = dequeue(&task, wanted);
    // What came beside it and is the process's may be another thread's to take.
    mask::set_blocked(&task, blocked);
    task.signals.real_blocked.store(0, Ordering::SeqCst);
    match info {
        Some(info) => Ok(info),
        None if in_time => Err(Errno::EINTR),
        None => Err(Errno::EAGAIN),
    }
}
