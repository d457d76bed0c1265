//! Arrays of intrusive, doubly linked lists of `Arc`s: linking, unlinking and moving are O(1) and allocate nothing.
//!
//! Unsafe code lives here so that the scheduler and the timers need none. The argument, in one place:
//!
//! 1. A [`Links`] names its owner: the number of the one [`Lists`] that its node is in, or 0. Only a compare-and-swap from
//!    0 makes it owned, so a node is in at most one array of lists, and numbers are never used twice.
//! 2. The other fields of a `Links` are touched only through the owning `Lists`: with `&mut` to change, with `&` to read.
//!    So the borrow rules of the array cover the links of all nodes in it.
//! 3. The array owns one count of each node in it (`Arc::into_raw`), so its pointers are to live nodes; unlinking
//!    gives that count back.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

use alloc::sync::Arc;
use core::{
    cell::Cell,
    ops::Deref,
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

/// What a node needs to be in a list.
pub struct Links<T> {
    owner: AtomicUsize,
    slot: Cell<usize>,
    next: Cell<*const T>,
    previous: Cell<*const T>,
}

// SAFETY: `owner` is atomic; the rest is touched only under the borrow rules of the owning `Lists` (point 2).
unsafe impl<T: Send + Sync> Sync for Links<T> {}
// SAFETY: as above; the pointers are to nodes that the owning `Lists` keeps alive.
unsafe impl<T: Send + Sync> Send for Links<T> {}

impl<T> Links<T> {
    /// Links of a node that is in no list.
    pub const fn new() -> Self {
        Self {
            owner: AtomicUsize::new(0),
            slot: Cell::new(0),
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
        }
    }
    /// Whether the node is in some list at this moment.
    pub fn is_linked(&self) -> bool {
        self.owner.load(Ordering::Relaxed) != 0
    }
}

impl<T> Default for Links<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A type that carries its links.
///
/// # Safety
/// `links` returns the same field of the same object every time, and nothing else uses that field.
pub unsafe trait Linked: Sized {
    /// The links.
    fn links(&self) -> &Links<Self>;
}

/// A ready-made node around a value.
#[derive(Default)]
pub struct Node<V> {
    links: Links<Node<V>>,
    value: V,
}

impl<V> Node<V> {
    /// A node that is in no list.
    pub const fn new(value: V) -> Self {
        Self { links: Links::new(), value }
    }
}

// SAFETY: always the private field, which only this crate uses.
unsafe impl<V> Linked for Node<V> {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl<V> Deref for Node<V> {
    type Target = V;
    fn deref(&self) -> &V {
        &self.value
    }
}

/// Which end of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Before all others.
    Front,
    /// After all others.
    Back,
}

struct Head<T> {
    first: *const T,
    last: *const T,
}

/// `N` lists. A node is in at most one list of one array.
pub struct Lists<T: Linked, const N: usize> {
    /// 0 until the first node comes.
    number: usize,
    heads: [Head<T>; N],
    len: usize,
}

// SAFETY: the array owns counts of `Arc<T>`, which may be sent when `T` is `Send + Sync`.
unsafe impl<T: Linked + Send + Sync, const N: usize> Send for Lists<T, N> {}
// SAFETY: `&Lists` gives out `&T` only.
unsafe impl<T: Linked + Send + Sync, const N: usize> Sync for Lists<T, N> {}

/// The number that the next array gets.
static NEXT_NUMBER: AtomicUsize = AtomicUsize::new(1);

impl<T: Linked, const N: usize> Lists<T, N> {
    /// Empty lists.
    pub const fn new() -> Self {
        Self {
            number: 0,
            heads: [const { Head { first: ptr::null(), last: ptr::null() } }; N],
            len: 0,
        }
    }
    /// How many nodes are in all lists together.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether all lists are empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Whether list `slot` is empty.
    pub fn is_slot_empty(&self, slot: usize) -> bool {
        self.heads[slot].first.is_null()
    }
    /// Puts `node` into list `slot`; gives it back when it is in a list already.
    pub fn insert(&mut self, slot: usize, node: Arc<T>, end: End) -> Result<(), Arc<T>> {
        if self.number == 0 {
            self.number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        }
        let links = node.links();
        if links
            .owner
            .compare_exchange(0, self.number, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            return Err(node);
        }
        links.slot.set(slot);
        let raw = Arc::into_raw(node);
        let head = &mut self.heads[slot];
        let (next, previous) = match end {
            End::Front => (head.first, ptr::null()),
            End::Back => (ptr::null(), head.last),
        };
        // SAFETY: `raw` is alive (we own its count now) and owned by this array; so are its neighbours (points 1 to 3).
        unsafe {
            (*raw).links().next.set(next);
            (*raw).links().previous.set(previous);
            match next.as_ref() {
                Some(next) => next.links().previous.set(raw),
                None => head.last = raw,
            }
            match previous.as_ref() {
                Some(previous) => previous.links().next.set(raw),
                None => head.first = raw,
            }
        }
        self.len += 1;
        Ok(())
    }
    /// The list that `node` is in, if it is in one of these.
    pub fn slot_of(&self, node: &T) -> Option<usize> {
        let links = node.links();
        (self.number != 0 && links.owner.load(Ordering::Acquire) == self.number)
            .then(|| links.slot.get())
    }
    /// Takes `node` out, if it is in one of these lists.
    pub fn remove(&mut self, node: &T) -> Option<Arc<T>> {
        let slot = self.slot_of(node)?;
        let links = node.links();
        let (next, previous) = (links.next.get(), links.previous.get());
        let head = &mut self.heads[slot];
        // SAFETY: neighbours are in the same list, alive and owned by this array (points 1 to 3).
        unsafe {
            match next.as_ref() {
                Some(next) => next.links().previous.set(previous),
                None => head.last = previous,
            }
            match previous.as_ref() {
                Some(previous) => previous.links().next.set(next),
                None => head.first = next,
            }
        }
        self.len -= 1;
        links.owner.store(0, Ordering::Release);
        // SAFETY: the node was owned by this array, so this count is ours to give back (point 3).
        Some(unsafe { Arc::from_raw(node) })
    }
    /// The first node of list `slot`.
    pub fn front(&self, slot: usize) -> Option<&T> {
        // SAFETY: nodes in the list are alive as long as the array is borrowed.
        unsafe { self.heads[slot].first.as_ref() }
    }
    /// Takes the first node of list `slot`.
    pub fn pop_front(&mut self, slot: usize) -> Option<Arc<T>> {
        let first = self.heads[slot].first;
        // SAFETY: alive: it is in the list; `remove` gives back the count that keeps it so.
        self.remove(unsafe { first.as_ref() }?)
    }
    /// Takes the `n`th node of list `slot`, counted from 0: O(n).
    pub fn remove_nth(&mut self, slot: usize, n: usize) -> Option<Arc<T>> {
        let node = ptr::from_ref(self.iter(slot).nth(n)?);
        // SAFETY: alive, as in `pop_front`; the borrow that found it ended.
        self.remove(unsafe { &*node })
    }
    /// The nodes of list `slot`, first to last.
    pub fn iter(&self, slot: usize) -> impl Iterator<Item = &T> {
        let mut cursor = self.heads[slot].first;
        core::iter::from_fn(move || {
            // SAFETY: nodes in the list are alive, and stay there, as long as the array is borrowed.
            let node = unsafe { cursor.as_ref() }?;
            cursor = node.links().next.get();
            Some(node)
        })
    }
}

impl<T: Linked, const N: usize> Default for Lists<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Linked, const N: usize> Drop for Lists<T, N> {
    fn drop(&mut self) {
        for slot in 0..N {
            while self.pop_front(slot).is_some() {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn a_node_is_in_one_list_only() {
        let node = Arc::new(Node::new(1));
        let mut one: Lists<Node<i32>, 2> = Lists::new();
        let mut two: Lists<Node<i32>, 2> = Lists::new();
        assert!(one.insert(0, node.clone(), End::Back).is_ok());
        assert!(one.insert(1, node.clone(), End::Back).is_err());
        assert!(two.insert(0, node.clone(), End::Back).is_err());
        assert!(two.remove(&node).is_none());
        assert!(one.remove(&node).is_some());
        assert!(two.insert(0, node.clone(), End::Back).is_ok());
    }

    #[test]
    fn dropping_the_lists_releases_the_nodes() {
        let node = Arc::new(Node::new(1));
        let mut lists: Lists<Node<i32>, 2> = Lists::new();
        lists.insert(1, node.clone(), End::Front).ok().unwrap();
        assert_eq!(Arc::strong_count(&node), 2);
        drop(lists);
        assert_eq!(Arc::strong_count(&node), 1);
        assert!(!node.links().is_linked());
    }

    proptest! {
        #[test]
        fn behaves_like_deques(operations in prop::collection::vec((0usize..5, 0usize..3, 0usize..8), 0..200)) {
            let nodes: Vec<_> = (0..8).map(|i| Arc::new(Node::new(i))).collect();
            let mut lists: Lists<Node<usize>, 3> = Lists::new();
            let mut model = vec![VecDeque::new(); 3];
            for (operation, slot, which) in operations {
                let place = model.iter().position(|list| list.contains(&which));
                match operation {
                    0 | 1 => {
                        let end = if operation == 0 { End::Front } else { End::Back };
                        let inserted = lists.insert(slot, nodes[which].clone(), end).is_ok();
                        prop_assert_eq!(inserted, place.is_none());
                        if inserted {
                            match end {
                                End::Front => model[slot].push_front(which),
                                End::Back => model[slot].push_back(which),
                            }
                        }
                    }
                    2 => {
                        prop_assert_eq!(lists.remove(&nodes[which]).is_some(), place.is_some());
                        if let Some(list) = place {
                            model[list].retain(|&other| other != which);
                        }
                    }
                    4 => {
                        let removed = lists.remove_nth(slot, which % 3).map(|node| **node);
                        prop_assert_eq!(removed, model[slot].remove(which % 3));
                    }
                    _ => {
                        let popped = lists.pop_front(slot).map(|node| **node);
                        prop_assert_eq!(popped, model[slot].pop_front());
                    }
                }
                for (slot, list) in model.iter().enumerate() {
                    let listed: Vec<usize> = lists.iter(slot).map(|node| **node).collect();
                    prop_assert_eq!(&listed, &Vec::from_iter(list.iter().copied()));
                }
                prop_assert_eq!(lists.len(), model.iter().map(VecDeque::len).sum::<usize>());
            }
        }
    }
}
