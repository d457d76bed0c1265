//! One file that an epoll instance watches.

use super::{Interest, Modes, ReadyList};
use crate::{
    fs::File,
    sync::{Mutex, PollEvents, PollTable, SpinLock, class, poll::PollCallback},
};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What identifies an interest: the open file and the number it was added under. The item's weak reference keeps the
/// address from being used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    file: usize,
    pub(super) fd: i32,
}

impl Key {
    pub(super) fn new(file: &Arc<File>, fd: i32) -> Key {
        Key { file: Arc::as_ptr(file).addr(), fd }
    }
}

/// A watched file.
pub(super) struct Item {
    pub(super) key: Key,
    pub(super) file: Weak<File>,
    /// On the ready list.
    pub(super) listed: AtomicBool,
    interest: SpinLock<Interest>,
    /// The events of `interest`, for wake-ups: they come with another item's wait queue locked.
    wanted: AtomicU32,
    registration: Mutex<Option<PollTable>>,
    ready: Weak<ReadyList>,
    this: Weak<Item>,
}

impl Item {
    pub(super) fn new(
        file: &Arc<File>,
        fd: i32,
        interest: Interest,
        ready: &Arc<ReadyList>,
    ) -> Arc<Item> {
        Arc::new_cyclic(|this| Item {
            key: Key::new(file, fd),
            file: Arc::downgrade(file),
            listed: AtomicBool::new(false),
            interest: SpinLock::new(&class::EPOLL_INTEREST, interest),
            wanted: AtomicU32::new(interest.events.bits()),
            registration: Mutex::new(&class::EPOLL_ITEM, None),
            ready: Arc::downgrade(ready),
            this: this.clone(),
        })
    }

    /// Registers on the file's wait queues; the events that there are already.
    pub(super) fn register(self: &Arc<Item>, file: &Arc<File>) -> PollEvents {
        let mut table = PollTable::for_callback(self.clone());
        let interest = self.interest();
        if interest.modes.contains(Modes::EXCLUSIVE) {
            // Such an interest cannot be modified. One that a wake-up did not concern must not have used it up.
            table.set_interest(interest.events);
            table.set_exclusive();
        }
        let events = file.poll(&mut table) & interest.events;
        *self.registration.lock() = Some(table);
        events
    }

    /// Leaves the file's wait queues.
    pub(super) fn unregister(&self) {
        let table = self.registration.lock().take();
        drop(table);
    }

    pub(super) fn is_registered(&self) -> bool {
        self.registration.lock().is_some()
    }

    /// The events of interest that the file has now.
    pub(super) fn poll(&self, file: &Arc<File>) -> PollEvents {
        let interest = self.interest();
        if interest.events.is_empty() {
            return PollEvents::empty();
        }
        file.poll(&mut PollTable::look()) & interest.events
    }

    pub(super) fn interest(&self) -> Interest {
        *self.interest.lock()
    }

    /// Changes the interest. The caller polls the file afterwards: what happens before this is seen by that, what
    /// happens after it by the wake-up, since both sides pass a full barrier between their store and their load.
    pub(super) fn set_interest(&self, interest: Interest) {
        *self.interest.lock() = interest;
        self.wanted.store(interest.events.bits(), Ordering::SeqCst);
    }

    /// After a one-shot delivery: reports nothing until it is modified.
    pub(super) fn disarm(&self) {
        let mut interest = self.interest.lock();
        interest.events = PollEvents::empty();
        self.wanted.store(0, Ordering::SeqCst);
        interest.modes &= Modes::EXCLUSIVE | Modes::EDGE | Modes::ONESHOT;
    }
}

impl PollCallback for Item {
    fn on_wake(&self, events: PollEvents) {
        let wanted = PollEvents::from_bits_retain(self.wanted.load(Ordering::SeqCst));
        let relevant =
            if events.is_empty() { !wanted.is_empty() } else { events.intersects(wanted) };
        if relevant
            && let Some(ready) = self.ready.upgrade()
            && let Some(item) = self.this.upgrade()
        {
            ready.push(&item);
        }
    }
}
