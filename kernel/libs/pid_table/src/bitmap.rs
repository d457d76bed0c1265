//! A fixed bitmap with "the first clear bit from here on".

/// `64 * WORDS` bits.
#[derive(Clone, Copy)]
pub(crate) struct Bitmap<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Bitmap<WORDS> {
    pub(crate) const fn new() -> Self {
        Self([0; WORDS])
    }

    pub(crate) fn get(&self, bit: usize) -> bool {
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }

    pub(crate) fn set(&mut self, bit: usize, value: bool) {
        let mask = 1 << (bit % 64);
        if value {
            self.0[bit / 64] |= mask;
        } else {
            self.0[bit / 64] &= !mask;
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.iter().all(|&word| word == u64::MAX)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    /// The first clear bit not below `from`.
    pub(crate) fn first_clear(&self, from: usize) -> Option<usize> {
        let mut index = from / 64;
        let mut below = (1u64 << (from % 64)) - 1;
        while index < WORDS {
            let free = !(self.0[index] | below);
            if free != 0 {
                return Some(index * 64 + free.trailing_zeros() as usize);
            }
            (index, below) = (index + 1, 0);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_clear_skips_set_bits_and_words() {
        let mut bits = Bitmap::<2>::new();
        (3..70).for_each(|bit| bits.set(bit, true));
        assert_eq!(bits.first_clear(0), Some(0));
        assert_eq!(bits.first_clear(3), Some(70));
        assert_eq!(bits.first_clear(127), Some(127));
        bits.set(127, true);
        assert_eq!(bits.first_clear(127), None);
    }
}
