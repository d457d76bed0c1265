//! The writers' lock: a spin lock whose holder is in a read-side section, so that it is not preempted.

use crate::{
    Rcu,
    atomics::{AtomicBool, Ordering, spin_loop},
};
use core::marker::PhantomData;

pub struct WriteLock<R>(AtomicBool, PhantomData<R>);

pub struct WriteGuard<'a, R: Rcu> {
    lock: &'a AtomicBool,
    /// Doubles as a read-side guard for the holder. Dropped after the lock is released: see `Drop`.
    pub read: R::Guard,
}

impl<R: Rcu> WriteLock<R> {
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false), PhantomData)
    }
    #[cfg(loom)]
    pub fn new() -> Self {
        Self(AtomicBool::new(false), PhantomData)
    }

    pub fn lock(&self) -> WriteGuard<'_, R> {
        let read = R::read();
        while self
            .0
            .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            while self.0.load(Ordering::Relaxed) {
                spin_loop();
            }
        }
        WriteGuard { lock: &self.0, read }
    }
}

impl<R: Rcu> Drop for WriteGuard<'_, R> {
    fn drop(&mut self) {
        self.lock.store(false, Ordering::Release);
    }
}
