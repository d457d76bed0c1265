//! Calls that a signal interrupts: masks in force for one call, and what `restart_syscall(2)` goes on with.

use super::{SignalSet, mask};
use crate::sched;
use abi::{Errno, Result};
use alloc::boxed::Box;
use core::sync::atomic::Ordering;

/// How an interrupted call goes on.
pub(super) type RestartBlock = Box<dyn Fn() -> Result<usize> + Send>;

/// Runs `call` with `mask` in place of the current task's (`ppoll(2)`, `pselect(2)`, `epoll_pwait(2)`, `sigsuspend(2)`); `None` runs it
/// as it is. When the call ends because of a signal, the old mask comes back only after the handler's frame
/// is set up (it is the mask that `rt_sigreturn` restores); else at once.
pub fn with_temporary_mask(
    mask: Option<SignalSet>,
    call: impl FnOnce() -> Result<usize>,
) -> Result<usize> {
    let Some(mask) = mask else { return call() };
    let task = sched::current();
    let old = task.signals.blocked();
    task.signals.saved.store(old.0, Ordering::Relaxed);
    mask::set_blocked(&task, mask);
    let result = call();
    if matches!(result, Err(error) if is_interruption(error)) {
        task.signals.saved_valid.store(true, Ordering::Relaxed);
        // The return to user mode restores the mask even when no signal is left by then.
        task.thread.set_work(crate::arch::thread::WorkFlags::SIGNAL);
    } else {
        mask::set_blocked(&task, old);
    }
    result
}

/// Whether the error says that a signal ended the call.
fn is_interruption(error: Errno) -> bool {
    error == Errno::EINTR || is_restart(error)
}

/// Whether the error asks for a restart of the call.
fn is_restart(error: Errno) -> bool {
    matches!(
        error,
        Errno::ERESTARTSYS
            | Errno::ERESTARTNOINTR
            | Errno::ERESTARTNOHAND
            | Errno::ERESTART_RESTARTBLOCK
    )
}

/// Keeps `rest` for `restart_syscall(2)`; the error that the interrupted call is to return (`ERESTART_RESTARTBLOCK`). A handler that
/// runs turns it into `EINTR`; without one, the call goes on with `rest`.
pub fn restart_with(rest: impl Fn() -> Result<usize> + Send + 'static) -> Errno {
    let task = sched::current();
    let old = task.signals.restart.lock().replace(Box::new(rest));
    // Outside the lock: what the old one captured may be anything.
    drop(old);
    Errno::ERESTART_RESTARTBLOCK
}

/// Forgets it: after a handler's return `restart_syscall(2)` fails with `EINTR`.
pub(super) fn clear_restart() {
    let task = sched::current();
    let old = task.signals.restart.lock().take();
    drop(old);
}

/// `restart_syscall(2)`.
pub fn restart() -> Result<usize> {
    let task = sched::current();
    let block = task.signals.restart.lock().take();
    match block {
        Some(rest) => rest(),
        None => Err(Errno::EINTR),
    }
}
