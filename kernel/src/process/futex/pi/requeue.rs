//! `FUTEX_WAIT_REQUEUE_PI` and `FUTEX_CMP_REQUEUE_PI`: condition variables whose mutex inherits priorities. Waiters move from the
//! condition's word to the mutex's without waking up in between.

use super::{
    super::{
        Bitset, Deadline, Key, Sharing,
        bucket::{self, Pair, Waiter},
        fault_in, fault_in_writable,
        wait::sleep_until,
    },
    Announce, Attempt, CHAINS, Chains, Grant, Stop, Ticket, wait_for,
};
use crate::{
    mm::{UserAddr, user},
    sched,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};

/// Sleeps while the word at `word` is `expected`, until [`requeue`] has moved the caller to the lock at `target` and the lock is the
/// caller's. `EAGAIN` when the word is something else, or for a signal that came after the move; `ETIMEDOUT`.
pub fn wait_requeue(
    word: UserAddr,
    expected: u32,
    deadline: Deadline,
    target: UserAddr,
    sharing: Sharing,
) -> Result<usize> {
    if word == target {
        return Err(Errno::EINVAL);
    }
    let task = sched::current().to_arc();
    let ticket = Ticket::new(&task);
    let (waiter, target_key) = loop {
        let target_key = Key::of(target, sharing)?;
        let key = Key::of(word, sharing)?;
        let index = bucket::index_of(&key);
        let waiter = Waiter::for_lock(target_key, &ticket);
        let mut bucket = bucket::lock(index);
        match user::read::<u32>(word) {
            Ok(value) if value != expected => return Err(Errno::EAGAIN),
            Ok(_) if key == target_key => return Err(Errno::EINVAL),
            Ok(_) => {
                task.set_waits_for_lock(true);
                bucket.enqueue(index, key, Bitset::ANY, &waiter);
                break (waiter, target_key);
            }
            Err(_) => drop(bucket),
        }
        fault_in(word)?;
    };
    let outcome = wait_for_move(&waiter, deadline)
        .and_then(|()| wait_for(&ticket, target, &target_key, deadline).map_err(after_the_move));
    task.set_waits_for_lock(false);
    outcome.map(|()| 0)
}

/// A signal does not start the call over: the condition's word has changed.
fn after_the_move(error: Errno) -> Errno {
    if error == Errno::EINTR { Errno::EAGAIN } else { error }
}

/// Before it, it does.
fn before_the_move(error: Errno) -> Errno {
    if error == Errno::EINTR { Errno::ERESTARTNOINTR } else { error }
}

/// Sleeps until the waiter is off the condition's queue.
fn wait_for_move(waiter: &Arc<Waiter>, deadline: Deadline) -> Result<()> {
    let outcome = sleep_until(deadline, || waiter.is_woken());
    // Whoever was moved waits for the lock, which knows the deadline and the signal, too.
    match outcome {
        Err(error) if waiter.leave() => Err(before_the_move(error)),
        _ => Ok(()),
    }
}

/// The arguments of [`requeue`] beside the words.
#[derive(Clone, Copy, Debug)]
pub struct CompareRequeue {
    /// How many waiters get the lock if it is free: must be 1.
    pub wake: i32,
    /// How many more wait for it then.
    pub requeue: i32,
    /// What the condition's word must hold.
    pub expected: u32,
}

/// Gives the lock at `target` to the first who waits on `word`, if it is free, and queues others on it; how many both together
/// were. `EINVAL` for waiters that did not say that they wait for this lock; `EAGAIN` when the word does not hold what is
/// expected; errors of taking the lock.
pub fn requeue(
    word: UserAddr,
    target: UserAddr,
    sharing: Sharing,
    how: CompareRequeue,
) -> Result<usize> {
    let limit = usize::try_from(how.requeue).map_err(|_| Errno::EINVAL)?;
    if word == target || how.wake != 1 {
        return Err(Errno::EINVAL);
    }
    loop {
        let (source, target_key) = (Key::of(word, sharing)?, Key::of(target, sharing)?);
        if source == target_key {
            return Err(Errno::EINVAL);
        }
        let mut pair = Pair::lock(bucket::index_of(&source), bucket::index_of(&target_key));
        match user::read::<u32>(word) {
            Ok(value) if value == how.expected => {}
            Ok(_) => return Err(Errno::EAGAIN),
            Err(_) => {
                drop(pair);
                fault_in(word)?;
                continue;
            }
        }
        let mut chains = CHAINS.lock();
        match move_to_lock(&mut chains, &mut pair, (source, target_key), target, limit) {
            Err(Stop::Again) => {}
            Err(Stop::Fault) => {
                drop(chains);
                drop(pair);
                fault_in_writable(target)?;
            }
            outcome => {
                chains.forget_if_idle(&target_key);
                return match outcome {
                    Ok(count) => Ok(count),
                    Err(Stop::Error(error)) => Err(error),
                    Err(_) => Err(Errno::EAGAIN),
                };
            }
        }
    }
}

/// The part of [`requeue`] with everything locked.
fn move_to_lock(
    chains: &mut Chains,
    pair: &mut Pair,
    (source, key): (Key, Key),
    target: UserAddr,
    limit: usize,
) -> Result<usize, Stop> {
    let mut count = 0;
    let tickets: Vec<Option<Arc<Ticket>>> =
        pair.first().waiting(&source).map(|waiter| waiter.ticket_for(&key)).collect();
    let mut tickets = tickets.into_iter();
    if let Some(first) = tickets.as_slice().first() {
        let first = first.clone().ok_or(Stop::Error(Errno::EINVAL))?;
        let announce = if limit > 0 { Announce::Waiters } else { Announce::No };
        let attempt = chains.attempt(pair.second(), target, key, &first.task, announce)?;
        if attempt == Attempt::Taken {
            tickets.next();
            pair.first().detach(&source, &first);
            first.give(Grant::Given);
            count = 1;
        }
    }
    for ticket in tickets {
        // One may be woken, and so many more be moved; where none was woken, one more is moved.
        if count > limit {
            break;
        }
        let ticket = ticket.ok_or(Stop::Error(Errno::EINVAL))?;
        chains.block(key, &ticket).map_err(Stop::Error)?;
        pair.first().detach(&source, &ticket);
        count += 1;
    }
    Ok(count)
}
