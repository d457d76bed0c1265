//! Wait queues: the one mechanism by which a task waits for an event. poll, select, epoll and signals
//! share it (see [`super::poll`]).

use crate::time::Instant;
use abi::Result;

/// Tasks (and poll registrations) that wait for an event.
pub struct WaitQueue(());

/// How a wait with a deadline ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Woken<R> {
    /// The condition held.
    Ready(R),
    /// The deadline passed first.
    TimedOut,
}

impl WaitQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self(())
    }
    /// An empty queue that may be woken from another queue's wake-up (class `EPOLL_WAIT_QUEUE`).
    pub const fn nested() -> Self {
        Self(())
    }
    /// Sleeps until `condition` gives a value. Signals do not end it.
    pub fn wait<R>(&self, _condition: impl FnMut() -> Option<R>) -> R {
        todo!()
    }
    /// Sleeps until `condition` gives a value; `ERESTARTSYS` when a signal is pending first. The condition is
    /// tested before the signal.
    pub fn wait_interruptible<R>(&self, _condition: impl FnMut() -> Option<R>) -> Result<R> {
        todo!()
    }
    /// The same, only fatal signals end it.
    pub fn wait_killable<R>(&self, _condition: impl FnMut() -> Option<R>) -> Result<R> {
        todo!()
    }
    /// Interruptible with a deadline on the monotonic clock (`None`: for ever).
    pub fn wait_until<R>(
        &self,
        _deadline: Option<Instant>,
        _condition: impl FnMut() -> Option<R>,
    ) -> Result<Woken<R>> {
        todo!()
    }
    /// As [`WaitQueue::wait_interruptible`], but [`WaitQueue::wake_one`] wakes only one of the waiters that
    /// came this way (`EPOLLEXCLUSIVE`, accept, pipe readers).
    pub fn wait_exclusive<R>(&self, _condition: impl FnMut() -> Option<R>) -> Result<R> {
        todo!()
    }
    /// Wakes every non-exclusive waiter and poll registration, and one exclusive waiter. Callable with
    /// interrupts off. Returns how many were woken.
    pub fn wake_one(&self) -> usize {
        todo!()
    }
    /// Wakes all.
    pub fn wake_all(&self) -> usize {
        todo!()
    }
    /// Wakes those whose poll mask meets `events` (plain waiters always).
    pub fn wake_events(&self, _events: super::PollEvents) -> usize {
        todo!()
    }
    /// Whether nobody waits: lets a hot path skip the wake-up. Pairs with the barrier in the waits.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}
