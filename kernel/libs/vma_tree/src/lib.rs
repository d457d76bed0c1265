//! An ordered map of disjoint address ranges: what an address space keeps its mappings in.
//!
//! Ranges are never merged or split behind the caller's back. Insertion can fail for want of memory, and can be made unable to fail
//! by [`RangeMap::try_reserve`] before a change of several steps begins. Each leaf knows the largest gap before any of
//! its ranges, and so does each block of leaves, so a search for free address space skips full stretches of the space.
//!
//! A sorted vector of leaves of up to [`LEAF_SIZE`] ranges. Look-up is two binary searches. Insertion moves at most one leaf,
//! and once in many times the vector of leaves. A gap is found in a few steps for each [`BLOCK_SIZE`] leaves, and as many in
//! the block and the leaf that have it: with a hundred thousand ranges, about two hundred steps.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use core::ops::Range;

/// Ranges in a leaf.
pub const LEAF_SIZE: usize = 32;

/// Leaves in a block.
pub const BLOCK_SIZE: usize = 64;

/// No memory for another range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

/// A range and what is there.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The first address.
    pub start: usize,
    /// The address after the last.
    pub end: usize,
    /// What is there.
    pub value: T,
}

struct Leaf<T> {
    entries: Vec<Entry<T>>,
    /// The largest gap before one of the entries.
    max_gap: usize,
}

/// The map.
pub struct RangeMap<T> {
    leaves: Vec<Leaf<T>>,
    /// The largest gap in each block of leaves.
    blocks: Vec<usize>,
    spare: Vec<Vec<Entry<T>>>,
    len: usize,
}

/// A place in the map.
#[derive(Clone, Copy)]
struct Cursor {
    leaf: usize,
    slot: usize,
}

impl<T> RangeMap<T> {
    /// An empty map.
    pub const fn new() -> Self {
        Self { leaves: Vec::new(), blocks: Vec::new(), spare: Vec::new(), len: 0 }
    }

    /// How many ranges there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the next `count` insertions unable to fail.
    pub fn try_reserve(&mut self, count: usize) -> Result<(), OutOfMemory> {
        let room = self.leaves.capacity() - self.leaves.len();
        if self.spare.len() >= count
            && room >= count
            && self.blocks.capacity() > self.blocks.len()
            && count <= BLOCK_SIZE
        {
            return Ok(());
        }
        self.leaves.try_reserve(count).map_err(|_| OutOfMemory)?;
        let blocks = (self.leaves.len() + count).div_ceil(BLOCK_SIZE);
        let more = blocks.saturating_sub(self.blocks.len());
        self.blocks.try_reserve(more).map_err(|_| OutOfMemory)?;
        self.spare.try_reserve(count.saturating_sub(self.spare.len())).map_err(|_| OutOfMemory)?;
        while self.spare.len() < count {
            let mut leaf = Vec::new();
            leaf.try_reserve_exact(LEAF_SIZE).map_err(|_| OutOfMemory)?;
            self.spare.push(leaf);
        }
        Ok(())
    }

    /// The first range that ends above `addr` (it may begin above it too).
    #[inline]
    pub fn find(&self, addr: usize) -> Option<&Entry<T>> {
        let at = self.seek(addr)?;
        Some(&self.leaves[at.leaf].entries[at.slot])
    }

    /// The same, to change the value.
    pub fn find_mut(&mut self, addr: usize) -> Option<(Range<usize>, &mut T)> {
        let at = self.seek(addr)?;
        let entry = &mut self.leaves[at.leaf].entries[at.slot];
        Some((entry.start..entry.end, &mut entry.value))
    }

    /// The range that contains `addr`.
    #[inline]
    pub fn get(&self, addr: usize) -> Option<&Entry<T>> {
        self.find(addr).filter(|entry| entry.start <= addr)
    }

    /// The two ranges that meet at `addr`, the one below first.
    #[inline]
    pub fn meeting_at(&self, addr: usize) -> Option<(&Entry<T>, &Entry<T>)> {
        let at = self.seek(addr)?;
        let above = &self.leaves[at.leaf].entries[at.slot];
        if above.start != addr {
            return None;
        }
        let below = match at.slot.checked_sub(1) {
            Some(before) => &self.leaves[at.leaf].entries[before],
            None => self.leaves[..at.leaf].last()?.entries.last()?,
        };
        (below.end == addr).then_some((below, above))
    }

    /// The last range that ends at or below `addr`.
    pub fn before(&self, addr: usize) -> Option<&Entry<T>> {
        let (leaf, slot) = match self.seek(addr) {
            Some(at) => (at.leaf, at.slot),
            None => (self.leaves.len(), 0),
        };
        if slot > 0 {
            return self.leaves[leaf].entries.get(slot - 1);
        }
        self.leaves[..leaf].last()?.entries.last()
    }

    /// All ranges, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry<T>> {
        self.leaves.iter().flat_map(|leaf| leaf.entries.iter())
    }

    /// The ranges that overlap `range`, in order.
    pub fn overlapping(&self, range: Range<usize>) -> impl Iterator<Item = &Entry<T>> {
        let first = self.seek(range.start).unwrap_or(Cursor { leaf: self.leaves.len(), slot: 0 });
        self.leaves[first.leaf..]
            .iter()
            .enumerate()
            .flat_map(move |(n, leaf)| leaf.entries[if n == 0 { first.slot } else { 0 }..].iter())
            .take_while(move |entry| entry.start < range.end)
    }

    /// Calls `change` with each range that overlaps `range`, in order.
    pub fn for_each_mut(
        &mut self,
        range: Range<usize>,
        mut change: impl FnMut(Range<usize>, &mut T),
    ) {
        let Some(first) = self.seek(range.start) else { return };
        let mut slot = first.slot;
        for leaf in &mut self.leaves[first.leaf..] {
            for entry in &mut leaf.entries[slot..] {
                if entry.start >= range.end {
                    return;
                }
                change(entry.start..entry.end, &mut entry.value);
            }
            slot = 0;
        }
    }

    /// Adds a range. It must not be empty and must not overlap another.
    pub fn insert(&mut self, start: usize, end: usize, value: T) -> Result<(), OutOfMemory> {
        debug_assert!(start < end);
        debug_assert!(self.find(start).is_none_or(|next| next.start >= end));
        let at = match if self.is_behind_all(start) { None } else { self.seek(start) } {
            // In front of the first entry of a leaf, the leaf before may have room.
            Some(Cursor { leaf, slot: 0 }) if leaf > 0 => {
                Cursor { leaf: leaf - 1, slot: self.leaves[leaf - 1].entries.len() }
            }
            Some(at) => at,
            None => match self.leaves.len() {
                0 => {
                    let entries = self.take_spare()?;
                    self.insert_leaf(0, entries);
                    Cursor { leaf: 0, slot: 0 }
                }
                n => Cursor { leaf: n - 1, slot: self.leaves[n - 1].entries.len() },
            },
        };
        let mut at = at;
        if self.leaves[at.leaf].entries.len() == LEAF_SIZE {
            let mut upper = self.take_spare()?;
            // Growth at the end fills leaves; growth in the middle splits them in halves.
            let keep = if at.slot == LEAF_SIZE { LEAF_SIZE } else { LEAF_SIZE / 2 };
            upper.extend(self.leaves[at.leaf].entries.drain(keep..));
            self.insert_leaf(at.leaf + 1, upper);
            self.update_gap(at.leaf);
            if at.slot > keep || keep == LEAF_SIZE {
                at = Cursor { leaf: at.leaf + 1, slot: at.slot - keep };
            }
        }
        self.leaves[at.leaf].entries.insert(at.slot, Entry { start, end, value });
        self.len += 1;
        self.gap_was_cut(at);
        Ok(())
    }

    /// Takes out the range that starts at `start`.
    pub fn remove(&mut self, start: usize) -> Option<Entry<T>> {
        let at = self.seek_start(start)?;
        let leaf = &mut self.leaves[at.leaf];
        let entry = leaf.entries.remove(at.slot);
        self.len -= 1;
        if leaf.entries.is_empty() {
            let entries = self.remove_leaf(at.leaf);
            if self.spare.is_empty() && self.spare.capacity() > 0 {
                self.spare.push(entries);
            }
            self.update_gaps(at);
        } else if at.slot < leaf.entries.len() {
            // Two gaps of the leaf have become one with what was between them.
            let gap = leaf.entries[at.slot].start - self.end_before(at);
            if gap > self.leaves[at.leaf].max_gap {
                self.set_gap(at.leaf, gap);
            }
        } else {
            self.update_gaps(at);
        }
        Some(entry)
    }

    /// Changes the bounds of the range that starts at `start`. It must stay clear of its neighbours.
    pub fn set_bounds(&mut self, start: usize, new: Range<usize>) {
        let Some(at) = self.seek_start(start) else { return };
        let old = self.largest_gap_around(at);
        let entry = &mut self.leaves[at.leaf].entries[at.slot];
        (entry.start, entry.end) = (new.start, new.end);
        let Some((old, new)) = old.zip(self.largest_gap_around(at)) else {
            self.update_gaps(at);
            return;
        };
        let largest = self.leaves[at.leaf].max_gap;
        if new >= largest {
            self.set_gap(at.leaf, new);
        } else if old == largest {
            self.update_gap(at.leaf);
        }
    }

    /// The highest free stretch of `len` within `bounds`: the address where it starts, with the stretch at the
    /// top end of its gap. `usable` may shorten a gap: it gets the gap and the range above it, and returns the part that may be used.
    pub fn find_gap_down(
        &self,
        len: usize,
        bounds: Range<usize>,
        mut usable: impl FnMut(Range<usize>, Option<&Entry<T>>) -> Range<usize>,
    ) -> Option<usize> {
        let mut fits = |gap, above| {
            usable_part(gap, &bounds, len, above, &mut usable).map(|gap| gap.end - len)
        };
        let last_end = self.end_of_leaf_before(self.leaves.len());
        if let Some(found) = fits(last_end..usize::MAX, None) {
            return Some(found);
        }
        for block in (0..self.blocks.len()).rev().filter(|&block| self.blocks[block] >= len) {
            for n in self.block(block).rev().filter(|&n| self.leaves[n].max_gap >= len) {
                let leaf = &self.leaves[n];
                for (slot, entry) in leaf.entries.iter().enumerate().rev() {
                    let below = match slot {
                        0 => self.end_of_leaf_before(n),
                        _ => leaf.entries[slot - 1].end,
                    };
                    if entry.start - below >= len
                        && let Some(found) = fits(below..entry.start, Some(entry))
                    {
                        return Some(found);
                    }
                    if below <= bounds.start {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// The lowest free stretch of `len` within `bounds`; `usable` as in [`RangeMap::find_gap_down`].
    pub fn find_gap_up(
        &self,
        len: usize,
        bounds: Range<usize>,
        mut usable: impl FnMut(Range<usize>, Option<&Entry<T>>) -> Range<usize>,
    ) -> Option<usize> {
        let mut fits =
            |gap, above| usable_part(gap, &bounds, len, above, &mut usable).map(|gap| gap.start);
        for block in (0..self.blocks.len()).filter(|&block| self.blocks[block] >= len) {
            for n in self.block(block).filter(|&n| self.leaves[n].max_gap >= len) {
                let mut below = self.end_of_leaf_before(n);
                for entry in &self.leaves[n].entries {
                    if entry.start - below >= len
                        && let Some(found) = fits(below..entry.start, Some(entry))
                    {
                        return Some(found);
                    }
                    below = entry.end;
                    if below >= bounds.end {
                        return None;
                    }
                }
            }
        }
        fits(self.end_of_leaf_before(self.leaves.len())..usize::MAX, None)
    }

    /// Takes everything out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Entry<T>> + use<T> {
        self.len = 0;
        self.blocks.clear();
        core::mem::take(&mut self.leaves).into_iter().flat_map(|leaf| leaf.entries)
    }

    fn seek(&self, addr: usize) -> Option<Cursor> {
        let leaf = self
            .leaves
            .partition_point(|leaf| leaf.entries.last().is_some_and(|entry| entry.end <= addr));
        let entries = &self.leaves.get(leaf)?.entries;
        Some(Cursor { leaf, slot: entries.partition_point(|entry| entry.end <= addr) })
    }

    fn seek_start(&self, start: usize) -> Option<Cursor> {
        self.seek(start).filter(|at| self.leaves[at.leaf].entries[at.slot].start == start)
    }

    fn take_spare(&mut self) -> Result<Vec<Entry<T>>, OutOfMemory> {
        if self.spare.is_empty() {
            self.try_reserve(1)?;
        }
        self.spare.pop().ok_or(OutOfMemory)
    }

    /// Whether all ranges end at or below `start`.
    fn is_behind_all(&self, start: usize) -> bool {
        let last = self.leaves.last().and_then(|leaf| leaf.entries.last());
        last.is_none_or(|last| last.end <= start)
    }

    /// The end of the range before the one at `at`.
    fn end_before(&self, at: Cursor) -> usize {
        match at.slot.checked_sub(1) {
            Some(before) => self.leaves[at.leaf].entries[before].end,
            None => self.end_of_leaf_before(at.leaf),
        }
    }

    /// The larger of the gaps below and above the entry at `at`, if that is not the last of its leaf.
    fn largest_gap_around(&self, at: Cursor) -> Option<usize> {
        let entries = &self.leaves[at.leaf].entries;
        let (here, above) = (&entries[at.slot], entries.get(at.slot + 1)?);
        Some((here.start - self.end_before(at)).max(above.start - here.end))
    }

    /// The entry at `at` has come into what was one gap.
    fn gap_was_cut(&mut self, at: Cursor) {
        let below = self.end_before(at);
        let leaf = &self.leaves[at.leaf];
        match leaf.entries.get(at.slot + 1) {
            // A gap of the leaf, which matters only if it was the largest.
            Some(above) if above.start - below < leaf.max_gap => {}
            Some(_) => self.update_gap(at.leaf),
            None => {
                let gap = leaf.entries[at.slot].start - below;
                if gap > leaf.max_gap {
                    self.set_gap(at.leaf, gap);
                }
                if at.leaf + 1 < self.leaves.len() {
                    self.update_gap(at.leaf + 1);
                }
            }
        }
    }

    fn end_of_leaf_before(&self, leaf: usize) -> usize {
        self.leaves[..leaf].last().and_then(|leaf| leaf.entries.last()).map_or(0, |entry| entry.end)
    }

    /// The leaves of a block.
    fn block(&self, block: usize) -> Range<usize> {
        block * BLOCK_SIZE..((block + 1) * BLOCK_SIZE).min(self.leaves.len())
    }

    /// Makes `entries` the leaf `at`. There is room, also for another block.
    fn insert_leaf(&mut self, at: usize, entries: Vec<Entry<T>>) {
        self.leaves.insert(at, Leaf { entries, max_gap: 0 });
        self.blocks.resize(self.leaves.len().div_ceil(BLOCK_SIZE), 0);
        self.update_gap(at);
        self.update_blocks(at);
    }

    fn remove_leaf(&mut self, at: usize) -> Vec<Entry<T>> {
        let leaf = self.leaves.remove(at);
        self.blocks.truncate(self.leaves.len().div_ceil(BLOCK_SIZE));
        self.update_blocks(at);
        leaf.entries
    }

    /// After a change of the entry at `at` or of its place: its leaf's gaps, and if it was the leaf's last, those of the next one.
    fn update_gaps(&mut self, at: Cursor) {
        if at.leaf < self.leaves.len() {
            self.update_gap(at.leaf);
        }
        if self.leaves.get(at.leaf).is_none_or(|leaf| at.slot + 1 >= leaf.entries.len())
            && at.leaf + 1 < self.leaves.len()
        {
            self.update_gap(at.leaf + 1);
        }
    }

    fn update_gap(&mut self, n: usize) {
        let mut below = self.end_of_leaf_before(n);
        let mut max_gap = 0;
        for entry in &self.leaves[n].entries {
            max_gap = max_gap.max(entry.start - below);
            below = entry.end;
        }
        self.set_gap(n, max_gap);
    }

    /// The largest gap of leaf `n` is now `max_gap`.
    fn set_gap(&mut self, n: usize, max_gap: usize) {
        let block = n / BLOCK_SIZE;
        let before = core::mem::replace(&mut self.leaves[n].max_gap, max_gap);
        if max_gap >= self.blocks[block] {
            self.blocks[block] = max_gap;
        } else if before == self.blocks[block] {
            self.update_block(block);
        }
    }

    /// After a leaf came or went at `from`: those behind it have moved.
    fn update_blocks(&mut self, from: usize) {
        for block in from / BLOCK_SIZE..self.blocks.len() {
            self.update_block(block);
        }
    }

    fn update_block(&mut self, block: usize) {
        let gaps = self.leaves[self.block(block)].iter().map(|leaf| leaf.max_gap);
        self.blocks[block] = gaps.max().unwrap_or(0);
    }
}

/// The part of `gap` in `bounds` that `usable` leaves, if it holds `len`.
fn usable_part<T>(
    gap: Range<usize>,
    bounds: &Range<usize>,
    len: usize,
    above: Option<&Entry<T>>,
    usable: &mut impl FnMut(Range<usize>, Option<&Entry<T>>) -> Range<usize>,
) -> Option<Range<usize>> {
    let gap = gap.start.max(bounds.start)..gap.end.min(bounds.end);
    if gap.start >= gap.end || gap.end - gap.start < len {
        return None;
    }
    let gap = usable(gap, above);
    (gap.start <= gap.end && gap.end - gap.start >= len).then_some(gap)
}

impl<T> Default for RangeMap<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn whole(gap: Range<usize>, _: Option<&Entry<u32>>) -> Range<usize> {
        gap
    }

    #[test]
    fn find_gives_the_containing_or_the_next_range() {
        let mut map = RangeMap::new();
        map.insert(10, 20, 'a').unwrap();
        map.insert(30, 40, 'b').unwrap();
        assert_eq!(map.find(5).map(|e| e.value), Some('a'));
        assert_eq!(map.find(19).map(|e| e.value), Some('a'));
        assert_eq!(map.find(20).map(|e| e.value), Some('b'));
        assert!(map.get(20).is_none());
        assert!(map.find(40).is_none());
        assert_eq!(map.before(30).map(|e| e.value), Some('a'));
        assert_eq!(map.before(100).map(|e| e.value), Some('b'));
        assert!(map.before(19).is_none());
    }

    /// With thousands of ranges, gaps are found where they are, and the leaves' and blocks' largest gaps are true.
    #[test]
    fn gaps_are_found_among_many_ranges() {
        let mut map = RangeMap::new();
        const COUNT: usize = 3 * LEAF_SIZE * BLOCK_SIZE;
        for n in 0..COUNT {
            // From the middle out, so that leaves split and blocks shift.
            let n = if n % 2 == 0 { COUNT / 2 + n / 2 } else { COUNT / 2 - 1 - n / 2 };
            map.insert(10 + n * 3, 12 + n * 3, n as u32).unwrap();
        }
        assert!(map.blocks.len() >= 3);
        for hole in [7, COUNT / 3, COUNT / 2, COUNT - 5] {
            map.remove(10 + hole * 3).unwrap();
            check(&map);
            let bounds = 10..10 + COUNT * 3;
            assert_eq!(map.find_gap_down(4, bounds.clone(), whole), Some(10 + hole * 3 - 1));
            assert_eq!(map.find_gap_up(4, bounds, whole), Some(10 + hole * 3 - 1));
            map.insert(10 + hole * 3, 12 + hole * 3, 0).unwrap();
        }
        for n in 0..COUNT {
            map.remove(10 + n * 3).unwrap();
        }
        check(&map);
        assert!(map.blocks.is_empty());
    }

    fn check(map: &RangeMap<u32>) {
        let mut below = 0;
        for leaf in &map.leaves {
            let gaps = leaf.entries.iter().map(|entry| {
                let gap = entry.start - below;
                below = entry.end;
                gap
            });
            assert_eq!(leaf.max_gap, gaps.max().unwrap());
        }
        let largest = |leaves: &[Leaf<u32>]| leaves.iter().map(|leaf| leaf.max_gap).max().unwrap();
        assert!(map.leaves.chunks(BLOCK_SIZE).map(largest).eq(map.blocks.iter().copied()));
    }

    proptest! {
        /// The map agrees with a model in every operation, gap searches included.
        #[test]
        fn agrees_with_a_sorted_map(
            steps in prop::collection::vec((0u8..5, 0usize..2000, 1usize..20), 1..600),
            probe in 0usize..2100,
            len in 1usize..40,
        ) {
            let mut map = RangeMap::new();
            let mut model: BTreeMap<usize, (usize, u32)> = BTreeMap::new();
            for (n, (what, start, size)) in steps.into_iter().enumerate() {
                let end = start + size;
                let overlaps = model.iter().any(|(&s, &(e, _))| s < end && start < e);
                match what {
                    0..=2 if !overlaps => {
                        map.insert(start, end, n as u32).unwrap();
                        model.insert(start, (end, n as u32));
                    }
                    3 => {
                        let first = model.range(start..).next().map(|(&s, _)| s);
                        if let Some(first) = first {
                            let gone = map.remove(first).unwrap();
                            let (end, value) = model.remove(&first).unwrap();
                            prop_assert_eq!((gone.end, gone.value), (end, value));
                        }
                    }
                    4 => {
                        // The first range from there on gets other bounds between its neighbours.
                        let first = model.range(start..).next().map(|(&s, &v)| (s, v));
                        if let Some((first, (_, value))) = first {
                            let floor = model.range(..first).next_back().map_or(0, |(_, v)| v.0);
                            let ceiling = model.range(first + 1..).next().map_or(2100, |(&s, _)| s);
                            let new = floor + size % (ceiling - floor)..ceiling - size / 4 % 3;
                            if !new.is_empty() {
                                map.set_bounds(first, new.clone());
                                model.remove(&first);
                                model.insert(new.start, (new.end, value));
                            }
                        }
                    }
                    _ => {}
                }
                check(&map);
            }
            prop_assert_eq!(map.len(), model.len());
            prop_assert!(map
                .iter()
                .map(|e| (e.start, (e.end, e.value)))
                .eq(model.iter().map(|(&s, &v)| (s, v))));
            let next = model.iter().find(|(_, v)| v.0 > probe).map(|(&s, _)| s);
            prop_assert_eq!(map.find(probe).map(|e| e.start), next);
            let before = model.iter().rev().find(|(_, v)| v.0 <= probe).map(|(&s, _)| s);
            prop_assert_eq!(map.before(probe).map(|e| e.start), before);
            for at in 0..2100 {
                let below = model.iter().find(|(_, v)| v.0 == at).map(|(&s, _)| s);
                let meeting = map.meeting_at(at).map(|(below, above)| (below.start, above.start));
                prop_assert_eq!(meeting, below.filter(|_| model.contains_key(&at)).zip(Some(at)));
            }
            let range = probe..probe + 200;
            prop_assert!(map.overlapping(range.clone()).map(|e| e.start).eq(model
                .iter()
                .filter(|(s, v)| **s < range.end && v.0 > range.start)
                .map(|(&s, _)| s)));
            let free = |at: usize| !model.iter().any(|(&s, v)| s < at + len && at < v.0);
            let bounds = 50..1900;
            let highest = (bounds.start..=bounds.end - len).rev().find(|&at| free(at));
            prop_assert_eq!(map.find_gap_down(len, bounds.clone(), whole), highest);
            let lowest = (bounds.start..=bounds.end - len).find(|&at| free(at));
            prop_assert_eq!(map.find_gap_up(len, bounds, whole), lowest);
        }
    }
}
