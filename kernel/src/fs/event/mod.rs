//! Event files: counters and timers behind descriptors.

pub mod eventfd;
pub mod signalfd;
pub mod timerfd;

use super::{IoSink, IoSource};
use abi::{Errno, Result};

/// Hands one 64-bit counter to a reader, which must have room for it.
fn put_counter(dst: &mut IoSink<'_>, value: u64) -> Result<usize> {
    dst.write(&value.to_ne_bytes())
}

/// Takes one 64-bit counter from a writer; `EINVAL` when it gives fewer bytes.
fn take_counter(src: &mut IoSource<'_>) -> Result<u64> {
    let mut bytes = [0; 8];
    if src.remaining() < bytes.len() {
        return Err(Errno::EINVAL);
    }
    if src.read(&mut bytes)? < bytes.len() {
        return Err(Errno::EFAULT);
    }
    Ok(u64::from_ne_bytes(bytes))
}
