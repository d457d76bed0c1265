//! `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2`, `FUTEX_TRYLOCK_PI`, `FUTEX_UNLOCK_PI`.

use super::{
    super::{Deadline, Key, Sharing, TID_MASK, WAITERS, bucket, fault_in_writable},
    Announce, Attempt, CHAINS, Grant, Stop, Ticket, replace, wait_for,
};
use crate::{
    mm::{UserAddr, user},
    sched,
};
use abi::{Errno, Result};

/// What is done about a lock that somebody else owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenTaken {
    /// Waits, until the deadline.
    Wait(Deadline),
    /// `EAGAIN`.
    Fail,
}

/// Takes the lock in the word, which the program could not take by itself. `EDEADLK` when the caller owns it or its owner waits for the caller;
/// `ESRCH` when the owner does not exist, `EPERM` when it is the kernel's; `EINVAL` when the word or others' waits on it do not
/// fit; `ETIMEDOUT`; after a signal the call starts over.
pub fn lock(word: UserAddr, sharing: Sharing, when_taken: WhenTaken) -> Result<usize> {
    let ticket = Ticket::new(&sched::current().to_arc());
    let (key, deadline) = loop {
        let key = Key::of(word, sharing)?;
        let bucket = bucket::lock(bucket::index_of(&key));
        let mut chains = CHAINS.lock();
        match chains.attempt(&bucket, word, key, &ticket.task, Announce::No) {
            Ok(Attempt::Taken) => return Ok(0),
            Ok(Attempt::Contended) => {
                let WhenTaken::Wait(deadline) = when_taken else {
                    chains.forget_if_idle(&key);
                    return Err(Errno::EAGAIN);
                };
                ticket.task.set_waits_for_lock(true);
                if let Err(error) = chains.block(key, &ticket) {
                    ticket.task.set_waits_for_lock(false);
                    chains.forget_if_idle(&key);
                    return Err(error);
                }
                break (key, deadline);
            }
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Again) => {}
            Err(Stop::Fault) => {
                drop(chains);
                drop(bucket);
                fault_in_writable(word)?;
            }
        }
    };
    let outcome = wait_for(&ticket, word, &key, deadline);
    ticket.task.set_waits_for_lock(false);
    match outcome {
        Ok(()) => Ok(0),
        Err(Errno::EINTR) => Err(Errno::ERESTARTNOINTR),
        Err(error) => Err(error),
    }
}

/// Hands the lock to the most urgent who waits for it, or frees it. `EPERM` when the caller does not own it, `EINVAL` when the
/// kernel knows another owner or others wait on the word as on no lock.
pub fn unlock(word: UserAddr, sharing: Sharing) -> Result<usize> {
    let task = sched::current();
    let tid = task.tid().0;
    loop {
        let value = user::read::<u32>(word)?;
        if value & TID_MASK != tid {
            return Err(Errno::EPERM);
        }
        let key = Key::of(word, sharing)?;
        let bucket = bucket::lock(bucket::index_of(&key));
        let mut chains = CHAINS.lock();
        let heir = match chains.locks.get(&key) {
            Some(lock) if !task.is(&lock.owner) => return Err(Errno::EINVAL),
            Some(lock) => lock.waiters.first().map(|first| first.ticket.task.tid()),
            None if bucket.has_waiter(&key) => return Err(Errno::EINVAL),
            None => None,
        };
        match replace(word, value, heir.map_or(0, |heir| WAITERS | heir.0)) {
            Ok(()) => {
                chains.pass_on(&key, Grant::Given);
                return Ok(0);
            }
            // Somebody has just announced that they wait; any other change is the program's mistake.
            Err(Stop::Again) if heir.is_some() && value & WAITERS != 0 => {
                return Err(Errno::EINVAL);
            }
            Err(Stop::Fault) => {
                drop(chains);
                drop(bucket);
                fault_in_writable(word)?;
            }
            Err(_) => {}
        }
    }
}
