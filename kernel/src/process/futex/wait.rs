//! `FUTEX_WAIT`, `FUTEX_WAIT_BITSET`, `futex_wait(2)`.

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
use alloc::sync::Arc;

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
    match sleep(addr, sharing, expected, bitset, deadline) {
        // The deadline was made from a time that is not: it is kept for the restart.
        Err(Errno::EINTR) if deadline.is_some() => {
            Err(signal::restart_with(move || wait(addr, sharing, expected, bitset, deadline)))
        }
        Err(Errno::EINTR) => Err(Errno::ERESTARTSYS),
        outcome => outcome,
    }
}

/// The same for a call that takes the deadline as it is: it can simply start over.
pub fn wait_absolute(
    addr: UserAddr,
    sharing: Sharing,
    expected: u32,
    bitset: Bitset,
    deadline: Deadline,
) -> Result<usize> {
    match sleep(addr, sharing, expected, bitset, deadline) {
        Err(Errno::EINTR) => Err(Errno::ERESTARTSYS),
        outcome => outcome,
    }
}

/// What keeps a waiter out of its queue.
pub(super) enum Unqueued {
    /// The word is not what was expected.
    Changed,
    /// The word cannot be read with preemption off.
    Fault,
    /// There is no such word.
    Error(Errno),
}

/// Queues `waiter` if the word at `addr` is `expected`.
pub(super) fn enqueue(
    addr: UserAddr,
    sharing: Sharing,
    expected: u32,
    bitset: Bitset,
    waiter: &Arc<Waiter>,
) -> Result<(), Unqueued> {
    let key = Key::of(addr, sharing).map_err(Unqueued::Error)?;
    let index = bucket::index_of(&key);
    let mut bucket = bucket::lock(index);
    match user::read::<u32>(addr) {
        Ok(value) if value == expected => {
            bucket.enqueue(index, key, bitset, waiter);
            Ok(())
        }
        Ok(_) => Err(Unqueued::Changed),
        Err(_) => Err(Unqueued::Fault),
    }
}

/// Sleeps until `woken`: `EINTR`, `ETIMEDOUT`.
pub(super) fn sleep_until(deadline: Deadline, woken: impl Fn() -> bool) -> Result<()> {
    let task = sched::current();
    let outcome = loop {
        sched::set_state(TaskState::Interruptible);
        if woken() {
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
    outcome
}

fn sleep(
    addr: UserAddr,
    sharing: Sharing,
    expected: u32,
    bitset: Bitset,
    deadline: Deadline,
) -> Result<usize> {
    let waiter = Waiter::new();
    loop {
        match enqueue(addr, sharing, expected, bitset, &waiter) {
            Ok(()) => break,
            Err(Unqueued::Changed) => return Err(Errno::EAGAIN),
            Err(Unqueued::Error(error)) => return Err(error),
            Err(Unqueued::Fault) => fault_in(addr)?,
        }
    }
    let outcome = sleep_until(deadline, || waiter.is_woken());
    // A wake-up that came in time or later counts, whatever else happened.
    if outcome.is_err() && waiter.leave() { outcome.map(|()| 0) } else { Ok(0) }
}
