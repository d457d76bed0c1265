//! Calls that a signal interrupts: masks in force for one call, and what `restart_syscall(2)` goes on with.

use super::SignalSet;
use abi::{Errno, Result};

/// Runs `call` with `mask` in place of the current task's (`ppoll(2)`, `pselect(2)`, `epoll_pwait(2)`, `sigsuspend(2)`); `None` runs it
/// as it is. When the call ends because of a signal, the old mask comes back only after the handler's frame
/// is set up (it is the mask that `rt_sigreturn` restores); else at once.
pub fn with_temporary_mask(
    _mask: Option<SignalSet>,
    _call: impl FnOnce() -> Result<usize>,
) -> Result<usize> {
    todo!()
}

/// Keeps `rest` for `restart_syscall(2)`; the error that the interrupted call is to return (`ERESTART_RESTARTBLOCK`). A handler that
/// runs turns it into `EINTR`; without one, the call goes on with `rest`.
pub fn restart_with(_rest: impl Fn() -> Result<usize> + Send + 'static) -> Errno {
    todo!()
}
