//! Size classes: powers of two and the sizes half-way between them.

/// Sizes in bytes. Each is a multiple of 16, so every object is aligned to 16 at least.
const SIZES: [u16; 14] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];

/// Bytes that a slab's header takes at its start.
pub const HEADER_SIZE: usize = 64;

/// How many classes there are.
pub const CLASS_COUNT: usize = SIZES.len();

/// The largest object.
pub const MAX_SIZE: usize = SIZES[CLASS_COUNT - 1] as usize;

/// A size class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClassId(u8);

/// Size in units of 16 bytes, rounded up, to class.
const BY_SIZE: [u8; MAX_SIZE / 16 + 1] = {
    let mut table = [0; MAX_SIZE / 16 + 1];
    let mut class = 0;
    let mut unit = 0;
    while unit < table.len() {
        if unit * 16 > SIZES[class] as usize {
            class += 1;
        }
        table[unit] = class as u8;
        unit += 1;
    }
    table
};

impl ClassId {
    /// The class for a request; `None` when it is too large or too strictly aligned for a slab.
    #[inline(always)]
    pub const fn for_request(size: usize, align: usize) -> Option<ClassId> {
        if align > 16 {
            return ClassId::for_aligned(size, align);
        }
        if size > MAX_SIZE {
            return None;
        }
        Some(ClassId(BY_SIZE[size.div_ceil(16)]))
    }

    /// The same for what is aligned to more than every class: only powers of two are aligned to their size.
    #[inline(never)]
    const fn for_aligned(size: usize, align: usize) -> Option<ClassId> {
        let size = if size > align { size } else { align };
        if size > MAX_SIZE {
            return None;
        }
        Some(ClassId(BY_SIZE[size.next_power_of_two().div_ceil(16)]))
    }

    /// All classes.
    pub fn all() -> impl Iterator<Item = ClassId> {
        (0..CLASS_COUNT).map(ClassId::nth)
    }

    /// The class with this place among them.
    pub(super) const fn nth(index: usize) -> ClassId {
        assert!(index < CLASS_COUNT);
        ClassId(index as u8)
    }

    /// Its place among the classes.
    #[inline]
    pub const fn index(self) -> usize {
        let index = self.0 as usize;
        // SAFETY: classes are made by `nth`, and from the table of classes by size, which is filled with such numbers.
        unsafe { core::hint::assert_unchecked(index < CLASS_COUNT) };
        index
    }

    /// Bytes in an object.
    #[inline]
    pub const fn size(self) -> usize {
        SIZES[self.index()] as usize
    }

    /// The order of a slab: it is 2^order pages.
    #[inline]
    pub const fn slab_order(self) -> u8 {
        LAYOUTS[self.index()].order
    }

    /// Where in the slab the first object is.
    #[inline]
    pub const fn first_offset(self) -> usize {
        LAYOUTS[self.index()].first_offset as usize
    }

    /// How many objects a slab holds.
    #[inline]
    pub const fn capacity(self) -> usize {
        LAYOUTS[self.index()].capacity as usize
    }

    /// How many objects a magazine keeps: fewer of the large ones.
    #[inline]
    pub const fn magazine_limit(self) -> usize {
        match self.size() {
            0..=256 => super::MAGAZINE_SIZE,
            257..=1024 => super::MAGAZINE_SIZE / 2,
            _ => super::MAGAZINE_SIZE / 4,
        }
    }
}

/// How a class lies in its slabs.
struct SlabLayout {
    order: u8,
    first_offset: u16,
    capacity: u16,
}

const LAYOUTS: [SlabLayout; CLASS_COUNT] = {
    let mut layouts =
        [const { SlabLayout { order: 0, first_offset: 0, capacity: 0 } }; CLASS_COUNT];
    let mut class = 0;
    while class < CLASS_COUNT {
        let size = SIZES[class] as usize;
        let order = match size {
            0..=256 => 0,
            257..=768 => 1,
            769..=1536 => 2,
            _ => 3,
        };
        // Objects are as aligned as their size is.
        let natural = 1 << size.trailing_zeros();
        let first = if natural > HEADER_SIZE { natural } else { HEADER_SIZE };
        let capacity = ((4096 << order) - first) / size;
        layouts[class] =
            SlabLayout { order, first_offset: first as u16, capacity: capacity as u16 };
        class += 1;
    }
    layouts
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_fits_its_class_and_the_class_below_is_too_small() {
        for size in 0..=MAX_SIZE {
            let class = ClassId::for_request(size, 8).unwrap();
            assert!(class.size() >= size);
            assert!(class.index() == 0 || usize::from(SIZES[class.index() - 1]) < size);
        }
        assert_eq!(ClassId::for_request(MAX_SIZE + 1, 8), None);
    }

    #[test]
    fn aligned_requests_get_a_class_whose_objects_are_aligned() {
        for shift in 0..=11 {
            let align = 1usize << shift;
            for size in [1, 17, 40, 100, 600, 2048] {
                let class = ClassId::for_request(size, align).unwrap();
                assert!(class.size() >= size);
                assert_eq!(class.size() % align.min(16), 0);
                if align > 16 {
                    assert_eq!(class.size() % align, 0);
                    assert_eq!(class.first_offset() % align, 0);
                }
            }
        }
        assert_eq!(ClassId::for_request(8, 4096), None);
    }

    #[test]
    fn no_class_wastes_more_than_a_seventh_of_its_slab() {
        for class in ClassId::all() {
            let slab = 4096 << class.slab_order();
            assert!(class.capacity() * class.size() * 7 >= slab * 6, "{}", class.size());
        }
    }
}
