//! Locks, RCU, per-CPU data and wait queues.
//!
//! Every lock is made with its [`class`], which gives it a name for the statistics and a place in the
//! documented order (docs/locking.md); a debug build checks the order at run time.

pub mod class;
mod collections;
pub mod current;
pub mod lock_order;
pub mod lock_stat;
mod mutex;
mod per_cpu;
pub mod poll;
pub mod rcu;
mod rcu_domain;
pub mod rcu_torture;
mod rwlock;
mod seqlock;
mod spin_lock;
mod task_cell;
mod wait_queue;
mod waiters;

pub use class::LockClass;
pub use collections::KernelRcu;
pub use mutex::{Mutex, MutexGuard};
pub(crate) use per_cpu::per_cpu;
pub use per_cpu::{PerCpu, PreemptGuard, padded};
pub use poll::{PollEvents, PollTable};
pub use rcu_domain::RcuDomain;
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use seqlock::SeqLock;
pub use spin::{Lazy, Once};
pub use spin_lock::{IrqSpinLock, IrqSpinLockGuard, SpinLock, SpinLockGuard};
pub use task_cell::{TaskCell, TaskRef};
pub use wait_queue::{WaitQueue, Woken};

// The run queues' view of a task; here, because it is a promise that only code with `unsafe` can make.
// SAFETY: always the same field, which nothing but the lists uses.
unsafe impl lists::Linked for crate::process::Task {
    fn links(&self) -> &lists::Links<Self> {
        self.sched.links()
    }
}
