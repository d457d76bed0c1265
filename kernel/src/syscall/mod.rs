//! System calls: the table, number to function, one line each; and one thin file an area that decodes arguments, calls one
//! subsystem function and encodes the result.
#![forbid(unsafe_code)]

use crate::arch::{TrapFrame, code_switch};
use crate::mm::{UserAddr, user};
use crate::process::user_dispatch;
use abi::{Errno, Result};

mod attributes;
mod credentials;
mod descriptors;
mod event;
mod files;
mod futex;
mod futex2;
mod memory;
mod mounts;
mod mqueue;
mod names;
mod polling;
mod prctl;
mod process;
mod rseq;
mod scheduling;
mod signals;
mod sockets;
mod system;
mod sysv;
mod table;
mod time;

/// Runs the call that `frame` asks for and leaves the result in `rax`.
pub fn dispatch(frame: &mut TrapFrame) {
    if code_switch::user_dispatch_on() && user_dispatch::intercepts(frame) {
        return;
    }
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

/// Copies an extensible structure of `size` bytes from user space (`copy_struct_from_user`): what the caller's version lacks is
/// zero; what it has beyond ours must be zero, else `E2BIG`. The caller bounds `size`.
fn copy_struct_from_user(dst: &mut [u8], src: UserAddr, size: usize) -> Result<()> {
    let common = size.min(dst.len());
    user::copy_from_user(&mut dst[..common], src)?;
    dst[common..].fill(0);
    let rest: alloc::vec::Vec<u8> = user::read_array(src.add(common), size - common)?;
    if rest.iter().any(|&byte| byte != 0) { Err(Errno::E2BIG) } else { Ok(()) }
}
