//! Classes for the tests: of each kind of cache one.

use crate::{Cache, Classes, SIZE_CLASSES};
use core::alloc::Layout;

const fn layout(size: usize, align: usize) -> Layout {
    match Layout::from_size_align(size, align) {
        Ok(layout) => layout,
        Err(_) => panic!("no layout"),
    }
}

pub static CACHES: [Cache; 4] = [
    Cache::new("small", layout(144, 16)),
    Cache::new("strict", layout(832, 64)),
    Cache::of_vecs::<[u64; 11]>("vector", 32),
    Cache::new("medium", layout(528, 16)),
];

pub const COUNT: usize = SIZE_CLASSES + CACHES.len();

pub static CLASSES: Classes<COUNT> = Classes::new(&CACHES, 0);
