//! The slab allocator (Bonwick 1994, 2001) in parts that the kernel puts together with its locks and per-CPU data:
//!
//! - [`class`]: size classes and caches, and which one serves a request.
//! - [`Cache`]: a class for objects of one layout, with a name.
//! - [`SlabLayout`]: how the objects of a class lie in its slabs.
//! - [`Magazine`]: a CPU's own stack of free objects of one class: the fast path, without lock or atomic operation.
//! - [`Slabs`]: the slabs that belong to one CPU, from which its magazines are refilled and into which they are drained. Under
//!   a lock that only its CPU takes in the ordinary run of things.
//! - [`RemoteList`]: objects of a CPU's slabs that other CPUs freed, pushed in chains without a lock.
//! - [`guard`]: what debug builds add to objects, to find their wrong use.
//!
//! A slab is a block of pages aligned to its size, with a header at its start: an object finds its slab by masking its address.
//!
//! This crate uses `unsafe`: free objects hold the links of their own lists.
#![cfg_attr(not(any(test, loom)), no_std)]

mod cache;
pub mod class;
pub mod guard;
mod layout;
mod magazine;
mod remote;
mod slabs;
#[cfg(all(test, not(loom)))]
mod testing;

pub use cache::{Cache, arc_layout};
pub use class::{ClassId, Classes, SIZE_CLASSES};
pub use layout::SlabLayout;
pub use magazine::{MAGAZINE_SIZE, Magazine};
pub use remote::{Chain, RemoteList};
pub use slabs::{PageBacking, Slabs, Usage, owner_of};

/// A free object: its first word links it to the next of a list.
#[repr(C)]
pub struct FreeObject {
    next: *mut FreeObject,
}
