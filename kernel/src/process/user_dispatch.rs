//! System calls that a thread has sent to its own handler for SIGSYS instead of the kernel (`PR_SET_SYSCALL_USER_DISPATCH` of `prctl(2)`), but
//! for those from a range of addresses, and as long as a byte in its memory does not allow them. Neither a new thread nor a new program
//! starts with it.
//!
//! Until the first thread asks for it, a system call passes one instruction that does nothing for it.

use super::{
    Task,
    signal::{self, SigInfo, Signal},
};
use crate::{
    arch::{TrapFrame, code_switch},
    mm::{USER_END, UserAddr, user},
    sched,
};
use abi::{Errno, Result};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The modes of the `prctl`.
const OFF: usize = 0;
const ON: usize = 1;

/// What the byte says: system calls are made, or sent.
const ALLOW: u8 = 0;
const BLOCK: u8 = 1;

/// A thread's setting, which only the thread itself reads and changes.
#[derive(Default)]
pub struct UserDispatch {
    on: AtomicBool,
    /// The range whose calls are always made.
    offset: AtomicUsize,
    len: AtomicUsize,
    /// Where the byte is; 0: there is none.
    selector: AtomicUsize,
}

/// Turns it on or off for the current thread. `EINVAL` for a range that wraps around, `EFAULT` for a byte outside of user memory.
pub fn set(mode: usize, offset: usize, len: usize, selector: usize) -> Result<()> {
    match mode {
        OFF if [offset, len, selector] == [0; 3] => {}
        ON if offset != 0 && offset.wrapping_add(len) <= offset => return Err(Errno::EINVAL),
        ON if selector >= USER_END => return Err(Errno::EFAULT),
        ON => code_switch::turn(&code_switch::USER_DISPATCH, true),
        _ => return Err(Errno::EINVAL),
    }
    let dispatch = &sched::current().user_dispatch;
    dispatch.offset.store(offset, Relaxed);
    dispatch.len.store(len, Relaxed);
    dispatch.selector.store(selector, Relaxed);
    dispatch.on.store(mode == ON, Relaxed);
    Ok(())
}

/// A new program starts without.
pub(super) fn forget(task: &Task) {
    task.user_dispatch.on.store(false, Relaxed);
}

/// Whether the system call that `frame` asks for is not to be made; then a signal has been sent.
#[cold]
pub fn intercepts(frame: &mut TrapFrame) -> bool {
    let current = sched::current();
    let dispatch = &current.user_dispatch;
    let from = frame.rip.wrapping_sub(dispatch.offset.load(Relaxed));
    if !dispatch.on.load(Relaxed) || from < dispatch.len.load(Relaxed) {
        return false;
    }
    let selector = dispatch.selector.load(Relaxed);
    if selector != 0 {
        match user::read(UserAddr(selector)) {
            Ok(ALLOW) => return false,
            Ok(BLOCK) => {}
            Ok(_) => {
                signal::force_fatal(Signal::SIGSYS);
                return true;
            }
            Err(_) => {
                signal::force_fatal(Signal::SIGSEGV);
                return true;
            }
        }
    }
    // The registers are as they were: the handler may make the call itself.
    frame.rax = frame.orig_rax;
    signal::force(SigInfo::user_dispatch(frame.rip, frame.orig_rax));
    true
}
