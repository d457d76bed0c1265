//! The adaptive sleeping mutex: spins while the owner runs on another CPU, then queues and sleeps.

use super::LockClass;
use core::ops::{Deref, DerefMut};

/// A lock that may be held across a sleep.
pub struct Mutex<T: ?Sized> {
    class: &'static LockClass,
    value: core::cell::UnsafeCell<T>,
}
/// The mutex, held.
pub struct MutexGuard<'a, T: ?Sized>(&'a Mutex<T>, core::marker::PhantomData<*const ()>);

// SAFETY: (owner's argument)
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: (owner's argument)
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A free mutex around `value`.
    pub const fn new(class: &'static LockClass, value: T) -> Self {
        Self { class, value: core::cell::UnsafeCell::new(value) }
    }
    /// Gives the value back.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}
impl<T: ?Sized> Mutex<T> {
    /// Takes the mutex; may sleep.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        todo!()
    }
    /// Takes it, or `EINTR` (as `ERESTARTSYS`) when a signal comes first.
    pub fn lock_interruptible(&self) -> abi::Result<MutexGuard<'_, T>> {
        todo!()
    }
    /// Takes it if it is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        todo!()
    }
    /// The value, when nobody else can reach it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}
impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        todo!()
    }
}
impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        todo!()
    }
}
