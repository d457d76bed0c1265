//! Spin locks: [`SpinLock`] keeps preemption off while held, [`IrqSpinLock`] interrupts too.
//!
//! One byte, test-and-test-and-set. A queued lock is fairer on big machines but collapses when the host takes the
//! CPU of the waiter whose turn it is, and a kernel in a virtual machine with more virtual than real CPUs is the
//! common case here (Linux makes the same choice under a hypervisor). Sections are short; what may be
//! held long is a sleeping lock, and those are fair.

use super::{
    LockClass,
    lock_order::{self, Holder},
    lock_stat::{self, Access},
};
use crate::arch::{
    code_switch::{call_preserving, preserving_registers},
    irq,
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicBool, Ordering},
};

/// A lock without its value.
struct Word {
    class: &'static LockClass,
    held: AtomicBool,
}

impl Word {
    #[inline]
    fn acquire(&self) {
        if self.held.swap(true, Ordering::Acquire) {
            call_preserving!(acquire_contended, core::ptr::from_ref(self));
        }
        self.note_acquired();
    }

    fn wait(&self) {
        let wait = lock_stat::begin_wait();
        loop {
            while self.held.load(Ordering::Relaxed) {
                core::hint::spin_loop();
            }
            if !self.held.swap(true, Ordering::Acquire) {
                break;
            }
        }
        lock_stat::end_wait(wait, &self.class, Access::Exclusive);
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        let acquired =
            !self.held.load(Ordering::Relaxed) && !self.held.swap(true, Ordering::Acquire);
        if acquired {
            self.note_acquired();
        }
        acquired
    }

    /// The beginning of every hold.
    #[inline]
    fn note_acquired(&self) {
        lock_order::acquired(self.class, Holder::Cpu);
        lock_stat::acquired(&self.class, Access::Exclusive);
    }

    /// The end of every hold, but for preemption.
    #[inline]
    fn release(&self) {
        lock_order::released(self.class, Holder::Cpu);
        lock_stat::released(&self.class, Access::Exclusive);
        self.held.store(false, Ordering::Release);
    }
}

preserving_registers!(acquire_contended(word) calls wait_for);

extern "C" fn wait_for(word: &Word) {
    word.wait();
}

/// For data that interrupt handlers never touch.
pub struct SpinLock<T: ?Sized> {
    word: Word,
    value: UnsafeCell<T>,
}
/// The lock, held.
#[must_use]
pub struct SpinLockGuard<'a, T: ?Sized>(&'a SpinLock<T>, PhantomData<*const ()>);

// SAFETY: sending the lock sends the value.
unsafe impl<T: ?Sized + Send> Send for SpinLock<T> {}
// SAFETY: the word admits one holder at a time, so sharing the lock hands the value from one thread to another but
// never shows it to two: `Send` is enough.
unsafe impl<T: ?Sized + Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// A free lock around `value`.
    pub const fn new(class: &'static LockClass, value: T) -> Self {
        Self { word: Word { class, held: AtomicBool::new(false) }, value: UnsafeCell::new(value) }
    }
}
impl<T: ?Sized> SpinLock<T> {
    /// Takes the lock.
    #[inline]
    pub fn lock(&self) -> SpinLockGuard<'_, T> {
        irq::preempt_disable();
        lock_order::check(self.word.class, Holder::Cpu);
        self.word.acquire();
        SpinLockGuard(self, PhantomData)
    }
    /// Takes it if it is free. Exempt from the lock order: it cannot wait.
    #[inline]
    pub fn try_lock(&self) -> Option<SpinLockGuard<'_, T>> {
        irq::preempt_disable();
        if self.word.try_acquire() {
            return Some(SpinLockGuard(self, PhantomData));
        }
        irq::preempt_enable();
        None
    }
    /// The value, when nobody else can reach it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}
impl<T: ?Sized> Drop for SpinLockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.word.release();
        irq::preempt_enable();
    }
}
impl<T: ?Sized> Deref for SpinLockGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, so nobody writes the value while the guard is borrowed.
        unsafe { &*self.0.value.get() }
    }
}
impl<T: ?Sized> DerefMut for SpinLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock and is borrowed uniquely.
        unsafe { &mut *self.0.value.get() }
    }
}

/// For data shared with interrupt handlers.
pub struct IrqSpinLock<T: ?Sized>(SpinLock<T>);
/// The lock, held, with interrupts off.
#[must_use]
pub struct IrqSpinLockGuard<'a, T: ?Sized> {
    lock: &'a IrqSpinLock<T>,
    interrupts: irq::IrqState,
    not_send: PhantomData<*const ()>,
}

impl<T> IrqSpinLock<T> {
    /// A free lock around `value`.
    pub const fn new(class: &'static LockClass, value: T) -> Self {
        Self(SpinLock::new(class, value))
    }
}
impl<T: ?Sized> IrqSpinLock<T> {
    /// Takes the lock.
    #[inline]
    pub fn lock(&self) -> IrqSpinLockGuard<'_, T> {
        let interrupts = irq::save_and_disable();
        // The guard's drop does what the inner guard's would do, in another order.
        core::mem::forget(self.0.lock());
        IrqSpinLockGuard { lock: self, interrupts, not_send: PhantomData }
    }
    /// Takes it if it is free. Exempt from the lock order: it cannot wait.
    #[inline]
    pub fn try_lock(&self) -> Option<IrqSpinLockGuard<'_, T>> {
        let interrupts = irq::save_and_disable();
        match self.0.try_lock() {
            Some(inner) => {
                core::mem::forget(inner);
                Some(IrqSpinLockGuard { lock: self, interrupts, not_send: PhantomData })
            }
            None => {
                irq::restore(interrupts);
                None
            }
        }
    }
}
impl<T: ?Sized> Drop for IrqSpinLockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.0.word.release();
        // Interrupts first: the reschedule that leaving the section may bring needs them on.
        irq::restore(self.interrupts);
        irq::preempt_enable();
    }
}
impl<T: ?Sized> Deref for IrqSpinLockGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, so nobody writes the value while the guard is borrowed.
        unsafe { &*self.lock.0.value.get() }
    }
}
impl<T: ?Sized> DerefMut for IrqSpinLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock and is borrowed uniquely.
        unsafe { &mut *self.lock.0.value.get() }
    }
}
