//! Polling: how poll, select, epoll and blocking reads learn that a file became ready.
//!
//! A file's `poll` reports its events now and, when given a table that wants it, registers the table's waiter
//! on the wait queues that will announce a change. Registration comes before the look at the state, so
//! no wake-up is lost.

use super::WaitQueue;
use crate::time::Instant;
use abi::Result;
use alloc::sync::Arc;

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

/// Collects registrations on wait queues for one waiter.
pub struct PollTable(());

/// Something that is told of wake-ups (an epoll item, an io_uring poll). Called with the queue's lock held and
/// interrupts off: it only marks and wakes.
pub trait PollCallback: Send + Sync {
    /// `events` is what the waker announced, or empty when it did not say.
    fn on_wake(&self, events: PollEvents);
}

impl PollTable {
    /// A table that registers nothing: a look only.
    pub fn look() -> PollTable {
        todo!()
    }
    /// A table whose registrations wake the current task.
    pub fn for_current() -> PollTable {
        todo!()
    }
    /// A table whose registrations call `callback`, until the table is dropped.
    pub fn for_callback(_callback: Arc<dyn PollCallback>) -> PollTable {
        todo!()
    }
    /// Registers on `queue`; keeps it alive. Does nothing for a look.
    pub fn register(&mut self, _queue: &Arc<WaitQueue>) {
        todo!()
    }
    /// After a round of polls found nothing: stop further registration (poll(2) registers once).
    pub fn stop_registering(&mut self) {
        todo!()
    }
    /// Sleeps until a registered queue wakes us or the deadline passes (`Ok(false)`); `ERESTARTSYS` style
    /// error on a signal.
    pub fn wait(&mut self, _deadline: Option<Instant>) -> Result<bool> {
        todo!()
    }
}
