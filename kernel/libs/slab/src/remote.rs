//! Objects that other CPUs freed: many push, the owner takes all at once.
//!
//! Why it is sound: a push publishes a chain with a release compare-exchange of the head, having linked the chain's tail to the head
//! it replaces; taking swaps the head with null and acquires, so every link written before a push is seen. Nobody ever pops one
//! element, so the ABA problem cannot arise: a head that was taken and came back heads a list that is valid in itself, and
//! the pusher's link was written against exactly that pointer value.

use super::FreeObject;
use core::ptr;

#[cfg(not(loom))]
use core::sync::atomic::{AtomicPtr, Ordering};
#[cfg(loom)]
use loom::sync::atomic::{AtomicPtr, Ordering};

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

    /// Pushes one object.
    ///
    /// # Safety
    /// `object` is free, nobody else refers to it, and it has room for a pointer, aligned.
    pub unsafe fn push(&self, object: *mut u8) {
        let object = object.cast::<FreeObject>();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the object is ours until the exchange below succeeds (caller), and large enough.
            unsafe { (*object).next = head };
            match self.head.compare_exchange_weak(
                head,
                object,
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

    #[test]
    fn every_object_pushed_is_taken_exactly_once() {
        loom::model(|| {
            let list = Arc::new(RemoteList::new());
            let pushers: Vec<_> = (0..2)
                .map(|_| {
                    let list = list.clone();
                    thread::spawn(move || {
                        // SAFETY: a fresh allocation.
                        unsafe { list.push(object()) };
                        // SAFETY: a fresh allocation.
                        unsafe { list.push(object()) };
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
            assert_eq!(taken.len(), 4);
            for object in taken {
                // SAFETY: it came from `object`, and was taken once.
                drop(unsafe {
                    Box::from_raw(ptr::with_exposed_provenance_mut::<FreeObject>(object))
                });
            }
        });
    }
}
