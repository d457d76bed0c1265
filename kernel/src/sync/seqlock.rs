//! Small plain data, read without a store: readers retry when a writer was at work.
//!
//! The value is kept as words that are read and written atomically (relaxed), so a reader that races with a writer sees a
//! mixture, never undefined behaviour, and throws it away. The order: a writer makes the sequence odd before
//! its first store (release fence after) and even after its last (release store); a reader that saw words of a write
//! sees, after its acquire fence, a sequence that differs from the even one it started with.

use super::{IrqSpinLock, class};
use core::{
    marker::PhantomData,
    sync::atomic::{AtomicU32, AtomicU64, Ordering, fence},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const WORDS: usize = 16;

/// A sequence-counted value of at most 128 bytes.
pub struct SeqLock<T: Copy> {
    sequence: AtomicU32,
    words: [AtomicU64; WORDS],
    writer: IrqSpinLock<()>,
    value: PhantomData<T>,
}

impl<T: Copy + FromBytes + IntoBytes + Immutable + KnownLayout> SeqLock<T> {
    /// A lock around the value whose bytes are all zero.
    pub const fn zeroed() -> Self {
        assert!(size_of::<T>() <= WORDS * 8);
        Self {
            sequence: AtomicU32::new(0),
            words: [const { AtomicU64::new(0) }; WORDS],
            writer: IrqSpinLock::new(&class::SEQUENCE, ()),
            value: PhantomData,
        }
    }
    /// A consistent copy.
    #[inline]
    pub fn read(&self) -> T {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before & 1 == 0 {
                let value = self.load();
                fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == before {
                    return value;
                }
            }
            core::hint::spin_loop();
        }
    }
    /// Changes the value; writers exclude one another by a spin lock with interrupts off. `f` is short and does not come back here.
    pub fn update<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let _exclusive = self.writer.lock();
        let mut value = self.load();
        let result = f(&mut value);
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, chunk) in self.words.iter().zip(value.as_bytes().chunks(8)) {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        }
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
        result
    }

    #[inline]
    fn load(&self) -> T {
        let mut value = T::new_zeroed();
        for (chunk, word) in value.as_mut_bytes().chunks_mut(8).zip(&self.words) {
            let bytes = word.load(Ordering::Relaxed).to_ne_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        value
    }
}
