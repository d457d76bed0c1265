//! Tests of the slabs of one CPU.

use super::*;
use crate::{
    SIZE_CLASSES,
    testing::{CACHES, CLASSES, COUNT},
};
use proptest::prelude::*;
use std::{
    alloc::{Layout, alloc, dealloc},
    collections::HashMap,
    slice,
};

type Id = ClassId<COUNT>;

#[derive(Default)]
struct Host {
    blocks: usize,
    limit: Option<usize>,
}

impl PageBacking for Host {
    fn alloc_block(&mut self, order: u8) -> Option<NonNull<u8>> {
        if self.limit.is_some_and(|limit| self.blocks >= limit) {
            return None;
        }
        self.blocks += 1;
        let layout = Layout::from_size_align(4096 << order, 4096 << order).unwrap();
        // SAFETY: the layout is not empty.
        NonNull::new(unsafe { alloc(layout) })
    }
    unsafe fn free_block(&mut self, block: NonNull<u8>, order: u8) {
        self.blocks -= 1;
        let layout = Layout::from_size_align(4096 << order, 4096 << order).unwrap();
        // SAFETY: it was allocated with the same layout.
        unsafe { dealloc(block.as_ptr(), layout) };
    }
}

fn take(slabs: &mut Slabs<COUNT>, class: Id, count: usize, host: &mut Host) -> Vec<*mut u8> {
    let mut objects = Vec::new();
    slabs.alloc(class, count, host, |object| objects.push(object));
    objects
}

/// What the objects of a class are aligned to: in a cache what was asked for, else what their size is.
fn alignment(class: Id) -> usize {
    match class.index().checked_sub(SIZE_CLASSES) {
        Some(n) => CACHES[n].layout().align(),
        None => 1 << CLASSES.slab(class).size().trailing_zeros(),
    }
}

#[test]
fn objects_are_distinct_aligned_and_know_their_owner() {
    for class in Id::all() {
        let layout = CLASSES.slab(class);
        let (mut slabs, mut host) = (Slabs::new(7, &CLASSES), Host::default());
        let mut objects = take(&mut slabs, class, 500, &mut host);
        assert_eq!(objects.len(), 500);
        assert_eq!(slabs.usage(class), Usage { slabs: host.blocks, taken: 500 });
        for &object in &objects {
            assert_eq!(object.addr() % alignment(class), 0);
            // SAFETY: just allocated, of this class.
            assert_eq!(unsafe { owner_of(object, layout) }, 7);
            // SAFETY: the object has this size.
            unsafe { object.write_bytes(0xa5, layout.size()) };
        }
        objects.sort_unstable();
        assert!(objects.windows(2).all(|w| w[1].addr() - w[0].addr() >= layout.size()));
        for object in objects {
            // SAFETY: allocated above, freed once.
            unsafe { slabs.free(object, class, &mut host) };
        }
        assert_eq!(host.blocks, 1, "one empty slab is kept");
        assert_eq!(slabs.usage(class), Usage { slabs: 1, taken: 0 });
        slabs.shrink(&mut host);
        assert_eq!((host.blocks, slabs.pages()), (0, 0));
    }
}

#[test]
fn exhausted_backing_gives_what_there_is() {
    let class = CLASSES.for_request(1024, 8).unwrap();
    let (mut slabs, mut host) =
        (Slabs::new(0, &CLASSES), Host { limit: Some(1), ..Host::default() });
    let objects = take(&mut slabs, class, 100, &mut host);
    assert_eq!(objects.len(), CLASSES.slab(class).capacity());
    for object in objects {
        // SAFETY: allocated above, freed once.
        unsafe { slabs.free(object, class, &mut host) };
    }
    slabs.shrink(&mut host);
}

proptest! {
    /// Whatever the order of allocation and release, no object is given twice, contents stay, and all pages come back.
    #[test]
    fn content_survives_any_order(
        steps in prop::collection::vec((any::<bool>(), 0..COUNT, any::<usize>()), 1..400)
    ) {
        let (mut slabs, mut host) = (Slabs::new(1, &CLASSES), Host::default());
        let mut live: HashMap<usize, (*mut u8, Id, u8)> = HashMap::new();
        let mut order = Vec::new();
        for (n, (grow, class, pick)) in steps.into_iter().enumerate() {
            if grow {
                let class = Id::all().nth(class).unwrap();
                for object in take(&mut slabs, class, 1 + pick % 5, &mut host) {
                    // SAFETY: the object has this size.
                    unsafe { object.write_bytes(n as u8, CLASSES.slab(class).size()) };
                    prop_assert!(live.insert(object.addr(), (object, class, n as u8)).is_none());
                    order.push(object.addr());
                }
            } else if !order.is_empty() {
                let addr = order.swap_remove(pick % order.len());
                let (object, class, fill) = live.remove(&addr).unwrap();
                // SAFETY: the object is live and was filled.
                let content = unsafe { slice::from_raw_parts(object, CLASSES.slab(class).size()) };
                prop_assert!(content.iter().all(|&b| b == fill));
                // SAFETY: allocated above, freed once.
                unsafe { slabs.free(object, class, &mut host) };
            }
        }
        for (object, class, _) in live.into_values() {
            // SAFETY: allocated above, freed once.
            unsafe { slabs.free(object, class, &mut host) };
        }
        slabs.shrink(&mut host);
        prop_assert_eq!(host.blocks, 0);
    }
}
