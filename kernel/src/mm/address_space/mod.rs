//! Address spaces: a map of VMAs over page tables.
//!
//! | file | |
//! |---|---|
//! | `vma` | one mapping: flags, what it shows, when neighbours merge |
//! | `tables` | the page tables of the user half |
//! | `tlb` | telling CPUs to forget translations; freeing frames only after |
//! | `map`, `change`, `remap` | `mmap`; `munmap`, `mprotect`, `brk`; `mremap`, `remap_file_pages` |
//! | `detach` | `shmdt` |
//! | `advise`, `lock` | `madvise`, `msync`, `mincore`; the `mlock` family |
//! | `locked` | counting the pages of locked mappings |
//! | `huge` | huge entries, and what must know of them |
//! | `collapse`, `small_pages` | huge entries in the place of small pages; where those may be |
//! | `slot` | the places of huge entries in their tables |
//! | `lazy_free` | pages that were advised to be free (`MADV_FREE`) |
//! | `mappings` | who maps an object |
//! | `fork` | the copy-on-write copy |
//! | `populate` | pages brought in without an access to them |
//! | `seal` | `mseal` |
//! | `teardown` | the end of the tables |
//! | `reap` | taking the memory of a dying process |
//! | `remote` | access from elsewhere, futex keys |
//! | `barrier` | `membarrier`, concurrency ids |
//! | `show` | `/proc/<pid>/maps` and sizes |
//! | `smaps`, `pagemap` | what `/proc/<pid>` tells of mappings' and of single pages |
//! | `shmem` | the object behind shared anonymous memory |
//! | `special` | mappings that the kernel makes by itself: the vDSO |
//! | `speculate` | page faults that take no lock of the map |
//!
//! Locks: `map` (class ADDRESS_SPACE, sleeping) is held for reading by faults that are not simple (see `speculate`) and by whatever only takes pages out (madvise), for
//! writing by changes of the map. Below it, a lock a page-table page (see `tables`). Files are never released under `map`:
//! what a change removes is handed out and dropped after.

mod advise;
mod barrier;
mod change;
pub(super) mod collapse;
mod detach;
mod fork;
pub(super) mod huge;
pub(super) mod lazy_free;
mod lock;
mod locked;
mod map;
mod mappings;
mod pagemap;
mod populate;
mod reap;
mod remap;
mod remote;
mod seal;
mod shmem;
mod show;
mod slot;
pub(super) mod small_pages;
mod smaps;
mod special;
pub(super) mod speculate;
pub(super) mod tables;
mod teardown;
mod tlb;
pub(super) mod vma;

pub use advise::Advice;
pub use barrier::{Announced, BarrierKind, barrier_everywhere};
pub use lock::LockMode;
pub use mappings::{Copies, Mappings};
pub use pagemap::{FrameNumbers, References};
pub use remap::RemapFlags;
pub use remote::current_space;
pub use special::VDSO_SIZE;

use super::{
    Frame, PAGE_SIZE, PageIndex, kernel_map, kernel_stack, mapped, overcommit,
    page_cache::CachedPages,
};
use crate::{
    arch::{
        cpu::{self, CpuMask, MAX_CPUS},
        irq, paging,
    },
    sync::{Once, RwLock, RwLockReadGuard, SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::{
    ops::Range,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};
use speculate::{Changes, CpuPart, MapWriteGuard};
use tables::Tables;
use vma::{Backing, Vma, VmaFlags};
use vma_tree::RangeMap;

bitflags::bitflags! {
    /// `PROT_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Prot: u32 {
        /// May be read.
        const READ = 1;
        /// May be written.
        const WRITE = 2;
        /// May be executed.
        const EXEC = 4;
    }
    /// `MAP_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct MmapFlags: u32 {
        /// Changes are seen by all who map the object.
        const SHARED = 1;
        /// Changes are this space's own.
        const PRIVATE = 2;
        /// At this address, whatever is there.
        const FIXED = 0x10;
        /// Private memory that may go at any time. A value of the bits that tell the kind of sharing, beside `SHARED` and `PRIVATE`.
        const DROPPABLE = 8;
        /// No file.
        const ANONYMOUS = 0x20;
        /// In the first 2 GiB.
        const LOW_2G = 0x40;
        /// A stack that grows down.
        const GROWSDOWN = 0x100;
        /// As by `mlock(2)`.
        const LOCKED = 0x2000;
        /// No reservation of memory.
        const NORESERVE = 0x4000;
        /// Bring the pages in now.
        const POPULATE = 0x8000;
        /// With `POPULATE`: not where that would wait.
        const NONBLOCK = 0x10000;
        /// A thread's stack: gets no huge pages.
        const STACK = 0x20000;
        /// At this address, unless something is there.
        const FIXED_NOREPLACE = 0x100000;
    }
}

/// What a mapping shows.
#[derive(Clone)]
pub enum MapKind {
    /// Zero pages, private or (with `SHARED`) common to parent and child.
    Anonymous,
    /// Part of a file, from the byte offset given (page-aligned).
    File(Arc<crate::fs::File>, u64),
    /// A file from its start, whose mappings somebody counts (System V segments).
    Watched(Arc<crate::fs::File>, Arc<dyn MappingWatcher>),
    /// What is mapped already, from another page on.
    Again(vma::Object),
}

impl MapKind {
    /// The file and the offset, if there is one.
    fn file(&self) -> Option<(&Arc<crate::fs::File>, u64)> {
        match self {
            MapKind::Again(object) => {
                object.file.as_ref().map(|file| (file, object.first * PAGE_SIZE as u64))
            }
            MapKind::Anonymous => None,
            MapKind::File(file, offset) => Some((file, *offset)),
            MapKind::Watched(file, _) => Some((file, 0)),
        }
    }
}

/// Counts the mappings of an object. Called with the address space locked, or at its end; takes only later locks.
pub trait MappingWatcher: Send + Sync {
    /// A mapping has come: a new one, a fork's copy, or a part of one that was split.
    fn mapped(&self);
    /// One has gone.
    fn unmapped(&self);
    /// The size of the object in bytes.
    fn size(&self) -> usize;
}

/// Proof that a file may be written through shared mappings, for as long as it is kept (`F_SEAL_WRITE`).
pub trait SharedWriting: Send + Sync {}

/// What to map, and where.
pub struct MapRequest {
    /// Hint, or the place with `FIXED`.
    pub addr: usize,
    /// Bytes; rounded up to pages.
    pub len: usize,
    /// Protection.
    pub prot: Prot,
    /// Flags.
    pub flags: MmapFlags,
    /// Content.
    pub kind: MapKind,
}

/// Where file mappings get their pages: the page cache of an inode, or a device.
pub trait PageSource: Send + Sync {
    /// The page at `index`, read in if need be; for a shared writable mapping about to be written, `write` is set
    /// (the source marks it dirty, allocates blocks). Beyond the end of the file: `ENXIO` (the fault becomes SIGBUS).
    fn page(&self, index: PageIndex, write: bool) -> Result<Frame>;
    /// The pages that are there already, for fault-around.
    fn cached_pages(&self) -> Option<CachedPages<'_>> {
        None
    }
    /// Whether a page must be asked for with `write` before it is written through a shared mapping. Memory-only sources say no, and their
    /// pages are mapped writable at once.
    fn wants_write_notice(&self) -> bool {
        true
    }
    /// How `/proc/<pid>/maps` names mappings of it that have no file.
    fn name(&self) -> &'static str {
        "/dev/zero (deleted)"
    }
    /// Gives pages up: they read as zeros afterwards (`MADV_REMOVE`). `EINVAL` for what cannot.
    fn remove(&self, _pages: Range<u64>) -> Result<()> {
        Err(Errno::EINVAL)
    }
    /// Who maps the object, if it can give up pages that are mapped.
    fn mappings(&self) -> Option<&Mappings> {
        None
    }
}

/// The first address that a program may map unless it is privileged (`vm.mmap_min_addr`).
pub const MMAP_MIN_ADDR: usize = 65536;
/// Most mappings in a space (`vm.max_map_count`).
static MAX_MAP_COUNT: AtomicU32 = AtomicU32::new(65530);

/// Reads `vm.max_map_count`.
pub fn max_map_count() -> usize {
    MAX_MAP_COUNT.load(Ordering::Relaxed) as usize
}

/// Sets it; at most `i32::MAX`.
pub fn set_max_map_count(count: u32) {
    MAX_MAP_COUNT.store(count, Ordering::Relaxed);
}
/// Bytes kept free below a stack (`stack_guard_gap`).
pub const STACK_GUARD_GAP: usize = 256 * PAGE_SIZE;

/// An address space.
pub struct AddressSpace {
    tables: Tables,
    map: RwLock<Map>,
    /// Tells faults that took no lock whether the map has changed.
    changes: Changes,
    /// What is counted and remembered on each CPU.
    parts: Box<[CpuPart]>,
    /// The CPUs that have its tables loaded, and what others may still remember of them.
    asid: asid::Space,
    /// The most pages that were resident.
    peak: AtomicUsize,
    layout: SpinLock<Layout>,
    /// What `membarrier(2)` was told ([`Announced`]).
    announced: AtomicU32,
    /// The concurrency ids that running threads have, one bit each (`rseq(2)`).
    concurrency_ids: AtomicU64,
    /// No huge pages come (`PR_SET_THP_DISABLE`).
    no_huge: AtomicBool,
    /// What there is for [`lazy_free`] to do.
    lazy_free: AtomicU8,
    /// What [`small_pages`] has noted.
    small_pages: AtomicU8,
    /// Its memory was taken from a process that is being killed: what it touches now is its end.
    reaped: AtomicBool,
    /// Itself, for objects to find it by.
    this: Once<Weak<AddressSpace>>,
}

/// What the space's lock protects.
pub(super) struct Map {
    pub(super) vmas: RangeMap<Vma>,
    brk_start: usize,
    brk: usize,
    /// Mappings without a place of their own are put below.
    mmap_top: usize,
    /// Pages mapped: in all, as data (private and writable), locked, executable files, stack.
    total: usize,
    data: usize,
    locked: usize,
    text: usize,
    stack: usize,
    /// Flags that new mappings get (`mlockall(2)`).
    lock_future: VmaFlags,
    /// A mapping was sealed.
    has_sealed: bool,
}

/// Places in an address space.
#[derive(Clone, Copy, Default, Debug)]
pub struct Layout {
    pub start_code: usize,
    pub end_code: usize,
    pub start_data: usize,
    pub end_data: usize,
    pub start_stack: usize,
    pub arg_start: usize,
    pub arg_end: usize,
    pub env_start: usize,
    pub env_end: usize,
}

/// The space whose tables each CPU has loaded; null: the kernel's own.
static ACTIVE: [AtomicPtr<AddressSpace>; MAX_CPUS] =
    [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];

/// Mappings that a change removed: to be dropped after the lock, as dropping may release files.
pub(super) type Removed = Vec<Vma>;

impl AddressSpace {
    /// An empty one.
    pub fn new() -> Result<Arc<AddressSpace>> {
        let space = Self::unregistered()?;
        space.this.call_once(|| Arc::downgrade(&space));
        Ok(space)
    }

    /// An empty one that nobody else can find yet.
    fn unregistered() -> Result<Arc<AddressSpace>> {
        Self::with_map(Map {
            vmas: RangeMap::new(),
            brk_start: 0,
            brk: 0,
            mmap_top: map::default_top(),
            total: 0,
            data: 0,
            locked: 0,
            text: 0,
            stack: 0,
            lock_future: VmaFlags::empty(),
            has_sealed: false,
        })
    }

    fn with_map(map: Map) -> Result<Arc<AddressSpace>> {
        super::try_alloc::arc(AddressSpace {
            tables: Tables::new()?,
            map: RwLock::new(&class::ADDRESS_SPACE, map),
            asid: tlb::new_asid(),
            changes: Changes::default(),
            parts: speculate::cpu_parts()?,
            peak: AtomicUsize::new(0),
            layout: SpinLock::new(&class::PAGE, Layout::default()),
            announced: AtomicU32::new(0),
            concurrency_ids: AtomicU64::new(0),
            no_huge: AtomicBool::new(false),
            lazy_free: AtomicU8::new(lazy_free::NEVER),
            small_pages: AtomicU8::new(small_pages::NONE),
            reaped: AtomicBool::new(false),
            this: Once::new(),
        })
    }

    /// Makes page tables of this space the ones in use here. The scheduler calls it at a switch, with interrupts off. A kernel thread runs on
    /// whatever space was there before (lazy TLB).
    pub fn activate(&self) {
        let state = irq::save_and_disable();
        let cpu = cpu::id();
        let this = core::ptr::from_ref(self).cast_mut();
        let old = ACTIVE[cpu].load(Ordering::Relaxed);
        if old != this {
            // The mark comes before the load: whoever changes entries and does not see the mark has changed them before we load.
            self.asid.users.join(cpu);
            // SAFETY: the root has the kernel's half; it stays alive while our mark is set (see `drop`).
            unsafe { self.load() };
            ACTIVE[cpu].store(this, Ordering::Relaxed);
            leave(old, cpu);
        }
        irq::restore(state);
    }

    /// Layout that exec records and `/proc` shows.
    pub fn layout(&self) -> Layout {
        *self.layout.lock()
    }

    /// Records it.
    pub fn set_layout(&self, layout: Layout) {
        *self.layout.lock() = layout;
    }

    /// Where mappings without a place of their own go: below `top`. Exec sets it before the first mapping, with the random part of ASLR in it;
    /// see [`AddressSpace::mmap_top`].
    pub fn set_mmap_base(&self, top: usize) {
        self.write_map().mmap_top = top & !(PAGE_SIZE - 1);
    }

    /// The place for mappings that leaves room for a stack of `stack_limit` bytes (RLIMIT_STACK) whose own place is random when
    /// `random` is given; 28 bits of `random` move it down by so many pages. As Linux's `mmap_base`.
    pub fn mmap_top(stack_limit: u64, random: Option<u64>) -> usize {
        map::top(stack_limit, random)
    }

    /// Tells the object of a mapping who shows it.
    fn register(&self, backing: &Backing) {
        if let Backing::Object(object) = backing
            && let Some(mappings) = object.source.mappings()
            && let Some(this) = self.this.get()
        {
            mappings.add(this);
        }
    }

    /// The map, to read.
    pub(super) fn read_map(&self) -> RwLockReadGuard<'_, Map> {
        self.map.read()
    }

    /// The map, to change.
    fn write_map(&self) -> MapWriteGuard<'_> {
        MapWriteGuard::new(&self.changes, self.map.write())
    }

    /// The same, or `ERESTARTSYS` when a fatal signal comes first.
    fn write_map_killable(&self) -> Result<MapWriteGuard<'_>> {
        Ok(MapWriteGuard::new(&self.changes, self.map.write_killable()?))
    }

    pub(super) fn page_tables(&self) -> &Tables {
        &self.tables
    }

    /// Counts resident pages that came or went.
    pub(super) fn count_resident(&self, anonymous: isize, file: isize) {
        if anonymous != 0 {
            self.part_here().anonymous.fetch_add(anonymous, Ordering::Relaxed);
        }
        if file != 0 {
            self.part_here().file.fetch_add(file, Ordering::Relaxed);
            mapped::count(file);
        }
        if anonymous + file < 0 {
            self.note_peak(usize::try_from(-(anonymous + file)).unwrap_or(0));
        }
    }

    /// Pages that are resident.
    fn resident(&self) -> usize {
        let (anonymous, file) = self.resident_parts();
        usize::try_from(anonymous + file).unwrap_or(0)
    }

    /// Private pages and pages of objects that are resident. Signed: a page may be seen to go before it is seen to come.
    fn resident_parts(&self) -> (isize, isize) {
        self.parts.iter().fold((0, 0), |(anonymous, file), part| {
            let here = (&part.anonymous, &part.file);
            (anonymous + here.0.load(Ordering::Relaxed), file + here.1.load(Ordering::Relaxed))
        })
    }

    /// Remembers the peak, which was `gone` pages above what is resident now.
    fn note_peak(&self, gone: usize) {
        self.peak.fetch_max(self.resident() + gone, Ordering::Relaxed);
    }

    /// The CPUs that have the tables loaded.
    fn cpu_mask(&self) -> CpuMask {
        // Orders the changes of entries before: see `activate`.
        CpuMask(self.asid.users.get())
    }
}

/// Leaves the current user address space: only kernel memory is mapped here until the next [`AddressSpace::activate`]. A task does so
/// before it drops its own.
pub fn activate_kernel() {
    let state = irq::save_and_disable();
    let cpu = cpu::id();
    let old = ACTIVE[cpu].load(Ordering::Relaxed);
    if !old.is_null() {
        // SAFETY: the kernel's own root maps all that the kernel uses.
        unsafe { paging::load_root(kernel_map::root()) };
        ACTIVE[cpu].store(core::ptr::null_mut(), Ordering::Relaxed);
        leave(old, cpu);
    }
    irq::restore(state);
}

/// Takes a CPU out of the mask of a space that it has left. The space may be gone afterwards.
fn leave(old: *mut AddressSpace, cpu: usize) {
    if !old.is_null() {
        // SAFETY: the space's `drop` waits until every bit of the mask is clear; ours still is set.
        unsafe { (*old).asid.users.leave(cpu) };
    }
}

impl Drop for AddressSpace {
    /// Frees everything. Where it may sleep: CPUs that still have the tables loaded are made to leave them.
    fn drop(&mut self) {
        // First: until then pages may be taken from it.
        self.forget_lazily_freed();
        let this = core::ptr::from_mut(self);
        let go = || {
            let state = irq::save_and_disable();
            let cpu = cpu::id();
            if ACTIVE[cpu].load(Ordering::Relaxed) == this {
                // SAFETY: the kernel's own root maps all that the kernel uses.
                unsafe { paging::load_root(kernel_map::root()) };
                ACTIVE[cpu].store(core::ptr::null_mut(), Ordering::Relaxed);
                leave(this, cpu);
            }
            irq::restore(state);
        };
        let shared = SendPtr(this);
        go();
        while self.cpu_mask().0 != 0 {
            cpu::call_on(self.cpu_mask(), &|| {
                let cpu = cpu::id();
                if ACTIVE[cpu].load(Ordering::Relaxed) == shared.get() {
                    // SAFETY: as above.
                    unsafe { paging::load_root(kernel_map::root()) };
                    ACTIVE[cpu].store(core::ptr::null_mut(), Ordering::Relaxed);
                    leave(shared.get(), cpu);
                }
            });
            // This task may have moved to a CPU of the mask, which the call leaves out.
            go();
        }
        // The end of a process is a good moment: its threads' stacks went to the pool.
        kernel_stack::trim();
        if self.map.get_mut().locked != 0 {
            self.forget_locked();
        }
        // No CPU uses the tables, nor ever will: what some may remember under the space's id is not used for another. So nothing needs to be flushed.
        self.tables.free_all(self.map.get_mut().vmas.iter().map(|entry| entry.start..entry.end));
        mapped::count(-self.resident_parts().1);
        let map = self.map.get_mut();
        let committed: usize =
            map.vmas.iter().map(|entry| entry.value.committed(entry.start..entry.end)).sum();
        overcommit::take_back(committed);
        map.vmas.iter().for_each(|entry| entry.value.has_gone());
        for_each_mappings(&map.vmas, |mappings| mappings.remove(this));
    }
}

/// Calls `visit` with what the objects that are mapped know of their mappings: once, as a rule, where one object is mapped several times in a row.
fn for_each_mappings(vmas: &RangeMap<Vma>, mut visit: impl FnMut(&Mappings)) {
    let mut last = core::ptr::null();
    for entry in vmas.iter() {
        if let Backing::Object(object) = &entry.value.backing
            && !core::ptr::addr_eq(Arc::as_ptr(&object.source), last)
        {
            last = Arc::as_ptr(&object.source).cast::<()>();
            if let Some(mappings) = object.source.mappings() {
                visit(mappings);
            }
        }
    }
}

/// An address to compare with.
struct SendPtr(*mut AddressSpace);

impl SendPtr {
    fn get(&self) -> *mut AddressSpace {
        self.0
    }
}

// SAFETY: the pointer is only compared, and used as far as `leave` says.
unsafe impl Sync for SendPtr {}
