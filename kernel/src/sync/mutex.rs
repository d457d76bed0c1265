//! The adaptive sleeping mutex: spins while the owner runs on another CPU, then queues and sleeps.
//!
//! The word holds the owner's address and two flags: somebody waits, and the first waiter (which lost a race once already)
//! is to be handed the mutex. Without flags, taking and leaving are one compare-and-swap each. With
//! them, leaving goes through the queue: the first waiter is woken and races with whoever comes by, which
//! keeps the mutex busy; after it lost a race, it is handed the mutex, which keeps the wait bounded. It spins for
//! that as newcomers do: a mutex that is handed to a task that sleeps stands still until its CPU has woken up.

use super::{
    LockClass, PreemptGuard, SpinLock, class, current,
    lock_order::{self, Holder},
    lock_stat::{self, Access},
    wait_queue::interrupted,
    waiters::{Waiter, WaiterKind, Waiters},
};
use crate::{
    arch::{cpu, irq},
    process::Task,
    sched::{self, TaskState, WakeEvent},
};
use abi::{Errno, Result};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicUsize, Ordering},
};

const WAITERS: usize = 1;
const HANDOFF: usize = 2;
const FLAGS: usize = WAITERS | HANDOFF;

/// Who spins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spinner {
    /// One that just came.
    Newcomer,
    /// The first waiter, which has asked to be handed the mutex.
    Next,
}

/// The owner when no task runs yet (a CPU's start).
const BOOT: usize = 8;

/// How often a spinning task looks before it sleeps: some tens of microseconds.
const SPIN_LIMIT: u32 = 256;

/// A lock that may be held across a sleep.
pub struct Mutex<T: ?Sized> {
    class: &'static LockClass,
    word: AtomicUsize,
    waiters: SpinLock<Waiters>,
    value: UnsafeCell<T>,
}
/// The mutex, held.
#[must_use]
pub struct MutexGuard<'a, T: ?Sized>(&'a Mutex<T>, PhantomData<*const ()>);

// SAFETY: sending the mutex sends the value.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: the word admits one owner at a time: sharing hands the value from task to task, which `Send` allows.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

fn this_task() -> usize {
    current::try_current().map_or(BOOT, |task| (&raw const *task).expose_provenance())
}

impl<T> Mutex<T> {
    /// A free mutex around `value`.
    pub const fn new(class: &'static LockClass, value: T) -> Self {
        Self {
            class,
            word: AtomicUsize::new(0),
            waiters: SpinLock::new(&class::LOCK_WAITERS, Waiters::new()),
            value: UnsafeCell::new(value),
        }
    }
}
impl<T: ?Sized> Mutex<T> {
    /// Takes the mutex; may sleep.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        lock_order::check(self.class, Holder::Task);
        if !self.try_acquire() {
            // No signal ends an uninterruptible wait.
            let _ = self.wait_for(TaskState::Uninterruptible);
        }
        self.guard()
    }
    /// Takes it, or `EINTR` (as `ERESTARTSYS`) when a signal comes first.
    pub fn lock_interruptible(&self) -> Result<MutexGuard<'_, T>> {
        lock_order::check(self.class, Holder::Task);
        if !self.try_acquire() {
            self.wait_for(TaskState::Interruptible)?;
        }
        Ok(self.guard())
    }
    /// Takes it if nobody has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.try_acquire().then(|| self.guard())
    }
    /// The value, when nobody else can reach it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline]
    fn guard(&self) -> MutexGuard<'_, T> {
        lock_order::acquired(self.class, Holder::Task);
        lock_stat::acquired(&self.class, Access::Exclusive);
        MutexGuard(self, PhantomData)
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        self.word.compare_exchange(0, this_task(), Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the mutex if nobody owns it, or if it was handed to us; leaves the flags.
    fn try_take_over(&self, me: usize) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & !FLAGS == me {
                return true;
            }
            if word & !FLAGS != 0 {
                return false;
            }
            match self.word.compare_exchange_weak(
                word,
                me | (word & WAITERS),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Waits while the owner runs on another CPU; whether the mutex was taken.
    fn spin(&self, me: usize, who: Spinner) -> bool {
        if cpu::online_count() == 1 {
            return false;
        }
        let _pinned = PreemptGuard::new();
        for _ in 0..SPIN_LIMIT {
            let word = self.word.load(Ordering::Relaxed);
            let owner = word & !FLAGS;
            // A mutex that is to be handed over is not for the taking.
            if who == Spinner::Newcomer && word & HANDOFF != 0 || irq::need_resched() {
                return false;
            }
            if owner == 0 || owner == me {
                if self.try_take_over(me) {
                    return true;
                }
            } else if owner == BOOT || !owner_runs(owner) {
                return false;
            }
            core::hint::spin_loop();
        }
        false
    }

    #[cold]
    fn wait_for(&self, state: TaskState) -> Result<()> {
        let wait = lock_stat::begin_wait();
        self.acquire_contended(state)?;
        lock_stat::end_wait(wait, &self.class, Access::Exclusive);
        Ok(())
    }

    fn acquire_contended(&self, state: TaskState) -> Result<()> {
        let me = this_task();
        if self.spin(me, Spinner::Newcomer) {
            return Ok(());
        }
        debug_assert!(irq::enabled(), "a mutex is awaited with interrupts off");
        let waiter = Waiter::current(WaiterKind::Exclusive);
        let mut woken_before = false;
        let mut spins = false;
        let mut waiters = self.waiters.lock();
        // SAFETY: it is new; it is removed below, under the lock, before this function ends.
        unsafe { waiters.push_back(&waiter) };
        let outcome = loop {
            // Announced before the look at the owner: an owner that leaves later comes through the queue.
            let first = waiters.first().is_some_and(|first| core::ptr::eq(first, &waiter));
            let announce = if woken_before && first { WAITERS | HANDOFF } else { WAITERS };
            self.word.fetch_or(announce, Ordering::Relaxed);
            if self.try_take_over(me) {
                break Ok(());
            }
            if spins && first {
                spins = false;
                drop(waiters);
                let taken = self.spin(me, Spinner::Next);
                waiters = self.waiters.lock();
                if taken {
                    break Ok(());
                }
                continue;
            }
            sched::set_state(state);
            if interrupted(state) {
                break Err(Errno::ERESTARTSYS);
            }
            drop(waiters);
            sched::schedule();
            woken_before = true;
            spins = true;
            waiters = self.waiters.lock();
        };
        sched::set_state(TaskState::Running);
        // SAFETY: it is in this list.
        unsafe { waiters.remove(&waiter) };
        if waiters.is_empty() {
            self.word.fetch_and(!FLAGS, Ordering::Relaxed);
        } else if outcome.is_err() {
            // The hand-over was asked for on our behalf perhaps; the next first waiter asks again for itself.
            self.word.fetch_and(!HANDOFF, Ordering::Relaxed);
            // A wake-up meant for the first waiter may have come to us: pass it on.
            if self.word.load(Ordering::Relaxed) & !FLAGS == 0
                && let Some(task) = waiters.first().and_then(Waiter::task)
            {
                sched::wake(task, WakeEvent::Normal);
            }
        }
        outcome
    }

    #[inline]
    fn release(&self) {
        lock_order::released(self.class, Holder::Task);
        lock_stat::released(&self.class, Access::Exclusive);
        let me = this_task();
        if self.word.compare_exchange(me, 0, Ordering::Release, Ordering::Relaxed).is_err() {
            self.release_contended();
        }
    }

    #[cold]
    fn release_contended(&self) {
        let _pinned = PreemptGuard::new();
        let waiters = self.waiters.lock();
        let Some(task) = waiters.first().and_then(Waiter::task).cloned() else {
            self.word.store(0, Ordering::Release);
            return;
        };
        // Nobody but us changes the owner now, and flags change under the queue's lock.
        let next = match self.word.load(Ordering::Relaxed) & HANDOFF {
            0 => WAITERS,
            _ => alloc::sync::Arc::as_ptr(&task).expose_provenance() | WAITERS,
        };
        self.word.store(next, Ordering::Release);
        // Others spin for the queue, and waking may have to wait for another CPU. Should the task have left the queue
        // meanwhile, it may be woken from another sleep: all of them look again at what they wait for.
        drop(waiters);
        sched::wake(&task, WakeEvent::Normal);
    }
}

/// Whether the task at this address is on a CPU. Called with preemption off.
fn owner_runs(owner: usize) -> bool {
    let owner = core::ptr::with_exposed_provenance::<Task>(owner);
    // SAFETY: the word named the task as owner during this read-side section (preemption is off), when it had not
    // exited: a task leaves its mutexes first. The scheduler gives up its reference on an exited task only after a
    // grace period, so the memory is a live task's until the section ends.
    unsafe { (*owner).sched.on_cpu().get() }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.release();
    }
}
impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the mutex, so nobody writes the value while the guard is borrowed.
        unsafe { &*self.0.value.get() }
    }
}
impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the mutex and is borrowed uniquely.
        unsafe { &mut *self.0.value.get() }
    }
}
