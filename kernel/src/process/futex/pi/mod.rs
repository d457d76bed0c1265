//! Locks with priority inheritance (`FUTEX_LOCK_PI` and its family): who owns a contended lock, who waits for it, and how urgent
//! the owner is for their sake.
//!
//! | file | what it holds |
//! |---|---|
//! | this | the table of contended locks, chains of owners, priorities along them |
//! | [`lock`] | `FUTEX_LOCK_PI`, `FUTEX_TRYLOCK_PI`, `FUTEX_UNLOCK_PI` |
//! | [`requeue`] | `FUTEX_WAIT_REQUEUE_PI`, `FUTEX_CMP_REQUEUE_PI` |
//! | [`exit`] | what becomes of the locks of a thread that ends |
//!
//! A lock is in the table from the first call that finds it taken until nobody waits for it any more; a lock that nobody waits for is
//! the user word alone, and costs no call. In the table it always has an owner.
//!
//! One lock, `FUTEX_PI`, guards the table: chains lead from any lock to any other, and are walked as a whole, so that deadlocks are found and
//! priorities are right at every moment. It is taken only where a thread goes to sleep or is woken, below the bucket of the word. A ticket
//! that is granted was made its lock's owner under `FUTEX_PI`; its holder sees that without the lock.

mod exit;
mod lock;
mod requeue;

pub use exit::leave_locks;
pub use lock::{WhenTaken, lock, unlock};
pub use requeue::{CompareRequeue, requeue, wait_requeue};

use super::{
    Deadline, Key, OWNER_DIED, TID_MASK, WAITERS,
    bucket::{self, Bucket},
    fault_in_writable,
    wait::sleep_until,
};
use crate::{
    mm::{UserAddr, user},
    process::{Pid, Task, pid, task::TaskFlags},
    sched::{self, WakeEvent},
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU8, Ordering, fence};

/// One thread's wait for one lock.
pub(super) struct Ticket {
    task: Arc<Task>,
    /// A [`Grant`]; written under `FUTEX_PI`.
    grant: AtomicU8,
}

/// How far a wait has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Grant {
    /// It goes on.
    None = 0,
    /// The lock is the thread's, and the word says so.
    Given = 1,
    /// The lock is the thread's; its owner died, and the thread has to write the word.
    Inherited = 2,
}

impl Ticket {
    fn new(task: &Arc<Task>) -> Arc<Ticket> {
        Arc::new(Ticket { task: Arc::clone(task), grant: AtomicU8::new(Grant::None as u8) })
    }

    fn grant(&self) -> Grant {
        match self.grant.load(Ordering::Acquire) {
            1 => Grant::Given,
            2 => Grant::Inherited,
            _ => Grant::None,
        }
    }

    /// Makes the lock the thread's and wakes it; the table is locked, and says so already.
    fn give(&self, how: Grant) {
        self.grant.store(how as u8, Ordering::Release);
        sched::wake(&self.task, WakeEvent::Normal);
    }
}

/// A waiter in its lock's queue.
struct Queued {
    ticket: Arc<Ticket>,
    /// Its real-time priority when it was put here; 0: it has none.
    priority: u8,
}

/// A contended lock.
struct Lock {
    owner: Arc<Task>,
    /// The most urgent first, equals as they came.
    waiters: Vec<Queued>,
    /// Whether the owner inherited it and has not yet written the word.
    unwritten: bool,
}

impl Lock {
    fn insert(&mut self, ticket: Arc<Ticket>) {
        let priority = ticket.task.sched.urgency();
        let place = self.waiters.partition_point(|other| other.priority >= priority);
        self.waiters.insert(place, Queued { ticket, priority });
    }

    fn remove(&mut self, task: &Arc<Task>) -> Option<Arc<Ticket>> {
        let place = self.waiters.iter().position(|one| Arc::ptr_eq(&one.ticket.task, task))?;
        Some(self.waiters.remove(place).ticket)
    }
}

/// The contended locks, and how tasks hang on them. Tasks are told by their addresses: they are alive, as locks and tickets
/// keep them.
struct Chains {
    locks: BTreeMap<Key, Lock>,
    /// What a task owns.
    owned: BTreeMap<usize, Vec<Key>>,
    /// What a task waits for.
    awaited: BTreeMap<usize, Key>,
}

static CHAINS: SpinLock<Chains> = SpinLock::new(
    &class::FUTEX_PI,
    Chains { locks: BTreeMap::new(), owned: BTreeMap::new(), awaited: BTreeMap::new() },
);

fn address(task: &Arc<Task>) -> usize {
    Arc::as_ptr(task).addr()
}

/// Why an attempt came to nothing.
enum Stop {
    /// The word cannot be reached with preemption off: bring it in, then again.
    Fault,
    /// The word changed meanwhile: again.
    Again,
    /// An error for the caller.
    Error(Errno),
}

/// How an attempt to take a lock ended.
#[derive(PartialEq, Eq)]
enum Attempt {
    /// The word says that the task owns it.
    Taken,
    /// It is somebody else's, and in the table.
    Contended,
}

/// Whether a lock that is free is taken with the mark that somebody waits, and goes into the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Announce {
    No,
    Waiters,
}

/// Replaces the word, which must still hold `old`.
fn replace(word: UserAddr, old: u32, new: u32) -> Result<(), Stop> {
    match user::cmpxchg_u32(word, old, new) {
        Ok(seen) if seen == old => Ok(()),
        Ok(_) => Err(Stop::Again),
        Err(_) => Err(Stop::Fault),
    }
}

impl Chains {
    /// Takes the lock for `task` if the word says that it is free, else sees to it that it is in the table and that its owner will come by
    /// to hand it on. (`futex_lock_pi_atomic` on Linux)
    fn attempt(
        &mut self,
        bucket: &Bucket,
        word: UserAddr,
        key: Key,
        task: &Arc<Task>,
        announce: Announce,
    ) -> Result<Attempt, Stop> {
        let value = user::read::<u32>(word).map_err(|_| Stop::Fault)?;
        let owner = value & TID_MASK;
        if owner == task.tid().0 {
            return Err(Stop::Error(Errno::EDEADLK));
        }
        if let Some(lock) = self.locks.get(&key) {
            let heir_has_not_written = value & OWNER_DIED != 0 && owner == 0;
            // Else the program has changed the word behind the waiters' back.
            return match heir_has_not_written || owner == lock.owner.tid().0 {
                true => Ok(Attempt::Contended),
                false => Err(Stop::Error(Errno::EINVAL)),
            };
        }
        if bucket.has_waiter(&key) {
            return Err(Stop::Error(Errno::EINVAL));
        }
        if owner == 0 {
            let waiters = if announce == Announce::Waiters { WAITERS } else { 0 };
            replace(word, value, value & OWNER_DIED | waiters | task.tid().0)?;
            if announce == Announce::Waiters {
                self.add(key, Arc::clone(task));
            }
            return Ok(Attempt::Taken);
        }
        let marked = value | WAITERS;
        if marked != value {
            replace(word, value, marked)?;
        }
        let found = pid::find_task(Pid(owner));
        if found.as_ref().is_some_and(|owner| owner.is_kernel()) {
            return Err(Stop::Error(Errno::EPERM));
        }
        let attached = found.is_some_and(|owner| self.add_for(key, owner));
        if attached {
            return Ok(Attempt::Contended);
        }
        // The owner is gone: it may have said so in the word just now.
        match user::read::<u32>(word) {
            Ok(now) if now == marked => Err(Stop::Error(Errno::ESRCH)),
            Ok(_) => Err(Stop::Again),
            Err(_) => Err(Stop::Fault),
        }
    }

    /// Puts a lock into the table unless its owner has left its locks already; whether it is there.
    fn add_for(&mut self, key: Key, owner: Arc<Task>) -> bool {
        // With `leave_locks`: either it sees the count, or we see the flag.
        self.add(key, Arc::clone(&owner));
        fence(Ordering::SeqCst);
        if owner.flags().contains(TaskFlags::LEFT_LOCKS) {
            self.forget(&key);
            return false;
        }
        true
    }

    fn add(&mut self, key: Key, owner: Arc<Task>) {
        self.own(&owner, key);
        self.locks.insert(key, Lock { owner, waiters: Vec::new(), unwritten: false });
        bucket::count_inheriting(&key, 1);
    }

    fn own(&mut self, owner: &Arc<Task>, key: Key) {
        owner.contended_locks.fetch_add(1, Ordering::SeqCst);
        self.owned.entry(address(owner)).or_default().push(key);
    }

    fn disown(&mut self, owner: &Arc<Task>, key: &Key) {
        owner.contended_locks.fetch_sub(1, Ordering::SeqCst);
        let mut empty = false;
        if let Some(keys) = self.owned.get_mut(&address(owner)) {
            keys.retain(|other| other != key);
            empty = keys.is_empty();
        }
        if empty {
            self.owned.remove(&address(owner));
        }
    }

    /// Takes a lock out of the table.
    fn forget(&mut self, key: &Key) {
        if let Some(lock) = self.locks.remove(key) {
            bucket::count_inheriting(key, -1);
            self.disown(&lock.owner, key);
            self.adjust(lock.owner);
        }
    }

    /// Takes it out if nothing is left to do for anybody.
    fn forget_if_idle(&mut self, key: &Key) {
        if self.locks.get(key).is_some_and(|lock| lock.waiters.is_empty() && !lock.unwritten) {
            self.forget(key);
        }
    }

    /// Queues a ticket on a lock in the table; `EDEADLK` when its owner waits, over however many locks, for the ticket's task.
    fn block(&mut self, key: Key, ticket: &Arc<Ticket>) -> Result<()> {
        let mut next = Some(key);
        while let Some(lock) = next.and_then(|key| self.locks.get(&key)) {
            if Arc::ptr_eq(&lock.owner, &ticket.task) {
                return Err(Errno::EDEADLK);
            }
            next = self.awaited.get(&address(&lock.owner)).copied();
        }
        let Some(lock) = self.locks.get_mut(&key) else { return Err(Errno::EINVAL) };
        lock.insert(Arc::clone(ticket));
        let owner = Arc::clone(&lock.owner);
        self.awaited.insert(address(&ticket.task), key);
        self.adjust(owner);
        Ok(())
    }

    /// Gives up waiting.
    fn unblock(&mut self, ticket: &Ticket) {
        let Some(key) = self.awaited.remove(&address(&ticket.task)) else { return };
        if let Some(lock) = self.locks.get_mut(&key) {
            let gone = lock.remove(&ticket.task);
            let owner = Arc::clone(&lock.owner);
            drop(gone);
            self.adjust(owner);
        }
        self.forget_if_idle(&key);
    }

    /// Makes the first waiter the owner; whether there was one.
    fn pass_on(&mut self, key: &Key, how: Grant) -> bool {
        let Some(lock) = self.locks.get_mut(key).filter(|lock| !lock.waiters.is_empty()) else {
            return false;
        };
        let heir = lock.waiters.remove(0).ticket;
        let old = core::mem::replace(&mut lock.owner, Arc::clone(&heir.task));
        lock.unwritten = how == Grant::Inherited;
        self.awaited.remove(&address(&heir.task));
        self.disown(&old, key);
        self.own(&heir.task, *key);
        // The heir may run, and even end, from here on: it must be known as the owner. And the old owner may be preempted as soon as
        // it is no longer urgent.
        heir.give(how);
        self.adjust(old);
        self.adjust(Arc::clone(&heir.task));
        self.forget_if_idle(key);
        true
    }

    /// Makes a task as urgent as the most urgent who waits for it, and then, if that changed and it waits itself, the owner of what it waits for.
    fn adjust(&mut self, task: Arc<Task>) {
        let mut task = task;
        // No chain is a circle: `block` refuses what would close one.
        loop {
            let keys = self.owned.get(&address(&task));
            let wanted = keys
                .into_iter()
                .flatten()
                .filter_map(|key| self.locks.get(key)?.waiters.first())
                .map(|first| first.priority)
                .max()
                .unwrap_or(0);
            if !sched::set_inherited_priority(&task, wanted) {
                return;
            }
            match self.requeue_waiter(&task) {
                Some(owner) => task = owner,
                None => return,
            }
        }
    }

    /// A task's priority has changed: its place among those it waits with follows. The owner of what it waits for.
    fn requeue_waiter(&mut self, task: &Arc<Task>) -> Option<Arc<Task>> {
        let key = self.awaited.get(&address(task))?;
        let lock = self.locks.get_mut(key)?;
        let ticket = lock.remove(task)?;
        lock.insert(ticket);
        Some(Arc::clone(&lock.owner))
    }
}

/// The scheduler's word that `task` was given another priority.
pub fn priority_changed(task: &Arc<Task>) {
    // With `Task::set_waits_for_lock`: either the waiter finds the new priority, or we find the waiter.
    fence(Ordering::SeqCst);
    if !task.waits_for_lock.load(Ordering::Relaxed) {
        return;
    }
    let mut chains = CHAINS.lock();
    if let Some(owner) = chains.requeue_waiter(task) {
        chains.adjust(owner);
    }
}

/// Whether the word is a lock that somebody waits for: only the calls of this family may wake them. Its bucket is locked.
pub(super) fn is_contended(key: &Key) -> bool {
    bucket::has_inheriting(key) && CHAINS.lock().locks.contains_key(key)
}

/// Sleeps until the ticket, which is queued, is granted: `ETIMEDOUT`, `EINTR`, and `EFAULT` for a word that is gone.
fn wait_for(ticket: &Ticket, word: UserAddr, key: &Key, deadline: Deadline) -> Result<()> {
    let outcome = sleep_until(deadline, || ticket.grant() != Grant::None);
    if outcome.is_err() {
        let mut chains = CHAINS.lock();
        // A grant that came in time or later counts, whatever else happened.
        if ticket.grant() == Grant::None {
            chains.unblock(ticket);
            return outcome;
        }
    }
    match ticket.grant() {
        Grant::Inherited => write_inherited(word, key),
        _ => Ok(()),
    }
}

/// The current thread inherited a lock: says so in the word.
fn write_inherited(word: UserAddr, key: &Key) -> Result<()> {
    let tid = sched::current().tid().0;
    loop {
        let mut chains = CHAINS.lock();
        let written = user::read::<u32>(word).map_err(|_| Stop::Fault).and_then(|value| {
            // The mark stays until the program has put its data in order.
            replace(word, value, OWNER_DIED | WAITERS | tid)
        });
        let outcome = match written {
            Ok(()) => Ok(()),
            Err(Stop::Fault) => {
                drop(chains);
                let outcome = fault_in_writable(word);
                if outcome.is_ok() {
                    continue;
                }
                chains = CHAINS.lock();
                outcome
            }
            Err(_) => continue,
        };
        if let Some(lock) = chains.locks.get_mut(key) {
            lock.unwritten = false;
        }
        chains.forget_if_idle(key);
        return outcome;
    }
}
