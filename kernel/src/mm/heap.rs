//! The kernel's heap: slabs for objects to 2 KiB and for those that have a cache (`caches`), pages from the buddy allocator above.
//!
//! Each CPU has magazines of free objects (no lock, no atomic operation: preemption off and a mark that keeps interrupt
//! handlers away, as in `node`), slabs that they are refilled from and drained into (a lock that others take only to tidy
//! up), and a list a class of its objects that other CPUs freed.
//!
//! Builds with debug assertions find what is written beyond an object's end or after it was freed, and who did it (`debug`).
//!
//! Works in interrupt handlers. Locks: a CPU's slabs (class SLAB), inside it the frame allocator's. Never waits, except that an allocation
//! which fails in a task that may sleep lets caches shrink and tries again.

mod caches;
mod debug;
mod large;
mod ready;
mod returned;

pub use caches::usage;
pub use ready::ready_for;
pub use returned::collect_returned;

use super::{PAGE_SIZE, page::page, reclaim, stats::Counter};
use crate::{
    arch::{cpu, irq},
    sync::{IrqSpinLock, PreemptGuard, class},
};
use alloc::boxed::Box;
use caches::{CLASS_COUNT, CLASSES, ClassId};
use core::{
    alloc::{GlobalAlloc, Layout},
    cell::{Cell, UnsafeCell},
    ptr::{self, NonNull},
    sync::atomic::{Ordering, compiler_fence},
};
use large::{alloc_large, alloc_pages, frame_of, free_large, free_pages, large};
use slab::{Chain, MAGAZINE_SIZE, Magazine, PageBacking, RemoteList, Slabs, guard};

/// Whether objects are poisoned and have red zones: in builds with debug assertions.
const GUARDED: bool = cfg!(debug_assertions);

/// What a CPU reaches without a lock.
#[repr(align(128))]
pub struct CpuMagazines {
    busy: Cell<bool>,
    magazines: UnsafeCell<[Magazine; CLASS_COUNT]>,
}

// SAFETY: the fields are only used by their own CPU, in `with_magazine`; the pointers in them are to objects that nobody else uses.
unsafe impl Sync for CpuMagazines {}
// SAFETY: as above.
unsafe impl Send for CpuMagazines {}

impl CpuMagazines {
    const fn new() -> Self {
        let magazines = Magazine::for_classes(&CLASSES);
        Self { busy: Cell::new(false), magazines: UnsafeCell::new(magazines) }
    }
}

/// The first CPU's: it allocates before there is anything to allocate from.
pub static BOOT_MAGAZINES: CpuMagazines = CpuMagazines::new();

/// Gives a CPU that is about to start what it needs to allocate.
pub fn prepare_cpu(cpu: usize) {
    // In place: it is too large for a kernel stack.
    let zeros = Box::<CpuMagazines>::new_zeroed();
    // SAFETY: zeros are magazines without objects that have room for none, and not in use.
    let mut here = unsafe { zeros.assume_init() };
    Magazine::set_limits(here.magazines.get_mut(), &CLASSES);
    cpu::set_magazines(cpu, Box::leak(here));
}

/// A CPU's slabs, and what others gave back to them.
#[repr(align(128))]
struct CpuHeap {
    slabs: IrqSpinLock<Slabs<CLASS_COUNT>>,
    remote: [RemoteList; CLASS_COUNT],
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
        slabs: IrqSpinLock::new(&class::SLAB, Slabs::new(cpu, &CLASSES)),
        remote: [const { RemoteList::new() }; CLASS_COUNT],
    }
}

/// Slabs are blocks of the frame allocator.
struct Blocks;

impl PageBacking for Blocks {
    fn alloc_block(&mut self, order: u8) -> Option<NonNull<u8>> {
        let block = alloc_pages(1 << order, order).and_then(NonNull::new)?;
        if GUARDED {
            // SAFETY: the block is this large and nobody's yet.
            unsafe { block.as_ptr().write_bytes(guard::FRESH, PAGE_SIZE << order) };
        }
        count_slab(block, 1 << order);
        Some(block)
    }
    unsafe fn free_block(&mut self, block: NonNull<u8>, order: u8) {
        count_slab(block, -(1 << order));
        free_pages(block.as_ptr(), 1 << order);
    }
}

/// Counts pages of slabs, on their node.
fn count_slab(block: NonNull<u8>, pages: isize) {
    Counter::Slab.add(page(frame_of(block.as_ptr())), pages);
}

/// Runs `f` on this CPU's magazine; `None` in an interrupt that came while it is in use.
#[inline(always)]
fn with_magazine<R>(class: ClassId, f: impl FnOnce(&mut Magazine) -> R) -> Option<R> {
    irq::preempt_disable();
    let here = cpu::magazines();
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

/// How many objects go between a magazine and the slabs at a time.
fn half_magazine(class: ClassId) -> usize {
    CLASSES.slab(class).magazine_limit() / 2
}

/// Takes objects from this CPU's slabs: one to return, others for the magazine.
fn refill(class: ClassId) -> Option<*mut u8> {
    let pinned = PreemptGuard::new();
    let heap = &HEAPS[pinned.cpu()];
    let mut slabs = heap.slabs.lock();
    collect_remote(heap, &mut slabs, class);
    let filled = with_magazine(class, |magazine| {
        let wanted = magazine.room().min(half_magazine(class));
        slabs.alloc(class, wanted, &mut Blocks, |object| {
            let kept = magazine.push(object);
            debug_assert!(kept, "there is room for as many as were asked for");
        });
        magazine.pop()
    });
    filled.unwrap_or_else(|| {
        let mut only = None;
        slabs.alloc(class, 1, &mut Blocks, |object| only = Some(object));
        only
    })
}

/// Puts objects that other CPUs freed into the slabs they came from.
fn collect_remote(heap: &CpuHeap, slabs: &mut Slabs<CLASS_COUNT>, class: ClassId) {
    let remote = &heap.remote[class.index()];
    if !remote.is_empty() {
        // SAFETY: what is on a CPU's remote list came from its slabs, with this class, and was freed.
        remote.take_all(|object| unsafe { slabs.free(object, class, &mut Blocks) });
    }
}

// A call, as in `alloc_object`: with the class known by the caller it costs little, and inlined everywhere the two would be a sixth of the kernel.
#[inline(never)]
fn free_object(object: *mut u8, class: ClassId) {
    if with_magazine(class, |magazine| magazine.push(object)) != Some(true) {
        free_slow(object, class);
    }
}

/// Makes room in the magazine, or does without it.
#[cold]
fn free_slow(object: *mut u8, class: ClassId) {
    give_back(class, |back| {
        let pushed = with_magazine(class, |magazine| {
            magazine.drain_oldest(half_magazine(class), |old| back.take(old));
            magazine.push(object)
        });
        if pushed != Some(true) {
            back.take(object);
        }
    });
}

/// Empties this CPU's magazines. Callable from interrupts; one that finds them in use leaves them.
pub(super) fn drain_here() {
    for class in ClassId::all() {
        give_back(class, |back| {
            with_magazine(class, |magazine| {
                magazine.drain_oldest(MAGAZINE_SIZE, |object| back.take(object));
            });
        });
    }
}

/// Objects of one class on their way from this CPU back to the slabs that they came from.
struct Returning<'a> {
    class: ClassId,
    cpu: usize,
    slabs: &'a mut Slabs<CLASS_COUNT>,
    /// Other CPUs' objects, as long as they come from the same one, which is `owner`.
    chain: Chain,
    owner: usize,
}

/// Lets `f` give back objects of `class`: this CPU's at once, others through their owners' lists, in chains.
fn give_back(class: ClassId, f: impl FnOnce(&mut Returning<'_>)) {
    let pinned = PreemptGuard::new();
    let cpu = pinned.cpu();
    let heap = &HEAPS[cpu];
    let mut slabs = heap.slabs.lock();
    let mut back = Returning { class, cpu, slabs: &mut slabs, chain: Chain::new(), owner: cpu };
    f(&mut back);
    back.send();
}

impl Returning<'_> {
    /// Takes an object that its user gave up.
    fn take(&mut self, object: *mut u8) {
        // SAFETY: the object was allocated with this class and is still out of its slab.
        let owner = usize::from(unsafe { slab::owner_of(object, CLASSES.slab(self.class)) });
        if owner == self.cpu {
            // SAFETY: it came from these slabs, and its user gave it up.
            unsafe { self.slabs.free(object, self.class, &mut Blocks) };
            return;
        }
        if owner != self.owner {
            self.send();
            self.owner = owner;
        }
        // SAFETY: its user gave it up, and objects have room for a pointer.
        unsafe { self.chain.add(object) };
    }

    fn send(&mut self) {
        let chain = core::mem::take(&mut self.chain);
        if !chain.is_empty() {
            HEAPS[self.owner].remote[self.class.index()].push(chain);
            returned::note();
        }
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
            before - slabs.pages()
        })
        .sum()
}

#[inline(always)]
fn class_of(layout: &Layout) -> Option<ClassId> {
    CLASSES.for_request(layout.size(), layout.align())
}

#[inline(never)]
fn alloc_object(class: ClassId) -> *mut u8 {
    match with_magazine(class, Magazine::pop).flatten() {
        Some(object) => object,
        None => alloc_slow(class),
    }
}

#[cold]
fn alloc_slow(class: ClassId) -> *mut u8 {
    let once = || refill(class);
    once().or_else(|| reclaim::retry_kernel(once)).unwrap_or(ptr::null_mut())
}

/// The allocator behind `alloc`.
pub struct KernelHeap;

// SAFETY: objects come from slabs and blocks that are handed out once until they are freed, are at least as large and as
// aligned as the layout asks, and allocation never unwinds.
unsafe impl GlobalAlloc for KernelHeap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match class_of(&layout) {
            Some(class) if GUARDED => debug::note_allocation(alloc_object(class), class, &layout),
            Some(class) => alloc_object(class),
            None => alloc_large(layout.size(), layout.align()),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match class_of(&layout) {
            Some(class) => {
                if GUARDED {
                    debug::note_free(pointer, class, &layout);
                }
                free_object(pointer, class);
            }
            None => free_large(pointer, layout.size(), layout.align()),
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller vouches that the new size is not zero and does not overflow when rounded to the alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let fits = match (class_of(&layout), class_of(&new_layout)) {
            // With guards, the end of the object is where the layout says.
            (Some(old), Some(new)) => old == new && !GUARDED,
            (None, None) => {
                let pages = |size| large(size, layout.align()).map(|(count, _)| count);
                pages(layout.size()).is_some_and(|count| pages(new_size) == Some(count))
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
