//! The mask of blocked signals (`rt_sigprocmask(2)`, `rt_sigpending(2)`).

use super::{SignalSet, state::recalculate};
use crate::{process::Task, sched};
use core::sync::atomic::Ordering;

/// How `rt_sigprocmask(2)` changes the mask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MaskChange {
    /// Adds to it.
    Block,
    /// Takes from it.
    Unblock,
    /// Replaces it.
    Set,
}

/// Changes the current task's mask; the old one.
pub fn change_mask(how: MaskChange, set: SignalSet) -> SignalSet {
    let task = sched::current();
    let old = task.signals.blocked();
    let new = match how {
        MaskChange::Block => old.union(set),
        MaskChange::Unblock => old.difference(set),
        MaskChange::Set => set,
    };
    set_blocked(&task, new);
    old
}

/// Replaces the current task's mask.
pub(super) fn set_blocked(task: &Task, set: SignalSet) {
    let new = set.difference(SignalSet::KERNEL_ONLY);
    let old = SignalSet(task.signals.blocked.swap(new.0, Ordering::SeqCst));
    if old == new {
        return;
    }
    let process = &task.process.signals;
    // A signal of the process that this thread was woken for and will now not take must find another thread.
    let newly = process.pending_set().intersection(new.difference(old));
    if !newly.is_empty() {
        let state = process.state.lock();
        process.retarget(&state, newly);
    }
    recalculate(task);
}

/// What is pending for the current task or its process and blocked (`sigpending(2)`).
pub fn pending_and_blocked() -> SignalSet {
    let task = sched::current();
    let pending = task.signals.pending_set().union(task.process.signals.pending_set());
    pending.intersection(task.signals.blocked())
}
