//! Allocation and free: each size class of the heap, pages, blocks of pages, and objects that another CPU frees.

use super::harness::{Companion, Measurement, Work, cpu_counts, repeat};
use crate::{
    arch::cpu,
    mm::Frame,
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
type Object<const SIZE: usize> = Box<MaybeUninit<[u8; SIZE]>>;

#[inline(always)]
fn new<const SIZE: usize>() -> Object<SIZE> {
    // Hidden, or the compiler would see that the object is not used and leave it out.
    black_box(Box::new_uninit())
}

pub(super) fn measure() {
    for cpus in cpu_counts() {
        for (name, many_name, one_at_a_time, many_at_once) in SIZES {
            Measurement::short(name, cpus).run(one_at_a_time);
            Measurement::short(many_name, cpus).run(many_at_once);
        }
        Measurement::short("alloc 64 KiB", cpus).run(one::<65536>);
        Measurement::short("page", cpus).run(page);
        Measurement::short("page, 64 at once", cpus).run(pages);
    }
    if cpu::online_count() > 1 {
        freed_elsewhere();
    }
}

type Make = fn() -> Work;

/// Names and work of a size: one object at a time, and many at once.
const SIZES: [(&str, &str, Make, Make); 15] = [
    ("alloc 16 B", "alloc 16 B, 64 at once", one::<16>, many::<16>),
    ("alloc 32 B", "alloc 32 B, 64 at once", one::<32>, many::<32>),
    ("alloc 48 B", "alloc 48 B, 64 at once", one::<48>, many::<48>),
    ("alloc 64 B", "alloc 64 B, 64 at once", one::<64>, many::<64>),
    ("alloc 96 B", "alloc 96 B, 64 at once", one::<96>, many::<96>),
    ("alloc 128 B", "alloc 128 B, 64 at once", one::<128>, many::<128>),
    ("alloc 192 B", "alloc 192 B, 64 at once", one::<192>, many::<192>),
    ("alloc 256 B", "alloc 256 B, 64 at once", one::<256>, many::<256>),
    ("alloc 384 B", "alloc 384 B, 64 at once", one::<384>, many::<384>),
    ("alloc 512 B", "alloc 512 B, 64 at once", one::<512>, many::<512>),
    ("alloc 768 B", "alloc 768 B, 64 at once", one::<768>, many::<768>),
    ("alloc 1 KiB", "alloc 1 KiB, 64 at once", one::<1024>, many::<1024>),
    ("alloc 1.5 KiB", "alloc 1.5 KiB, 64 at once", one::<1536>, many::<1536>),
    ("alloc 2 KiB", "alloc 2 KiB, 64 at once", one::<2048>, many::<2048>),
    ("alloc 4 KiB", "alloc 4 KiB, 64 at once", one::<4096>, many::<4096>),
];

fn one<const SIZE: usize>() -> Work {
    repeat(|| drop(new::<SIZE>()))
}

fn many<const SIZE: usize>() -> Work {
    let mut objects = ArrayVec::<Object<SIZE>, MANY>::new();
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
    repeat(|| drop(black_box(Frame::alloc_uninit())))
}

fn pages() -> Work {
    let mut frames = ArrayVec::<Frame, MANY>::new();
    Box::new(move |count| {
        for _ in 0..count as usize / MANY {
            while !frames.is_full() {
                frames.push(Frame::alloc_uninit().expect("no memory for a benchmark"));
            }
            frames.clear();
        }
    })
}

/// One CPU allocates, another frees: what the slower of the two takes for an object.
fn freed_elsewhere() {
    const SIZE: usize = 64;
    type Batches = ArrayVec<Vec<Object<SIZE>>, IN_FLIGHT>;
    let on_the_way = Arc::new(SpinLock::new(&class::TABLE, Batches::new()));
    let target = Arc::clone(&on_the_way);
    let mut made = None;
    let maker = Companion::start(1, move || {
        let batch = made.take().unwrap_or_else(|| (0..MANY).map(|_| new::<SIZE>()).collect());
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
