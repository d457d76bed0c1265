//! The kernel's heap: slabs for objects to 2 KiB, pages from the buddy allocator above.
//!
//! Each CPU has magazines of free objects (no lock, no atomic operation: preemption off and a mark that keeps interrupt
//! handlers away, as in `node`), slabs that they are refilled from and drained into (a lock that only this CPU takes, unless
//! memory is short), and a list a class of its objects that other CPUs freed.
//!
//! Works in interrupt handlers. Locks: a CPU's slabs (class SLAB), inside it the frame allocator's. Never waits, except that an allocation
//! which fails in a task that may sleep lets caches shrink and tries again.

use super::{
    PAGE_SIZE, PhysAddr, VirtAddr,
    node::{self, Purpose},
    page::{PageKind, page},
    reclaim,
};
use crate::{
    arch::{cpu, irq},
    sync::{IrqSpinLock, class},
};
use core::{
    alloc::{GlobalAlloc, Layout},
    cell::{Cell, UnsafeCell},
    ptr::{self, NonNull},
    sync::atomic::{AtomicUsize, Ordering, compiler_fence},
};
use slab::{CLASS_COUNT, ClassId, MAGAZINE_SIZE, Magazine, PageBacking, RemoteList, Slabs};

/// What a CPU reaches without a lock.
#[repr(align(128))]
struct CpuMagazines {
    busy: Cell<bool>,
    magazines: UnsafeCell<[Magazine; CLASS_COUNT]>,
}

// SAFETY: the fields are only used by their own CPU, in `with_magazine`; the pointers in them are to objects that nobody else uses.
unsafe impl Sync for CpuMagazines {}

static MAGAZINES: [CpuMagazines; cpu::MAX_CPUS] = [const {
    CpuMagazines {
        busy: Cell::new(false),
        magazines: UnsafeCell::new([const { Magazine::new() }; CLASS_COUNT]),
    }
}; cpu::MAX_CPUS];

/// A CPU's slabs, and what others gave back to them.
#[repr(align(128))]
struct CpuHeap {
    slabs: IrqSpinLock<Slabs>,
    remote: [RemoteList; CLASS_COUNT],
    /// Pages in `slabs`, to look at without the lock.
    pages: AtomicUsize,
}

static HEAPS: [CpuHeap; cpu::MAX_CPUS] = {
    // A slab must know its CPU, so the array is built with an index.
    let mut heaps = [const { cpu_heap(0) }; cpu::MAX_CPUS];
    let mut n = 1;
    while n < cpu::MAX_CPUS {
        heaps[n] = cpu_heap(n as u16);
        n += 1;
    }
    heaps
};

const fn cpu_heap(cpu: u16) -> CpuHeap {
    CpuHeap {
        slabs: IrqSpinLock::new(&class::SLAB, Slabs::new(cpu)),
        remote: [const { RemoteList::new() }; CLASS_COUNT],
        pages: AtomicUsize::new(0),
    }
}

/// Slabs are blocks of the frame allocator.
struct Blocks;

impl PageBacking for Blocks {
    fn alloc_block(&mut self, order: u8) -> Option<NonNull<u8>> {
        alloc_pages(1 << order, order).and_then(NonNull::new)
    }
    unsafe fn free_block(&mut self, block: NonNull<u8>, order: u8) {
        free_pages(block.as_ptr(), 1 << order);
    }
}

/// Runs `f` on this CPU's magazine; `None` in an interrupt that came while it is in use.
#[inline]
fn with_magazine<R>(class: ClassId, f: impl FnOnce(&mut Magazine) -> R) -> Option<R> {
    irq::preempt_disable();
    let here = &MAGAZINES[cpu::id()];
    let result = if here.busy.get() {
        None
    } else {
        here.busy.set(true);
        compiler_fence(Ordering::SeqCst);
        // SAFETY: preemption is off, so no other task comes to this CPU; the mark keeps interrupts that come meanwhile
        // away; other CPUs have their own magazines.
        let magazines = unsafe { &mut *here.magazines.get() };
        let result = f(&mut magazines[class.index()]);
        compiler_fence(Ordering::SeqCst);
        here.busy.set(false);
        Some(result)
    };
    irq::preempt_enable();
    result
}

#[inline]
fn alloc_object(class: ClassId) -> Option<*mut u8> {
    match with_magazine(class, Magazine::pop) {
        Some(Some(object)) => Some(object),
        _ => refill(class),
    }
}

/// Takes objects from this CPU's slabs: one to return, the rest for the magazine.
#[cold]
fn refill(class: ClassId) -> Option<*mut u8> {
    let mut batch = Magazine::new();
    let wanted = class.magazine_limit() / 2;
    let heap = &HEAPS[cpu::id()];
    {
        let mut slabs = heap.slabs.lock();
        collect_remote(heap, &mut slabs, class);
        slabs.alloc(class, wanted, &mut Blocks, |object| {
            batch.push(object, MAGAZINE_SIZE);
        });
        heap.pages.store(slabs.pages(), Ordering::Relaxed);
    }
    let first = batch.pop()?;
    with_magazine(class, |magazine| {
        while magazine.len() < class.magazine_limit() {
            let Some(object) = batch.pop() else { break };
            magazine.push(object, class.magazine_limit());
        }
    });
    // What is left when an interrupt found the magazine in use, or filled it.
    batch.drain_oldest(MAGAZINE_SIZE, |object| give_back(object, class));
    Some(first)
}

/// Puts objects that other CPUs freed into the slabs they came from.
fn collect_remote(heap: &CpuHeap, slabs: &mut Slabs, class: ClassId) {
    let remote = &heap.remote[class.index()];
    if !remote.is_empty() {
        // SAFETY: what is on a CPU's remote list came from its slabs, with this class, and was freed.
        remote.take_all(|object| unsafe { slabs.free(object, class, &mut Blocks) });
    }
}

#[inline]
fn free_object(object: *mut u8, class: ClassId) {
    let limit = class.magazine_limit();
    if with_magazine(class, |magazine| magazine.push(object, limit)) != Some(true) {
        free_slow(object, class);
    }
}

/// Makes room in the magazine, or does without it.
#[cold]
fn free_slow(object: *mut u8, class: ClassId) {
    let mut batch = Magazine::new();
    let pushed = with_magazine(class, |magazine| {
        magazine.drain_oldest(class.magazine_limit() / 2, |old| {
            batch.push(old, MAGAZINE_SIZE);
        });
        magazine.push(object, class.magazine_limit())
    });
    if pushed != Some(true) {
        give_back(object, class);
    }
    batch.drain_oldest(MAGAZINE_SIZE, |object| give_back(object, class));
}

/// Gives an object back to its slab: at once when it is this CPU's, else through its owner's list.
fn give_back(object: *mut u8, class: ClassId) {
    // SAFETY: the object was allocated with this class and is still out of its slab.
    let owner = usize::from(unsafe { slab::owner_of(object, class) });
    let heap = &HEAPS[owner];
    if owner == cpu::id() {
        let mut slabs = heap.slabs.lock();
        // SAFETY: it came from these slabs, and its user gave it up.
        unsafe { slabs.free(object, class, &mut Blocks) };
        heap.pages.store(slabs.pages(), Ordering::Relaxed);
    } else {
        // SAFETY: its user gave it up, and objects have room for a pointer.
        unsafe { heap.remote[class.index()].push(object) };
    }
}

/// Frees empty slabs; how many pages came back.
pub(super) fn shrink() -> usize {
    HEAPS
        .iter()
        .map(|heap| {
            let mut slabs = heap.slabs.lock();
            let before = slabs.pages();
            for class in ClassId::all() {
                collect_remote(heap, &mut slabs, class);
            }
            slabs.shrink(&mut Blocks);
            heap.pages.store(slabs.pages(), Ordering::Relaxed);
            before - slabs.pages()
        })
        .sum()
}

/// Pages in slabs.
pub fn slab_pages() -> usize {
    HEAPS.iter().map(|heap| heap.pages.load(Ordering::Relaxed)).sum()
}

/// Takes `count` pages, aligned to 2^`order` of them.
fn alloc_pages(count: usize, order: u8) -> Option<*mut u8> {
    let frame = if order == 0 {
        node::alloc_page(Purpose::Kernel)?
    } else {
        let frame = node::alloc_block(order, Purpose::Kernel)?;
        if count < 1 << order {
            node::free_range(frame + count as u32, frame + (1 << order));
        }
        frame
    };
    page(frame).set_kind(PageKind::Kernel);
    Some(PhysAddr::of_frame(frame).to_virt().as_mut_ptr())
}

fn free_pages(pages: *mut u8, count: usize) {
    let frame = VirtAddr(pages.addr()).to_phys().frame_number();
    if count == 1 {
        node::free_page(frame);
    } else {
        node::free_range(frame, frame + count as u32);
    }
}

/// Pages and the order of the block for a large layout; `None` when there is no such block.
fn large(layout: &Layout) -> Option<(usize, u8)> {
    let count = layout.size().div_ceil(PAGE_SIZE).max(1);
    let order = count.max(layout.align() / PAGE_SIZE).next_power_of_two().ilog2() as u8;
    (order <= buddy::MAX_ORDER).then_some((count, order))
}

#[inline]
fn class_of(layout: &Layout) -> Option<ClassId> {
    ClassId::for_request(layout.size(), layout.align())
}

fn alloc_once(layout: &Layout) -> Option<*mut u8> {
    match class_of(layout) {
        Some(class) => alloc_object(class),
        None => large(layout).and_then(|(count, order)| alloc_pages(count, order)),
    }
}

#[cold]
fn alloc_slow(layout: &Layout) -> *mut u8 {
    if class_of(layout).is_none() && large(layout).is_none() {
        // No block is that large: nothing that could be freed would help.
        return ptr::null_mut();
    }
    reclaim::retry_kernel(|| alloc_once(layout)).unwrap_or(ptr::null_mut())
}

/// The allocator behind `alloc`.
pub struct KernelHeap;

// SAFETY: objects come from slabs and blocks that are handed out once until they are freed, are at least as large and as
// aligned as the layout asks, and allocation never unwinds.
unsafe impl GlobalAlloc for KernelHeap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        alloc_once(&layout).unwrap_or_else(|| alloc_slow(&layout))
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match class_of(&layout) {
            Some(class) => free_object(pointer, class),
            None => {
                if let Some((count, _)) = large(&layout) {
                    free_pages(pointer, count);
                }
            }
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller vouches that the new size is not zero and does not overflow when rounded to the alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let fits = match (class_of(&layout), class_of(&new_layout)) {
            (Some(old), Some(new)) => old == new,
            (None, None) => {
                matches!((large(&layout), large(&new_layout)), (Some(old), Some(new)) if old.0 == new.0)
            }
            _ => false,
        };
        if fits {
            return pointer;
        }
        // SAFETY: the layout is valid, as above.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: both blocks are at least this large, and distinct.
            unsafe { ptr::copy_nonoverlapping(pointer, new, layout.size().min(new_size)) };
            // SAFETY: the caller gives the old block up.
            unsafe { self.dealloc(pointer, layout) };
        }
        new
    }
}
