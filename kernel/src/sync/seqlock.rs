//! Small plain data, read without a store: readers retry when a writer was at work.

/// A sequence-counted value.
pub struct SeqLock<T: Copy>(core::marker::PhantomData<T>);

impl<T: Copy> SeqLock<T> {
    /// A lock around `value`.
    pub const fn new(_value: T) -> Self {
        todo!()
    }
    /// A consistent copy.
    pub fn read(&self) -> T {
        todo!()
    }
    /// Changes the value; writers exclude one another by a spin lock with interrupts off.
    pub fn update<R>(&self, _f: impl FnOnce(&mut T) -> R) -> R {
        todo!()
    }
}
