//! `FUTEX_WAIT`, `FUTEX_WAIT_BITSET`.

use super::{
    Bitset, Key, Sharing,
    bucket::{self, Waiter},
    fault_in,
};
use crate::{
    mm::{UserAddr, user},
    process::signal,
    sched::{self, TaskState},
    time::Instant,
};
use abi::{Errno, Result};

/// When a wait ends, on the monotonic clock; none waits for ever.
pub type Deadline = Option<Instant>;

/// Sleeps while the word at `addr` is `expected`, until woken: `EAGAIN` when it is something else at the start, `ETIMEDOUT`,
/// `EFAULT`, and the restart errors on a signal.
pub fn wait(
    addr: UserAddr,
    sharing: Sharing,
    expected: u32,
    bitset: Bitset,
    deadline: Deadline,
) -> Result<usize> {
    let waiter = Waiter::new();
    loop {
        let key = Key::of(addr, sharing)?;
        let index = bucket::index_of(&key);
        let mut bucket = bucket::lock(index);
        match user::read::<u32>(addr) {
            Ok(value) if value == expected => {
                bucket.enqueue(index, key, bitset, &waiter);
                break;
            }
            Ok(_) => return Err(Errno::EAGAIN),
            Err(_) => drop(bucket),
        }
        fault_in(addr)?;
    }

    let task = sched::current();
    let outcome = loop {
        sched::set_state(TaskState::Interruptible);
        if waiter.is_woken() {
            break Ok(());
        }
        if signal::pending(&task) {
            break Err(Errno::EINTR);
        }
        if !sched::schedule_until(deadline) {
            break Err(Errno::ETIMEDOUT);
        }
    };
    sched::set_state(TaskState::Running);
    // A wake-up that came in time or later counts, whatever else happened.
    let Err(error) = outcome else { return Ok(0) };
    if !waiter.leave() {
        return Ok(0);
    }
    if error == Errno::ETIMEDOUT {
        return Err(error);
    }
    if deadline.is_none() {
        return Err(Errno::ERESTARTSYS);
    }
    Err(signal::restart_with(move || wait(addr, sharing, expected, bitset, deadline)))
}
