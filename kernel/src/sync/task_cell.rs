//! A field of a task that only the task itself replaces (its descriptor table, its address space, its
//! directories): the owner borrows it with a plain counter, others take a counted reference.

use alloc::sync::Arc;
use core::ops::Deref;

/// An `Arc<T>` owned by one task.
pub struct TaskCell<T>(core::marker::PhantomData<Arc<T>>);

/// The owner's borrow: no atomic operation. Not `Send`.
pub struct TaskRef<'a, T>(&'a Arc<T>, core::marker::PhantomData<*const ()>);

impl<T: Send + Sync> TaskCell<T> {
    /// Starts with `value` (or empty, for kernel threads and after exit).
    pub fn new(_value: Option<Arc<T>>) -> Self {
        todo!()
    }
    /// The owner's borrow. Panics when called by another task (a kernel bug) or when empty.
    pub fn borrow(&self) -> TaskRef<'_, T> {
        todo!()
    }
    /// A counted reference, from any task.
    pub fn load(&self) -> Option<Arc<T>> {
        todo!()
    }
    /// Replaces the value, by the owner (or before the task first runs) while no borrow lives;
    /// returns the old one.
    pub fn replace(&self, _value: Option<Arc<T>>) -> Option<Arc<T>> {
        todo!()
    }
}

impl<T> Deref for TaskRef<'_, T> {
    type Target = Arc<T>;
    fn deref(&self) -> &Arc<T> {
        self.0
    }
}
