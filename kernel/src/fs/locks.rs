//! File locks: `flock(2)`, and the record locks of `fcntl(2)`, owned by a process (through its descriptor table) or by an open
//! file description.
//!
//! Locks: each inode's list and the list of waiters for the deadlock search, leaves; waiting happens outside of them.

use super::{FdTable, File};
use crate::{
    process::Pid,
    sched,
    sync::{SpinLock, WaitQueue, class},
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;

/// Whose a lock is. Identities are addresses of objects that outlive their locks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockOwner {
    /// A process, by its descriptor table.
    Process(usize),
    /// An open file description.
    Description(usize),
}

impl LockOwner {
    /// The tasks that share a descriptor table.
    pub fn process(table: &FdTable) -> LockOwner {
        LockOwner::Process(core::ptr::from_ref(table) as usize)
    }
    /// An open file description.
    pub fn description(file: &File) -> LockOwner {
        LockOwner::Description(core::ptr::from_ref(file) as usize)
    }
}

/// What a lock allows others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockKind {
    /// Other shared locks.
    Shared,
    /// Nothing.
    Exclusive,
}

/// A record lock: the bytes from `start` to `end`, both included.
#[derive(Clone, Copy, Debug)]
pub struct RecordLock {
    /// Whose.
    pub owner: LockOwner,
    /// Who took it, for `F_GETLK`; `-1` for a description's.
    pub pid: i32,
    /// First byte.
    pub start: u64,
    /// Last byte; `i64::MAX` is the end of the file wherever that is.
    pub end: u64,
    /// Shared or exclusive.
    pub kind: LockKind,
}

impl RecordLock {
    fn overlaps(&self, other: &RecordLock) -> bool {
        self.start <= other.end && other.start <= self.end
    }
    fn conflicts(&self, other: &RecordLock) -> bool {
        self.owner != other.owner
            && self.overlaps(other)
            && (self.kind == LockKind::Exclusive || other.kind == LockKind::Exclusive)
    }
}

/// Whether to wait for a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// `EAGAIN` when somebody else has it.
    No,
    /// Sleep until it can be had, or a signal.
    Yes,
}

struct Lists {
    records: Vec<RecordLock>,
    whole: Vec<(LockOwner, i32, LockKind)>,
}

/// The locks of an inode.
pub struct FileLocks {
    lists: SpinLock<Lists>,
    changed: WaitQueue,
}

/// Who waits for whom, among owners of record locks.
static WAITS: SpinLock<Vec<(LockOwner, LockOwner)>> = SpinLock::new(&class::TABLE, Vec::new());

/// An entry of [`WAITS`]; taken out when dropped.
struct WaitEdge(LockOwner);

impl WaitEdge {
    /// `EDEADLK` if `blocker` waits, directly or not, for `waiter`.
    fn set(waiter: LockOwner, blocker: LockOwner) -> Result<()> {
        let mut waits = WAITS.lock();
        waits.retain(|(from, _)| *from != waiter);
        let mut at = blocker;
        // Each step goes to another waiter; a circle that does not hold us ends after one round.
        for _ in 0..=waits.len() {
            if at == waiter {
                return Err(Errno::EDEADLK);
            }
            match waits.iter().find(|(from, _)| *from == at) {
                Some((_, to)) => at = *to,
                None => break,
            }
        }
        waits.push((waiter, blocker));
        Ok(())
    }
}

impl Drop for WaitEdge {
    fn drop(&mut self) {
        WAITS.lock().retain(|(from, _)| *from != self.0);
    }
}

impl FileLocks {
    /// No locks.
    pub fn new() -> FileLocks {
        let lists = Lists { records: Vec::new(), whole: Vec::new() };
        FileLocks { lists: SpinLock::new(&class::TABLE, lists), changed: WaitQueue::new() }
    }

    /// The first lock in the way of `wanted` (`F_GETLK`).
    pub fn find_conflict(&self, wanted: &RecordLock) -> Option<RecordLock> {
        self.lists.lock().records.iter().find(|lock| lock.conflicts(wanted)).copied()
    }

    /// Takes a record lock, replacing the owner's own in the range (`F_SETLK`, `F_SETLKW`).
    pub fn lock_record(&self, wanted: RecordLock, waiting: Waiting) -> Result<()> {
        let attempt = || {
            let mut lists = self.lists.lock();
            match lists.records.iter().find(|lock| lock.conflicts(&wanted)) {
                Some(blocker) => Err(blocker.owner),
                None => {
                    replace_range(&mut lists.records, &wanted, true);
                    Ok(())
                }
            }
        };
        if attempt().is_ok() {
            // A downgrade may let others in.
            self.changed.wake_all();
            return Ok(());
        }
        if waiting == Waiting::No {
            return Err(Errno::EAGAIN);
        }
        let _edge = WaitEdge(wanted.owner);
        self.changed.wait_interruptible(|| match attempt() {
            Ok(()) => Some(Ok(())),
            Err(blocker) => match wanted.owner {
                // As Linux: descriptions do not take part in the search.
                LockOwner::Description(_) => None,
                LockOwner::Process(_) => WaitEdge::set(wanted.owner, blocker).err().map(Err),
            },
        })?
    }

    /// Gives the owner's locks in a range back.
    pub fn unlock_record(&self, range: RecordLock) {
        replace_range(&mut self.lists.lock().records, &range, false);
        self.changed.wake_all();
    }

    /// `flock(2)`: a lock on the whole file, in place of the description's present one.
    pub fn lock_whole(&self, owner: LockOwner, kind: LockKind, waiting: Waiting) -> Result<()> {
        let pid = current_pid();
        let had = {
            let mut lists = self.lists.lock();
            if lists.whole.iter().any(|&(who, _, have)| who == owner && have == kind) {
                return Ok(());
            }
            // A conversion is not atomic: the old lock goes first.
            let before = lists.whole.len();
            lists.whole.retain(|(who, ..)| *who != owner);
            before != lists.whole.len()
        };
        if had {
            self.changed.wake_all();
        }
        let attempt = || {
            let mut lists = self.lists.lock();
            let blocked = lists.whole.iter().any(|&(who, _, have)| {
                who != owner && (have == LockKind::Exclusive || kind == LockKind::Exclusive)
            });
            if blocked {
                return None;
            }
            lists.whole.push((owner, pid, kind));
            Some(())
        };
        if attempt().is_some() {
            return Ok(());
        }
        match waiting {
            Waiting::No => Err(Errno::EAGAIN),
            Waiting::Yes => self.changed.wait_interruptible(attempt),
        }
    }

    /// Gives a description's whole-file lock back.
    pub fn unlock_whole(&self, owner: LockOwner) {
        self.lists.lock().whole.retain(|(who, ..)| *who != owner);
        self.changed.wake_all();
    }

    /// Gives everything of `owner` back.
    fn release(&self, owner: LockOwner) {
        {
            let mut lists = self.lists.lock();
            let before = lists.records.len() + lists.whole.len();
            lists.records.retain(|lock| lock.owner != owner);
            lists.whole.retain(|(who, ..)| *who != owner);
            if before == lists.records.len() + lists.whole.len() {
                return;
            }
        }
        self.changed.wake_all();
    }
}

/// Takes the owner's locks out of `range`, splitting those that reach beyond it; then, if `insert`, puts `range` in, joined with
/// its neighbours of the same kind.
fn replace_range(records: &mut Vec<RecordLock>, range: &RecordLock, insert: bool) {
    let mut kept = Vec::with_capacity(records.len() + 2);
    let mut new = *range;
    for lock in records.drain(..) {
        let touches =
            lock.start <= new.end.saturating_add(1) && new.start <= lock.end.saturating_add(1);
        if lock.owner == range.owner && insert && lock.kind == range.kind && touches {
            new.start = new.start.min(lock.start);
            new.end = new.end.max(lock.end);
            continue;
        }
        if lock.owner != range.owner || !lock.overlaps(range) {
            kept.push(lock);
            continue;
        }
        if lock.start < range.start {
            kept.push(RecordLock { end: range.start - 1, ..lock });
        }
        if lock.end > range.end {
            kept.push(RecordLock { start: range.end + 1, ..lock });
        }
    }
    if insert {
        kept.push(new);
    }
    kept.sort_by_key(|lock| lock.start);
    *records = kept;
}

/// The current process's id, as locks show it.
pub fn current_pid() -> i32 {
    let Pid(pid) = sched::current().process.pid;
    i32::try_from(pid).unwrap_or(i32::MAX)
}

/// The last reference to an open file description is gone.
pub fn release_file(file: &File) {
    if let Some(locks) = file.inode().file_locks_if_any() {
        locks.release(LockOwner::description(file));
    }
}

/// A process closed a descriptor of the file: all its record locks on the file are gone (`fcntl(2)`).
pub fn release_process(file: &Arc<File>, table: &FdTable) {
    if let Some(locks) = file.inode().file_locks_if_any() {
        locks.release(LockOwner::process(table));
    }
}

/// Notes that locks of this description may exist.
pub fn mark(file: &File) {
    file.locked.store(true, Ordering::Relaxed);
}
