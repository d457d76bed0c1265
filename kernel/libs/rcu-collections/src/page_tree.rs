//! A radix tree from page numbers to counted handles: the page cache of one inode. 64 slots a node. Look-ups take no lock and
//! write nothing but the handle's own count; changes take the tree's lock. Removed handles and nodes are dropped after a
//! grace period, so a reader may always count up what it found.

use crate::{Rcu, lock::WriteLock};
use alloc::{boxed::Box, vec::Vec};
use core::{
    alloc::Layout,
    marker::PhantomData,
    mem::ManuallyDrop,
    num::NonZeroUsize,
    ops::Range,
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, AtomicUsize, Ordering},
};

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;

/// A handle that fits a word.
///
/// # Safety
///
/// `from_word(into_word(x))` is `x`; both neither count nor free. A copy of the word, seen as a handle, may be cloned from any
/// thread as long as the original is alive.
pub unsafe trait Word: Clone + Send + Sync + 'static {
    /// Turns the handle into its word, and forgets it.
    fn into_word(self) -> NonZeroUsize;
    /// Takes the handle back.
    ///
    /// # Safety
    ///
    /// `word` came from [`Word::into_word`], and is turned back only once (or forgotten again).
    unsafe fn from_word(word: NonZeroUsize) -> Self;
}

/// What a node takes: 64 words and a little.
pub const PAGE_TREE_NODE: Layout = Layout::new::<Node>();

/// There was no memory for a node.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfMemory;

// Aligned beyond its need, so that an allocator can tell nodes by their layout.
#[repr(align(16))]
struct Node {
    /// How far an index is shifted to give the slot: 0 in a leaf.
    shift: u32,
    /// Used slots; changed under the lock.
    used: AtomicUsize,
    /// The next of the branches that were removed together: whoever removed them has them alone.
    next: AtomicPtr<Node>,
    /// Words in a leaf, nodes above.
    slots: [AtomicUsize; SLOTS],
}

impl Node {
    fn new(shift: u32) -> Result<NonNull<Node>, OutOfMemory> {
        // SAFETY: the layout is not empty; all-zero is a valid `Node` (shift 0, null pointers and slots).
        let node = unsafe { alloc::alloc::alloc_zeroed(Layout::new::<Node>()) }.cast::<Node>();
        let node = NonNull::new(node).ok_or(OutOfMemory)?;
        // SAFETY: just allocated, and ours.
        unsafe { (*node.as_ptr()).shift = shift };
        Ok(node)
    }

    fn slot(&self, index: u64) -> &AtomicUsize {
        &self.slots[(index >> self.shift) as usize & (SLOTS - 1)]
    }

    /// The first index that does not fit below this node.
    fn end(&self) -> u64 {
        let bits = self.shift + BITS;
        if bits >= 64 { u64::MAX } else { 1 << bits }
    }
}

/// The tree.
pub struct PageTree<T: Word, R: Rcu> {
    root: AtomicPtr<Node>,
    len: AtomicUsize,
    lock: WriteLock<R>,
    owns: PhantomData<T>,
}

/// What was removed, on its way to the grace period: whole branches as they are, so that removal takes no memory and no longer for what they hold, and
/// the entries of the leaves at both ends of the range, where some stay.
struct Removed<T: Word> {
    branches: *mut Node,
    /// At most [`Removed::WORDS`].
    words: Vec<NonZeroUsize>,
    owns: PhantomData<T>,
}

// SAFETY: the words are owned handles, which are `Send`; the branches are owned memory with such handles.
unsafe impl<T: Word> Send for Removed<T> {}

impl<T: Word> Removed<T> {
    /// Two leaves of which something stays.
    const WORDS: usize = 2 * (SLOTS - 1);

    fn new() -> Self {
        Removed { branches: ptr::null_mut(), words: Vec::new(), owns: PhantomData }
    }
    fn is_empty(&self) -> bool {
        self.branches.is_null() && self.words.is_empty()
    }
    /// Adds a branch that was unlinked. With the lock held.
    fn add_branch(&mut self, branch: &Node) {
        branch.next.store(self.branches, Ordering::Relaxed);
        self.branches = ptr::from_ref(branch).cast_mut();
    }
    /// The branches that were removed.
    fn branches(&self) -> impl Iterator<Item = NonNull<Node>> {
        let mut next = self.branches;
        core::iter::from_fn(move || {
            let branch = NonNull::new(next)?;
            // SAFETY: branches are freed by `free`, which consumes `self`, and there only after their link was read.
            next = unsafe { branch.as_ref() }.next.load(Ordering::Relaxed);
            Some(branch)
        })
    }
    /// How many entries were removed.
    fn count(&self) -> usize {
        // SAFETY: the branches are alive, as above.
        let branches = self.branches().map(|branch| count(unsafe { branch.as_ref() }));
        self.words.len() + branches.sum::<usize>()
    }
    fn free(self) {
        for branch in self.branches() {
            // SAFETY: unlinked once, and the grace period is over.
            unsafe { free_branch::<T>(branch) };
        }
        for word in self.words {
            // SAFETY: the word was taken out of the tree, which owned it, once.
            drop(unsafe { T::from_word(word) });
        }
    }
}

/// What a node above the leaves leads to.
fn children(node: &Node) -> impl Iterator<Item = NonNull<Node>> {
    node.slots.iter().filter_map(|slot| NonNull::new(slot.load(Ordering::Relaxed) as *mut Node))
}

/// How many entries there are in a branch that was removed.
fn count(node: &Node) -> usize {
    if node.shift == 0 {
        return node.used.load(Ordering::Relaxed);
    }
    // SAFETY: a branch that was removed is freed as a whole.
    children(node).map(|child| count(unsafe { child.as_ref() })).sum()
}

/// Frees a branch and what is in it.
///
/// # Safety
///
/// Nobody else has it, and nobody reads in it.
unsafe fn free_branch<T: Word>(branch: NonNull<Node>) {
    // SAFETY: allocated by `Node::new` from the same allocator, and the caller's alone.
    let node = unsafe { Box::from_raw(branch.as_ptr()) };
    if node.shift > 0 {
        // SAFETY: what is below it is the caller's, too.
        children(&node).for_each(|child| unsafe { free_branch::<T>(child) });
        return;
    }
    for slot in &node.slots {
        if let Some(word) = NonZeroUsize::new(slot.load(Ordering::Relaxed)) {
            // SAFETY: the word is the leaf's own.
            drop(unsafe { T::from_word(word) });
        }
    }
}

impl<T: Word, R: Rcu> Default for PageTree<T, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Word, R: Rcu> PageTree<T, R> {
    /// An empty tree.
    pub const fn new() -> Self {
        PageTree {
            root: AtomicPtr::new(ptr::null_mut()),
            len: AtomicUsize::new(0),
            lock: WriteLock::new(),
            owns: PhantomData,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn root(&self) -> Option<&Node> {
        // SAFETY: the root is null or a live node: callers hold a read-side guard, or the tree alone.
        unsafe { self.root.load(Ordering::Acquire).as_ref() }
    }

    /// With a guard held.
    fn find(&self, index: u64) -> Option<NonZeroUsize> {
        let mut node = self.root()?;
        if index >= node.end() {
            return None;
        }
        loop {
            let word = NonZeroUsize::new(node.slot(index).load(Ordering::Acquire))?;
            if node.shift == 0 {
                return Some(word);
            }
            // SAFETY: above the leaves a slot holds a node that was published with a release store and is freed only a
            // grace period after it was unlinked.
            node = unsafe { &*(word.get() as *const Node) };
        }
    }

    /// A counted handle on the entry at `index`.
    pub fn get(&self, index: u64) -> Option<T> {
        let _guard = R::read();
        self.find(index).map(clone_word)
    }

    /// Puts `value` at `index` if nothing is there; what is there then.
    pub fn get_or_insert(&self, index: u64, value: T) -> Result<T, OutOfMemory> {
        let lock = self.lock.lock();
        if let Some(word) = self.find(index) {
            return Ok(clone_word(word));
        }
        let slot = self.make_slot(index)?;
        slot.store(value.clone().into_word().get(), Ordering::Release);
        self.len.fetch_add(1, Ordering::Relaxed);
        drop(lock);
        Ok(value)
    }

    /// Puts `value` at `index`, in place of what was there.
    pub fn insert(&self, index: u64, value: T) -> Result<(), OutOfMemory> {
        let mut removed = Removed::<T>::new();
        let made = {
            let _lock = self.lock.lock();
            if self.find(index).is_some() {
                self.remove_below(index..index.saturating_add(1), &mut removed);
            }
            self.make_slot(index).map(|slot| {
                slot.store(value.into_word().get(), Ordering::Release);
                self.len.fetch_add(1, Ordering::Relaxed);
            })
        };
        self.bury(removed);
        made
    }

    /// The leaf slot for `index`, with every node on the way. The leaf's count is already up. With the lock held.
    fn make_slot(&self, index: u64) -> Result<&AtomicUsize, OutOfMemory> {
        // Grow upwards until the index fits.
        while self.root().is_none_or(|root| index >= root.end() && root.end() != u64::MAX) {
            let old = self.root.load(Ordering::Relaxed);
            let shift = self.root().map_or(0, |root| root.shift + BITS);
            let node = Node::new(shift)?;
            if !old.is_null() {
                // SAFETY: just allocated, and ours.
                let node = unsafe { node.as_ref() };
                node.slots[0].store(old as usize, Ordering::Relaxed);
                node.used.store(1, Ordering::Relaxed);
            }
            self.root.store(node.as_ptr(), Ordering::Release);
        }
        // SAFETY: the loop above left a root; linked nodes stay alive while we hold the lock.
        let mut node = unsafe { &*self.root.load(Ordering::Relaxed) };
        while node.shift > 0 {
            let slot = node.slot(index);
            let mut word = slot.load(Ordering::Relaxed);
            if word == 0 {
                // A branch that stays empty because a later allocation fails is found and used, or freed with the tree.
                word = Node::new(node.shift - BITS)?.as_ptr() as usize;
                slot.store(word, Ordering::Release);
                node.used.fetch_add(1, Ordering::Relaxed);
            }
            // SAFETY: as above.
            node = unsafe { &*(word as *const Node) };
        }
        node.used.fetch_add(1, Ordering::Relaxed);
        Ok(node.slot(index))
    }

    /// Removes the entries in `range`; how many there were.
    pub fn remove_range(&self, range: Range<u64>) -> usize {
        let mut removed = Removed::<T>::new();
        {
            let _lock = self.lock.lock();
            self.remove_below(range, &mut removed);
        }
        self.bury(removed)
    }

    /// Counts what was removed, and frees it after a grace period.
    fn bury(&self, removed: Removed<T>) -> usize {
        if removed.is_empty() {
            return 0;
        }
        let count = removed.count();
        self.len.fetch_sub(count, Ordering::Relaxed);
        R::defer(Box::new(move || removed.free()));
        count
    }

    /// With the lock held.
    fn remove_below(&self, range: Range<u64>, removed: &mut Removed<T>) {
        let Some(root) = self.root() else { return };
        let whole = range.start == 0 && root.end() <= range.end;
        if whole || clear(root, 0, &range, removed) {
            self.root.store(ptr::null_mut(), Ordering::Release);
            removed.add_branch(root);
        }
    }

    /// Calls `visit` with the entries in `range` in order until it says false. The callback runs in a read-side section.
    #[inline]
    pub fn for_each(&self, range: Range<u64>, mut visit: impl FnMut(u64, &T) -> bool) {
        let _guard = R::read();
        let Some(root) = self.root() else { return };
        let end = range.end.min(root.end());
        let mut next = range.start;
        while next < end {
            let leaf = match descend(root, next) {
                Ok(leaf) => leaf,
                Err(behind) => {
                    next = behind;
                    continue;
                }
            };
            let first = next as usize & (SLOTS - 1);
            let count = (end - next).min((SLOTS - first) as u64);
            let slots = &leaf.slots[first..first + count as usize];
            for (slot, index) in slots.iter().zip(next..) {
                let Some(word) = NonZeroUsize::new(slot.load(Ordering::Acquire)) else { continue };
                // SAFETY: the entry is alive under the guard; the copy is forgotten again.
                let value = ManuallyDrop::new(unsafe { T::from_word(word) });
                if !visit(index, &value) {
                    return;
                }
            }
            next += count;
        }
    }
}

fn clone_word<T: Word>(word: NonZeroUsize) -> T {
    // SAFETY: the tree's own handle is dropped a grace period after it was removed, and the caller found the word under a guard
    // that it still holds; the copy is forgotten again.
    let value = ManuallyDrop::new(unsafe { T::from_word(word) });
    T::clone(&value)
}

/// Clears `range`, which is not all of it, below `node`, whose first index is `base`; whether the node is empty now.
fn clear<T: Word>(node: &Node, base: u64, range: &Range<u64>, removed: &mut Removed<T>) -> bool {
    for (first, slot) in covered(node, base, range) {
        let Some(word) = NonZeroUsize::new(slot.load(Ordering::Relaxed)) else { continue };
        if node.shift == 0 {
            removed.words.push(word);
        } else {
            // SAFETY: a linked node; the lock is held.
            let child = unsafe { &*(word.get() as *const Node) };
            let whole = first >= range.start && first.saturating_add(1 << node.shift) <= range.end;
            if !whole && !clear(child, first, range, removed) {
                continue;
            }
            removed.add_branch(child);
        }
        slot.store(0, Ordering::Release);
        node.used.fetch_sub(1, Ordering::Relaxed);
    }
    debug_assert!(removed.words.len() <= Removed::<T>::WORDS);
    node.used.load(Ordering::Relaxed) == 0
}

/// The leaf below `root` for `index`; if there is none, the first index behind it for which there may be one. With a guard held, and `index` is below the
/// root's end.
fn descend(root: &Node, index: u64) -> Result<&Node, u64> {
    let mut node = root;
    while node.shift > 0 {
        match NonZeroUsize::new(node.slot(index).load(Ordering::Acquire)) {
            // SAFETY: see `find`.
            Some(word) => node = unsafe { &*(word.get() as *const Node) },
            None => return Err((index | ((1 << node.shift) - 1)).saturating_add(1)),
        }
    }
    Ok(node)
}

/// The slots of a node with the first index `base` that meet the range, each with its own first index.
fn covered<'a>(
    node: &'a Node,
    base: u64,
    range: &Range<u64>,
) -> impl Iterator<Item = (u64, &'a AtomicUsize)> + use<'a> {
    let slot_of =
        |index: u64| (index.saturating_sub(base) >> node.shift).min(SLOTS as u64) as usize;
    let end = if range.end > base { SLOTS.min(slot_of(range.end - 1) + 1) } else { 0 };
    let start = slot_of(range.start).min(end);
    let slots = node.slots[start..end].iter().zip(start as u64..);
    slots.map(move |(slot, i)| (base + (i << node.shift), slot))
}

impl<T: Word, R: Rcu> Drop for PageTree<T, R> {
    fn drop(&mut self) {
        let mut removed = Removed::<T>::new();
        self.remove_below(0..u64::MAX, &mut removed);
        // Nobody else can reach the tree any more. A last branch without entries may be left.
        removed.free();
        debug_assert!(self.root.get_mut().is_null());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRcu;
    use proptest::prelude::*;
    use std::{collections::BTreeMap, sync::Arc};

    #[derive(Clone)]
    struct Handle(Arc<u64>);

    // SAFETY: a raw `Arc` pointer is a non-null word.
    unsafe impl Word for Handle {
        fn into_word(self) -> NonZeroUsize {
            NonZeroUsize::new(Arc::into_raw(self.0) as usize).expect("not null")
        }
        unsafe fn from_word(word: NonZeroUsize) -> Self {
            // SAFETY: the caller's.
            Handle(unsafe { Arc::from_raw(word.get() as *const u64) })
        }
    }

    type Tree = PageTree<Handle, TestRcu>;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u64, u64),
        Remove(u64, u64),
    }

    fn index() -> impl Strategy<Value = u64> {
        prop_oneof![
            0..200u64,
            0..100_000u64,
            Just(u64::MAX - 1),
            any::<u64>().prop_map(|i| i >> 12)
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (index(), any::<u64>()).prop_map(|(i, v)| Step::Insert(i, v)),
            1 => (index(), prop_oneof![0..300u64, 0..100_000u64, Just(u64::MAX)])
                .prop_map(|(i, n)| Step::Remove(i, n)),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(steps in proptest::collection::vec(step(), 0..200), from in index()) {
            let tree = Tree::new();
            let mut model = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Insert(i, v) => {
                        tree.insert(i, Handle(Arc::new(v))).expect("memory");
                        model.insert(i, v);
                    }
                    Step::Remove(i, n) => {
                        let end = i.saturating_add(n);
                        let gone: Vec<_> = model.range(i..end).map(|(i, _)| *i).collect();
                        prop_assert_eq!(tree.remove_range(i..end), gone.len());
                        model.retain(|i, _| !gone.contains(i));
                    }
                }
                prop_assert_eq!(tree.len(), model.len());
            }
            for (i, v) in &model {
                prop_assert_eq!(tree.get(*i).map(|h| *h.0), Some(*v));
            }
            let mut all = Vec::new();
            tree.for_each(0..u64::MAX, |i, h| { all.push((i, *h.0)); true });
            prop_assert_eq!(all, model.clone().into_iter().collect::<Vec<_>>());
            let present = model.range(from..u64::MAX).next().map(|(i, _)| *i);
            let mut first = None;
            tree.for_each(from..u64::MAX, |i, _| { first = Some(i); false });
            prop_assert_eq!(first, present);
        }
    }

    #[test]
    fn keeps_what_was_first() {
        let tree = Tree::new();
        tree.get_or_insert(7, Handle(Arc::new(1))).expect("memory");
        assert_eq!(*tree.get_or_insert(7, Handle(Arc::new(2))).expect("memory").0, 1);
        assert_eq!(tree.len(), 1);
    }

    #[test]
    fn dropping_the_tree_drops_its_entries() {
        let value = Arc::new(3);
        let tree = Tree::new();
        for i in [0, 63, 64, 5000, 1 << 40] {
            tree.insert(i, Handle(value.clone())).expect("memory");
        }
        assert_eq!(Arc::strong_count(&value), 6);
        drop(tree);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn readers_and_a_writer_together() {
        let tree = Arc::new(Tree::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..3000u64 {
                    tree.insert(n % 130, Handle(Arc::new(n % 130))).expect("memory");
                    if n % 97 == 0 {
                        tree.remove_range(0..130);
                    }
                }
            });
            for n in 0..3000u64 {
                if let Some(handle) = tree.get(n % 130) {
                    assert_eq!(*handle.0, n % 130);
                }
            }
        });
    }
}
