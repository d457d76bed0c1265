//! A CPU's own stack of free objects of one class.

/// The most objects in a magazine.
pub const MAGAZINE_SIZE: usize = 32;

/// A stack of free objects.
pub struct Magazine {
    len: usize,
    objects: [*mut u8; MAGAZINE_SIZE],
}

impl Magazine {
    /// An empty one.
    pub const fn new() -> Self {
        Self { len: 0, objects: [core::ptr::null_mut(); MAGAZINE_SIZE] }
    }

    /// Takes the object freed last: the one most likely to be in the cache.
    #[inline]
    pub fn pop(&mut self) -> Option<*mut u8> {
        self.len = self.len.checked_sub(1)?;
        Some(self.objects[self.len])
    }

    /// Adds an object, unless there are `limit` already.
    #[inline]
    pub fn push(&mut self, object: *mut u8, limit: usize) -> bool {
        if self.len >= limit.min(MAGAZINE_SIZE) {
            return false;
        }
        self.objects[self.len] = object;
        self.len += 1;
        true
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
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

impl Default for Magazine {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pops_in_reverse_order_and_drains_in_order() {
        let mut magazine = Magazine::new();
        for i in 1..=10usize {
            assert!(magazine.push(core::ptr::without_provenance_mut(i * 16), 10));
        }
        assert!(!magazine.push(core::ptr::without_provenance_mut(16), 10));
        assert_eq!(magazine.pop().map(|p| p.addr()), Some(160));
        let mut drained = Vec::new();
        magazine.drain_oldest(3, |object| drained.push(object.addr()));
        assert_eq!(drained, [16, 32, 48]);
        assert_eq!(magazine.len(), 6);
        assert_eq!(magazine.pop().map(|p| p.addr()), Some(144));
    }
}
