//! The kernel's RCU as the collections of `kernel/libs/rcu-collections` ask for it.

use super::rcu::{self, RcuGuard};
use crate::arch::cpu;
use alloc::boxed::Box;

/// The kernel's [`rcu`], as a type parameter.
pub struct KernelRcu;

// SAFETY: `rcu::call` waits for every guard that exists, and a guard turns preemption off; the collections are not used in
// interrupts. A task's address tells it from all others alive; it is null only before the first task runs.
unsafe impl rcu_collections::Rcu for KernelRcu {
    type Guard = RcuGuard;
    fn read() -> RcuGuard {
        rcu::read()
    }
    fn defer(f: Box<dyn FnOnce() + Send>) {
        rcu::call(f);
    }
    #[inline]
    fn thread() -> usize {
        (cpu::current_task() as usize).max(1)
    }
}
