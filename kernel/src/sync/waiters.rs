//! The list of waiters that every wait queue and sleeping lock is made of: intrusive nodes that lie on the waiters' kernel
//! stacks (or in a poll table's box), so that waiting allocates nothing.
//!
//! The list is not locked: its user keeps it in a spin lock. A node is in at most one list, is linked and
//! unlinked under that list's lock, and does not move or go away while it is linked: its owner
//! unlinks it first. Whoever unlinks it on the owner's behalf (a wake-up) wakes the owner *before*, so that the owner, who may
//! see itself unlinked without the lock, finds the node untouched from then on.

use super::{PollEvents, poll::PollCallback};
use crate::{
    process::Task,
    sched::{self, WakeEvent},
};
use alloc::sync::Arc;
use core::{
    cell::{Cell, UnsafeCell},
    marker::PhantomPinned,
    ptr,
    sync::atomic::{AtomicBool, Ordering},
};

/// Whom to tell.
pub enum Target {
    /// Wakes the task, and the node leaves the list.
    Task(Arc<Task>),
    /// Wakes the task, and the node stays.
    Poller(Arc<Task>),
    /// Calls back, and the node stays.
    Callback(Arc<dyn PollCallback>),
    /// Nobody: a place in the list, from where a wake-up goes on.
    Place,
}

/// What kind of access a waiter for a sleeping lock wants, and how a waiter for an event shares it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaiterKind {
    /// Woken with all others; a lock's reader.
    Shared,
    /// One wake-up reaches one of these; a lock's writer.
    Exclusive,
}

/// A waiter.
pub struct Waiter {
    next: Cell<*const Waiter>,
    previous: Cell<*const Waiter>,
    linked: AtomicBool,
    /// Set by whoever woke it or granted the lock; the owner clears it.
    fired: AtomicBool,
    target: Target,
    kind: WaiterKind,
    /// The events that it is told of.
    interest: PollEvents,
    _pinned: UnsafeCell<PhantomPinned>,
}

// SAFETY: the links are touched only under the lock of the list that the node is in; the rest is atomic or immutable.
unsafe impl Sync for Waiter {}
// SAFETY: as above; a linked node is not moved by its owner.
unsafe impl Send for Waiter {}

impl Waiter {
    /// A waiter for the given target.
    pub fn new(target: Target, kind: WaiterKind, interest: PollEvents) -> Waiter {
        Waiter {
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
            linked: AtomicBool::new(false),
            fired: AtomicBool::new(false),
            target,
            kind,
            interest,
            _pinned: UnsafeCell::new(PhantomPinned),
        }
    }
    /// The current task, waiting.
    pub fn current(kind: WaiterKind) -> Waiter {
        Waiter::new(Target::Task(sched::current().to_arc()), kind, PollEvents::all())
    }
    /// Whether it is in a list. `Acquire`: when false, the waker is done with the node.
    pub fn is_linked(&self) -> bool {
        self.linked.load(Ordering::Acquire)
    }
    /// Whether it was told since [`Waiter::clear`].
    pub fn fired(&self) -> bool {
        self.fired.load(Ordering::Acquire)
    }
    /// Forgets what it was told.
    pub fn clear(&self) {
        self.fired.store(false, Ordering::Relaxed);
    }
    /// Readers or writers; shared or exclusive.
    pub fn kind(&self) -> WaiterKind {
        self.kind
    }
    /// The waiting task, if it is one.
    pub fn task(&self) -> Option<&Arc<Task>> {
        match &self.target {
            Target::Task(task) | Target::Poller(task) => Some(task),
            Target::Callback(_) | Target::Place => None,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        assert!(!*self.linked.get_mut(), "a waiter goes away while it is queued");
    }
}

/// Waiters that a wake-up looks at in one go, with the list locked: a wake-up of thousands lets others have the CPU in between.
pub const BATCH: usize = 8;

/// A wake-up: what it says, to whom, and how far it came.
pub struct WakeUp {
    /// What happened; empty: something did.
    pub events: PollEvents,
    /// How many exclusive waiters it still reaches, beside every shared one.
    pub exclusive: usize,
    /// How many waiters were told.
    pub told: usize,
}

/// A doubly linked list of waiters, first come first.
pub struct Waiters {
    first: *const Waiter,
    last: *const Waiter,
    len: usize,
}

// SAFETY: the list is used under its owner's lock; the nodes are `Sync`.
unsafe impl Send for Waiters {}

impl Waiters {
    /// An empty list.
    pub const fn new() -> Waiters {
        Waiters { first: ptr::null(), last: ptr::null(), len: 0 }
    }
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.first.is_null()
    }
    /// How many wait.
    pub fn len(&self) -> usize {
        self.len
    }
    /// The first waiter.
    pub fn first(&self) -> Option<&Waiter> {
        // SAFETY: a linked node is alive, and stays linked while the list is borrowed.
        unsafe { self.first.as_ref() }
    }
    /// The last waiter.
    pub fn last(&self) -> Option<&Waiter> {
        // SAFETY: as for `first`.
        unsafe { self.last.as_ref() }
    }
    /// Links `waiter` at the end.
    ///
    /// # Safety
    /// `waiter` is in no list, and is removed from this one under the same lock before it moves or goes away.
    pub unsafe fn push_back(&mut self, waiter: &Waiter) {
        waiter.next.set(ptr::null());
        waiter.previous.set(self.last);
        match self.last() {
            Some(last) => last.next.set(waiter),
            None => self.first = waiter,
        }
        self.last = waiter;
        waiter.linked.store(true, Ordering::Relaxed);
        self.len += 1;
    }
    /// Links `waiter` at the front.
    ///
    /// # Safety
    /// As for [`Waiters::push_back`].
    pub unsafe fn push_front(&mut self, waiter: &Waiter) {
        waiter.previous.set(ptr::null());
        waiter.next.set(self.first);
        match self.first() {
            Some(first) => first.previous.set(waiter),
            None => self.last = waiter,
        }
        self.first = waiter;
        waiter.linked.store(true, Ordering::Relaxed);
        self.len += 1;
    }
    /// Links `waiter` before `next`.
    ///
    /// # Safety
    /// As for [`Waiters::push_back`]; `next` is in this list.
    pub unsafe fn insert_before(&mut self, next: *const Waiter, waiter: &Waiter) {
        // SAFETY: linked, so alive.
        let next = unsafe { &*next };
        let previous = next.previous.get();
        // SAFETY: neighbours in the list are linked nodes, which are alive.
        match unsafe { previous.as_ref() } {
            Some(previous) => previous.next.set(waiter),
            None => self.first = waiter,
        }
        waiter.previous.set(previous);
        waiter.next.set(next);
        next.previous.set(waiter);
        waiter.linked.store(true, Ordering::Relaxed);
        self.len += 1;
    }
    /// Unlinks `waiter` if it is linked. The last touch of the node.
    ///
    /// # Safety
    /// `waiter` is in this list or in none.
    pub unsafe fn remove(&mut self, waiter: &Waiter) {
        if !waiter.linked.load(Ordering::Relaxed) {
            return;
        }
        let (previous, next) = (waiter.previous.get(), waiter.next.get());
        // SAFETY: neighbours in the list are linked nodes, which are alive.
        match unsafe { previous.as_ref() } {
            Some(previous) => previous.next.set(next),
            None => self.first = next,
        }
        // SAFETY: as above.
        match unsafe { next.as_ref() } {
            Some(next) => next.previous.set(previous),
            None => self.last = previous,
        }
        self.len -= 1;
        waiter.linked.store(false, Ordering::Release);
    }
    /// Marks and wakes a waiting task and unlinks it.
    ///
    /// # Safety
    /// `waiter` is in this list.
    pub unsafe fn grant(&mut self, waiter: *const Waiter) {
        // SAFETY: linked, so alive.
        let waiter = unsafe { &*waiter };
        waiter.fired.store(true, Ordering::Release);
        if let Some(task) = waiter.task() {
            sched::wake(task, WakeEvent::Normal);
        }
        // SAFETY: the caller's.
        unsafe { self.remove(waiter) };
    }
    /// Tells waiters of what `wake` says, in order, but looks at no more than [`BATCH`]: where it is to go on while the list stays
    /// locked; null: nowhere.
    pub fn wake(&mut self, wake: &mut WakeUp) -> *const Waiter {
        // SAFETY: the first waiter, if any, is in this list.
        unsafe { self.wake_from(self.first, wake) }
    }
    /// Goes on at `next`, which [`Waiters::wake`] or this function returned.
    ///
    /// # Safety
    /// `next` is in this list, or null.
    unsafe fn wake_from(&mut self, next: *const Waiter, wake: &mut WakeUp) -> *const Waiter {
        let mut left = BATCH;
        let mut cursor = next;
        // SAFETY: the cursor is linked: it was read from the list, and `next` before its node could leave.
        while let Some(waiter) = unsafe { cursor.as_ref() } {
            if left == 0 {
                return cursor;
            }
            left -= 1;
            cursor = waiter.next.get();
            let (events, exclusive) = (wake.events, waiter.kind == WaiterKind::Exclusive);
            if !events.is_empty() && !events.intersects(waiter.interest) {
                continue;
            }
            if exclusive && wake.exclusive == 0 {
                break;
            }
            wake.exclusive -= usize::from(exclusive);
            waiter.fired.store(true, Ordering::Release);
            // A task that is awake already is about to look at its condition: it takes the wake-up too.
            match &waiter.target {
                Target::Task(task) => {
                    sched::wake(task, WakeEvent::Normal);
                    // SAFETY: it is in this list. The task was told first, and the node is not used again.
                    unsafe { self.remove(waiter) };
                }
                Target::Poller(task) => {
                    sched::wake(task, WakeEvent::Normal);
                }
                Target::Callback(callback) => callback.on_wake(events),
                Target::Place => continue,
            }
            wake.told += 1;
        }
        ptr::null()
    }
    /// Goes on at `place`, which leaves the list.
    ///
    /// # Safety
    /// `place` is in this list.
    pub unsafe fn wake_on(&mut self, place: &Waiter, wake: &mut WakeUp) -> *const Waiter {
        let next = place.next.get();
        // SAFETY: the caller's.
        unsafe { self.remove(place) };
        // SAFETY: what followed the place in the list is in the list.
        unsafe { self.wake_from(next, wake) }
    }
}
