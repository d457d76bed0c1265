//! `SEM_UNDO`: what operations have done is taken back when the processes that did them are gone.
//!
//! A list belongs to a task, or to several (`CLONE_SYSVSEM`); it names the sets where it has adjustments. The adjustments lie in the
//! sets, under their locks, by the list's address. When its last task lets go of the list, they are applied.

use super::set::{SemaphoreSet, State};
use crate::{
    ipc::{now, waiter::WakeList},
    mm::try_alloc,
    process::Task,
    sched,
    sync::{SpinLock, TaskRef, class},
};
use abi::{Errno, Result};
use alloc::{
    sync::{Arc, Weak},
    vec::Vec,
};

/// Tells a list from all others alive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct UndoKey(usize);

/// Where the tasks that share it have adjustments. Only these tasks hold references, so that the last one's end is the list's.
pub struct UndoList {
    sets: SpinLock<Vec<Weak<SemaphoreSet>>>,
}

/// A list's key.
pub(super) fn key(list: &Arc<UndoList>) -> UndoKey {
    UndoKey(Arc::as_ptr(list).addr())
}

/// The list of the current task, made if there is none; `ENOMEM`.
pub(super) fn of_current(task: &Task) -> Result<TaskRef<'_, UndoList>> {
    if task.ipc.undo.try_borrow().is_none() {
        let list = try_alloc::arc(UndoList { sets: SpinLock::new(&class::TABLE, Vec::new()) })?;
        let none = task.ipc.undo.replace(Some(list));
        debug_assert!(none.is_none());
    }
    Ok(task.ipc.undo.borrow())
}

/// The list of the current task, for a task that is to share it (`CLONE_SYSVSEM`).
pub fn share(task: &Task) -> Result<Arc<UndoList>> {
    of_current(task).map(|list| Arc::clone(&list))
}

/// The task (the current one) lets go of its list: at its end, and by `unshare(2)`.
pub fn leave(task: &Task) {
    drop(task.ipc.undo.replace(None));
}

/// Gives the list adjustments in a set; `EIDRM` when that was removed.
pub(super) fn prepare(list: &Arc<UndoList>, set: &Arc<SemaphoreSet>) -> Result<()> {
    let mut adjustments: Vec<i16> = try_alloc::vec_with_capacity(set.count())?;
    adjustments.resize(set.count(), 0);
    {
        let mut sets = list.sets.lock();
        if sets.len() == sets.capacity() {
            sets.retain(|set| set.strong_count() > 0);
        }
        sets.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        sets.push(Arc::downgrade(set));
    }
    let mut state = set.state.lock();
    if state.removed {
        return Err(Errno::EIDRM);
    }
    // Another task that shares the list may have been faster.
    state.adjustments.entry(key(list)).or_insert(adjustments.into_boxed_slice());
    Ok(())
}

impl Drop for UndoList {
    fn drop(&mut self) {
        let key = UndoKey(core::ptr::from_ref(self).addr());
        for set in core::mem::take(self.sets.get_mut()) {
            let Some(set) = set.upgrade() else { continue };
            let mut wakes = WakeList::new();
            let mut state = set.state.lock();
            if let Some(adjustments) = state.adjustments.remove(&key) {
                state.take_back(&adjustments, &mut wakes);
            }
            drop(state);
            wakes.wake();
        }
    }
}

impl State {
    fn take_back(&mut self, adjustments: &[i16], wakes: &mut WakeList) {
        let pid = sched::current().process.pid;
        for (semaphore, &adjustment) in self.semaphores.iter_mut().zip(adjustments) {
            if adjustment != 0 {
                let value = semaphore.value + i32::from(adjustment);
                // Others may have changed it meanwhile: it goes as far as it can.
                semaphore.value = value.clamp(0, super::MAX_VALUE);
                semaphore.pid = pid.0;
            }
        }
        self.settle_all(wakes);
        self.operated = now();
    }
}
