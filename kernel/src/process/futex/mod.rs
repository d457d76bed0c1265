//! Futexes (`futex(2)`).

use super::Task;
use crate::mm::UserAddr;
use abi::Result;
use alloc::sync::Arc;

/// Wakes at most `count` waiters on the word at `addr` of the current address space; how many.
pub fn wake(_addr: UserAddr, _count: usize) -> Result<usize> {
    todo!()
}

/// Marks the robust futexes that `task`, the current one, still holds as ownerless, and wakes a waiter of each (`set_robust_list(2)`).
/// The list is empty afterwards.
pub fn exit_robust_list(_task: &Arc<Task>) {
    todo!()
}
