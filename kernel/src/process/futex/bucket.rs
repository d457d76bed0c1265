//! The hash table of waiters.

use super::{Bitset, Key};
use crate::{
    arch::cpu,
    process::Task,
    sched::{self, WakeEvent},
    sync::{Lazy, SpinLock, SpinLockGuard, class},
};
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering};
use smallvec::SmallVec;

/// Buckets for each CPU.
const BUCKETS_PER_CPU: usize = 256;

/// `place` of a waiter that was woken.
const WOKEN: usize = usize::MAX;

/// A task that waits. Its entry is in exactly one bucket's queue, or it was woken.
pub(super) struct Waiter {
    task: Arc<Task>,
    /// The bucket, or [`WOKEN`]; changed with the bucket (on requeue, both) locked.
    place: AtomicUsize,
}

/// Its entry in a queue.
struct Entry {
    key: Key,
    bitset: Bitset,
    waiter: Arc<Waiter>,
}

/// Waiters whose keys share a hash, oldest first.
pub(super) struct Bucket {
    entries: VecDeque<Entry>,
}

/// The table. Its size is a power of two.
static TABLE: Lazy<Vec<SpinLock<Bucket>>> = Lazy::new(|| {
    let count = (BUCKETS_PER_CPU * cpu::online_count()).next_power_of_two();
    let empty = || SpinLock::new(&class::FUTEX, Bucket { entries: VecDeque::new() });
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
    TABLE[index].lock()
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
        self.entries.push_back(Entry { key, bitset, waiter: Arc::clone(waiter) });
    }

    /// Takes up to `limit` waiters on `key` that `bitset` reaches, to be woken; how many.
    pub fn take(&mut self, key: &Key, bitset: Bitset, limit: usize, out: &mut WakeList) -> usize {
        let mut taken = 0;
        let mut i = 0;
        while taken < limit && i < self.entries.len() {
            let entry = &self.entries[i];
            if entry.key != *key || !entry.bitset.meets(bitset) {
                i += 1;
                continue;
            }
            if let Some(entry) = self.entries.remove(i) {
                entry.waiter.place.store(WOKEN, Ordering::Release);
                out.push(entry.waiter);
                taken += 1;
            }
        }
        taken
    }

    /// Takes up to `limit` waiters on `key` out, to be queued elsewhere.
    fn extract(&mut self, key: &Key, limit: usize) -> Vec<Entry> {
        let mut out = Vec::new();
        let mut i = 0;
        while out.len() < limit && i < self.entries.len() {
            if self.entries[i].key != *key {
                i += 1;
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
        target.entries.push_back(Entry { key: to, ..entry });
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
        Arc::new(Waiter { task, place: AtomicUsize::new(WOKEN) })
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
