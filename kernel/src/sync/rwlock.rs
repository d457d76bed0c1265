//! A sleeping lock with many readers or one writer; writers are not starved.

use super::LockClass;
use core::ops::{Deref, DerefMut};

/// Many readers or one writer, across sleeps.
pub struct RwLock<T: ?Sized> {
    class: &'static LockClass,
    value: core::cell::UnsafeCell<T>,
}
/// Held for reading.
pub struct RwLockReadGuard<'a, T: ?Sized>(&'a RwLock<T>, core::marker::PhantomData<*const ()>);
/// Held for writing.
pub struct RwLockWriteGuard<'a, T: ?Sized>(&'a RwLock<T>, core::marker::PhantomData<*const ()>);

// SAFETY: (owner's argument)
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: (owner's argument)
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// A free lock around `value`.
    pub const fn new(class: &'static LockClass, value: T) -> Self {
        Self { class, value: core::cell::UnsafeCell::new(value) }
    }
}
impl<T: ?Sized> RwLock<T> {
    /// Takes it for reading; may sleep.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        todo!()
    }
    /// Takes it for writing; may sleep.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        todo!()
    }
    /// Takes it for reading if no writer holds or awaits it.
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        todo!()
    }
}
impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        todo!()
    }
}
impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        todo!()
    }
}
impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        todo!()
    }
}
