//! The slabs of one CPU.

use super::{ClassId, Classes, FreeObject, SlabLayout, layout::HEADER_SIZE};
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
pub struct Slabs<const N: usize> {
    owner: u16,
    classes: &'static Classes<N>,
    partial: [*mut Header; N],
    /// Slabs of each class that are wholly free; one is kept for the next allocation.
    empty: [usize; N],
    /// Slabs of each class, and objects of it that were taken.
    usage: [Usage; N],
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
unsafe impl<const N: usize> Send for Slabs<N> {}

impl<const N: usize> Slabs<N> {
    /// No slabs of these classes yet; `owner` is the CPU they will belong to.
    pub const fn new(owner: u16, classes: &'static Classes<N>) -> Self {
        Self {
            owner,
            classes,
            partial: [ptr::null_mut(); N],
            empty: [0; N],
            usage: [Usage { slabs: 0, taken: 0 }; N],
            pages: 0,
        }
    }

    /// Pages that the slabs take.
    #[inline]
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// What there is of a class.
    pub fn usage(&self, class: ClassId<N>) -> Usage {
        self.usage[class.index()]
    }

    /// Takes up to `count` objects; `sink` gets each. How many there were.
    pub fn alloc(
        &mut self,
        class: ClassId<N>,
        count: usize,
        backing: &mut impl PageBacking,
        mut sink: impl FnMut(*mut u8),
    ) -> usize {
        let layout = self.classes.slab(class);
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
                let Some(object) = take_object(header, layout) else { break };
                sink(object);
                taken += 1;
            }
            if usize::from(header.in_use) == layout.capacity() {
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
    pub unsafe fn free(
        &mut self,
        object: *mut u8,
        class: ClassId<N>,
        backing: &mut impl PageBacking,
    ) {
        let layout = self.classes.slab(class);
        let slab = header_of(object, layout);
        // SAFETY: an object in use keeps its slab alive (caller).
        let header = unsafe { &mut *slab };
        debug_assert!(header.owner == self.owner && usize::from(header.class) == class.index());
        let was_full = usize::from(header.in_use) == layout.capacity();
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
        class: ClassId<N>,
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

    fn new_slab(
        &mut self,
        class: ClassId<N>,
        backing: &mut impl PageBacking,
    ) -> Option<*mut Header> {
        let order = self.classes.slab(class).order();
        let block = backing.alloc_block(order)?;
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
        self.pages += 1 << order;
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
        class: ClassId<N>,
        backing: &mut impl PageBacking,
    ) {
        let order = self.classes.slab(class).order();
        self.unlink(slab, class);
        self.empty[class.index()] -= 1;
        self.pages -= 1 << order;
        self.usage[class.index()].slabs -= 1;
        if let Some(block) = NonNull::new(slab.cast::<u8>()) {
            // SAFETY: the block came from `alloc_block` in `new_slab`; nothing of it is in use (caller).
            unsafe { backing.free_block(block, order) };
        }
    }

    fn link(&mut self, slab: *mut Header, class: ClassId<N>) {
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

    fn unlink(&mut self, slab: *mut Header, class: ClassId<N>) {
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
/// `object` was allocated in slabs of this layout and is not yet back there.
#[inline]
pub unsafe fn owner_of(object: *mut u8, layout: &SlabLayout) -> u16 {
    // SAFETY: the object keeps its slab alive; the owner never changes.
    unsafe { (*header_of(object, layout)).owner }
}

#[inline]
fn header_of(object: *mut u8, layout: &SlabLayout) -> *mut Header {
    layout.slab_of(object).cast()
}

fn take_object(header: &mut Header, layout: &SlabLayout) -> Option<*mut u8> {
    let object = if header.free.is_null() {
        if usize::from(header.carved) == layout.capacity() {
            return None;
        }
        let offset = layout.first_offset() + usize::from(header.carved) * layout.size();
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
mod tests;
