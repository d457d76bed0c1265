//! Read-copy-update, by quiescent states: a reader turns preemption off and does nothing else.
//!
//! The algorithm is in `kernel/libs/rcu`, with its proof and its loom tests.

use super::PreemptGuard;
use alloc::{boxed::Box, sync::Arc};
use core::ops::Deref;

/// A read-side critical section.
pub struct RcuGuard(PreemptGuard);

/// Enters a read-side critical section. Do not sleep in it.
pub fn read() -> RcuGuard {
    todo!()
}

/// Runs `f` after a grace period, outside interrupts.
pub fn call(_f: Box<dyn FnOnce() + Send>) {
    todo!()
}

/// Waits for a grace period.
pub fn synchronize() {
    todo!()
}

/// Waits for every callback queued before.
pub fn barrier() {
    todo!()
}

/// An `Arc` that readers follow under RCU without touching its count, and that writers replace.
pub struct RcuArc<T>(core::marker::PhantomData<Arc<T>>);

impl<T: Send + Sync + 'static> RcuArc<T> {
    /// Starts with `value`.
    pub fn new(_value: Arc<T>) -> Self {
        todo!()
    }
    /// Borrows under RCU.
    pub fn get<'a>(&'a self, _guard: &'a RcuGuard) -> &'a T {
        todo!()
    }
    /// Takes a counted reference.
    pub fn load(&self) -> Arc<T> {
        todo!()
    }
    /// Replaces it; the old one is released after a grace period.
    pub fn store(&self, _value: Arc<T>) {
        todo!()
    }
}

impl Deref for RcuGuard {
    type Target = PreemptGuard;
    fn deref(&self) -> &PreemptGuard {
        &self.0
    }
}

/// This CPU is in no read-side section: at return to user mode (optional there, a plain store).
pub fn note_quiescent() {
    todo!()
}
