//! The kernel's heap: slabs for objects to 2 KiB, pages from the buddy allocator above.
//!
//! Each CPU has magazines of free objects (no lock, no atomic operation: preemption off and a mark that keeps interrupt
//! handlers away, as in `node`), slabs that they are refilled from and drained into (a lock that only this CPU takes, unless
//! memory is short), and a list a class of its objects that other CPUs freed.
//!
//! Builds with debug assertions find what is written beyond an object's end or after it was freed, and who did it (`debug`).
//!
//! Works in interrupt handlers. Locks: a CPU's slabs (class SLAB), inside it the frame allocator's. Never waits, except that an allocation
//! which fails in a task that may sleep lets caches shrink and tries again.

mod debug;

use super::{
    PAGE_SIZE, PhysAddr, VirtAddr,
    node::{self, Purpose},
    page::{PageKind, page},
    reclaim,
};
use crate::{
    arch::{cpu, irq},
    sync::{IrqSpinLock, PreemptGuard, class},
};
use alloc::boxed::Box;
use core::{
    alloc::{GlobalAlloc, Layout},
    cell::{Cell, UnsafeCell},
    ptr::{self, NonNull},
    sync::atomic::{AtomicUsize, Ordering, compiler_fence},
};
use slab::{
    CLASS_COUNT, Chain, ClassId, MAGAZINE_SIZE, Magazine, PageBacking, RemoteList, Slabs, Usage,
    guard,
};

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
        Self { busy: Cell::new(false), magazines: UnsafeCell::new(Magazine::for_classes()) }
    }
}

/// The first CPU's: it allocates before there is anything to allocate from.
pub static BOOT_MAGAZINES: CpuMagazines = CpuMagazines::new();

/// Gives a CPU that is about to start what it needs to allocate.
pub fn prepare_cpu(cpu: usize) {
    cpu::set_magazines(cpu, Box::leak(Box::new(CpuMagazines::new())));
}

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
        let block = alloc_pages(1 << order, order).and_then(NonNull::new)?;
        if GUARDED {
            // SAFETY: the block is this large and nobody's yet.
            unsafe { block.as_ptr().write_bytes(guard::FRESH, PAGE_SIZE << order) };
        }
        Some(block)
    }
    unsafe fn free_block(&mut self, block: NonNull<u8>, order: u8) {
        free_pages(block.as_ptr(), 1 << order);
    }
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

/// Takes objects from this CPU's slabs: one to return, others for the magazine.
fn refill(class: ClassId) -> Option<*mut u8> {
    let pinned = PreemptGuard::new();
    let heap = &HEAPS[pinned.cpu()];
    let mut slabs = heap.slabs.lock();
    collect_remote(heap, &mut slabs, class);
    let filled = with_magazine(class, |magazine| {
        let wanted = magazine.room().min(class.magazine_limit() / 2);
        slabs.alloc(class, wanted, &mut Blocks, |object| {
            let kept = magazine.push(object);
            debug_assert!(kept, "there is room for as many as were asked for");
        });
        magazine.pop()
    });
    let object = filled.unwrap_or_else(|| {
        let mut only = None;
        slabs.alloc(class, 1, &mut Blocks, |object| only = Some(object));
        only
    });
    heap.pages.store(slabs.pages(), Ordering::Relaxed);
    object
}

/// Puts objects that other CPUs freed into the slabs they came from.
fn collect_remote(heap: &CpuHeap, slabs: &mut Slabs, class: ClassId) {
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
            magazine.drain_oldest(class.magazine_limit() / 2, |old| back.take(old));
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
    slabs: &'a mut Slabs,
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
    heap.pages.store(slabs.pages(), Ordering::Relaxed);
}

impl Returning<'_> {
    /// Takes an object that its user gave up.
    fn take(&mut self, object: *mut u8) {
        // SAFETY: the object was allocated with this class and is still out of its slab.
        let owner = usize::from(unsafe { slab::owner_of(object, self.class) });
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
        HEAPS[self.owner].remote[self.class.index()].push(chain);
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

/// What the slabs of a class have: the size of its objects, how many are in a slab, its pages, and what all CPUs have of it. Objects in magazines count
/// as taken.
pub struct ClassUsage {
    pub size: usize,
    pub per_slab: usize,
    pub slab_pages: usize,
    pub usage: Usage,
}

/// The same of every class (`/proc/slabinfo`).
pub fn usage() -> impl Iterator<Item = ClassUsage> {
    ClassId::all().map(|class| {
        let mut usage = Usage::default();
        for heap in &HEAPS {
            let here = heap.slabs.lock().usage(class);
            usage.slabs += here.slabs;
            usage.taken += here.taken;
        }
        let (size, per_slab) = (class.size(), class.capacity());
        ClassUsage { size, per_slab, slab_pages: 1 << class.slab_order(), usage }
    })
}

/// Pages in slabs.
pub fn slab_pages() -> usize {
    HEAPS.iter().map(|heap| heap.pages.load(Ordering::Relaxed)).sum()
}

/// Takes `count` pages, aligned to 2^`order` of them.
fn alloc_pages(count: usize, order: u8) -> Option<*mut u8> {
    let frame = if order == 0 {
        node::alloc_page(Purpose::Kernel)?
    } else if count == 1 << order {
        node::alloc_kept_block(order)?
    } else {
        alloc_part(count, order)?
    };
    page(frame).set_kind(PageKind::Kernel);
    Some(PhysAddr::of_frame(frame).to_virt().as_mut_ptr())
}

/// Takes the first `count` pages of a block.
#[inline(never)]
fn alloc_part(count: usize, order: u8) -> Option<u32> {
    let frame = node::alloc_block(order, Purpose::Kernel)?;
    node::free_range(frame + count as u32, frame + (1 << order));
    Some(frame)
}

fn free_pages(pages: *mut u8, count: usize) {
    let frame = VirtAddr(pages.addr()).to_phys().frame_number();
    if count == 1 {
        node::free_page(frame);
    } else if count.is_power_of_two() && count.trailing_zeros() <= u32::from(buddy::MAX_ORDER) {
        node::free_kept_block(frame, count.trailing_zeros() as u8);
    } else {
        node::free_range(frame, frame + count as u32);
    }
}

/// Pages and the order of the block for a large layout (size, alignment); `None` when there is no such block.
#[inline]
fn large(size: usize, align: usize) -> Option<(usize, u8)> {
    if size <= PAGE_SIZE && align <= PAGE_SIZE {
        return Some((1, 0));
    }
    let count = size.div_ceil(PAGE_SIZE);
    let order = count.max(align / PAGE_SIZE).next_power_of_two().ilog2() as u8;
    (order <= buddy::MAX_ORDER).then_some((count, order))
}

#[inline(always)]
fn class_of(layout: &Layout) -> Option<ClassId> {
    let extra = if GUARDED { guard::TRAILER_SIZE } else { 0 };
    ClassId::for_request(layout.size() + extra, layout.align())
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

#[inline(never)]
fn alloc_large(size: usize, align: usize) -> *mut u8 {
    // When no block is that large, nothing that could be freed would help.
    let Some((count, order)) = large(size, align) else { return ptr::null_mut() };
    let once = || alloc_pages(count, order);
    once().or_else(|| reclaim::retry_kernel(once)).unwrap_or(ptr::null_mut())
}

#[inline(never)]
fn free_large(pages: *mut u8, size: usize, align: usize) {
    if let Some((count, _)) = large(size, align) {
        free_pages(pages, count);
    }
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
