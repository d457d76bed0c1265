//! Wait queues: the one mechanism by which a task waits for an event. poll, select, epoll and signals
//! share it (see [`super::poll`]).
//!
//! No wake-up is lost: a waiter queues itself, sets its state with a full barrier, and only then tests its condition; a
//! waker makes the condition true and, after a full barrier, looks for waiters. Whichever barrier comes first, either the
//! waiter sees the condition or the waker sees the waiter.

use super::{
    IrqSpinLock, IrqSpinLockGuard, LockClass, PollEvents, class,
    waiters::{BATCH, Target, Waiter, WaiterKind, Waiters, WakeUp},
};
use crate::{
    process::signal,
    sched::{self, TaskState},
    time::Instant,
};
use abi::{Errno, Result};
use core::sync::atomic::{AtomicUsize, Ordering, fence};

/// Tasks (and poll registrations) that wait for an event.
pub struct WaitQueue {
    waiters: IrqSpinLock<Waiters>,
    /// How many are queued: lets wakers look without the lock.
    count: AtomicUsize,
}

/// How a wait with a deadline ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Woken<R> {
    /// The condition held.
    Ready(R),
    /// The deadline passed first.
    TimedOut,
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self::with_class(&class::WAIT_QUEUE)
    }
    /// An empty queue that may be woken from another queue's wake-up (class `EPOLL_WAIT_QUEUE`).
    pub const fn nested() -> Self {
        Self::with_class(&class::EPOLL_WAIT_QUEUE)
    }
    const fn with_class(class: &'static LockClass) -> Self {
        Self { waiters: IrqSpinLock::new(class, Waiters::new()), count: AtomicUsize::new(0) }
    }
    /// Sleeps until `condition` gives a value. Signals do not end it.
    pub fn wait<R>(&self, condition: impl FnMut() -> Option<R>) -> R {
        match self.wait_forever(TaskState::Uninterruptible, WaiterKind::Shared, condition) {
            Ok(value) => value,
            Err(_) => unreachable!("no signal ends an uninterruptible wait"),
        }
    }
    /// Sleeps until `condition` gives a value; `ERESTARTSYS` when a signal is pending first. The condition is
    /// tested before the signal.
    pub fn wait_interruptible<R>(&self, condition: impl FnMut() -> Option<R>) -> Result<R> {
        self.wait_forever(TaskState::Interruptible, WaiterKind::Shared, condition)
    }
    /// The same, only fatal signals end it.
    pub fn wait_killable<R>(&self, condition: impl FnMut() -> Option<R>) -> Result<R> {
        self.wait_forever(TaskState::Killable, WaiterKind::Shared, condition)
    }
    /// Interruptible with a deadline on the monotonic clock (`None`: for ever).
    pub fn wait_until<R>(
        &self,
        deadline: Option<Instant>,
        mut condition: impl FnMut() -> Option<R>,
    ) -> Result<Woken<R>> {
        self.wait_in(TaskState::Interruptible, WaiterKind::Shared, deadline, &mut condition)
    }
    /// Sleeps until `condition` gives a value, or the deadline on the monotonic clock. Signals do not end it.
    pub fn wait_at_most<R>(
        &self,
        deadline: Instant,
        mut condition: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        let (state, kind) = (TaskState::Uninterruptible, WaiterKind::Shared);
        match self.wait_in(state, kind, Some(deadline), &mut condition) {
            Ok(Woken::Ready(value)) => Some(value),
            _ => None,
        }
    }
    /// Wakes every non-exclusive waiter and poll registration, and one exclusive waiter. Callable with
    /// interrupts off. Returns how many were woken.
    pub fn wake_one(&self) -> usize {
        self.wake(PollEvents::empty(), 1)
    }
    /// Wakes all.
    pub fn wake_all(&self) -> usize {
        self.wake(PollEvents::empty(), usize::MAX)
    }
    /// Wakes those whose poll mask meets `events` (plain waiters always), and one exclusive waiter.
    pub fn wake_events(&self, events: PollEvents) -> usize {
        self.wake(events, 1)
    }
    /// Whether nobody waits: lets a hot path skip the wake-up. Pairs with the barrier in the waits.
    pub fn is_empty(&self) -> bool {
        fence(Ordering::SeqCst);
        self.count.load(Ordering::Relaxed) == 0
    }

    fn wake(&self, events: PollEvents, exclusive: usize) -> usize {
        if self.is_empty() {
            return 0;
        }
        let mut wake_up = WakeUp { events, exclusive, told: 0 };
        let mut waiters = self.waiters.lock();
        let rest = waiters.wake(&mut wake_up);
        if rest.is_null() {
            self.count.store(waiters.len(), Ordering::Relaxed);
        } else {
            self.wake_rest(waiters, rest, &mut wake_up);
        }
        wake_up.told
    }

    /// Goes on with a wake-up at `next`, which is in the list. Others get the lock and the CPU in between.
    #[cold]
    fn wake_rest<'a>(
        &'a self,
        mut waiters: IrqSpinLockGuard<'a, Waiters>,
        mut next: *const Waiter,
        wake_up: &mut WakeUp,
    ) {
        let place = Waiter::new(Target::Place, WaiterKind::Shared, PollEvents::all());
        // Who was told and queues again behind the place is not told for ever.
        for _ in 0..waiters.len().div_ceil(BATCH) {
            if next.is_null() {
                break;
            }
            // SAFETY: the lock was not let go since `next` was found in the list; the place is in no list, and leaves this one below.
            unsafe { waiters.insert_before(next, &place) };
            self.count.store(waiters.len(), Ordering::Relaxed);
            drop(waiters);
            waiters = self.waiters.lock();
            // SAFETY: it was put there above.
            next = unsafe { waiters.wake_on(&place, wake_up) };
        }
        self.count.store(waiters.len(), Ordering::Relaxed);
    }

    /// Queues `waiter`: shared ones in front, exclusive ones in the order they came. The caller removes it before it
    /// goes away.
    pub(super) fn enqueue(&self, waiter: &Waiter) {
        let mut waiters = self.waiters.lock();
        if waiter.is_linked() {
            return;
        }
        // SAFETY: it is in no list; the waits below and `PollTable` remove it under the lock before they let it go.
        unsafe {
            match waiter.kind() {
                WaiterKind::Shared => waiters.push_front(waiter),
                WaiterKind::Exclusive => waiters.push_back(waiter),
            }
        }
        self.count.store(waiters.len(), Ordering::Relaxed);
    }

    /// Unqueues `waiter` if a wake-up has not done so.
    pub(super) fn dequeue(&self, waiter: &Waiter) {
        if !waiter.is_linked() {
            return;
        }
        let mut waiters = self.waiters.lock();
        // SAFETY: a waiter is queued on one queue only, this one.
        unsafe { waiters.remove(waiter) };
        self.count.store(waiters.len(), Ordering::Relaxed);
    }

    fn wait_forever<R>(
        &self,
        state: TaskState,
        kind: WaiterKind,
        mut condition: impl FnMut() -> Option<R>,
    ) -> Result<R> {
        match self.wait_in(state, kind, None, &mut condition)? {
            Woken::Ready(value) => Ok(value),
            Woken::TimedOut => unreachable!("a wait without a deadline does not time out"),
        }
    }

    fn wait_in<R>(
        &self,
        state: TaskState,
        kind: WaiterKind,
        deadline: Option<Instant>,
        condition: &mut dyn FnMut() -> Option<R>,
    ) -> Result<Woken<R>> {
        if let Some(value) = condition() {
            return Ok(Woken::Ready(value));
        }
        let waiter = Waiter::current(kind);
        let mut timed_out = false;
        let outcome = loop {
            // The state comes first: a wake-up unqueues us, and must then keep us from sleeping. The barrier after both
            // is the one of the module's text.
            sched::set_state(state);
            self.enqueue(&waiter);
            fence(Ordering::SeqCst);
            if let Some(value) = condition() {
                break Ok(Woken::Ready(value));
            }
            if timed_out {
                break Ok(Woken::TimedOut);
            }
            if interrupted(state) {
                break Err(Errno::ERESTARTSYS);
            }
            timed_out = !sched::schedule_until(deadline);
        };
        sched::set_state(TaskState::Running);
        self.dequeue(&waiter);
        outcome
    }
}

/// Whether a signal ends the current task's sleep in `state`.
pub(super) fn interrupted(state: TaskState) -> bool {
    match state {
        TaskState::Interruptible => signal::pending(&sched::current()),
        TaskState::Killable => signal::fatal_pending(&sched::current()),
        _ => false,
    }
}
