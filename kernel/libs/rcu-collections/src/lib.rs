//! Collections that are read under RCU and changed under a small spin lock of their own: [`RcuHash`] (the dentry and mount
//! tables), [`PageTree`] (the page cache's radix tree) and [`FdMap`] (descriptor tables).
//!
//! What they need of the kernel is the trait [`Rcu`]. This crate uses `unsafe`: it follows raw pointers that only the
//! grace period keeps valid. The argument is the same everywhere and is made at each place: a pointer is read from an atomic
//! under a guard, and what was once published is handed to [`Rcu::defer`] after it was unpublished.
#![cfg_attr(not(any(test, loom)), no_std)]

extern crate alloc;

mod atomics;
mod fd_map;
mod hash;
mod lock;
#[cfg(all(test, loom))]
mod models;
// Its nodes are allocated zeroed, which loom's atomics cannot be; how it publishes them is how the hash does.
#[cfg(not(loom))]
mod page_tree;
#[cfg(all(test, not(loom)))]
mod testing;

pub use fd_map::{FdMap, Full, Lent, Lookups};
pub use hash::RcuHash;
#[cfg(not(loom))]
pub use page_tree::{OutOfMemory, PAGE_TREE_NODE, PageTree, Word};

/// The kernel's read-copy-update.
///
/// # Safety
///
/// A function given to `defer` runs only after every guard that existed at the time of the call is gone. While a guard lives,
/// the code that holds it is not preempted by other code that this crate runs on the same CPU.
pub unsafe trait Rcu: Send + Sync + 'static {
    /// A read-side critical section.
    type Guard;
    /// Enters one.
    fn read() -> Self::Guard;
    /// Runs `f` after a grace period.
    fn defer(f: alloc::boxed::Box<dyn FnOnce() + Send>);
    /// A number that tells the calling thread from all others, never zero.
    fn thread() -> usize;
}
