//! The hash table of waiters.

use super::{Bitset, Key, pi::Ticket};
use crate::{
    arch::cpu,
    mm,
    process::Task,
    sched::{self, WakeEvent},
    sync::{Lazy, SpinLock, SpinLockGuard, class},
};
use abi::{Errno, Result};
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering};
use smallvec::SmallVec;

/// Buckets for each CPU, at the least; and pages of memory for each: a machine that has the memory for many threads has buckets for them.
const BUCKETS_PER_CPU: usize = 256;
const PAGES_PER_BUCKET: usize = 64;
/// The most buckets: 2 MiB of them.
const MOST_BUCKETS: usize = 1 << 15;

/// `place` of a waiter that was woken.
const WOKEN: usize = usize::MAX;

/// A task that waits. Its entry is in exactly one bucket's queue, or it was woken.
pub(super) struct Waiter {
    task: Arc<Task>,
    /// The bucket, or [`WOKEN`]; changed with the bucket (on requeue, both) locked.
    place: AtomicUsize,
    /// The lock that it wants to be moved to (`FUTEX_WAIT_REQUEUE_PI`): then it is not woken.
    wants: Option<(Key, Arc<Ticket>)>,
}

/// Its entry in a queue.
struct Entry {
    key: Key,
    bitset: Bitset,
    /// The task's real-time priority when it began to wait; 0: it has none.
    priority: u8,
    waiter: Arc<Waiter>,
}

/// Waiters whose keys share a hash, the most urgent first, equals as they came.
pub(super) struct Bucket {
    entries: VecDeque<Entry>,
}

/// A place in the table. Neighbours are on cache lines of their own: their users have nothing to do with each other.
#[repr(align(64))]
struct Slot {
    bucket: SpinLock<Bucket>,
    /// How many contended locks with priority inheritance have keys that belong here.
    inheriting: AtomicUsize,
}

/// The table. Its size is a power of two.
static TABLE: Lazy<Vec<Slot>> = Lazy::new(|| {
    let by_memory = (mm::total_pages() / PAGES_PER_BUCKET).min(MOST_BUCKETS);
    let count = (BUCKETS_PER_CPU * cpu::online_count()).max(by_memory).next_power_of_two();
    let empty = || Slot {
        bucket: SpinLock::new(&class::FUTEX, Bucket { entries: VecDeque::new() }),
        inheriting: AtomicUsize::new(0),
    };
    (0..count).map(|_| empty()).collect()
});

/// Tasks to wake once the bucket is unlocked.
pub(super) type WakeList = SmallVec<[Arc<Waiter>; 8]>;

/// The bucket of `key`.
pub(super) fn index_of(key: &Key) -> usize {
    // The table's size is a power of two; the hash is best in its high bits.
    (key.hash() >> 32) as usize & (TABLE.len() - 1)
}

/// Locks it.
pub(super) fn lock(index: usize) -> SpinLockGuard<'static, Bucket> {
    TABLE[index].bucket.lock()
}

/// Counts a contended lock that inherits priorities, with its bucket locked, or its table (see `pi`).
pub(super) fn count_inheriting(key: &Key, change: isize) {
    TABLE[index_of(key)].inheriting.fetch_add(change.cast_unsigned(), Ordering::Relaxed);
}

/// Whether there may be one at `key`. Its bucket is locked.
pub(super) fn has_inheriting(key: &Key) -> bool {
    TABLE[index_of(key)].inheriting.load(Ordering::Relaxed) != 0
}

/// Two buckets, locked; one guard when they are the same.
pub(super) struct Pair {
    first: SpinLockGuard<'static, Bucket>,
    second: Option<SpinLockGuard<'static, Bucket>>,
    /// Whether `first` is the one asked for first.
    in_order: bool,
}

impl Pair {
    /// Locks the buckets with indices `a` and `b`, the lower first.
    pub fn lock(a: usize, b: usize) -> Pair {
        let first = lock(a.min(b));
        let second = (a != b).then(|| lock(a.max(b)));
        Pair { first, second, in_order: a <= b }
    }

    /// The bucket asked for first.
    pub fn first(&mut self) -> &mut Bucket {
        match &mut self.second {
            Some(second) if !self.in_order => second,
            _ => &mut self.first,
        }
    }

    /// The other (or the same).
    pub fn second(&mut self) -> &mut Bucket {
        match &mut self.second {
            Some(second) if self.in_order => second,
            _ => &mut self.first,
        }
    }
}

impl Bucket {
    /// Queues a waiter here; `index` is this bucket's.
    pub fn enqueue(&mut self, index: usize, key: Key, bitset: Bitset, waiter: &Arc<Waiter>) {
        waiter.place.store(index, Ordering::Relaxed);
        let priority = waiter.task.sched.real_time_priority();
        self.insert(Entry { key, bitset, priority, waiter: Arc::clone(waiter) });
    }

    fn insert(&mut self, entry: Entry) {
        if entry.priority == 0 {
            self.entries.push_back(entry);
        } else {
            let place = self.entries.partition_point(|other| other.priority >= entry.priority);
            self.entries.insert(place, entry);
        }
    }

    /// Whether anybody waits on `key`.
    pub fn has_waiter(&self, key: &Key) -> bool {
        self.waiting(key).next().is_some()
    }

    /// Those who wait on `key`, in order.
    pub fn waiting(&self, key: &Key) -> impl Iterator<Item = &Waiter> {
        self.entries.iter().filter(move |entry| entry.key == *key).map(|entry| &*entry.waiter)
    }

    /// Takes out the waiter on `key` with this ticket, which goes to the lock that it wants.
    pub fn detach(&mut self, key: &Key, ticket: &Arc<Ticket>) {
        let found = self.entries.iter().position(|entry| {
            let wants = entry.waiter.wants.as_ref();
            entry.key == *key && wants.is_some_and(|(_, its)| Arc::ptr_eq(its, ticket))
        });
        if let Some(entry) = found.and_then(|i| self.entries.remove(i)) {
            entry.waiter.place.store(WOKEN, Ordering::Release);
        }
    }

    /// Takes up to `limit` waiters on `key` that `bitset` reaches, to be woken; how many. `EINVAL` after those who came before one that
    /// wants a lock.
    pub fn take(
        &mut self,
        key: &Key,
        bitset: Bitset,
        limit: usize,
        out: &mut WakeList,
    ) -> Result<usize> {
        let mut taken = 0;
        let mut i = 0;
        while taken < limit && i < self.entries.len() {
            let entry = &self.entries[i];
            if entry.key != *key {
                i += 1;
                continue;
            }
            if entry.waiter.wants.is_some() {
                return Err(Errno::EINVAL);
            }
            if !entry.bitset.meets(bitset) {
                i += 1;
                continue;
            }
            if let Some(entry) = self.entries.remove(i) {
                entry.waiter.place.store(WOKEN, Ordering::Release);
                out.push(entry.waiter);
                taken += 1;
            }
        }
        Ok(taken)
    }

    /// Takes up to `limit` waiters on `key` out, to be queued elsewhere; only those before one that wants a lock.
    fn extract(&mut self, key: &Key, limit: usize) -> Vec<Entry> {
        let mut out = Vec::new();
        let mut i = 0;
        while out.len() < limit && i < self.entries.len() {
            if self.entries[i].key != *key {
                i += 1;
            } else if self.entries[i].waiter.wants.is_some() {
                break;
            } else if let Some(entry) = self.entries.remove(i) {
                out.push(entry);
            }
        }
        out
    }
}

/// Moves up to `limit` waiters on `from` to wait on `to`, in the bucket with `index`; how many.
pub(super) fn move_waiters(
    pair: &mut Pair,
    from: &Key,
    to: Key,
    index: usize,
    limit: usize,
) -> usize {
    let moved = pair.first().extract(from, limit);
    let count = moved.len();
    let target = pair.second();
    for entry in moved {
        entry.waiter.place.store(index, Ordering::Release);
        target.insert(Entry { key: to, ..entry });
    }
    count
}

/// Wakes what was taken. No bucket is locked.
pub(super) fn wake_all(list: WakeList) {
    for waiter in list {
        sched::wake(&waiter.task, WakeEvent::Normal);
    }
}

impl Waiter {
    /// The current task's, not yet queued.
    pub fn new() -> Arc<Waiter> {
        let task = sched::current().to_arc();
        Arc::new(Waiter { task, place: AtomicUsize::new(WOKEN), wants: None })
    }

    /// The same, to be moved to the lock with `key`.
    pub fn for_lock(key: Key, ticket: &Arc<Ticket>) -> Arc<Waiter> {
        let task = sched::current().to_arc();
        let wants = Some((key, Arc::clone(ticket)));
        Arc::new(Waiter { task, place: AtomicUsize::new(WOKEN), wants })
    }

    /// Its ticket, if it wants to be moved to the lock with `key`.
    pub fn ticket_for(&self, key: &Key) -> Option<Arc<Ticket>> {
        self.wants
            .as_ref()
            .filter(|(wanted, _)| wanted == key)
            .map(|(_, ticket)| Arc::clone(ticket))
    }

    /// Whether it was woken.
    pub fn is_woken(&self) -> bool {
        self.place.load(Ordering::Acquire) == WOKEN
    }

    /// Leaves the queue; false when a waker came first, and the wake-up counts.
    pub fn leave(self: &Arc<Self>) -> bool {
        loop {
            let place = self.place.load(Ordering::Acquire);
            if place == WOKEN {
                return false;
            }
            let mut bucket = lock(place);
            // It may have been woken or requeued before we had the lock.
            if self.place.load(Ordering::Relaxed) != place {
                continue;
            }
            if let Some(i) =
                bucket.entries.iter().position(|entry| Arc::ptr_eq(&entry.waiter, self))
            {
                let entry = bucket.entries.remove(i);
                drop(bucket);
                drop(entry);
            }
            return true;
        }
    }
}
