//! A sleeping lock with many readers or one writer; writers are not starved.
//!
//! The word counts readers, marks a writer, and marks that somebody waits. While somebody waits, newcomers queue behind, so
//! the queue is served in order: the one who leaves last hands the lock to the first waiter, or to all readers
//! up to the first waiting writer.

use super::{
    LockClass, SpinLock, class,
    lock_order::{self, Holder},
    lock_stat::{self, Access},
    wait_queue::interrupted,
    waiters::{Waiter, WaiterKind, Waiters},
};
use crate::{
    arch::cpu,
    sched::{self, TaskState},
};
use abi::{Errno, Result};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicUsize, Ordering},
};

const WRITER: usize = 1;
const WAITERS: usize = 2;
const READER: usize = 4;

/// How often a task looks before it sleeps.
const SPIN_LIMIT: u32 = 64;

/// Many readers or one writer, across sleeps.
pub struct RwLock<T: ?Sized> {
    class: &'static LockClass,
    word: AtomicUsize,
    waiters: SpinLock<Waiters>,
    value: UnsafeCell<T>,
}
/// Held for reading.
#[must_use]
pub struct RwLockReadGuard<'a, T: ?Sized>(&'a RwLock<T>, PhantomData<*const ()>);
/// Held for writing.
#[must_use]
pub struct RwLockWriteGuard<'a, T: ?Sized>(&'a RwLock<T>, PhantomData<*const ()>);

// SAFETY: sending the lock sends the value.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: readers on several CPUs see the value at once (`Sync`), a writer may take it from another task (`Send`).
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// A free lock around `value`.
    pub const fn new(class: &'static LockClass, value: T) -> Self {
        Self {
            class,
            word: AtomicUsize::new(0),
            waiters: SpinLock::new(&class::LOCK_WAITERS, Waiters::new()),
            value: UnsafeCell::new(value),
        }
    }
}
impl<T: ?Sized> RwLock<T> {
    /// Takes it for reading; may sleep.
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        lock_order::check(self.class, Holder::Task);
        if !self.try_acquire(WaiterKind::Shared) {
            // No signal ends an uninterruptible wait.
            let _ = self.wait_for(WaiterKind::Shared, TaskState::Uninterruptible);
        }
        self.note_acquired(Access::Shared);
        RwLockReadGuard(self, PhantomData)
    }
    /// Takes it for writing; may sleep.
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        lock_order::check(self.class, Holder::Task);
        if !self.try_acquire(WaiterKind::Exclusive) {
            // As above.
            let _ = self.wait_for(WaiterKind::Exclusive, TaskState::Uninterruptible);
        }
        self.note_acquired(Access::Exclusive);
        RwLockWriteGuard(self, PhantomData)
    }
    /// Takes it for writing, or `ERESTARTSYS` when a fatal signal comes first.
    pub fn write_killable(&self) -> Result<RwLockWriteGuard<'_, T>> {
        lock_order::check(self.class, Holder::Task);
        if !self.try_acquire(WaiterKind::Exclusive) {
            self.wait_for(WaiterKind::Exclusive, TaskState::Killable)?;
        }
        self.note_acquired(Access::Exclusive);
        Ok(RwLockWriteGuard(self, PhantomData))
    }
    /// Takes it for reading if nobody has it for writing or waits for it.
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.try_acquire(WaiterKind::Shared).then(|| {
            self.note_acquired(Access::Shared);
            RwLockReadGuard(self, PhantomData)
        })
    }
    /// Takes it for writing if nobody has it or waits for it. Exempt from the lock order: it cannot wait.
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.try_acquire(WaiterKind::Exclusive).then(|| {
            self.note_acquired(Access::Exclusive);
            RwLockWriteGuard(self, PhantomData)
        })
    }
    /// The value, when nobody else can reach it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[inline]
    fn try_acquire(&self, kind: WaiterKind) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let next = match kind {
                WaiterKind::Shared if word & (WRITER | WAITERS) == 0 => word + READER,
                WaiterKind::Exclusive if word == 0 => WRITER,
                _ => return false,
            };
            match self.word.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    #[inline]
    fn note_acquired(&self, access: Access) {
        lock_order::acquired(self.class, Holder::Task);
        lock_stat::acquired(&self.class, access);
    }

    #[cold]
    fn wait_for(&self, kind: WaiterKind, state: TaskState) -> Result<()> {
        let wait = lock_stat::begin_wait();
        self.acquire_contended(kind, state)?;
        let access = match kind {
            WaiterKind::Shared => Access::Shared,
            WaiterKind::Exclusive => Access::Exclusive,
        };
        lock_stat::end_wait(wait, &self.class, access);
        Ok(())
    }

    fn acquire_contended(&self, kind: WaiterKind, state: TaskState) -> Result<()> {
        if cpu::online_count() > 1 {
            for _ in 0..SPIN_LIMIT {
                if self.word.load(Ordering::Relaxed) & WAITERS != 0 {
                    break;
                }
                if self.try_acquire(kind) {
                    return Ok(());
                }
                core::hint::spin_loop();
            }
        }
        let waiter = Waiter::current(kind);
        let mut waiters = self.waiters.lock();
        // With `WAITERS` set, whoever leaves comes through the queue, whose lock we hold; and if nobody holds the lock
        // any more and nobody is before us, it is ours.
        let word = self.word.fetch_or(WAITERS, Ordering::Relaxed);
        // SAFETY: it is new; it is removed before this function ends: by the grant, or below.
        unsafe { waiters.push_back(&waiter) };
        if word & WRITER == 0 {
            self.grant(&mut waiters);
        }
        drop(waiters);
        loop {
            sched::set_state(state);
            // Not "is it unlinked": the one who grants wakes us before that.
            if waiter.fired() {
                break;
            }
            if interrupted(state) {
                let mut waiters = self.waiters.lock();
                if !waiter.is_linked() {
                    break;
                }
                // SAFETY: it is in this list.
                unsafe { waiters.remove(&waiter) };
                // Those behind may have waited for us alone.
                self.grant(&mut waiters);
                sched::set_state(TaskState::Running);
                return Err(Errno::ERESTARTSYS);
            }
            sched::schedule();
        }
        sched::set_state(TaskState::Running);
        // The grant's stores to the word came before it unlinked us (release, acquire), which is its last touch of the node and
        // comes right after the wake-up.
        while waiter.is_linked() {
            cpu::relax();
        }
        Ok(())
    }

    /// Hands the lock to the first waiters if its state admits them; keeps `WAITERS` true.
    fn grant(&self, waiters: &mut Waiters) {
        while let Some(first) = waiters.first() {
            let word = self.word.load(Ordering::Acquire);
            let add = match first.kind() {
                WaiterKind::Shared if word & WRITER == 0 => READER,
                WaiterKind::Exclusive if word & !WAITERS == 0 => WRITER,
                _ => return,
            };
            // With `WAITERS` set, nobody enters but through here; those who leave only make more room.
            self.word.fetch_add(add, Ordering::Acquire);
            let first = core::ptr::from_ref(first);
            // SAFETY: it is in this list.
            unsafe { waiters.grant(first) };
        }
        self.word.fetch_and(!WAITERS, Ordering::Relaxed);
    }

    #[inline]
    fn release(&self, held: usize, access: Access) {
        lock_order::released(self.class, Holder::Task);
        lock_stat::released(&self.class, access);
        let before = self.word.fetch_sub(held, Ordering::Release);
        // Readers that are not the last leave no room for a writer, and readers do not wait behind readers alone.
        if before & WAITERS != 0 && (before - held) & !WAITERS == 0 {
            self.hand_on();
        }
    }

    #[cold]
    fn hand_on(&self) {
        self.grant(&mut self.waiters.lock());
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.release(READER, Access::Shared);
    }
}
impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.release(WRITER, Access::Exclusive);
    }
}
impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: held for reading: nobody writes.
        unsafe { &*self.0.value.get() }
    }
}
impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: held for writing: nobody else is here.
        unsafe { &*self.0.value.get() }
    }
}
impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: held for writing, and the guard is borrowed uniquely.
        unsafe { &mut *self.0.value.get() }
    }
}
