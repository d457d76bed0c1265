//! Allocation and free: each size class of the heap, some of its caches, pages, blocks of pages, and objects that another CPU frees.

use super::harness::{Companion, Measurement, Work, cpu_counts, repeat};
use crate::{
    arch::cpu,
    fs::{File, Inode},
    mm::{Frame, PageKind},
    process::Task,
    sync::{SpinLock, class},
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use arrayvec::ArrayVec;
use core::{hint::black_box, mem::MaybeUninit};

/// Objects that are in use at once where it is not one: twice what a CPU keeps at hand.
const MANY: usize = 64;
/// Batches of objects that may be on their way from one CPU to the other.
const IN_FLIGHT: usize = 4;

/// Memory that nobody initialises.
type Object<T> = Box<MaybeUninit<T>>;

/// Has the layout of what has a cache.
#[repr(align(16))]
struct Cached<const SIZE: usize>([u8; SIZE]);

const FILE: usize = slab::arc_layout::<File>().size();
const INODE: usize = slab::arc_layout::<Inode>().size();
const NODE: usize = rcu_collections::PAGE_TREE_NODE.size();
const TASK: usize = slab::arc_layout::<Task>().size();

#[inline(always)]
fn new<T>() -> Object<T> {
    // Hidden, or the compiler would see that the object is not used and leave it out.
    black_box(Box::new_uninit())
}

pub(super) fn measure() {
    for cpus in cpu_counts() {
        for (name, many_name, one_at_a_time, many_at_once) in SIZES {
            Measurement::short(name, cpus).run(one_at_a_time);
            Measurement::short(many_name, cpus).run(many_at_once);
        }
        Measurement::short("alloc 64 KiB", cpus).run(one::<[u8; 65536]>);
        Measurement::short("page", cpus).run(page);
        Measurement::short("page, 64 at once", cpus).run(pages);
    }
    if cpu::online_count() > 1 {
        freed_elsewhere();
    }
}

type Make = fn() -> Work;

/// Names and work of a size: one object at a time, and many at once.
const SIZES: [(&str, &str, Make, Make); 19] = [
    ("alloc 16 B", "alloc 16 B, 64 at once", one::<[u8; 16]>, many::<[u8; 16]>),
    ("alloc 32 B", "alloc 32 B, 64 at once", one::<[u8; 32]>, many::<[u8; 32]>),
    ("alloc 48 B", "alloc 48 B, 64 at once", one::<[u8; 48]>, many::<[u8; 48]>),
    ("alloc 64 B", "alloc 64 B, 64 at once", one::<[u8; 64]>, many::<[u8; 64]>),
    ("alloc 96 B", "alloc 96 B, 64 at once", one::<[u8; 96]>, many::<[u8; 96]>),
    ("alloc 128 B", "alloc 128 B, 64 at once", one::<[u8; 128]>, many::<[u8; 128]>),
    ("alloc 192 B", "alloc 192 B, 64 at once", one::<[u8; 192]>, many::<[u8; 192]>),
    ("alloc 256 B", "alloc 256 B, 64 at once", one::<[u8; 256]>, many::<[u8; 256]>),
    ("alloc 384 B", "alloc 384 B, 64 at once", one::<[u8; 384]>, many::<[u8; 384]>),
    ("alloc 512 B", "alloc 512 B, 64 at once", one::<[u8; 512]>, many::<[u8; 512]>),
    ("alloc 768 B", "alloc 768 B, 64 at once", one::<[u8; 768]>, many::<[u8; 768]>),
    ("alloc 1 KiB", "alloc 1 KiB, 64 at once", one::<[u8; 1024]>, many::<[u8; 1024]>),
    ("alloc 1.5 KiB", "alloc 1.5 KiB, 64 at once", one::<[u8; 1536]>, many::<[u8; 1536]>),
    ("alloc 2 KiB", "alloc 2 KiB, 64 at once", one::<[u8; 2048]>, many::<[u8; 2048]>),
    ("alloc 4 KiB", "alloc 4 KiB, 64 at once", one::<[u8; 4096]>, many::<[u8; 4096]>),
    ("alloc filp", "alloc filp, 64 at once", one::<Cached<FILE>>, many::<Cached<FILE>>),
    (
        "alloc inode_cache",
        "alloc inode_cache, 64 at once",
        one::<Cached<INODE>>,
        many::<Cached<INODE>>,
    ),
    (
        "alloc radix_tree_node",
        "alloc radix_tree_node, 64 at once",
        one::<Cached<NODE>>,
        many::<Cached<NODE>>,
    ),
    (
        "alloc task_struct",
        "alloc task_struct, 64 at once",
        one::<Cached<TASK>>,
        many::<Cached<TASK>>,
    ),
];

fn one<T: 'static>() -> Work {
    repeat(|| drop(new::<T>()))
}

fn many<T: 'static>() -> Work {
    let mut objects = ArrayVec::<Object<T>, MANY>::new();
    Box::new(move |count| {
        for _ in 0..count as usize / MANY {
            while !objects.is_full() {
                objects.push(new());
            }
            objects.clear();
        }
    })
}

fn page() -> Work {
    repeat(|| drop(black_box(Frame::alloc_uninit(PageKind::Other))))
}

fn pages() -> Work {
    let mut frames = ArrayVec::<Frame, MANY>::new();
    Box::new(move |count| {
        for _ in 0..count as usize / MANY {
            while !frames.is_full() {
                frames
                    .push(Frame::alloc_uninit(PageKind::Other).expect("no memory for a benchmark"));
            }
            frames.clear();
        }
    })
}

/// One CPU allocates, another frees: what the slower of the two takes for an object.
fn freed_elsewhere() {
    type Batches = ArrayVec<Vec<Object<[u8; 64]>>, IN_FLIGHT>;
    let on_the_way = Arc::new(SpinLock::new(&class::TABLE, Batches::new()));
    let target = Arc::clone(&on_the_way);
    let mut made = None;
    let maker = Companion::start(1, move || {
        let batch = made.take().unwrap_or_else(|| (0..MANY).map(|_| new()).collect());
        if let Err(full) = target.lock().try_push(batch) {
            made = Some(full.element());
            core::hint::spin_loop();
        }
    });
    let of_two =
        Measurement { workers: 1, ..Measurement::short("alloc 64 B, freed by another CPU", 2) };
    of_two.run(move || {
        let on_the_way = Arc::clone(&on_the_way);
        Box::new(move |count| {
            for _ in 0..count as usize / MANY {
                let batch = loop {
                    if let Some(batch) = on_the_way.lock().pop() {
                        break batch;
                    }
                    core::hint::spin_loop();
                };
                drop(batch);
            }
        })
    });
    drop(maker);
}
