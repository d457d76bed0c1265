//! The dentry cache: a hash from (directory, name) to a dentry, or to the knowledge that there is none. Walks read it under
//! RCU. Entries go when their name changes, with their directory, and by a clock over the buckets when there are too many.
//!
//! A directory's dentry lists its entries, so that what is below it is found without a look at the whole table (unmounting,
//! `rmdir(2)`). An entry is listed before it is in the table and leaves the list on its way out of the table: whoever takes an
//! entry out of the table finds it in the list, if it was not taken from there before.
//!
//! Locks: the table's own, then a list's (class `DENTRY`). An entry for a name is added and removed under its directory's lock, so the
//! cache never says of a name what the directory did not say last.

use super::{Dentry, Inode, dentry::Place};
use crate::{
    mm::{self, Shrinker, register_shrinker},
    sync::{KernelRcu, Lazy, Once, SpinLock, class, rcu::RcuGuard},
};
use alloc::{boxed::Box, sync::Arc};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use lists::{End, Lists, Node};
use rcu_collections::RcuHash;

/// Pages of memory for each bucket: the table takes 1/2048 of memory.
const PAGES_PER_BUCKET: usize = 4;
/// The most buckets, as a power of two.
const MOST_BITS: u32 = 20;
/// How many names are kept for each bucket. About 350 bytes each with their inodes.
const NAMES_PER_BUCKET: usize = 4;
/// Buckets that the clock looks at for each name added beyond the limit.
const STEP: usize = 4;

/// What the cache knows of a name.
// Has a slab cache, which knows it by its alignment.
#[repr(align(16))]
pub struct Entry {
    place: Arc<Place>,
    /// `None`: the name does not exist.
    dentry: Option<Arc<Dentry>>,
    /// Used since the clock last came by.
    referenced: AtomicBool,
}

impl Entry {
    /// The dentry, or `None` for a name that does not exist.
    pub fn dentry(&self) -> Option<&Arc<Dentry>> {
        self.dentry.as_ref()
    }

    fn is(&self, parent: &Dentry, name: &[u8]) -> bool {
        self.place.parent.as_ref().is_some_and(|have| core::ptr::eq(&**have, parent))
            && *self.place.name == *name
    }
}

/// An entry with its place in its directory's list.
type Listed = Arc<Node<Entry>>;

/// What the cache knows of names in one directory.
#[derive(Default)]
pub struct Children(Once<Box<SpinLock<Lists<Node<Entry>, 1>>>>);

impl Children {
    fn add(&self, entry: &Listed) {
        let list = self.0.call_once(|| Box::new(SpinLock::new(&class::DENTRY, Lists::new())));
        let fresh = list.lock().insert(0, entry.clone(), End::Back).is_ok();
        debug_assert!(fresh, "an entry is listed once");
    }
    fn remove(&self, entry: &Node<Entry>) {
        let entry = self.0.get().and_then(|list| list.lock().remove(entry));
        drop(entry);
    }
    fn pop(&self) -> Option<Listed> {
        self.0.get()?.lock().pop_front(0)
    }
}

static TABLE: Lazy<RcuHash<Listed, KernelRcu>> = Lazy::new(|| {
    let buckets = (mm::total_pages() / PAGES_PER_BUCKET).max(1);
    RcuHash::new(buckets.ilog2().min(MOST_BITS))
});
static HAND: AtomicUsize = AtomicUsize::new(0);

fn hash(parent: &Dentry, name: &[u8]) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut h = (core::ptr::from_ref(parent) as u64).wrapping_mul(K);
    let mut chunks = name.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.iter().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
        h = (h.rotate_left(5) ^ word).wrapping_mul(K);
    }
    let tail = chunks.remainder().iter().fold(1u64, |word, &byte| word << 8 | u64::from(byte));
    h = (h.rotate_left(5) ^ tail).wrapping_mul(K);
    h ^ h >> 32
}

/// What is known of `name` in `parent`.
pub fn find<'g>(guard: &'g RcuGuard, parent: &Dentry, name: &[u8]) -> Option<&'g Entry> {
    let entry = TABLE.get(guard, hash(parent, name), |entry| entry.is(parent, name))?;
    if !entry.referenced.load(Ordering::Relaxed) {
        entry.referenced.store(true, Ordering::Relaxed);
    }
    Some(entry)
}

fn listed(place: Arc<Place>, dentry: Option<Arc<Dentry>>) -> Listed {
    let entry = Arc::new(Node::new(Entry { place, dentry, referenced: AtomicBool::new(true) }));
    if let Some(parent) = &entry.place.parent {
        parent.children().add(&entry);
    }
    entry
}

fn unlist(entry: &Node<Entry>) {
    if let Some(parent) = &entry.place.parent {
        parent.children().remove(entry);
    }
}

/// Keeps the dentry of `inode` as `name` in `parent`, or the one that somebody else made meanwhile.
pub fn add(parent: &Arc<Dentry>, name: &[u8], inode: Arc<Inode>) -> Arc<Dentry> {
    let place = Arc::new(Place { parent: Some(parent.clone()), name: name.into() });
    let dentry = Dentry::at(place.clone(), inode);
    insert(place, Some(dentry.clone()));
    dentry
}

/// The same for a look-up, which others may make at the same time: the first dentry stays.
pub fn add_found(parent: &Arc<Dentry>, name: &[u8], inode: Arc<Inode>) -> Arc<Dentry> {
    let place = Arc::new(Place { parent: Some(parent.clone()), name: name.into() });
    let dentry = Dentry::at(place.clone(), inode);
    let fresh = listed(place, Some(dentry.clone()));
    let matches = |entry: &Listed| entry.is(parent, name);
    let kept = TABLE.get_or_insert(hash(parent, name), matches, fresh.clone());
    if !Arc::ptr_eq(&kept, &fresh) {
        unlist(&fresh);
    }
    trim();
    match &kept.dentry {
        Some(kept) => kept.clone(),
        None => dentry,
    }
}

/// Remembers that `name` does not exist in `parent`.
pub fn add_negative(parent: &Arc<Dentry>, name: &[u8]) {
    insert(Arc::new(Place { parent: Some(parent.clone()), name: name.into() }), None);
}

/// Puts a dentry that was moved where it is now.
pub fn add_moved(place: Arc<Place>, dentry: Arc<Dentry>) {
    insert(place, Some(dentry));
}

fn insert(place: Arc<Place>, dentry: Option<Arc<Dentry>>) {
    let Some(parent) = &place.parent else { return };
    let entry = listed(place.clone(), dentry);
    TABLE.replace(hash(parent, &place.name), |old| leaves(old, parent, &place.name), entry);
    trim();
}

/// Forgets what is known of `name` in `parent`.
pub fn forget(parent: &Dentry, name: &[u8]) {
    TABLE.remove(hash(parent, name), |entry| leaves(entry, parent, name));
}

/// Whether an entry is the one to be taken out of the table; then it leaves its list.
fn leaves(entry: &Listed, parent: &Dentry, name: &[u8]) -> bool {
    let leaves = entry.is(parent, name);
    if leaves {
        unlist(entry);
    }
    leaves
}

/// Forgets everything below a directory where nobody looks anything up any more: it was removed, or its file system unmounted.
pub fn forget_below(root: &Arc<Dentry>) {
    // Down into each directory that was cached, and up again when it has no entries left: this takes no memory.
    let mut at = root.clone();
    loop {
        let Some(entry) = at.children().pop() else {
            if Arc::ptr_eq(&at, root) {
                return;
            }
            at = at.parent();
            continue;
        };
        TABLE.remove(hash(&at, &entry.place.name), |other| Arc::ptr_eq(other, &entry));
        if let Some(child) = &entry.dentry {
            at = child.clone();
        }
    }
}

/// Names (with their dentries and inodes) that fit a page, roughly.
const NAMES_IN_A_PAGE: usize = 12;

/// Gives names up when memory is short.
struct NameShrinker;

impl Shrinker for NameShrinker {
    fn reclaimable(&self) -> usize {
        TABLE.len() / NAMES_IN_A_PAGE
    }
    fn shrink(&self, target: usize) -> usize {
        shrink(target.saturating_mul(NAMES_IN_A_PAGE)) / NAMES_IN_A_PAGE
    }
}

/// Sets the cache up, at boot.
pub fn init() {
    register_shrinker(Arc::new(NameShrinker));
}

/// Gives up about `count` names that were not used lately; how many went.
pub fn shrink(count: usize) -> usize {
    let mut gone = 0;
    // Two rounds: the first may only take the marks of recent use away.
    for _ in 0..2 * TABLE.buckets() {
        if gone >= count {
            break;
        }
        gone += sweep();
    }
    gone
}

fn trim() {
    if TABLE.len() > TABLE.buckets() * NAMES_PER_BUCKET {
        for _ in 0..STEP {
            sweep();
        }
    }
}

/// Moves the clock's hand over one bucket; how many names went.
fn sweep() -> usize {
    let bucket = HAND.fetch_add(1, Ordering::Relaxed);
    TABLE.retain_bucket(bucket, |entry| {
        if entry.referenced.swap(false, Ordering::Relaxed) {
            return true;
        }
        let stays = entry.dentry.as_ref().is_some_and(|dentry| !dentry.evict());
        if !stays {
            unlist(entry);
        }
        stays
    })
}
