//! `futex_waitv(2)`: waiting on many words at once.

use super::{
    Bitset, Deadline, Word,
    bucket::Waiter,
    fault_in,
    wait::{Unqueued, enqueue, sleep_until},
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};

/// Most words at once (`FUTEX_WAITV_MAX`).
pub const WAIT_ANY_MAX: usize = 128;

/// A word, and what it must be.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    /// The word.
    pub word: Word,
    /// What it must hold for the caller to sleep.
    pub expected: u32,
}

/// Sleeps while all words hold what is expected, until a wake-up comes on one of them: its index. `EAGAIN`, `ETIMEDOUT`, `EFAULT`;
/// after a signal the call starts over.
pub fn wait_any(words: &[Awaited], deadline: Deadline) -> Result<usize> {
    let waiters: Vec<Arc<Waiter>> = words.iter().map(|_| Waiter::new()).collect();
    while let Some((queued, unqueued)) = enqueue_all(words, &waiters) {
        if let Some(index) = leave_all(&waiters[..queued]) {
            return Ok(index);
        }
        match unqueued {
            Unqueued::Changed => return Err(Errno::EAGAIN),
            Unqueued::Error(error) => return Err(error),
            Unqueued::Fault => fault_in(words[queued].word.addr)?,
        }
    }
    let outcome = sleep_until(deadline, || waiters.iter().any(|waiter| waiter.is_woken()));
    match (leave_all(&waiters), outcome) {
        (Some(index), _) => Ok(index),
        (None, Err(Errno::EINTR)) => Err(Errno::ERESTARTSYS),
        (None, outcome) => outcome.map(|()| 0),
    }
}

/// Queues a waiter on every word; where and why that ended early.
fn enqueue_all(words: &[Awaited], waiters: &[Arc<Waiter>]) -> Option<(usize, Unqueued)> {
    words.iter().zip(waiters).enumerate().find_map(|(i, (awaited, waiter))| {
        let Word { addr, sharing } = awaited.word;
        let queued = enqueue(addr, sharing, awaited.expected, Bitset::ANY, waiter);
        queued.err().map(|why| (i, why))
    })
}

/// Takes all out of their queues; the last that was woken, if one was.
fn leave_all(waiters: &[Arc<Waiter>]) -> Option<usize> {
    let mut woken = None;
    for (i, waiter) in waiters.iter().enumerate() {
        if !waiter.leave() {
            woken = Some(i);
        }
    }
    woken
}
