//! A table from ids below 2^22 to counted values, for process ids: a radix tree of three levels that is read without a
//! lock, without a reference count and without a shared write, inside a read-side section of the caller's RCU.
//!
//! Writers exclude one another by `&mut` ([`PidWriter`]). They also hand out free ids in cyclic order: every node
//! knows which of its parts are full, so finding the next free id looks at three bitmaps, however many are in use.
//!
//! ## Why readers are safe
//!
//! 1. A pointer is published by a release store after all behind it was written; a reader loads with acquire.
//! 2. What a writer unlinks (a value, or a node that became empty) goes to [`Domain::defer`], which drops it only after every
//!    guard that existed at that moment is gone. A reader's references live at most as long as its guard.
//! 3. An empty node is unlinked before it is deferred. A reader still in it finds null slots, which is the truth:
//!    new values of its range go to a new node.
#![cfg_attr(not(any(test, loom)), no_std)]

extern crate alloc;

mod bitmap;
#[cfg(all(test, loom))]
mod loom_tests;
mod node;
mod sync;
mod writer;

pub use writer::{PidWriter, Reserve};

use node::Branch;
use sync::{Arc, AtomicPtr, Ordering::Acquire};

/// One more than the highest id.
pub const LIMIT: u32 = 1 << (ROOT_BITS + 2 * NODE_BITS);

#[cfg(not(loom))]
const ROOT_BITS: u32 = 8;
#[cfg(not(loom))]
const NODE_BITS: u32 = 7;
// loom keeps every atomic on record: a small tree has the same interleavings.
#[cfg(loom)]
const ROOT_BITS: u32 = 1;
#[cfg(loom)]
const NODE_BITS: u32 = 1;
const ROOT: usize = 1 << ROOT_BITS;
const NODE: usize = 1 << NODE_BITS;

/// An RCU domain: how the table learns that no reader can hold what was unlinked.
///
/// # Safety
///
/// `defer` must drop its argument only after every `Guard` that exists at the time of the call has been dropped.
pub unsafe trait Domain: 'static {
    /// Proof of being in a read-side section.
    type Guard;

    /// Drops `garbage` after a grace period.
    fn defer<T: Send + 'static>(garbage: T);
}

/// The read side. Made together with its one writer by [`new`].
pub struct PidTable<T: Send + Sync + 'static, D: Domain> {
    root: [AtomicPtr<Branch<T>>; ROOT],
    domain: core::marker::PhantomData<fn(D)>,
}

/// An empty table and its writer.
pub fn new<T: Send + Sync + 'static, D: Domain>() -> (Arc<PidTable<T, D>>, PidWriter<T, D>) {
    let table = Arc::new(PidTable {
        root: core::array::from_fn(|_| AtomicPtr::default()),
        domain: core::marker::PhantomData,
    });
    let writer = PidWriter::new(Arc::clone(&table));
    (table, writer)
}

/// The indices of `id` at the three levels.
fn split(id: u32) -> (usize, usize, usize) {
    let id = id as usize;
    (id >> (2 * NODE_BITS), (id >> NODE_BITS) % NODE, id % NODE)
}

/// The id at the three indices.
fn join(root: usize, branch: usize, slot: usize) -> u32 {
    ((root << (2 * NODE_BITS)) | (branch << NODE_BITS) | slot) as u32
}

impl<T: Send + Sync + 'static, D: Domain> PidTable<T, D> {
    /// The value of `id`, for as long as `guard` lives.
    pub fn get<'g>(&'g self, id: u32, _guard: &'g D::Guard) -> Option<&'g T> {
        if id >= LIMIT {
            return None;
        }
        let (r, b, s) = split(id);
        let branch = self.branch(r)?;
        let leaf = branch.leaf(b)?;
        // SAFETY: the pointer came from `Arc::into_raw` and was published with release; the writer gives its count to
        // `D::defer` when it unlinks it, which waits for our guard (argument 2 above).
        unsafe { leaf.value(s).as_ref() }
    }

    /// The first id not below `from` with a value, and the value.
    pub fn next<'g>(&'g self, from: u32, guard: &'g D::Guard) -> Option<(u32, &'g T)> {
        if from >= LIMIT {
            return None;
        }
        let (mut r, mut b, mut s) = split(from);
        while r < ROOT {
            if let Some(branch) = self.branch(r) {
                while b < NODE {
                    if let Some(leaf) = branch.leaf(b) {
                        while s < NODE {
                            if !leaf.value(s).is_null() {
                                let id = join(r, b, s);
                                // It may have gone since: then it counts as never seen.
                                if let Some(value) = self.get(id, guard) {
                                    return Some((id, value));
                                }
                            }
                            s += 1;
                        }
                    }
                    (b, s) = (b + 1, 0);
                }
            }
            (r, b, s) = (r + 1, 0, 0);
        }
        None
    }

    /// The branch at `r`. Callers hold a guard, or are the writer.
    fn branch(&self, r: usize) -> Option<&Branch<T>> {
        // SAFETY: published by `Box::into_raw` with release; freed only through `D::defer` after it was unlinked, or in
        // `drop`. The reference does not outlive the caller's guard, because all callers are in this crate and see to it.
        unsafe { self.root[r].load(Acquire).as_ref() }
    }
}

impl<T: Send + Sync + 'static, D: Domain> Drop for PidTable<T, D> {
    fn drop(&mut self) {
        for slot in &self.root {
            let branch = slot.load(Acquire);
            if !branch.is_null() {
                // SAFETY: we have the table to ourselves, so no reader is in the branch and nobody frees it again.
                drop(unsafe { alloc::boxed::Box::from_raw(branch) });
            }
        }
    }
}
