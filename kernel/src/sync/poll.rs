//! Polling: how poll, select, epoll and blocking reads learn that a file became ready.
//!
//! A file's `poll` reports its events now and, when given a table that wants it, registers the table's waiter
//! on the wait queues that will announce a change. Registration comes before the look at the state, so
//! no wake-up is lost.

use super::{
    WaitQueue,
    wait_queue::interrupted,
    waiters::{Target, Waiter, WaiterKind},
};
use crate::{
    process::Task,
    sched::{self, TaskState},
    time::Instant,
};
use abi::{Errno, Result};
use alloc::{boxed::Box, sync::Arc};
use core::sync::atomic::{Ordering, fence};
use smallvec::SmallVec;

bitflags::bitflags! {
    /// Event bits of `poll(2)` and `epoll(7)`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct PollEvents: u32 {
        const IN = 0x1;
        const PRI = 0x2;
        const OUT = 0x4;
        const ERR = 0x8;
        const HUP = 0x10;
        const NVAL = 0x20;
        const RDNORM = 0x40;
        const RDBAND = 0x80;
        const WRNORM = 0x100;
        const WRBAND = 0x200;
        const MSG = 0x400;
        const RDHUP = 0x2000;
    }
}

/// Whom a table's registrations tell.
enum Listener {
    Nobody,
    Task(Arc<Task>),
    Callback(Arc<dyn PollCallback>),
}

/// One registration. The box keeps the waiter in place while the table moves.
struct Registration {
    queue: Arc<WaitQueue>,
    waiter: Box<Waiter>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.queue.dequeue(&self.waiter);
    }
}

/// Collects registrations on wait queues for one waiter. Dropping it ends them; afterwards no callback runs.
pub struct PollTable {
    listener: Listener,
    kind: WaiterKind,
    interest: PollEvents,
    registering: bool,
    registrations: SmallVec<[Registration; 2]>,
}

/// Something that is told of wake-ups (an epoll item, an io_uring poll). Called with the queue's lock held and
/// interrupts off: it only marks and wakes.
pub trait PollCallback: Send + Sync {
    /// `events` is what the waker announced, or empty when it did not say.
    fn on_wake(&self, events: PollEvents);
}

impl PollTable {
    fn new(listener: Listener) -> PollTable {
        PollTable {
            registering: !matches!(listener, Listener::Nobody),
            listener,
            kind: WaiterKind::Shared,
            interest: PollEvents::all(),
            registrations: SmallVec::new(),
        }
    }
    /// A table that registers nothing: a look only.
    pub fn look() -> PollTable {
        PollTable::new(Listener::Nobody)
    }
    /// A table whose registrations wake the current task.
    pub fn for_current() -> PollTable {
        PollTable::new(Listener::Task(sched::current().to_arc()))
    }
    /// A table whose registrations call `callback`, until the table is dropped.
    pub fn for_callback(callback: Arc<dyn PollCallback>) -> PollTable {
        PollTable::new(Listener::Callback(callback))
    }
    /// Later registrations are told only of these events (and of errors and hang-ups, and of wake-ups that name none).
    pub fn set_interest(&mut self, events: PollEvents) {
        self.interest = events | PollEvents::ERR | PollEvents::HUP;
    }
    /// Later registrations share wake-ups: [`WaitQueue::wake_one`] tells one of them (`EPOLLEXCLUSIVE`, a blocking read).
    pub fn set_exclusive(&mut self) {
        self.kind = WaiterKind::Exclusive;
    }
    /// Registers on `queue`; keeps it alive. Does nothing for a look.
    pub fn register(&mut self, queue: &Arc<WaitQueue>) {
        if !self.registering {
            return;
        }
        let target = match &self.listener {
            Listener::Nobody => return,
            Listener::Task(task) => Target::Poller(task.clone()),
            Listener::Callback(callback) => Target::Callback(callback.clone()),
        };
        let waiter = Box::new(Waiter::new(target, self.kind, self.interest));
        queue.enqueue(&waiter);
        // Pairs with the barrier between a waker's change of state and its look for waiters.
        fence(Ordering::SeqCst);
        self.registrations.push(Registration { queue: queue.clone(), waiter });
    }
    /// Whether [`PollTable::register`] does anything.
    #[inline]
    pub fn is_registering(&self) -> bool {
        self.registering
    }
    /// After a round of polls found nothing: stop further registration (poll(2) registers once).
    pub fn stop_registering(&mut self) {
        self.registering = false;
    }
    /// Sleeps until a registered queue wakes us or the deadline passes (`Ok(false)`); `ERESTARTSYS` style
    /// error on a signal. A wake-up since the last call counts.
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<bool> {
        sched::set_state(TaskState::Interruptible);
        let outcome = if self.fired() {
            Ok(true)
        } else if interrupted(TaskState::Interruptible) {
            Err(Errno::ERESTARTSYS)
        } else {
            Ok(sched::schedule_until(deadline) || self.fired())
        };
        sched::set_state(TaskState::Running);
        // Cleared before the caller looks at the files again: what changes from now on fires anew.
        for registration in &self.registrations {
            registration.waiter.clear();
        }
        fence(Ordering::SeqCst);
        outcome
    }

    fn fired(&self) -> bool {
        self.registrations.iter().any(|registration| registration.waiter.fired())
    }
}
