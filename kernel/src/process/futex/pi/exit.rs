//! What becomes of the locks of a thread that ends: each goes to the most urgent who waits for it, who is told that the owner
//! died (`FUTEX_OWNER_DIED` in the word).
//!
//! The heir writes the word, as only it knows where the word is: the dead thread's memory may be another.

use super::{CHAINS, Grant, address};
use crate::process::{Task, task::TaskFlags};
use alloc::sync::Arc;
use core::sync::atomic::{Ordering, fence};

/// Passes on the contended locks that the current thread owns: it ends or becomes another program.
pub fn leave_locks(task: &Arc<Task>) {
    if task.is_exiting() {
        // From now on nobody makes it the owner of a lock (see `Chains::add_for`).
        task.set_flags(TaskFlags::LEFT_LOCKS);
        fence(Ordering::SeqCst);
    }
    if task.contended_locks.load(Ordering::SeqCst) == 0 {
        return;
    }
    let mut chains = CHAINS.lock();
    let keys = chains.owned.get(&address(task)).cloned().unwrap_or_default();
    for key in keys {
        if !chains.pass_on(&key, Grant::Inherited) {
            chains.forget(&key);
        }
    }
}
