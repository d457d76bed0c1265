//! A CPU's own stack of free objects of one class.

use super::{ClassId, Classes};
use core::hint;

/// The most objects in a magazine.
pub const MAGAZINE_SIZE: usize = 128;

/// A stack of free objects.
pub struct Magazine {
    /// How many there are: at most `limit`, which is at most [`MAGAZINE_SIZE`].
    len: usize,
    limit: usize,
    objects: [*mut u8; MAGAZINE_SIZE],
}

impl Magazine {
    /// An empty one for at most `limit` objects.
    pub const fn new(limit: usize) -> Self {
        assert!(limit <= MAGAZINE_SIZE);
        Self { len: 0, limit, objects: [core::ptr::null_mut(); MAGAZINE_SIZE] }
    }

    /// An empty one for each class, in their order.
    pub const fn for_classes<const N: usize>(classes: &Classes<N>) -> [Self; N] {
        let mut magazines = [const { Self::new(0) }; N];
        Self::set_limits(&mut magazines, classes);
        magazines
    }

    /// Makes magazines for nothing (memory that is all zeros) such as those of [`Magazine::for_classes`].
    pub const fn set_limits<const N: usize>(magazines: &mut [Self; N], classes: &Classes<N>) {
        let mut index = 0;
        while index < N {
            magazines[index].limit = classes.slab(ClassId::nth(index)).magazine_limit();
            index += 1;
        }
    }

    /// Takes the object freed last: the one most likely to be in the cache.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<*mut u8> {
        let rest = self.len.checked_sub(1)?;
        self.len = rest;
        // SAFETY: the length was at most the array's (see the field), and is one less.
        unsafe { hint::assert_unchecked(rest < MAGAZINE_SIZE) };
        Some(self.objects[rest])
    }

    /// Adds an object, unless it is full.
    #[inline(always)]
    pub fn push(&mut self, object: *mut u8) -> bool {
        let len = self.len;
        if len >= self.limit {
            return false;
        }
        // SAFETY: the limit is at most the array's length (`new`).
        unsafe { hint::assert_unchecked(len < MAGAZINE_SIZE) };
        self.objects[len] = object;
        self.len = len + 1;
        true
    }

    /// How many more objects there is room for.
    #[inline]
    pub fn room(&self) -> usize {
        self.limit - self.len
    }

    /// How many objects there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the `count` objects that lie here longest; `sink` gets each.
    pub fn drain_oldest(&mut self, count: usize, mut sink: impl FnMut(*mut u8)) {
        let count = count.min(self.len);
        for &object in &self.objects[..count] {
            sink(object);
        }
        self.objects.copy_within(count..self.len, 0);
        self.len -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pops_in_reverse_order_and_drains_in_order() {
        let mut magazine = Magazine::new(10);
        for i in 1..=10usize {
            assert!(magazine.push(core::ptr::without_provenance_mut(i * 16)));
        }
        assert!(!magazine.push(core::ptr::without_provenance_mut(16)));
        assert_eq!(magazine.pop().map(|p| p.addr()), Some(160));
        let mut drained = Vec::new();
        magazine.drain_oldest(3, |object| drained.push(object.addr()));
        assert_eq!(drained, [16, 32, 48]);
        assert_eq!(magazine.len(), 6);
        assert_eq!(magazine.pop().map(|p| p.addr()), Some(144));
    }
}
