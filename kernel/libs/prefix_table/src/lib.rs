//! IPv4 prefixes with what belongs to them, found by the longest match.
//!
//! A table is a value: readers share one, a writer makes a copy, changes it, and publishes that. A level holds the prefixes of
//! one length, sorted; levels that a change does not touch are shared between the copies. So a copy costs 33 references and a
//! change the copy of one level, which suits tables that are read for every packet and written by hand.
//!
//! | | cost |
//! |---|---|
//! | look-up | a binary search for each length in use, longest first; no allocation |
//! | change | a copy of the level, if it is shared |
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod prefix;
#[cfg(test)]
mod tests;

pub use prefix::Prefix;

use alloc::{sync::Arc, vec::Vec};

/// Lengths of prefixes: 0 to 32.
const LENGTHS: usize = 33;

/// What belongs to one prefix; never empty.
type Slot<T> = (u32, Vec<T>);
/// The prefixes of one length, by their network.
type Level<T> = Arc<Vec<Slot<T>>>;

/// Prefixes, each with a list of values in an order that is the caller's.
pub struct PrefixTable<T> {
    levels: [Option<Level<T>>; LENGTHS],
    /// The lengths that have prefixes, one bit each.
    used: u64,
}

impl<T> Clone for PrefixTable<T> {
    fn clone(&self) -> Self {
        Self { levels: self.levels.clone(), used: self.used }
    }
}

impl<T> Default for PrefixTable<T> {
    fn default() -> Self {
        Self { levels: [const { None }; LENGTHS], used: 0 }
    }
}

impl<T> PrefixTable<T> {
    /// The values of `prefix`; none when it is not there.
    pub fn get(&self, prefix: Prefix) -> &[T] {
        match self.level(prefix.length()) {
            Some(level) => slot(level, prefix.network()),
            None => &[],
        }
    }

    /// The values of every prefix that `address` is in, the longest prefix first.
    pub fn matches(&self, address: u32) -> impl Iterator<Item = &[T]> {
        let mut left = self.used;
        core::iter::from_fn(move || {
            while left != 0 {
                let length = (u64::BITS - 1 - left.leading_zeros()) as u8;
                left &= !(1 << length);
                let network = Prefix::of(address, length).network();
                let found = self.level(length).map_or(&[][..], |level| slot(level, network));
                if !found.is_empty() {
                    return Some(found);
                }
            }
            None
        })
    }

    /// Every prefix with its values: by network, of the same network the longest first.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, &[T])> {
        let mut all: Vec<(Prefix, &[T])> = Vec::new();
        for (length, level) in (0..).zip(&self.levels) {
            let slots = level.iter().flat_map(|level| level.iter());
            all.extend(slots.map(|(network, values)| (Prefix::of(*network, length), &values[..])));
        }
        all.sort_by_key(|(prefix, _)| (prefix.network(), u8::MAX - prefix.length()));
        all.into_iter()
    }

    fn level(&self, length: u8) -> Option<&Vec<Slot<T>>> {
        self.levels[usize::from(length)].as_deref()
    }
}

impl<T: Clone> PrefixTable<T> {
    /// Changes the values of `prefix`, which may have none before and after.
    pub fn update<R>(&mut self, prefix: Prefix, change: impl FnOnce(&mut Vec<T>) -> R) -> R {
        let level = self.levels[usize::from(prefix.length())].get_or_insert_default();
        let slots = Arc::make_mut(level);
        let at = slots.binary_search_by_key(&prefix.network(), |(network, _)| *network);
        let index = match at {
            Ok(index) => index,
            Err(index) => {
                slots.insert(index, (prefix.network(), Vec::new()));
                index
            }
        };
        let result = change(&mut slots[index].1);
        if slots[index].1.is_empty() {
            slots.remove(index);
        }
        let is_empty = slots.is_empty();
        self.note_use(prefix.length(), is_empty);
        result
    }

    /// Keeps the values that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        for length in 0..LENGTHS as u8 {
            let Some(level) = &mut self.levels[usize::from(length)] else { continue };
            if level.iter().flat_map(|(_, values)| values).all(&mut keep) {
                continue;
            }
            let slots = Arc::make_mut(level);
            for (_, values) in slots.iter_mut() {
                values.retain(&mut keep);
            }
            slots.retain(|(_, values)| !values.is_empty());
            let is_empty = slots.is_empty();
            self.note_use(length, is_empty);
        }
    }

    fn note_use(&mut self, length: u8, is_empty: bool) {
        if is_empty {
            self.levels[usize::from(length)] = None;
            self.used &= !(1 << length);
        } else {
            self.used |= 1 << length;
        }
    }
}

fn slot<T>(level: &[Slot<T>], network: u32) -> &[T] {
    match level.binary_search_by_key(&network, |(network, _)| *network) {
        Ok(index) => &level[index].1,
        Err(_) => &[],
    }
}
