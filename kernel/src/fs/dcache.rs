//! The dentry cache: a hash from (directory, name) to a dentry, or to the knowledge that there is none. Walks read it under
//! RCU. Entries go when their name changes, and by a clock over the buckets when there are too many.
//!
//! Lock: the table's own, a leaf. An entry for a name is added and removed under its directory's lock, so the cache never says
//! of a name what the directory did not say last.

use super::{Dentry, Inode, dentry::Place};
use crate::{
    mm::{Shrinker, register_shrinker},
    sync::{KernelRcu, Lazy, rcu::RcuGuard},
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use rcu_collections::RcuHash;

/// Buckets, as a power of two.
const BITS: u32 = 14;
/// How many names are kept. About 300 bytes each with their inodes.
const LIMIT: usize = 64 * 1024;
/// Buckets that the clock looks at for each name added beyond the limit.
const STEP: usize = 4;

/// What the cache knows of a name.
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

static TABLE: Lazy<RcuHash<Arc<Entry>, KernelRcu>> = Lazy::new(|| RcuHash::new(BITS));
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
    let fresh =
        Arc::new(Entry { place, dentry: Some(dentry.clone()), referenced: AtomicBool::new(true) });
    let matches = |entry: &Arc<Entry>| entry.is(parent, name);
    let kept = TABLE.get_or_insert(hash(parent, name), matches, fresh);
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
    let Some(parent) = place.parent.clone() else { return };
    let hash = hash(&parent, &place.name);
    let entry = Arc::new(Entry { place: place.clone(), dentry, referenced: AtomicBool::new(true) });
    TABLE.replace(hash, |entry| entry.is(&parent, &place.name), entry);
    trim();
}

/// Forgets what is known of `name` in `parent`.
pub fn forget(parent: &Dentry, name: &[u8]) {
    TABLE.remove(hash(parent, name), |entry| entry.is(parent, name));
}

/// Forgets everything in directories that `condemned` names (unmounting, `drop_caches`).
pub fn forget_all(mut condemned: impl FnMut(&Dentry) -> bool) {
    for bucket in 0..TABLE.buckets() {
        TABLE.retain_bucket(bucket, |entry| {
            !entry.place.parent.as_ref().is_some_and(|parent| condemned(parent))
        });
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
    if TABLE.len() > LIMIT {
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
        entry.dentry.as_ref().is_some_and(|dentry| !dentry.evict())
    })
}
