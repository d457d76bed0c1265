//! A hash table with a fixed number of buckets. A look-up takes no lock and writes nothing; changes take the lock of one of
//! 64 stripes. The caller hashes, and compares values itself.

use crate::{
    Rcu,
    atomics::{AtomicPtr, AtomicUsize, Ordering},
    lock::WriteLock,
};
use alloc::{boxed::Box, vec::Vec};
use core::{array, marker::PhantomData, ptr};

#[cfg(not(loom))]
const STRIPES: usize = 64;
#[cfg(loom)]
const STRIPES: usize = 1;

struct Node<T> {
    hash: u64,
    value: T,
    next: AtomicPtr<Node<T>>,
}

/// The table. `T` is a small handle (an `Arc`).
pub struct RcuHash<T: Send + Sync + 'static, R: Rcu> {
    buckets: Box<[AtomicPtr<Node<T>>]>,
    locks: [WriteLock<R>; STRIPES],
    len: AtomicUsize,
    owns: PhantomData<T>,
}

/// An unlinked node on its way to the grace period.
struct Unlinked<T>(*mut Node<T>);

// SAFETY: the node is owned by whoever holds this, and its value may move between threads.
unsafe impl<T: Send> Send for Unlinked<T> {}

impl<T> Unlinked<T> {
    fn free(self) {
        // SAFETY: the node came from `Box::into_raw`, was unlinked once, and the grace period is over.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

impl<T: Send + Sync + 'static, R: Rcu> RcuHash<T, R> {
    /// A table of `1 << bits` buckets.
    pub fn new(bits: u32) -> Self {
        let buckets: Vec<_> =
            (0..1usize << bits).map(|_| AtomicPtr::new(ptr::null_mut())).collect();
        RcuHash {
            buckets: buckets.into_boxed_slice(),
            locks: array::from_fn(|_| WriteLock::new()),
            len: AtomicUsize::new(0),
            owns: PhantomData,
        }
    }

    /// How many values it holds (approximate while others change it).
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many buckets there are, for [`RcuHash::retain_bucket`].
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }

    fn index(&self, hash: u64) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    /// The first value with this hash that `matches` accepts. A value that moves between buckets meanwhile may be missed.
    pub fn get<'g>(
        &self,
        _guard: &'g R::Guard,
        hash: u64,
        mut matches: impl FnMut(&T) -> bool,
    ) -> Option<&'g T> {
        let mut at = self.buckets[self.index(hash)].load(Ordering::Acquire);
        // SAFETY: published nodes are initialised before the release store that links them, and freed only a grace period
        // after they were unlinked; the guard, which the result borrows, holds that off.
        while let Some(node) = unsafe { at.as_ref() } {
            if node.hash == hash && matches(&node.value) {
                return Some(&node.value);
            }
            at = node.next.load(Ordering::Acquire);
        }
        None
    }

    /// Shows the values of one bucket. One that is added or moves meanwhile may be missed.
    pub fn visit_bucket(&self, _guard: &R::Guard, index: usize, mut visit: impl FnMut(&T)) {
        let mut at = self.buckets[index & (self.buckets.len() - 1)].load(Ordering::Acquire);
        // SAFETY: as in `get`.
        while let Some(node) = unsafe { at.as_ref() } {
            visit(&node.value);
            at = node.next.load(Ordering::Acquire);
        }
    }

    /// Removes what `matches` accepts and adds `value`, in one step for other writers.
    pub fn replace(&self, hash: u64, mut matches: impl FnMut(&T) -> bool, value: T) {
        let index = self.index(hash);
        let node = Box::new(Node { hash, value, next: AtomicPtr::new(ptr::null_mut()) });
        let unlinked;
        {
            let _lock = self.locks[index % STRIPES].lock();
            unlinked = self.unlink(index, |node| node.hash == hash && matches(&node.value));
            self.link(index, node);
        }
        self.bury(unlinked);
    }

    /// The value that `matches` accepts, or `value` after adding it.
    pub fn get_or_insert(&self, hash: u64, matches: impl FnMut(&T) -> bool, value: T) -> T
    where
        T: Clone,
    {
        let index = self.index(hash);
        let node =
            Box::new(Node { hash, value: value.clone(), next: AtomicPtr::new(ptr::null_mut()) });
        let lock = self.locks[index % STRIPES].lock();
        if let Some(found) = self.get(&lock.read, hash, matches) {
            return found.clone();
        }
        self.link(index, node);
        value
    }

    /// Removes what `matches` accepts; how many there were. They are dropped after a grace period.
    pub fn remove(&self, hash: u64, mut matches: impl FnMut(&T) -> bool) -> usize {
        let index = self.index(hash);
        let unlinked = {
            let _lock = self.locks[index % STRIPES].lock();
            self.unlink(index, |node| node.hash == hash && matches(&node.value))
        };
        let count = unlinked.len();
        self.bury(unlinked);
        count
    }

    /// Removes from one bucket what `keep` rejects; how many there were.
    pub fn retain_bucket(&self, index: usize, mut keep: impl FnMut(&T) -> bool) -> usize {
        let index = index & (self.buckets.len() - 1);
        if self.buckets[index].load(Ordering::Relaxed).is_null() {
            return 0;
        }
        let unlinked = {
            let _lock = self.locks[index % STRIPES].lock();
            self.unlink(index, |node| !keep(&node.value))
        };
        let count = unlinked.len();
        self.bury(unlinked);
        count
    }

    fn link(&self, index: usize, node: Box<Node<T>>) {
        let head = &self.buckets[index];
        node.next.store(head.load(Ordering::Relaxed), Ordering::Relaxed);
        head.store(Box::into_raw(node), Ordering::Release);
        self.len.fetch_add(1, Ordering::Relaxed);
    }

    /// With the stripe's lock held.
    fn unlink(
        &self,
        index: usize,
        mut condemned: impl FnMut(&Node<T>) -> bool,
    ) -> Vec<Unlinked<T>> {
        let mut unlinked = Vec::new();
        let mut link = &self.buckets[index];
        loop {
            let at = link.load(Ordering::Relaxed);
            // SAFETY: linked nodes are alive, and the lock keeps other writers from unlinking them.
            let Some(node) = (unsafe { at.as_ref() }) else { break };
            if condemned(node) {
                // The node keeps its own `next`, so that readers on it go on.
                link.store(node.next.load(Ordering::Relaxed), Ordering::Release);
                unlinked.push(Unlinked(at));
            } else {
                link = &node.next;
            }
        }
        self.len.fetch_sub(unlinked.len(), Ordering::Relaxed);
        unlinked
    }

    fn bury(&self, unlinked: Vec<Unlinked<T>>) {
        if !unlinked.is_empty() {
            R::defer(Box::new(move || unlinked.into_iter().for_each(Unlinked::free)));
        }
    }
}

impl<T: Send + Sync + 'static, R: Rcu> Drop for RcuHash<T, R> {
    fn drop(&mut self) {
        for bucket in &self.buckets {
            let mut at = bucket.swap(ptr::null_mut(), Ordering::Relaxed);
            while !at.is_null() {
                // SAFETY: nobody else can reach the table any more, and each node is linked once.
                let node = unsafe { Box::from_raw(at) };
                at = node.next.load(Ordering::Relaxed);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::testing::TestRcu;
    use std::sync::Arc;

    #[test]
    fn finds_what_was_put_in_and_not_what_was_removed() {
        let table: RcuHash<Arc<u32>, TestRcu> = RcuHash::new(2);
        for n in 0..100 {
            table.replace(u64::from(n % 7), |v| **v == n, Arc::new(n));
        }
        assert_eq!(table.len(), 100);
        let guard = TestRcu::read();
        assert_eq!(table.get(&guard, 3, |v| **v == 10).map(|v| **v), Some(10));
        assert_eq!(table.remove(3, |v| **v == 10), 1);
        assert!(table.get(&guard, 3, |v| **v == 10).is_none());
        assert_eq!(*table.get_or_insert(3, |v| **v == 17, Arc::new(99)), 17);
    }

    #[test]
    fn every_value_is_in_one_bucket() {
        let table: RcuHash<Arc<u32>, TestRcu> = RcuHash::new(2);
        for n in 0..20 {
            table.replace(u64::from(n), |_| false, Arc::new(n));
        }
        let mut seen = Vec::new();
        for bucket in 0..table.buckets() {
            table.visit_bucket(&TestRcu::read(), bucket, |value| seen.push(**value));
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..20));
    }

    #[test]
    fn removed_values_live_until_readers_are_gone() {
        let table: RcuHash<Arc<u32>, TestRcu> = RcuHash::new(1);
        let value = Arc::new(1);
        table.replace(0, |_| false, value.clone());
        let guard = TestRcu::read();
        let seen = table.get(&guard, 0, |_| true).expect("present");
        table.remove(0, |_| true);
        assert_eq!(**seen, 1);
        drop(guard);
        // Other tests' guards may hold the grace period off for a while.
        let start = std::time::Instant::now();
        while Arc::strong_count(&value) > 1 {
            assert!(start.elapsed() < std::time::Duration::from_secs(60), "never dropped");
            drop(TestRcu::read());
            std::thread::yield_now();
        }
    }

    #[test]
    fn readers_and_writers_together() {
        let table: Arc<RcuHash<Arc<u64>, TestRcu>> = Arc::new(RcuHash::new(3));
        table.replace(5, |_| false, Arc::new(5));
        std::thread::scope(|scope| {
            for t in 0..3u64 {
                let table = &table;
                scope.spawn(move || {
                    for n in 0..2000u64 {
                        let key = 100 + t * 10 + n % 5;
                        table.replace(key, |v| **v == key, Arc::new(key));
                        table.remove(key, |v| **v == key);
                    }
                });
            }
            for _ in 0..2000 {
                let guard = TestRcu::read();
                assert_eq!(**table.get(&guard, 5, |v| **v == 5).expect("always there"), 5);
            }
        });
        assert_eq!(table.len(), 1);
    }
}
