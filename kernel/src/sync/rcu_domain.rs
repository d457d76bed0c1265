//! The kernel's RCU as the lock-free tables in `kernel/libs` ask for it.

use super::rcu::{self, RcuGuard};
use alloc::boxed::Box;

/// Reclamation by the kernel's RCU.
pub struct RcuDomain;

// SAFETY: `rcu::call` runs its callback after a grace period, so after every `RcuGuard` that exists now is dropped.
unsafe impl pid_table::Domain for RcuDomain {
    type Guard = RcuGuard;

    fn defer<T: Send + 'static>(garbage: T) {
        rcu::call(Box::new(move || drop(garbage)));
    }
}
