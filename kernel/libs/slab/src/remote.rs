//! Objects that other CPUs freed: many push, the owner takes all at once.
//!
//! Why it is sound: objects are linked to a chain by their one owner. A push publishes a chain with a release compare-exchange of the head, having linked the chain's tail to the head
//! it replaces; taking swaps the head with null and acquires, so every link written before a push is seen. Nobody ever pops one
//! element, so the ABA problem cannot arise: a head that was taken and came back heads a list that is valid in itself, and
//! the pusher's link was written against exactly that pointer value.

use super::FreeObject;
use core::ptr;

#[cfg(not(loom))]
use core::sync::atomic::{AtomicPtr, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicPtr, Ordering};

/// Free objects of one class and owner, linked to one another, on their way to a list.
pub struct Chain {
    /// The object added last, from which the links go to the one added first.
    first: *mut FreeObject,
    last: *mut FreeObject,
}

impl Chain {
    /// A chain of no objects.
    #[inline]
    pub const fn new() -> Self {
        Self { first: ptr::null_mut(), last: ptr::null_mut() }
    }

    /// Whether it has no objects.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// Adds an object.
    ///
    /// # Safety
    /// `object` is free, nobody else refers to it, and it has room for a pointer, aligned.
    #[inline]
    pub unsafe fn add(&mut self, object: *mut u8) {
        let object = object.cast::<FreeObject>();
        // SAFETY: the object is ours, and large enough (caller).
        unsafe { (*object).next = self.first };
        self.first = object;
        if self.last.is_null() {
            self.last = object;
        }
    }
}

impl Default for Chain {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

/// A list of freed objects, pushed without a lock.
pub struct RemoteList {
    head: AtomicPtr<FreeObject>,
}

impl RemoteList {
    /// An empty list.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// An empty list.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Whether it is empty, at this moment.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Pushes all objects of a chain, which belongs to the list from then on.
    pub fn push(&self, chain: Chain) {
        if chain.is_empty() {
            return;
        }
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the chain's objects are ours until the exchange below succeeds (`Chain::add`).
            unsafe { (*chain.last).next = head };
            match self.head.compare_exchange_weak(
                head,
                chain.first,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes all objects; `sink` gets each, and owns it.
    pub fn take_all(&self, mut sink: impl FnMut(*mut u8)) {
        let mut object = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        while !object.is_null() {
            // SAFETY: the swap made the whole chain ours; its links were written before they were published.
            let next = unsafe { (*object).next };
            sink(object.cast());
            object = next;
        }
    }
}

impl Default for RemoteList {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::{sync::Arc, thread};

    fn object() -> *mut u8 {
        Box::into_raw(Box::new(FreeObject { next: ptr::null_mut() })).cast()
    }

    fn chain(length: usize) -> Chain {
        let mut chain = Chain::new();
        for _ in 0..length {
            // SAFETY: a fresh allocation.
            unsafe { chain.add(object()) };
        }
        chain
    }

    #[test]
    fn every_object_pushed_is_taken_exactly_once() {
        loom::model(|| {
            let list = Arc::new(RemoteList::new());
            let pushers: Vec<_> = (0..2)
                .map(|_| {
                    let list = list.clone();
                    thread::spawn(move || {
                        list.push(chain(2));
                        list.push(chain(1));
                    })
                })
                .collect();
            let mut taken = Vec::new();
            list.take_all(|object| taken.push(object.addr()));
            for pusher in pushers {
                pusher.join().unwrap();
            }
            list.take_all(|object| taken.push(object.addr()));
            taken.sort_unstable();
            taken.dedup();
            assert_eq!(taken.len(), 6);
            for object in taken {
                // SAFETY: it came from `object`, and was taken once.
                drop(unsafe {
                    Box::from_raw(ptr::with_exposed_provenance_mut::<FreeObject>(object))
                });
            }
        });
    }
}
