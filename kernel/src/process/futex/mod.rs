//! Fast user-space locks (`futex(2)`, `set_robust_list(2)`).
//!
//! A waiter is queued in a bucket chosen by the hash of its [`Key`]; there are 256 buckets a CPU and no lock beyond theirs. The
//! user word is read with the bucket locked: a waker changes the word first and takes the lock then, so either the waiter sees
//! the change or the waker sees the waiter. Under the lock (preemption off) a read that would fault fails instead; the page
//! is then brought in without the lock, and all is tried again.
//!
//! Locks: `FUTEX`; two buckets are taken in the order of their index. Then `FUTEX_PI` (see [`pi`]).

mod bucket;
mod pi;
mod robust;
mod wait;
mod wait_any;
mod wake;

pub use pi::{
    CompareRequeue, WhenTaken, leave_locks, lock, priority_changed, requeue as requeue_to_lock,
    unlock, wait_requeue,
};
pub use robust::{RobustList, clear_child_tid, exit_robust_list};
pub use wait::{Deadline, wait, wait_absolute};
pub use wait_any::{Awaited, WAIT_ANY_MAX, wait_any};
pub use wake::{Requeue, requeue, wake, wake_exactly, wake_op};

use crate::{
    mm::{USER_END, UserAddr, user},
    process::Task,
    sched,
};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// Which waiters a wake-up reaches (`FUTEX_WAIT_BITSET`); never empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bitset(u32);

impl Bitset {
    /// All.
    pub const ANY: Bitset = Bitset(u32::MAX);

    /// From what user space gave; `EINVAL` when empty.
    pub fn new(bits: u32) -> Result<Bitset> {
        if bits == 0 { Err(Errno::EINVAL) } else { Ok(Bitset(bits)) }
    }

    fn meets(self, other: Bitset) -> bool {
        self.0 & other.0 != 0
    }
}

/// Who may wait on a word: `FUTEX_PRIVATE_FLAG`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// Threads of one address space.
    Private,
    /// Everybody who has mapped the memory.
    Shared,
}

/// A word in user memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word {
    /// Where it is.
    pub addr: UserAddr,
    /// Who may wait on it.
    pub sharing: Sharing,
}

/// The owner's thread id in a lock's word.
const TID_MASK: u32 = 0x3fff_ffff;
/// The owner died holding the lock.
const OWNER_DIED: u32 = 0x4000_0000;
/// Somebody waits.
const WAITERS: u32 = 0x8000_0000;

/// What identifies a futex: the address space and address, or the memory object and offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    Private { space: usize, address: usize },
    Shared { object: u64, offset: u64 },
}

impl Key {
    /// The key of the word at `addr` for the current task. `EINVAL` when misaligned, `EFAULT` when not in user memory.
    fn of(addr: UserAddr, sharing: Sharing) -> Result<Key> {
        if !addr.0.is_multiple_of(size_of::<u32>()) {
            return Err(Errno::EINVAL);
        }
        if addr.0 >= USER_END {
            return Err(Errno::EFAULT);
        }
        let task = sched::current();
        let space = task.mm.borrow();
        match sharing {
            // The waiter's own use of the address space keeps the number from being given again.
            Sharing::Private => {
                Ok(Key::Private { space: Arc::as_ptr(&space).addr(), address: addr.0 })
            }
            Sharing::Shared => {
                let (object, offset) = space.futex_key(addr)?;
                Ok(Key::Shared { object, offset })
            }
        }
    }

    fn hash(&self) -> u64 {
        let (a, b) = match *self {
            Key::Private { space, address } => (space as u64, address as u64),
            Key::Shared { object, offset } => (!object, offset),
        };
        // Fibonacci hashing: the high bits of the product depend on all bits.
        let mixed = (a ^ b.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Brings the page of `addr` in for reading; `EFAULT` when there is none.
fn fault_in(addr: UserAddr) -> Result<()> {
    user::read::<u32>(addr).map(|_| ())
}

/// Brings it in for writing, leaving the word as it is.
fn fault_in_writable(addr: UserAddr) -> Result<()> {
    let value = user::read::<u32>(addr)?;
    user::cmpxchg_u32(addr, value, value).map(|_| ())
}
