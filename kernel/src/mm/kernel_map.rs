//! The kernel's half of every address space: the direct map of physical memory, the image with its own permissions a section,
//! and an area for mappings with guard pages. The upper half of a root table is the same in all; its entries never change after
//! boot, so a new mapping below them shows everywhere at once.

use super::{
    PAGE_SIZE, PhysAddr,
    node::{self, Purpose},
    page::{PageKind, page},
};
use crate::{
    arch::paging::{
        self, DIRECT_MAP_BASE, ENTRIES, Entry, IMAGE_BASE, KERNEL_MAP_BASE, PteFlags, Table,
    },
    sync::{Once, SpinLock, class},
};
use abi::{Errno, Result};
use alloc::vec::Vec;
use core::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Tables that boot needs before there is an allocator: root, one below it for each of the three parts, four for the direct map's
/// first 4 GiB, and those of the image.
const EARLY_TABLES: usize = 32;

static EARLY: [Table; EARLY_TABLES] = [const { Table::new() }; EARLY_TABLES];
static EARLY_USED: AtomicUsize = AtomicUsize::new(0);
static ROOT: AtomicUsize = AtomicUsize::new(0);
/// The end of what the direct map shows.
static DIRECT_MAP_END: AtomicUsize = AtomicUsize::new(0);

const TABLE_FLAGS: PteFlags = PteFlags::PRESENT.union(PteFlags::WRITE);
const DATA: PteFlags = TABLE_FLAGS
    .union(PteFlags::GLOBAL)
    .union(PteFlags::NO_EXECUTE)
    .union(PteFlags::ACCESSED)
    .union(PteFlags::DIRTY);

unsafe extern "C" {
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __data_end: u8;
}

/// How tables are found and made while the direct map is not there yet: they are in the image, at a known distance.
struct EarlyTables {
    image: PhysAddr,
}

impl EarlyTables {
    fn alloc(&self) -> &'static Table {
        let n = EARLY_USED.fetch_add(1, Ordering::Relaxed);
        assert!(n < EARLY_TABLES, "too few early page tables");
        &EARLY[n]
    }
    fn phys(&self, table: &Table) -> PhysAddr {
        PhysAddr(core::ptr::from_ref(table).addr() - IMAGE_BASE + self.image.0)
    }
    fn table_below(&self, table: &Table, index: usize) -> &'static Table {
        let entry = table.load(index);
        if entry.is_none() {
            let below = self.alloc();
            table.store(index, Entry::new(self.phys(below), TABLE_FLAGS));
            return below;
        }
        let addr = entry.addr().0 - self.image.0 + IMAGE_BASE;
        // SAFETY: every table so far is one of `EARLY`, at this address in the image.
        unsafe { &*(addr as *const Table) }
    }
    /// Maps one page (level 0), or large page (levels 1 and 2).
    fn map(&self, root: &Table, virt: usize, phys: PhysAddr, level: usize, flags: PteFlags) {
        let mut table = root;
        for above in (level + 1..paging::LEVELS).rev() {
            table = self.table_below(table, paging::index(virt, above));
        }
        let large = if level > 0 { PteFlags::LARGE } else { PteFlags::empty() };
        table.store(paging::index(virt, level), Entry::new(phys, flags | large));
    }
}

/// Builds the kernel's own tables and goes over to them. `memory_end` is the end of physical memory. The direct map may end before
/// ([`direct_map_end`]); [`extend_direct_map`] does the rest once there is an allocator.
///
/// # Safety
/// Called once, at boot, on the first CPU, running on a stack within the image (or what the direct map will not show is gone).
pub(super) unsafe fn init(image: PhysAddr, memory_end: usize) {
    const GIB: usize = 1 << 30;
    let early = EarlyTables { image };
    let root = early.alloc();
    let end = memory_end.next_multiple_of(GIB).max(4 * GIB);
    let mapped = if has_gib_pages() { end } else { 4 * GIB };
    let mut addr = 0;
    while addr < mapped {
        let level = if has_gib_pages() { 2 } else { 1 };
        early.map(root, DIRECT_MAP_BASE + addr, PhysAddr(addr), level, DATA);
        addr += paging::span(level);
    }
    let sections = [
        ((&raw const __text_start, &raw const __text_end), PteFlags::PRESENT),
        (
            (&raw const __rodata_start, &raw const __rodata_end),
            PteFlags::PRESENT | PteFlags::NO_EXECUTE,
        ),
        ((&raw const __data_start, &raw const __data_end), DATA),
    ];
    for ((start, end), flags) in sections {
        let mut virt = start.addr();
        while virt < end.addr() {
            let phys = PhysAddr(virt - IMAGE_BASE + image.0);
            early.map(root, virt, phys, 0, flags | PteFlags::GLOBAL | PteFlags::ACCESSED);
            virt += PAGE_SIZE;
        }
    }
    early.table_below(root, paging::index(KERNEL_MAP_BASE, paging::LEVELS - 1));
    // Every root entry of the direct map is there from the start, as roots are copied.
    let top = paging::LEVELS - 1;
    let mut addr = 0;
    while addr < end {
        early.table_below(root, paging::index(DIRECT_MAP_BASE + addr, top));
        addr += paging::span(top);
    }
    ROOT.store(early.phys(root).0, Ordering::Release);
    DIRECT_MAP_END.store(mapped, Ordering::Relaxed);
    // SAFETY: the tables map the whole image, where code, data and stack are.
    unsafe { paging::load_root(early.phys(root)) };
}

/// The end of what the direct map shows.
pub(super) fn direct_map_end() -> usize {
    DIRECT_MAP_END.load(Ordering::Relaxed)
}

/// Maps the rest of memory, when pages of 1 GiB were not there to do it at once.
pub(super) fn extend_direct_map(memory_end: usize) -> Result<()> {
    let mut addr = DIRECT_MAP_END.load(Ordering::Relaxed);
    while addr < memory_end {
        // SAFETY: the kernel's own tables; nothing is mapped here yet.
        unsafe { map_at(DIRECT_MAP_BASE + addr, PhysAddr(addr), 1, DATA)? };
        addr += paging::span(1);
    }
    DIRECT_MAP_END.store(addr, Ordering::Relaxed);
    Ok(())
}

fn has_gib_pages() -> bool {
    core::arch::x86_64::__cpuid(0x8000_0000).eax >= 0x8000_0001
        && core::arch::x86_64::__cpuid(0x8000_0001).edx & (1 << 26) != 0
}

/// The root table that maps the kernel alone.
pub fn root() -> PhysAddr {
    PhysAddr(ROOT.load(Ordering::Acquire))
}

/// Makes the image's text and constants read-only in the direct map too, so that nothing that is executed can be written under
/// another address. At boot, once there is an allocator.
pub(super) fn protect_image(image: PhysAddr) -> Result<()> {
    let start = image.0 + ((&raw const __text_start).addr() - IMAGE_BASE);
    let end = image.0 + ((&raw const __rodata_end).addr() - IMAGE_BASE);
    for phys in (start..end).step_by(PAGE_SIZE) {
        let virt = DIRECT_MAP_BASE + phys;
        // SAFETY: the kernel's tables are never freed.
        let mut table = unsafe { Table::at(root()) };
        for level in (1..paging::LEVELS).rev() {
            let index = paging::index(virt, level);
            let mut entry = table.load(index);
            if entry.has(PteFlags::LARGE) {
                entry = split(entry, level)?;
                table.store(index, entry);
            }
            // SAFETY: as above.
            table = unsafe { Table::at(entry.addr()) };
        }
        table.clear_flags(paging::index(virt, 0), PteFlags::WRITE | PteFlags::DIRTY);
    }
    paging::flush_global();
    Ok(())
}

/// A table that maps what the large page at `level` does, in pages of the level below.
fn split(large: Entry, level: usize) -> Result<Entry> {
    let below = alloc_table()?;
    // SAFETY: a zeroed page of the kernel's own.
    let table = unsafe { Table::at(below) };
    let flags = if level == 1 { large.flags() - PteFlags::LARGE } else { large.flags() };
    for index in 0..ENTRIES {
        let phys = PhysAddr(large.addr().0 + index * paging::span(level - 1));
        table.store(index, Entry::new(phys, flags));
    }
    Ok(Entry::new(below, TABLE_FLAGS))
}

/// Whether the kernel's own half maps `virt`: for code that follows pointers it cannot trust.
pub fn is_mapped(virt: usize) -> bool {
    // SAFETY: the kernel's tables are never freed.
    let mut table = unsafe { Table::at(root()) };
    for level in (0..paging::LEVELS).rev() {
        let entry = table.load(paging::index(virt, level));
        if !entry.is_present() {
            return false;
        }
        if level == 0 || entry.has(PteFlags::LARGE) {
            break;
        }
        // SAFETY: as above.
        table = unsafe { Table::at(entry.addr()) };
    }
    virt >= DIRECT_MAP_BASE
}

/// Copies the kernel's half into a new root table, which has nothing there.
pub(super) fn copy_into(root_table: &Table) {
    for &(index, entry) in kernel_entries() {
        root_table.store(index, entry);
    }
}

/// Takes it out of a root table that is in no use.
pub(super) fn take_out_of(root_table: &Table) {
    for &(index, _) in kernel_entries() {
        root_table.store(index, Entry::NONE);
    }
}

/// The kernel's half: what is in it, which all came at boot.
fn kernel_entries() -> &'static [(usize, Entry)] {
    static KNOWN: Once<Vec<(usize, Entry)>> = Once::new();
    KNOWN.call_once(|| {
        // SAFETY: the kernel's root is never freed.
        let kernel = unsafe { Table::at(root()) };
        let mut entries = Vec::new();
        kernel.for_each_filled(ENTRIES / 2..ENTRIES, |index, entry| entries.push((index, entry)));
        entries
    })
}

/// Allocates a zeroed page-table page for the kernel's half.
fn alloc_table() -> Result<PhysAddr> {
    let frame = node::alloc_zeroed_page(Purpose::Kernel).ok_or(Errno::ENOMEM)?;
    page(frame).use_as(PageKind::PageTable);
    Ok(PhysAddr::of_frame(frame))
}

/// The table of `level` that `virt` has an entry in; what is missing on the way is made.
fn make_table(virt: usize, level: usize) -> Result<&'static Table> {
    // SAFETY: the kernel's tables are never freed.
    let mut table = unsafe { Table::at(root()) };
    for above in (level + 1..paging::LEVELS).rev() {
        let index = paging::index(virt, above);
        let mut entry = table.load(index);
        if entry.is_none() {
            entry = Entry::new(alloc_table()?, TABLE_FLAGS);
            table.store(index, entry);
        }
        // SAFETY: as above.
        table = unsafe { Table::at(entry.addr()) };
    }
    Ok(table)
}

/// # Safety
/// The mapping breaks nothing: the address is not in use, or is meant to change.
unsafe fn map_at(virt: usize, phys: PhysAddr, level: usize, flags: PteFlags) -> Result<()> {
    let table = make_table(virt, level)?;
    let large = if level > 0 { PteFlags::LARGE } else { PteFlags::empty() };
    table.store(paging::index(virt, level), Entry::new(phys, flags | large));
    Ok(())
}

/// Addresses of the mapping area that were handed out.
static NEXT: SpinLock<usize> = SpinLock::new(&class::FRAME, KERNEL_MAP_BASE);

/// Reserves addresses for `size` bytes with an unmapped page below, and makes their tables. They are never taken back: whoever has
/// no use for them any more keeps them as [`FreeAddresses`].
pub(super) fn reserve(size: usize) -> Result<usize> {
    loop {
        let start = *NEXT.lock() + PAGE_SIZE;
        let end = start + size.next_multiple_of(PAGE_SIZE);
        if end > KERNEL_MAP_BASE + paging::span(paging::LEVELS - 1) {
            return Err(Errno::ENOMEM);
        }
        {
            let _guard = MAPPING.lock();
            for virt in (start..end).step_by(paging::span(1)).chain([end - 1]) {
                make_table(virt, 0)?;
            }
        }
        // Tables first: nobody may reserve what cannot be mapped, again and again.
        let mut next = NEXT.lock();
        if *next + PAGE_SIZE == start {
            *next = end;
            return Ok(start);
        }
    }
}

/// Reserved addresses that nothing is mapped at. The list takes no memory: the first page's entry, which maps nothing, holds the next.
pub(super) struct FreeAddresses {
    /// 0: there are none.
    first: usize,
}

impl FreeAddresses {
    /// None.
    pub(super) const fn new() -> FreeAddresses {
        FreeAddresses { first: 0 }
    }

    /// Adds what [`reserve`] gave.
    ///
    /// # Safety
    /// The addresses are the caller's, nothing is mapped there, and no CPU remembers that something was.
    pub(super) unsafe fn push(&mut self, virt: usize) {
        let next = self.first.saturating_sub(KERNEL_MAP_BASE);
        // An address of the area is at least a page above its base, so 0 is the end.
        if let Some(table) = find_table(virt) {
            let link = Entry::new(PhysAddr(next), PteFlags::empty());
            table.store(paging::index(virt, 0), link);
            self.first = virt;
        }
    }

    /// Takes some.
    pub(super) fn pop(&mut self) -> Option<usize> {
        let virt = Some(self.first).filter(|&first| first != 0)?;
        let link = find_table(virt)?.swap(paging::index(virt, 0), Entry::NONE);
        let next = link.addr().0;
        self.first = if next == 0 { 0 } else { KERNEL_MAP_BASE + next };
        Some(virt)
    }
}

/// The lowest table that has an entry for `virt`, unless it was never made.
fn find_table(virt: usize) -> Option<&'static Table> {
    // SAFETY: the kernel's tables are never freed.
    let mut table = unsafe { Table::at(root()) };
    for level in (1..paging::LEVELS).rev() {
        let entry = table.load(paging::index(virt, level));
        if entry.is_none() {
            return None;
        }
        // SAFETY: as above.
        table = unsafe { Table::at(entry.addr()) };
    }
    Some(table)
}

/// Serialises changes of the mapping area's tables.
static MAPPING: SpinLock<()> = SpinLock::new(&class::SLAB, ());

/// Maps frames at reserved addresses, writable.
///
/// # Safety
/// The addresses came from [`reserve`] and are the caller's; so are the frames.
pub(super) unsafe fn map(virt: usize, frames: &[u32]) -> Result<()> {
    let _guard = MAPPING.lock();
    for (n, &frame) in frames.iter().enumerate() {
        // SAFETY: the address is the caller's.
        unsafe { map_at(virt + n * PAGE_SIZE, PhysAddr::of_frame(frame), 0, DATA)? };
    }
    Ok(())
}

/// Unmaps pages; `sink` gets each frame. The translations must be flushed on every CPU before the frames are used.
///
/// # Safety
/// Nobody uses the addresses any more.
pub(super) unsafe fn unmap(virt: usize, count: usize, mut sink: impl FnMut(u32)) {
    let _guard = MAPPING.lock();
    for n in 0..count {
        let addr = virt + n * PAGE_SIZE;
        if let Some(table) = find_table(addr) {
            let entry = table.swap(paging::index(addr, 0), Entry::NONE);
            if entry.is_present() {
                sink(entry.addr().frame_number());
            }
        }
    }
}

/// Maps device registers, uncached; their address. Never unmapped. The low 4 GiB are in the direct map already, where the CPU's memory
/// type registers say that they are not cached.
pub fn map_device(range: Range<usize>) -> Result<super::VirtAddr> {
    if range.end <= DIRECT_MAP_END.load(Ordering::Relaxed) {
        return Ok(PhysAddr(range.start).to_virt());
    }
    let first = range.start & !(PAGE_SIZE - 1);
    let size = (range.end - first).next_multiple_of(PAGE_SIZE);
    let virt = reserve(size)?;
    let _guard = MAPPING.lock();
    for offset in (0..size).step_by(PAGE_SIZE) {
        let flags = DATA | PteFlags::NO_CACHE | PteFlags::WRITE_THROUGH;
        // SAFETY: the addresses were reserved just now.
        unsafe { map_at(virt + offset, PhysAddr(first + offset), 0, flags)? };
    }
    Ok(super::VirtAddr(virt + (range.start - first)))
}
