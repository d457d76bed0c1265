//! How the objects of a class lie in its slabs.

/// Bytes that a slab's header takes at its start.
pub const HEADER_SIZE: usize = 64;

/// Bytes in a page.
const PAGE_SIZE: usize = 4096;

/// How many objects a slab of a cache has at least, if they are not too large for that: with fewer, slabs come and go all the time.
const HANDFUL: usize = 8;

/// The largest slab, as an order of pages.
const MAX_ORDER: u8 = 3;

/// A slab of 2^order pages and its objects, one after another behind its header.
#[derive(Clone, Copy)]
pub struct SlabLayout {
    size: u16,
    first_offset: u16,
    capacity: u16,
    order: u8,
}

impl SlabLayout {
    const fn new(size: usize, align: usize, order: u8) -> SlabLayout {
        let first = if align > HEADER_SIZE { align } else { HEADER_SIZE };
        let capacity = ((PAGE_SIZE << order) - first) / size;
        SlabLayout {
            size: size as u16,
            first_offset: first as u16,
            capacity: capacity as u16,
            order,
        }
    }

    /// That of a size class. Its objects are as aligned as their size is.
    pub(super) const fn of_size_class(size: usize) -> SlabLayout {
        let order = match size {
            0..=256 => 0,
            257..=768 => 1,
            769..=1536 => 2,
            _ => MAX_ORDER,
        };
        SlabLayout::new(size, 1 << size.trailing_zeros(), order)
    }

    /// That of a cache: the smallest slab with a handful of objects that wastes no more than a sixteenth; if there is none, than an eighth, and so on
    /// (Linux's `calculate_order`).
    pub(super) const fn of_cache(size: usize, align: usize) -> SlabLayout {
        // Free objects hold a pointer.
        let align = if align > align_of::<usize>() { align } else { align_of::<usize>() };
        let size = size.next_multiple_of(align);
        assert!(size > 0 && size <= PAGE_SIZE && align <= PAGE_SIZE);
        let mut part = 16;
        loop {
            let mut order = 0;
            while order <= MAX_ORDER {
                let layout = SlabLayout::new(size, align, order);
                let enough = layout.capacity() >= HANDFUL || order == MAX_ORDER;
                if enough && layout.waste() * part <= PAGE_SIZE << order {
                    return layout;
                }
                order += 1;
            }
            part /= 2;
        }
    }

    /// Bytes of a slab that are in none of its objects.
    const fn waste(&self) -> usize {
        (PAGE_SIZE << self.order) - self.capacity() * self.size()
    }

    /// Bytes in an object.
    #[inline]
    pub const fn size(&self) -> usize {
        self.size as usize
    }

    /// The order of a slab: it is 2^order pages.
    #[inline]
    pub const fn order(&self) -> u8 {
        self.order
    }

    /// Where in the slab the first object is.
    #[inline]
    pub const fn first_offset(&self) -> usize {
        self.first_offset as usize
    }

    /// How many objects a slab holds.
    #[inline]
    pub const fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// How many objects a magazine keeps: fewer of the large ones.
    #[inline]
    pub const fn magazine_limit(&self) -> usize {
        match self.size() {
            0..=256 => super::MAGAZINE_SIZE,
            257..=1024 => super::MAGAZINE_SIZE / 2,
            _ => super::MAGAZINE_SIZE / 4,
        }
    }

    /// Where the slab of an object starts.
    #[inline]
    pub(super) fn slab_of(&self, object: *mut u8) -> *mut u8 {
        object.map_addr(|addr| addr & !((PAGE_SIZE << self.order) - 1))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        ClassId,
        testing::{CLASSES, COUNT},
    };
    use proptest::prelude::*;

    #[test]
    fn no_class_wastes_more_than_a_seventh_of_its_slab() {
        for class in ClassId::<COUNT>::all() {
            let layout = CLASSES.slab(class);
            assert!(layout.waste() * 7 <= PAGE_SIZE << layout.order(), "{}", layout.size());
        }
    }

    proptest! {
        /// The objects of a cache are aligned, apart from each other and within their slab, and fill most of it.
        #[test]
        fn caches_pack_objects_at_their_size(size in 8usize..=4096, shift in 3u32..8) {
            let align = 1usize << shift;
            let layout = SlabLayout::of_cache(size, align);
            let slab = PAGE_SIZE << layout.order();
            prop_assert_eq!(layout.size(), size.next_multiple_of(align));
            prop_assert_eq!(layout.first_offset() % align, 0);
            prop_assert!(layout.first_offset() >= HEADER_SIZE);
            prop_assert!(layout.first_offset() + layout.capacity() * layout.size() <= slab);
            prop_assert!(layout.waste() * 7 <= slab, "{} bytes", layout.waste());
            prop_assert!(layout.capacity() >= HANDFUL || layout.order() == MAX_ORDER);
        }
    }
}
