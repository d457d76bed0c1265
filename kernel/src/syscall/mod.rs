//! System calls: the table, number to function, one line each; and one thin file an area that decodes arguments, calls one
//! subsystem function and encodes the result.
#![forbid(unsafe_code)]

use crate::arch::TrapFrame;
use abi::{Errno, Result};

mod credentials;
mod descriptors;
mod event;
mod files;
mod futex;
mod memory;
mod names;
mod polling;
mod process;
mod scheduling;
mod signals;
mod sockets;
mod system;
mod table;
mod time;

/// Runs the call that `frame` asks for and leaves the result in `rax`.
pub fn dispatch(frame: &mut TrapFrame) {
    let handler = table::TABLE.get(frame.orig_rax).copied().flatten();
    let result = match handler {
        Some(handler) => handler(&frame.args()),
        None => Err(Errno::ENOSYS),
    };
    frame.rax = match result {
        Ok(value) => value,
        Err(errno) => errno.as_syscall_return(),
    };
}
