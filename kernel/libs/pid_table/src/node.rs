//! The nodes of the tree, as readers see them: arrays of pointers. What writers keep about them is in
//! [`crate::writer`].

use crate::{
    NODE,
    sync::{
        AtomicPtr,
        Ordering::{Acquire, Release},
    },
};
use alloc::boxed::Box;

/// The lowest level: values.
pub(crate) struct Leaf<T> {
    values: [AtomicPtr<T>; NODE],
}

/// The middle level: leaves.
pub(crate) struct Branch<T> {
    leaves: [AtomicPtr<Leaf<T>>; NODE],
}

impl<T> Leaf<T> {
    pub(crate) fn new() -> Box<Leaf<T>> {
        Box::new(Leaf { values: core::array::from_fn(|_| AtomicPtr::default()) })
    }

    pub(crate) fn value(&self, slot: usize) -> *mut T {
        self.values[slot].load(Acquire)
    }

    /// Publishes a value (or null); what was there. Writers only.
    pub(crate) fn swap(&self, slot: usize, value: *mut T) -> *mut T {
        let old = self.values[slot].load(Acquire);
        self.values[slot].store(value, Release);
        old
    }
}

impl<T> Branch<T> {
    pub(crate) fn new() -> Box<Branch<T>> {
        Box::new(Branch { leaves: core::array::from_fn(|_| AtomicPtr::default()) })
    }

    /// The leaf at `index`; the reference is good as long as the caller's guard (see the crate's argument).
    pub(crate) fn leaf(&self, index: usize) -> Option<&Leaf<T>> {
        // SAFETY: published by `Box::into_raw` with release; unlinked leaves are freed after a grace period only, and
        // linked ones with the branch. Callers hold a guard or are the writer.
        unsafe { self.leaves[index].load(Acquire).as_ref() }
    }

    /// Links a leaf. Writers only, where there is none.
    pub(crate) fn link(&self, index: usize, leaf: Box<Leaf<T>>) {
        self.leaves[index].store(Box::into_raw(leaf), Release);
    }

    /// Unlinks a leaf; the caller defers its end.
    pub(crate) fn unlink(&self, index: usize) -> Option<Box<Leaf<T>>> {
        let leaf = self.leaves[index].load(Acquire);
        self.leaves[index].store(core::ptr::null_mut(), Release);
        // SAFETY: it came from `Box::into_raw` in `link`, and only this call takes it out.
        (!leaf.is_null()).then(|| unsafe { Box::from_raw(leaf) })
    }
}

impl<T> Drop for Branch<T> {
    fn drop(&mut self) {
        (0..NODE).for_each(|index| drop(self.unlink(index)));
    }
}

impl<T> Drop for Leaf<T> {
    fn drop(&mut self) {
        for slot in 0..NODE {
            let value = self.swap(slot, core::ptr::null_mut());
            if !value.is_null() {
                // SAFETY: values come from `Arc::into_raw`; the leaf owned that count and is dropped once.
                drop(unsafe { alloc::sync::Arc::from_raw(value) });
            }
        }
    }
}
