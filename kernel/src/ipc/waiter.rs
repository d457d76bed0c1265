//! A task that waits for what another task decides and hands over: a semaphore operation done on its behalf, a message.
//!
//! The waiter lies in a queue of the object. Whoever decides does so under the object's lock: it takes the waiter out of the queue and leaves
//! the outcome ([`Waiter::decide`]); the task is woken after the lock. A task that gives up (signal, time-out) takes the lock
//! and looks for an outcome first: what was decided counts, whatever else happened.

use crate::{
    process::{Task, signal},
    sched::{self, TaskState, WakeEvent},
    sync::{SpinLock, class},
    time::Instant,
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use smallvec::SmallVec;

/// The current task, waiting for a `T`.
pub struct Waiter<T> {
    task: Arc<Task>,
    decided: AtomicBool,
    outcome: SpinLock<Option<T>>,
}

/// Why a sleep ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// There is an outcome.
    Decided,
    /// A signal is pending.
    Signal,
    /// The deadline has passed.
    TimedOut,
}

impl<T> Waiter<T> {
    /// The current task's.
    pub fn new() -> Waiter<T> {
        Waiter {
            task: sched::current().to_arc(),
            decided: AtomicBool::new(false),
            outcome: SpinLock::new(&class::TABLE, None),
        }
    }

    /// Leaves the outcome. Once; the caller has taken the waiter out of its queue.
    pub fn decide(&self, outcome: T, wakes: &mut WakeList) {
        *self.outcome.lock() = Some(outcome);
        self.decided.store(true, Ordering::Release);
        wakes.0.push(Arc::clone(&self.task));
    }

    /// Takes the outcome, if there is one.
    fn take(&self) -> Option<T> {
        if !self.decided.load(Ordering::Acquire) {
            return None;
        }
        self.outcome.lock().take()
    }

    /// Takes the outcome. If there is none, gives the object's lock, which `lock` takes: while that is held none comes, and the waiter
    /// is in its queue still.
    pub fn outcome_or_lock<G>(&self, lock: impl FnOnce() -> G) -> Result<T, G> {
        if let Some(outcome) = self.take() {
            return Ok(outcome);
        }
        let held = lock();
        self.take().ok_or(held)
    }

    /// Has the task look at its deadline again.
    pub fn nudge(&self) {
        sched::wake(&self.task, WakeEvent::Normal);
    }

    /// Sleeps until there is an outcome, a signal, or the deadline, which is asked for before each sleep. No lock is held.
    pub fn sleep(&self, deadline: impl Fn() -> Option<Instant>) -> Ended {
        let ended = loop {
            sched::set_state(TaskState::Interruptible);
            if self.decided.load(Ordering::Acquire) {
                break Ended::Decided;
            }
            if signal::pending(&self.task) {
                break Ended::Signal;
            }
            if !sched::schedule_until(deadline()) {
                break Ended::TimedOut;
            }
        };
        sched::set_state(TaskState::Running);
        ended
    }
}

/// Tasks to wake once the object's lock is released.
#[must_use]
pub struct WakeList(SmallVec<[Arc<Task>; 4]>);

impl WakeList {
    /// Nobody yet.
    pub fn new() -> WakeList {
        WakeList(SmallVec::new())
    }

    /// Wakes them. No lock is held.
    pub fn wake(self) {
        for task in self.0 {
            sched::wake(&task, WakeEvent::Normal);
        }
    }
}
