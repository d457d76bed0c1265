//! The classes of the heap: what has a cache, and what `/proc/slabinfo` shows of each class.
//!
//! An object with a cache is told by its layout (`slab::Cache`), so `Box`, `Arc` and `Vec` get it from there and bring it back on their own. A type that
//! is to have one is aligned to 16 and gets a line here; docs/memory.md says which are worth it.

use super::{GUARDED, HEAPS, collect_remote};
use crate::{
    arch::fpu,
    fs::{File, Inode, dcache, tmpfs},
    mm::address_space::vma::Vma,
    process::Task,
};
use rcu_collections::PAGE_TREE_NODE;
use slab::{Cache, Classes, SIZE_CLASSES, Usage, guard};
use vma_tree::{Entry, LEAF_SIZE};

/// The caches, by the names that their like have on Linux.
static CACHES: [Cache; 8] = [
    fpu::CACHE,
    Cache::of_arcs::<Task>("task_struct"),
    Cache::of_vecs::<Entry<Vma>>("vma_leaf", LEAF_SIZE),
    Cache::of_arcs::<File>("filp"),
    Cache::of_arcs::<Inode>("inode_cache"),
    Cache::of_arcs::<tmpfs::Node>("shmem_inode_cache"),
    Cache::of_arcs::<lists::Node<dcache::Entry>>("dentry"),
    Cache::new("radix_tree_node", PAGE_TREE_NODE),
];

/// How many classes there are.
pub const CLASS_COUNT: usize = SIZE_CLASSES + CACHES.len();

/// A class of the heap.
pub type ClassId = slab::ClassId<CLASS_COUNT>;

/// The classes.
pub static CLASSES: Classes<CLASS_COUNT> =
    Classes::new(&CACHES, if GUARDED { guard::TRAILER_SIZE } else { 0 });

/// What a class is and how much of it there is. Objects in magazines count as taken, those on their way back from other CPUs do not.
pub struct ClassUsage {
    /// The name of a cache; a size class has none.
    pub cache: Option<&'static str>,
    /// Bytes in an object.
    pub size: usize,
    /// Objects in a slab.
    pub per_slab: usize,
    /// Pages in a slab.
    pub slab_pages: usize,
    /// What all CPUs have of it.
    pub usage: Usage,
}

/// All classes, the caches first (`/proc/slabinfo`).
pub fn usage() -> impl Iterator<Item = ClassUsage> {
    let caches = ClassId::all().skip(SIZE_CLASSES);
    caches.chain(ClassId::all().take(SIZE_CLASSES)).map(|class| {
        let mut usage = Usage::default();
        for heap in &HEAPS {
            let mut slabs = heap.slabs.lock();
            collect_remote(heap, &mut slabs, class);
            let here = slabs.usage(class);
            usage.slabs += here.slabs;
            usage.taken += here.taken;
        }
        let slab = CLASSES.slab(class);
        ClassUsage {
            cache: CLASSES.name(class),
            size: slab.size(),
            per_slab: slab.capacity(),
            slab_pages: 1 << slab.order(),
            usage,
        }
    })
}
