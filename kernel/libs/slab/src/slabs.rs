//! The slabs of one CPU.

use super::{CLASS_COUNT, ClassId, FreeObject, class::HEADER_SIZE};
use core::ptr::{self, NonNull};

/// Where slabs come from and go to.
pub trait PageBacking {
    /// A block of 2^`order` pages, aligned to its size.
    fn alloc_block(&mut self, order: u8) -> Option<NonNull<u8>>;
    /// Takes it back.
    ///
    /// # Safety
    /// `block` came from [`PageBacking::alloc_block`] with this order, and nobody uses it any more.
    unsafe fn free_block(&mut self, block: NonNull<u8>, order: u8);
}

/// What stands at the start of a slab.
#[repr(C)]
struct Header {
    next: *mut Header,
    prev: *mut Header,
    free: *mut FreeObject,
    /// Objects handed out.
    in_use: u16,
    /// Objects that were handed out once; those above have never been touched.
    carved: u16,
    owner: u16,
    class: u8,
}

const _: () = assert!(size_of::<Header>() <= HEADER_SIZE);

/// The slabs of one CPU, a list a class of those that have free objects. Slabs without any are on no list.
pub struct Slabs {
    owner: u16,
    partial: [*mut Header; CLASS_COUNT],
    /// Slabs of each class that are wholly free; one is kept for the next allocation.
    empty: [usize; CLASS_COUNT],
    /// Slabs of each class, and objects of it that were taken.
    usage: [Usage; CLASS_COUNT],
    /// Pages in all slabs.
    pages: usize,
}

/// What there is of a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Slabs.
    pub slabs: usize,
    /// Objects that are not in them.
    pub taken: usize,
}

// SAFETY: the lists link memory that belongs to this value alone; it may move to another CPU with it.
unsafe impl Send for Slabs {}

impl Slabs {
    /// No slabs yet; `owner` is the CPU they will belong to.
    pub const fn new(owner: u16) -> Self {
        Self {
            owner,
            partial: [ptr::null_mut(); CLASS_COUNT],
            empty: [0; CLASS_COUNT],
            usage: [Usage { slabs: 0, taken: 0 }; CLASS_COUNT],
            pages: 0,
        }
    }

    /// Pages that the slabs take.
    #[inline]
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// What there is of a class.
    pub fn usage(&self, class: ClassId) -> Usage {
        self.usage[class.index()]
    }

    /// Takes up to `count` objects; `sink` gets each. How many there were.
    pub fn alloc(
        &mut self,
        class: ClassId,
        count: usize,
        backing: &mut impl PageBacking,
        mut sink: impl FnMut(*mut u8),
    ) -> usize {
        let mut taken = 0;
        while taken < count {
            let mut slab = self.partial[class.index()];
            if slab.is_null() {
                let Some(fresh) = self.new_slab(class, backing) else { break };
                slab = fresh;
            }
            // SAFETY: a slab on our list is alive and ours; the reference ends before the list changes.
            let header = unsafe { &mut *slab };
            if header.in_use == 0 {
                self.empty[class.index()] -= 1;
            }
            while taken < count {
                let Some(object) = take_object(header, class) else { break };
                sink(object);
                taken += 1;
            }
            if usize::from(header.in_use) == class.capacity() {
                self.unlink(slab, class);
            }
        }
        self.usage[class.index()].taken += taken;
        taken
    }

    /// Gives an object back.
    ///
    /// # Safety
    /// `object` came from [`Slabs::alloc`] of this value with this class, and nobody uses it any more.
    #[inline]
    pub unsafe fn free(&mut self, object: *mut u8, class: ClassId, backing: &mut impl PageBacking) {
        let slab = header_of(object, class);
        // SAFETY: an object in use keeps its slab alive (caller).
        let header = unsafe { &mut *slab };
        debug_assert!(header.owner == self.owner && usize::from(header.class) == class.index());
        let was_full = usize::from(header.in_use) == class.capacity();
        let object = object.cast::<FreeObject>();
        // SAFETY: the object is free now (caller), and has room for the link.
        unsafe { (*object).next = header.free };
        header.free = object;
        header.in_use -= 1;
        self.usage[class.index()].taken -= 1;
        let is_empty = header.in_use == 0;
        if was_full || is_empty {
            // SAFETY: the slab is alive and ours; what it was and is has just been looked at.
            unsafe { self.refile(slab, class, was_full, is_empty, backing) };
        }
    }

    /// A slab was full, or is empty now, or both. Out of line, as most objects change neither.
    ///
    /// # Safety
    /// The slab is alive, of this value and class; it is on its class's list unless it was full; if it is empty, none of its objects is
    /// in use.
    #[inline(never)]
    unsafe fn refile(
        &mut self,
        slab: *mut Header,
        class: ClassId,
        was_full: bool,
        is_empty: bool,
        backing: &mut impl PageBacking,
    ) {
        if was_full {
            self.link(slab, class);
        }
        if is_empty {
            self.empty[class.index()] += 1;
            if self.empty[class.index()] > 1 {
                // SAFETY: it is on the list by now, and no object of it is in use.
                unsafe { self.release(slab, class, backing) };
            }
        }
    }

    /// Gives every wholly free slab back; how many pages that were.
    pub fn shrink(&mut self, backing: &mut impl PageBacking) -> usize {
        let before = self.pages;
        for class in ClassId::all() {
            let mut slab = self.partial[class.index()];
            while !slab.is_null() {
                // SAFETY: a slab on our list is alive and ours.
                let (next, in_use) = unsafe { ((*slab).next, (*slab).in_use) };
                if in_use == 0 {
                    // SAFETY: no object of the slab is in use.
                    unsafe { self.release(slab, class, backing) };
                }
                slab = next;
            }
        }
        before - self.pages
    }

    fn new_slab(&mut self, class: ClassId, backing: &mut impl PageBacking) -> Option<*mut Header> {
        let block = backing.alloc_block(class.slab_order())?;
        let slab = block.as_ptr().cast::<Header>();
        // SAFETY: the block is ours, aligned to its size, and larger than a header.
        unsafe {
            slab.write(Header {
                next: ptr::null_mut(),
                prev: ptr::null_mut(),
                free: ptr::null_mut(),
                in_use: 0,
                carved: 0,
                owner: self.owner,
                class: class.index() as u8,
            });
        }
        self.pages += 1 << class.slab_order();
        self.usage[class.index()].slabs += 1;
        self.empty[class.index()] += 1;
        self.link(slab, class);
        Some(slab)
    }

    /// # Safety
    /// The slab is on its class's list and none of its objects is in use.
    unsafe fn release(
        &mut self,
        slab: *mut Header,
        class: ClassId,
        backing: &mut impl PageBacking,
    ) {
        self.unlink(slab, class);
        self.empty[class.index()] -= 1;
        self.pages -= 1 << class.slab_order();
        self.usage[class.index()].slabs -= 1;
        if let Some(block) = NonNull::new(slab.cast::<u8>()) {
            // SAFETY: the block came from `alloc_block` in `new_slab`; nothing of it is in use (caller).
            unsafe { backing.free_block(block, class.slab_order()) };
        }
    }

    fn link(&mut self, slab: *mut Header, class: ClassId) {
        let head = &mut self.partial[class.index()];
        // SAFETY: the slab and the head of our list are alive and ours.
        unsafe {
            (*slab).prev = ptr::null_mut();
            (*slab).next = *head;
            if !head.is_null() {
                (**head).prev = slab;
            }
        }
        *head = slab;
    }

    fn unlink(&mut self, slab: *mut Header, class: ClassId) {
        // SAFETY: the slab is on our list, so it and its neighbours are alive and ours.
        unsafe {
            let (prev, next) = ((*slab).prev, (*slab).next);
            if prev.is_null() {
                self.partial[class.index()] = next;
            } else {
                (*prev).next = next;
            }
            if !next.is_null() {
                (*next).prev = prev;
            }
        }
    }
}

/// The CPU that owns the slab of an object.
///
/// # Safety
/// `object` was allocated with this class and is not yet back in its slab.
#[inline]
pub unsafe fn owner_of(object: *mut u8, class: ClassId) -> u16 {
    // SAFETY: the object keeps its slab alive; the owner never changes.
    unsafe { (*header_of(object, class)).owner }
}

#[inline]
fn header_of(object: *mut u8, class: ClassId) -> *mut Header {
    object.map_addr(|addr| addr & !((4096usize << class.slab_order()) - 1)).cast()
}

fn take_object(header: &mut Header, class: ClassId) -> Option<*mut u8> {
    let object = if header.free.is_null() {
        if usize::from(header.carved) == class.capacity() {
            return None;
        }
        let offset = class.first_offset() + usize::from(header.carved) * class.size();
        header.carved += 1;
        ptr::from_mut(header).cast::<u8>().wrapping_add(offset)
    } else {
        let object = header.free;
        // SAFETY: an object on the free list is ours and holds a link.
        header.free = unsafe { (*object).next };
        object.cast()
    };
    header.in_use += 1;
    Some(object)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{
        alloc::{Layout, alloc, dealloc},
        collections::HashMap,
    };

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

    fn take(slabs: &mut Slabs, class: ClassId, count: usize, host: &mut Host) -> Vec<*mut u8> {
        let mut objects = Vec::new();
        slabs.alloc(class, count, host, |object| objects.push(object));
        objects
    }

    #[test]
    fn objects_are_distinct_aligned_and_know_their_owner() {
        for class in ClassId::all() {
            let (mut slabs, mut host) = (Slabs::new(7), Host::default());
            let mut objects = take(&mut slabs, class, 500, &mut host);
            assert_eq!(objects.len(), 500);
            assert_eq!(slabs.usage(class), Usage { slabs: host.blocks, taken: 500 });
            for &object in &objects {
                assert_eq!(object.addr() % (1 << class.size().trailing_zeros()), 0);
                // SAFETY: just allocated, of this class.
                assert_eq!(unsafe { owner_of(object, class) }, 7);
                // SAFETY: the object has this size.
                unsafe { object.write_bytes(0xa5, class.size()) };
            }
            objects.sort_unstable();
            assert!(objects.windows(2).all(|w| w[1].addr() - w[0].addr() >= class.size()));
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
        let class = ClassId::for_request(1024, 8).unwrap();
        let (mut slabs, mut host) = (Slabs::new(0), Host { limit: Some(1), ..Host::default() });
        let objects = take(&mut slabs, class, 100, &mut host);
        assert_eq!(objects.len(), class.capacity());
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
            steps in prop::collection::vec((any::<bool>(), 0usize..CLASS_COUNT, any::<usize>()), 1..400)
        ) {
            let (mut slabs, mut host) = (Slabs::new(1), Host::default());
            let mut live: HashMap<usize, (*mut u8, ClassId, u8)> = HashMap::new();
            let mut order = Vec::new();
            for (n, (grow, class, pick)) in steps.into_iter().enumerate() {
                if grow {
                    let class = ClassId::all().nth(class).unwrap();
                    for object in take(&mut slabs, class, 1 + pick % 5, &mut host) {
                        // SAFETY: the object has this size.
                        unsafe { object.write_bytes(n as u8, class.size()) };
                        prop_assert!(live.insert(object.addr(), (object, class, n as u8)).is_none());
                        order.push(object.addr());
                    }
                } else if !order.is_empty() {
                    let addr = order.swap_remove(pick % order.len());
                    let (object, class, fill) = live.remove(&addr).unwrap();
                    // SAFETY: the object is live and was filled.
                    let content = unsafe { core::slice::from_raw_parts(object, class.size()) };
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
}
