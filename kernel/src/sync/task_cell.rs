//! A field of a task that only the task itself replaces (its descriptor table, its address space, its
//! directories): the owner borrows it with a plain counter, others take a counted reference.
//!
//! The proof. The owner is the task whose [`Task`] the cell lies in, which is checked by address, so the owner's side runs on
//! one thread. Writes happen only on that side, with no borrow alive (checked) and under the lock, against which
//! other tasks read. So the owner may read without the lock, and a borrow sees no write. An interrupt handler that borrows on the
//! owner's back leaves the counter as it found it; replacing in one is refused.

use super::{SpinLock, class, current};
use crate::{arch::irq, process::Task};
use alloc::sync::Arc;
use core::{
    cell::{Cell, UnsafeCell},
    marker::PhantomData,
    ops::Deref,
};

/// An `Arc<T>` owned by one task.
pub struct TaskCell<T> {
    lock: SpinLock<()>,
    /// Borrows alive; the owner's alone.
    borrows: Cell<usize>,
    value: UnsafeCell<Option<Arc<T>>>,
}

/// The owner's borrow: no atomic operation. Not `Send`.
pub struct TaskRef<'a, T> {
    value: &'a Arc<T>,
    borrows: &'a Cell<usize>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: sending the cell sends the reference.
unsafe impl<T: Send + Sync> Send for TaskCell<T> {}
// SAFETY: `borrows` and unlocked reads of `value` are the owner task's alone, others read under the lock, and writes
// are the owner's under the lock (see the module's text).
unsafe impl<T: Send + Sync> Sync for TaskCell<T> {}

impl<T: Send + Sync> TaskCell<T> {
    /// Starts with `value` (or empty, for kernel threads and after exit).
    pub fn new(value: Option<Arc<T>>) -> Self {
        Self {
            lock: SpinLock::new(&class::TASK_CELL, ()),
            borrows: Cell::new(0),
            value: UnsafeCell::new(value),
        }
    }
    /// The owner's borrow. Panics when called by another task (a kernel bug) or when empty.
    #[inline]
    pub fn borrow(&self) -> TaskRef<'_, T> {
        self.try_borrow().expect("the task has none of these")
    }
    /// The owner's borrow, or `None` when empty. Panics when called by another task (a kernel bug).
    #[inline]
    pub fn try_borrow(&self) -> Option<TaskRef<'_, T>> {
        self.assert_owner();
        // SAFETY: this is the owner, and writes are the owner's while no borrow lives (`replace` checks).
        let value = unsafe { &*self.value.get() }.as_ref()?;
        self.borrows.set(self.borrows.get() + 1);
        Some(TaskRef { value, borrows: &self.borrows, not_send: PhantomData })
    }
    /// A counted reference, from any task.
    pub fn load(&self) -> Option<Arc<T>> {
        let _locked = self.lock.lock();
        // SAFETY: writes need the lock.
        unsafe { &*self.value.get() }.clone()
    }
    /// Replaces the value, by the owner, while no borrow lives (both checked); returns the old one, to be dropped by
    /// the caller where it may sleep.
    pub fn replace(&self, value: Option<Arc<T>>) -> Option<Arc<T>> {
        self.assert_owner();
        assert!(!irq::in_interrupt(), "an interrupt handler replaces a task's field");
        assert_eq!(self.borrows.get(), 0, "a task's field is replaced while it is borrowed");
        let _locked = self.lock.lock();
        // SAFETY: the owner writes, with no borrow alive, and the lock keeps others from reading.
        core::mem::replace(unsafe { &mut *self.value.get() }, value)
    }

    #[inline]
    fn assert_owner(&self) {
        let owner = (&raw const *current::current()).addr();
        let offset = (&raw const *self).addr().wrapping_sub(owner);
        assert!(offset < size_of::<Task>(), "a task's field is used by another task");
    }
}

impl<T> Drop for TaskRef<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.borrows.set(self.borrows.get() - 1);
    }
}

impl<T> Deref for TaskRef<'_, T> {
    type Target = Arc<T>;
    #[inline]
    fn deref(&self) -> &Arc<T> {
        self.value
    }
}
