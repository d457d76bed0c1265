//! The buddy allocator of page frames (Knowlton 1965; Knuth, TAOCP 1, 2.5): blocks of 2^n frames, aligned to their
//! size, split in halves on allocation and merged with their buddy when both are free.
//!
//! It holds no memory of its own: the links of the free lists and the order of each free block are in a [`FrameTable`],
//! which in the kernel is the array with one entry a frame. It has no lock: the caller wraps it in one.
//! Allocation and release cost O([`ORDERS`]) at most, whatever the size of memory.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

use core::ops::Range;

/// The largest block is 2^`MAX_ORDER` frames (4 MiB of 4 KiB frames).
pub const MAX_ORDER: u8 = 10;
/// How many orders there are.
pub const ORDERS: usize = MAX_ORDER as usize + 1;
/// The end of a list: no frame has this number.
pub const NONE: u32 = u32::MAX;

/// Where the allocator keeps what it must know of each frame.
pub trait FrameTable {
    /// The order of the free block that starts at `frame`; `None` when no free block starts there, or the frame is not
    /// this allocator's (another node's, beyond the end).
    fn free_order(&self, frame: u32) -> Option<u8>;
    /// Records it.
    fn set_free_order(&self, frame: u32, order: Option<u8>);
    /// The links of a free block: previous and next in its list.
    fn links(&self, frame: u32) -> (u32, u32);
    /// Sets the link to the previous block.
    fn set_prev(&self, frame: u32, prev: u32);
    /// Sets the link to the next block.
    fn set_next(&self, frame: u32, next: u32);
}

/// The allocator.
pub struct Buddy<T> {
    table: T,
    heads: [u32; ORDERS],
    blocks: [usize; ORDERS],
    free_frames: usize,
}

impl<T: FrameTable> Buddy<T> {
    /// An allocator without any memory.
    pub const fn new(table: T) -> Self {
        Self { table, heads: [NONE; ORDERS], blocks: [0; ORDERS], free_frames: 0 }
    }

    /// Adds the frames `start..end`, in blocks as large as alignment allows.
    pub fn add_range(&mut self, start: u32, end: u32) {
        let mut frame = start;
        while frame < end {
            let aligned = frame.trailing_zeros().min(u32::from(MAX_ORDER));
            let fitting = (end - frame).ilog2();
            let order = aligned.min(fitting) as u8;
            self.free(frame, order);
            frame += 1 << order;
        }
    }

    /// Takes a block of 2^`order` frames; its first frame.
    pub fn alloc(&mut self, order: u8) -> Option<u32> {
        let found = (order..=MAX_ORDER).find(|&o| self.heads[usize::from(o)] != NONE)?;
        let frame = self.heads[usize::from(found)];
        self.unlink(frame, found);
        for split in (order..found).rev() {
            self.link(frame + (1 << split), split);
        }
        self.free_frames -= 1 << order;
        Some(frame)
    }

    /// Takes up to `count` frames and hands them out in runs: those that as many calls of [`Buddy::alloc`] with order 0 would give,
    /// the smallest blocks first, but each block in one step.
    pub fn alloc_frames(&mut self, mut count: u32, mut take: impl FnMut(Range<u32>)) {
        while count > 0 {
            let Some(smallest) = self.heads.iter().position(|&head| head != NONE) else { return };
            let order = count.ilog2().min(smallest as u32);
            let Some(frame) = self.alloc(order as u8) else { return };
            take(frame..frame + (1 << order));
            count -= 1 << order;
        }
    }

    /// Gives a block back. The caller owns it: `frame` came from [`Buddy::alloc`] with this order, or the block is part
    /// of one that did.
    pub fn free(&mut self, mut frame: u32, mut order: u8) {
        self.free_frames += 1 << order;
        while order < MAX_ORDER {
            let buddy = frame ^ (1 << order);
            if self.table.free_order(buddy) != Some(order) {
                break;
            }
            self.unlink(buddy, order);
            frame &= buddy;
            order += 1;
        }
        self.link(frame, order);
    }

    /// How many frames are free.
    pub fn free_frames(&self) -> usize {
        self.free_frames
    }

    /// How many free blocks there are of each order (`/proc/buddyinfo`).
    pub fn free_blocks(&self) -> [usize; ORDERS] {
        self.blocks
    }

    fn link(&mut self, frame: u32, order: u8) {
        let head = &mut self.heads[usize::from(order)];
        self.table.set_prev(frame, NONE);
        self.table.set_next(frame, *head);
        if *head != NONE {
            self.table.set_prev(*head, frame);
        }
        *head = frame;
        self.blocks[usize::from(order)] += 1;
        self.table.set_free_order(frame, Some(order));
    }

    fn unlink(&mut self, frame: u32, order: u8) {
        let (prev, next) = self.table.links(frame);
        if prev == NONE {
            self.heads[usize::from(order)] = next;
        } else {
            self.table.set_next(prev, next);
        }
        if next != NONE {
            self.table.set_prev(next, prev);
        }
        self.blocks[usize::from(order)] -= 1;
        self.table.set_free_order(frame, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    struct Table(Vec<Cell<(Option<u8>, u32, u32)>>);

    impl Table {
        fn new(frames: usize) -> Table {
            Table((0..frames).map(|_| Cell::new((None, NONE, NONE))).collect())
        }
        fn change(&self, frame: u32, f: impl FnOnce(&mut (Option<u8>, u32, u32))) {
            let cell = &self.0[frame as usize];
            let mut value = cell.get();
            f(&mut value);
            cell.set(value);
        }
    }

    impl FrameTable for Table {
        fn free_order(&self, frame: u32) -> Option<u8> {
            self.0.get(frame as usize).and_then(|cell| cell.get().0)
        }
        fn set_free_order(&self, frame: u32, order: Option<u8>) {
            self.change(frame, |v| v.0 = order);
        }
        fn links(&self, frame: u32) -> (u32, u32) {
            let (_, prev, next) = self.0[frame as usize].get();
            (prev, next)
        }
        fn set_prev(&self, frame: u32, prev: u32) {
            self.change(frame, |v| v.1 = prev);
        }
        fn set_next(&self, frame: u32, next: u32) {
            self.change(frame, |v| v.2 = next);
        }
    }

    #[test]
    fn empty_allocator_gives_nothing() {
        assert_eq!(Buddy::new(Table::new(0)).alloc(0), None);
    }

    #[test]
    fn freed_halves_merge_to_the_largest_block() {
        let mut buddy = Buddy::new(Table::new(1024));
        buddy.add_range(0, 1024);
        let frames: Vec<_> = (0..1024).map(|_| buddy.alloc(0).unwrap()).collect();
        assert_eq!(buddy.alloc(0), None);
        for frame in frames {
            buddy.free(frame, 0);
        }
        assert_eq!(buddy.free_blocks()[usize::from(MAX_ORDER)], 1);
        assert_eq!(buddy.alloc(MAX_ORDER), Some(0));
    }

    #[test]
    fn unaligned_range_is_split_at_alignment() {
        let mut buddy = Buddy::new(Table::new(64));
        buddy.add_range(3, 21);
        assert_eq!(buddy.free_frames(), 18);
        // 3 | 4..8 | 8..16 | 16..20 | 20
        assert_eq!(buddy.free_blocks()[..4], [2, 0, 2, 1]);
    }

    #[test]
    fn a_block_can_be_given_back_in_parts() {
        let mut buddy = Buddy::new(Table::new(16));
        buddy.add_range(0, 16);
        let block = buddy.alloc(4).unwrap();
        buddy.free(block + 8, 3);
        buddy.free(block, 2);
        buddy.free(block + 4, 2);
        assert_eq!(buddy.alloc(4), Some(block));
    }

    proptest! {
        /// Blocks handed out are aligned, never overlap, and all memory merges back when all are freed.
        #[test]
        fn blocks_never_overlap_and_always_merge(
            start in 0u32..100,
            len in 1u32..4000,
            steps in prop::collection::vec((any::<bool>(), 0u8..=MAX_ORDER, any::<usize>()), 1..300),
        ) {
            let end = start + len;
            let mut buddy = Buddy::new(Table::new(end as usize));
            buddy.add_range(start, end);
            let at_start = buddy.free_blocks();
            let mut owned = vec![false; end as usize];
            let mut blocks: Vec<(u32, u8)> = Vec::new();
            let mut free = len as usize;
            for (take, order, pick) in steps {
                if take {
                    if let Some(frame) = buddy.alloc(order) {
                        prop_assert_eq!(frame % (1 << order), 0);
                        for f in frame..frame + (1 << order) {
                            prop_assert!(f >= start && f < end && !owned[f as usize]);
                            owned[f as usize] = true;
                        }
                        blocks.push((frame, order));
                        free -= 1 << order;
                    }
                } else if !blocks.is_empty() {
                    let (frame, order) = blocks.swap_remove(pick % blocks.len());
                    for f in frame..frame + (1 << order) {
                        owned[f as usize] = false;
                    }
                    buddy.free(frame, order);
                    free += 1 << order;
                }
                prop_assert_eq!(buddy.free_frames(), free);
            }
            for (frame, order) in blocks {
                buddy.free(frame, order);
            }
            prop_assert_eq!(buddy.free_blocks(), at_start);
        }
    }

    proptest! {
        /// Frames taken many at a time are those that one after the other would be, and leave the same blocks free.
        #[test]
        fn many_frames_are_those_that_single_allocations_give(
            holes in prop::collection::vec((0u32..2000, 1u32..40), 0..60),
            counts in prop::collection::vec(1u32..100, 1..60),
        ) {
            let memory = || {
                let mut free = vec![true; 2000];
                for &(start, len) in &holes {
                    free[start as usize..2000.min(start + len) as usize].fill(false);
                }
                let mut buddy = Buddy::new(Table::new(2000));
                for frame in (0..2000).filter(|&frame| free[frame as usize]) {
                    buddy.free(frame, 0);
                }
                buddy
            };
            let (mut many, mut single) = (memory(), memory());
            for count in counts {
                let mut taken = Vec::new();
                many.alloc_frames(count, |run| taken.extend(run));
                let mut expected: Vec<_> = (0..count).map_while(|_| single.alloc(0)).collect();
                taken.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(taken, expected);
                prop_assert_eq!(many.free_blocks(), single.free_blocks());
                prop_assert_eq!(many.free_frames(), single.free_frames());
            }
        }
    }

    proptest! {
        // Half a gigabyte each, through which the blocks go several times: in a small memory a share at one moment is chance.
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// While programs allocate and free at random, up to three quarters of memory and mostly single frames, less than 15 % of what is
        /// free lies in blocks too small for 16 frames: small blocks are used up before large ones are split.
        #[test]
        fn mixed_random_allocation_leaves_most_free_memory_in_large_blocks(
            quarters in 1usize..=3,
            single_percent in 50usize..=90,
            seed in 1u64..,
        ) {
            const FRAMES: usize = 128 * 1024;
            let mut buddy = Buddy::new(Table::new(FRAMES));
            buddy.add_range(0, FRAMES as u32);
            let (mut blocks, mut used, mut state) = (Vec::new(), 0, seed);
            let mut random = |below: usize| {
                // Marsaglia's xorshift: enough of chance here, and quick.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state % below as u64) as usize
            };
            let target = FRAMES / 4 * quarters;
            for _ in 0..480_000 {
                if blocks.is_empty() || used < target && random(2) == 0 || used < target * 9 / 10 {
                    let order = if random(100) < single_percent { 0 } else { 1 + random(4) as u8 };
                    if let Some(frame) = buddy.alloc(order) {
                        blocks.push((frame, order));
                        used += 1usize << order;
                    }
                } else {
                    let (frame, order) = blocks.swap_remove(random(blocks.len()));
                    buddy.free(frame, order);
                    used -= 1usize << order;
                }
            }
            let small: usize = (0..4).map(|order| buddy.free_blocks()[order] << order).sum();
            prop_assert!(small * 100 < buddy.free_frames() * 15, "{small} of {}", buddy.free_frames());
        }
    }
}
