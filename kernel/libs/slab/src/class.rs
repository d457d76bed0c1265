//! Classes: the size classes, powers of two and the sizes half-way between them, and the caches.
//!
//! A request finds its class by its layout alone, in most places when the kernel is compiled. For what `Box`, `Arc` and `Vec` ask for, a layout is
//! all that an allocator gets to know, so it is by its layout that an object has a cache: see [`Cache`].

use super::{Cache, SlabLayout};

/// Sizes in bytes. Each is a multiple of 16, so every object is aligned to 16 at least.
const SIZES: [u16; 14] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];

/// How many size classes there are.
pub const SIZE_CLASSES: usize = SIZES.len();

/// The largest object of a size class.
pub const MAX_SIZE: usize = SIZES[SIZE_CLASSES - 1] as usize;

/// What tables by size count in.
const UNIT: usize = 16;

/// A class by size, in units rounded up.
type BySize = [u8; MAX_SIZE / UNIT + 1];

/// One of the `N` classes of a heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClassId<const N: usize>(u8);

impl<const N: usize> ClassId<N> {
    /// All classes: the size classes, then the caches.
    pub fn all() -> impl Iterator<Item = ClassId<N>> {
        (0..N).map(ClassId::nth)
    }

    /// The class with this place among them.
    pub(super) const fn nth(index: usize) -> ClassId<N> {
        assert!(index < N && N <= u8::MAX as usize);
        ClassId(index as u8)
    }

    /// Its place among the classes.
    #[inline]
    pub const fn index(self) -> usize {
        let index = self.0 as usize;
        // SAFETY: classes are made by `nth`, and from tables that `Classes::new` filled with such numbers.
        unsafe { core::hint::assert_unchecked(index < N) };
        index
    }
}

/// The classes of a heap.
pub struct Classes<const N: usize> {
    slabs: [SlabLayout; N],
    caches: &'static [Cache],
    /// The largest object that has a cache.
    largest: usize,
    /// Bytes that each object has behind what was asked for.
    trailer: usize,
    by_size: BySize,
    /// For requests that are aligned to exactly [`UNIT`]: they may have a cache.
    by_size_aligned: BySize,
}

impl<const N: usize> Classes<N> {
    /// The size classes and `caches`; each object has `trailer` bytes beyond its size.
    pub const fn new(caches: &'static [Cache], trailer: usize) -> Self {
        assert!(N == SIZE_CLASSES + caches.len() && N <= u8::MAX as usize);
        assert!(trailer.is_multiple_of(UNIT) && trailer < MAX_SIZE);
        let mut by_size = [0; MAX_SIZE / UNIT + 1];
        let mut unit = 0;
        while unit * UNIT + trailer <= MAX_SIZE {
            by_size[unit] = size_class(unit * UNIT + trailer);
            unit += 1;
        }
        let mut classes = Classes {
            slabs: [SlabLayout::of_size_class(SIZES[0] as usize); N],
            caches,
            largest: 0,
            trailer,
            by_size,
            by_size_aligned: by_size,
        };
        let mut class = 0;
        while class < SIZE_CLASSES {
            classes.slabs[class] = SlabLayout::of_size_class(SIZES[class] as usize);
            class += 1;
        }
        while class < N {
            let Cache { layout, .. } = caches[class - SIZE_CLASSES];
            assert!(
                classes.cache_of(layout.size(), layout.align()) == class,
                "two caches have the same layout: give one type some bytes more, or no cache"
            );
            if layout.size() > classes.largest {
                classes.largest = layout.size();
            }
            if layout.align() == UNIT && layout.size() <= classes.limit() {
                classes.by_size_aligned[layout.size() / UNIT] = class as u8;
            }
            classes.slabs[class] = SlabLayout::of_cache(layout.size() + trailer, layout.align());
            class += 1;
        }
        classes
    }

    /// The largest request that a size class serves.
    #[inline(always)]
    const fn limit(&self) -> usize {
        MAX_SIZE - self.trailer
    }

    /// The class for a request; `None` when it is too large or too strictly aligned for a slab.
    #[inline(always)]
    pub const fn for_request(&self, size: usize, align: usize) -> Option<ClassId<N>> {
        if align < UNIT && size <= self.limit() {
            Some(ClassId(self.by_size[size.div_ceil(UNIT)]))
        } else if align == UNIT && size <= self.limit() {
            Some(ClassId(self.by_size_aligned[size.div_ceil(UNIT)]))
        } else if align > UNIT || size <= self.largest {
            self.search(size, align)
        } else {
            None
        }
    }

    /// The same for what the tables do not have.
    #[inline(never)]
    const fn search(&self, size: usize, align: usize) -> Option<ClassId<N>> {
        let cache = self.cache_of(size, align);
        if cache < N {
            return Some(ClassId(cache as u8));
        }
        // Of the size classes only powers of two are aligned to their size.
        let least = if size + self.trailer > align { size + self.trailer } else { align };
        if align <= UNIT || least > MAX_SIZE {
            return None;
        }
        Some(ClassId(size_class(least.next_power_of_two())))
    }

    /// The place among the classes of the cache of this layout; `N` if it has none.
    const fn cache_of(&self, size: usize, align: usize) -> usize {
        let mut n = 0;
        while n < self.caches.len() {
            let layout = self.caches[n].layout;
            if layout.size() == size && layout.align() == align {
                return SIZE_CLASSES + n;
            }
            n += 1;
        }
        N
    }

    /// How objects of a class lie in its slabs.
    #[inline]
    pub const fn slab(&self, class: ClassId<N>) -> &SlabLayout {
        &self.slabs[class.index()]
    }

    /// The name of a class that is a cache.
    pub const fn name(&self, class: ClassId<N>) -> Option<&'static str> {
        match class.index().checked_sub(SIZE_CLASSES) {
            Some(n) => Some(self.caches[n].name),
            None => None,
        }
    }
}

/// The place of the smallest size class for `size` bytes, which are at most [`MAX_SIZE`].
const fn size_class(size: usize) -> u8 {
    let mut class = 0;
    while (SIZES[class] as usize) < size {
        class += 1;
    }
    class as u8
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::testing::{CACHES, CLASSES, COUNT};
    use proptest::prelude::*;

    type Id = ClassId<COUNT>;

    fn is_cache(class: Id) -> bool {
        CLASSES.name(class).is_some()
    }

    #[test]
    fn every_request_fits_its_class_and_the_class_below_is_too_small() {
        for size in 0..=MAX_SIZE {
            let class = CLASSES.for_request(size, 8).unwrap();
            assert!(CLASSES.slab(class).size() >= size);
            assert!(class.index() == 0 || usize::from(SIZES[class.index() - 1]) < size);
        }
        assert_eq!(CLASSES.for_request(MAX_SIZE + 1, 8), None);
    }

    #[test]
    fn objects_with_a_cache_get_it_and_take_their_own_size_there() {
        for (n, cache) in CACHES.iter().enumerate() {
            let (size, align) = (cache.layout.size(), cache.layout.align());
            let class = CLASSES.for_request(size, align).unwrap();
            assert_eq!(class, Id::nth(SIZE_CLASSES + n));
            assert_eq!(CLASSES.slab(class).size(), size.next_multiple_of(align));
            assert_eq!(CLASSES.name(class), Some(cache.name));
        }
    }

    #[test]
    fn what_guards_add_is_beside_what_was_asked_for() {
        const TRAILER: usize = 112;
        let guarded = Classes::<COUNT>::new(&CACHES, TRAILER);
        for size in 0..=5000 {
            for align in [1, 8, 16, 64] {
                let plain = CLASSES.for_request(size, align).filter(|&class| is_cache(class));
                let class = guarded.for_request(size, align);
                assert_eq!(class.filter(|&class| is_cache(class)), plain, "{size} {align}");
                let room = class.map(|class| guarded.slab(class).size());
                assert!(room.is_none_or(|room| room >= size + TRAILER));
            }
        }
    }

    proptest! {
        /// What has no cache gets a size class, with whatever alignment it asks for.
        #[test]
        fn only_the_layout_of_a_cache_leads_to_it(size in 0usize..5000, shift in 0u32..13) {
            let align = 1usize << shift;
            let cached = CACHES
                .iter()
                .any(|cache| cache.layout.size() == size && cache.layout.align() == align);
            match CLASSES.for_request(size, align) {
                Some(class) => {
                    let slab = CLASSES.slab(class);
                    prop_assert_eq!(is_cache(class), cached);
                    prop_assert!(slab.size() >= size);
                    prop_assert_eq!(slab.size() % align, 0);
                    prop_assert_eq!(slab.first_offset() % align, 0);
                }
                None => prop_assert!(!cached && size.max(align).next_power_of_two() > MAX_SIZE),
            }
        }
    }
}
