//! Spin locks: [`SpinLock`] keeps preemption off while held, [`IrqSpinLock`] interrupts too.

use super::LockClass;
use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

/// For data that interrupt handlers never touch.
pub struct SpinLock<T: ?Sized> {
    class: &'static LockClass,
    value: core::cell::UnsafeCell<T>,
}
/// The lock, held.
pub struct SpinLockGuard<'a, T: ?Sized>(&'a SpinLock<T>, PhantomData<*const ()>);

// SAFETY: (owner's argument)
unsafe impl<T: ?Sized + Send> Send for SpinLock<T> {}
// SAFETY: (owner's argument)
unsafe impl<T: ?Sized + Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// A free lock around `value`.
    pub const fn new(class: &'static LockClass, value: T) -> Self {
        Self { class, value: core::cell::UnsafeCell::new(value) }
    }
    /// Gives the value back.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}
impl<T: ?Sized> SpinLock<T> {
    /// Takes the lock.
    pub fn lock(&self) -> SpinLockGuard<'_, T> {
        todo!()
    }
    /// Takes it if it is free.
    pub fn try_lock(&self) -> Option<SpinLockGuard<'_, T>> {
        todo!()
    }
    /// The value, when nobody else can reach it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}
impl<T: ?Sized> Deref for SpinLockGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        todo!()
    }
}
impl<T: ?Sized> DerefMut for SpinLockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        todo!()
    }
}

/// For data shared with interrupt handlers.
pub struct IrqSpinLock<T: ?Sized>(SpinLock<T>);
/// The lock, held, with interrupts off.
pub struct IrqSpinLockGuard<'a, T: ?Sized>(&'a IrqSpinLock<T>, PhantomData<*const ()>);

impl<T> IrqSpinLock<T> {
    /// A free lock around `value`.
    pub const fn new(class: &'static LockClass, value: T) -> Self {
        Self(SpinLock::new(class, value))
    }
}
impl<T: ?Sized> IrqSpinLock<T> {
    /// Takes the lock.
    pub fn lock(&self) -> IrqSpinLockGuard<'_, T> {
        todo!()
    }
    /// Takes it if it is free.
    pub fn try_lock(&self) -> Option<IrqSpinLockGuard<'_, T>> {
        todo!()
    }
}
impl<T: ?Sized> Deref for IrqSpinLockGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        todo!()
    }
}
impl<T: ?Sized> DerefMut for IrqSpinLockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        todo!()
    }
}
