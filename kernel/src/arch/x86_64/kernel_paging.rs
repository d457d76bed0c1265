//! The kernel half of the address space: built once at boot, shared by every address space.
//!
//! | from                  | what                                                              |
//! |-----------------------|-------------------------------------------------------------------|
//! | [`DIRECT_MAP`]        | all physical memory, and device registers where asked for         |
//! | [`MAPPED_AREA`]       | pages mapped one by one: kernel stacks with their guard pages     |
//! | `0xffffffff80000000`  | the image: text read and execute, constants read, data read-write |
//!
//! Nothing is both writable and executable: the direct map is not executable, and shows the image's
//! text and constants read-only. The top-level entries of the three areas are filled at boot and never change,
//! so an address space copies the upper half of the root ([`kernel_root`]) once, when it is made.
//!
//! `TABLES` guards changes to the kernel half. User mappings are `mm`'s.

use core::{
    arch::asm,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{
    boot::{self, Region, RegionKind},
    features, io,
};
use crate::{
    mm::{PAGE_SIZE, PhysAddr},
    sync::{SpinLock, class},
};
use abi::{Errno, Result};

/// Where physical address 0 would be.
pub const DIRECT_MAP: usize = 0xffff_8000_0000_0000;
/// Pages mapped one by one.
pub const MAPPED_AREA: Range<usize> = 0xffff_c000_0000_0000..0xffff_c080_0000_0000;
const IMAGE: usize = 0xffff_ffff_8000_0000;
/// The direct map reaches this far: memory and devices beyond are left alone.
const DIRECT_MAP_SIZE: usize = 8 << 40;

/// Bits of a page table entry.
pub mod entry_flags {
    /// The entry is in use.
    pub const PRESENT: usize = 1 << 0;
    /// Writes are allowed.
    pub const WRITABLE: usize = 1 << 1;
    /// User mode may use it.
    pub const USER: usize = 1 << 2;
    /// The CPU used it.
    pub const ACCESSED: usize = 1 << 5;
    /// The CPU wrote through it.
    pub const DIRTY: usize = 1 << 6;
    /// A page of 2 MiB or 1 GiB, not a table.
    pub const LARGE: usize = 1 << 7;
    /// Stays when the root changes.
    pub const GLOBAL: usize = 1 << 8;
    /// No instruction fetch.
    pub const NO_EXECUTE: usize = 1 << 63;
    /// The physical address in an entry.
    pub const ADDRESS: usize = 0x000f_ffff_ffff_f000;
}
use entry_flags::*;

const SIZE_2M: usize = 2 << 20;
const SIZE_1G: usize = 1 << 30;
const DATA: usize = PRESENT | WRITABLE | ACCESSED | DIRTY | GLOBAL | NO_EXECUTE;
const CONSTANT: usize = PRESENT | ACCESSED | GLOBAL | NO_EXECUTE;
const TEXT: usize = PRESENT | ACCESSED | GLOBAL;

unsafe extern "C" {
    static __image_start: u8;
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __data_end: u8;
}

/// Where the direct map is at the moment: the loader's until [`init`] is done.
static OFFSET: AtomicUsize = AtomicUsize::new(DIRECT_MAP);
/// Physical address of the kernel's root table.
static ROOT: AtomicUsize = AtomicUsize::new(0);
/// The free memory that the boot takes pages from, top down.
static EARLY_START: AtomicUsize = AtomicUsize::new(0);
static EARLY_NEXT: AtomicUsize = AtomicUsize::new(0);
static EARLY_END: AtomicUsize = AtomicUsize::new(0);
/// Pages of that memory kept for tables that are needed before and while `mm` starts.
const EARLY_RESERVE: usize = 64;
static HANDED_OVER: AtomicUsize = AtomicUsize::new(0);

static TABLES: SpinLock<()> = SpinLock::new(&class::PAGE, ());

/// The kernel's address of physical memory.
#[inline]
pub const fn phys_to_virt(phys: PhysAddr) -> *mut u8 {
    (DIRECT_MAP + phys.0) as *mut u8
}

/// The physical address behind an address in the direct map.
#[inline]
pub const fn virt_to_phys(virt: usize) -> PhysAddr {
    PhysAddr(virt - DIRECT_MAP)
}

/// The root table whose upper half every address space copies.
pub fn kernel_root() -> PhysAddr {
    PhysAddr(ROOT.load(Ordering::Relaxed))
}

/// Builds the kernel's tables and switches the first CPU to them. The loader's memory is free
/// afterwards.
pub(super) fn init() {
    let info = boot::info();
    OFFSET.store(info.loader_direct_map, Ordering::Relaxed);
    choose_early_memory(&info.regions);
    let root = early_page().expect("no memory for page tables");
    ROOT.store(root, Ordering::Relaxed);
    for area in [DIRECT_MAP..DIRECT_MAP + DIRECT_MAP_SIZE, MAPPED_AREA, IMAGE..usize::MAX] {
        for index in slot(area.start, 39)..=slot(area.end - 1, 39) {
            let table = early_page().expect("no memory for page tables");
            // SAFETY: the root is a fresh table of ours.
            unsafe { *table_pointer(root).add(index) = table | PRESENT | WRITABLE };
        }
    }
    map_image(info.image.0);
    let read_only = image_range(&raw const __image_start, &raw const __rodata_end, info.image.0);
    for region in &info.regions {
        if region.kind == RegionKind::Reserved {
            continue;
        }
        let end = region.range.end.min(DIRECT_MAP_SIZE);
        let start = region.range.start.min(end);
        // Around the image's read-only part, where it is in this region.
        map_direct(start..end.min(read_only.start), DATA);
        map_direct(start.max(read_only.start)..end.min(read_only.end), CONSTANT);
        map_direct(start.max(read_only.end)..end, DATA);
    }
    // SAFETY: the tables map the image and, under its direct map, everything else that is in use;
    // the stack of the start is in the image.
    unsafe { io::write_cr3(root) };
    flush_all();
    OFFSET.store(DIRECT_MAP, Ordering::Relaxed);
}

/// Switches another CPU to the kernel's tables.
pub(super) fn use_kernel_root() {
    // SAFETY: the kernel's tables map the kernel.
    unsafe { io::write_cr3(kernel_root().0) };
    flush_all();
}

/// Forgets all translations on this CPU, the global ones too.
pub fn flush_all() {
    const GLOBAL_PAGES: usize = 1 << 7;
    // SAFETY: changing CR4.PGE and back flushes, and does nothing else.
    unsafe {
        let cr4: usize;
        asm!("mov {}, cr4", out(reg) cr4, options(nomem, nostack));
        asm!("mov cr4, {}", in(reg) cr4 & !GLOBAL_PAGES, options(nostack));
        asm!("mov cr4, {}", in(reg) cr4, options(nostack));
    }
}

/// The memory that is free for `mm` to manage: all that the loader left or used itself, less what
/// the boot has taken. Call it once, when `mm` takes over.
pub fn hand_over_memory(mut take: impl FnMut(Range<usize>)) {
    let kept = EARLY_RESERVE * PAGE_SIZE;
    let next = EARLY_NEXT.load(Ordering::Relaxed);
    let start = EARLY_START.load(Ordering::Relaxed);
    let keep_from = next.saturating_sub(kept).max(start);
    let end = EARLY_END.load(Ordering::Relaxed);
    EARLY_START.store(keep_from, Ordering::Relaxed);
    HANDED_OVER.store(1, Ordering::Relaxed);
    let low = super::smp::LOW_MEMORY;
    let limit = crate::params::get().mem.unwrap_or(usize::MAX).min(DIRECT_MAP_SIZE);
    for region in &boot::info().regions {
        if !matches!(region.kind, RegionKind::Usable | RegionKind::Loader) {
            continue;
        }
        let range = region.range.start..region.range.end.min(limit);
        for part in [
            range.start.max(low)..range.end.min(keep_from),
            range.start.max(end).max(low)..range.end,
        ] {
            if part.start < part.end {
                take(part);
            }
        }
    }
}

/// Takes the largest free range below 4 GiB, where a starting CPU's root table must be, for
/// [`early_page`].
fn choose_early_memory(regions: &[Region]) {
    let largest = regions
        .iter()
        .filter(|region| region.kind == RegionKind::Usable)
        .map(|region| region.range.start..region.range.end.min(4 << 30))
        .max_by_key(|range| range.len())
        .expect("no usable memory");
    EARLY_START.store(largest.start, Ordering::Relaxed);
    EARLY_NEXT.store(largest.end, Ordering::Relaxed);
    EARLY_END.store(largest.end, Ordering::Relaxed);
}

/// A zeroed page for good.
fn early_page() -> Option<usize> {
    let next = EARLY_NEXT.load(Ordering::Relaxed).checked_sub(PAGE_SIZE)?;
    if next < EARLY_START.load(Ordering::Relaxed) {
        return None;
    }
    EARLY_NEXT.store(next, Ordering::Relaxed);
    // SAFETY: the page is free memory that only the boot hands out.
    unsafe { core::ptr::write_bytes(table_pointer(next).cast::<u8>(), 0, PAGE_SIZE) };
    Some(next)
}

fn new_table() -> Option<usize> {
    early_page()
}

fn table_pointer(phys: usize) -> *mut usize {
    (OFFSET.load(Ordering::Relaxed) + phys) as *mut usize
}

const fn slot(virt: usize, shift: u32) -> usize {
    virt >> shift & 511
}

/// Maps the image with a segment's permissions each, page by page.
fn map_image(phys: usize) {
    for (start, end, flags) in [
        (&raw const __text_start, &raw const __text_end, TEXT),
        (&raw const __rodata_start, &raw const __rodata_end, CONSTANT),
        (&raw const __data_start, &raw const __data_end, DATA),
    ] {
        let range = image_range(start, end, phys);
        for offset in (0..range.len()).step_by(PAGE_SIZE) {
            let entry = (range.start + offset) | flags;
            set_entry(start as usize + offset, entry, 12).expect("no memory for page tables");
        }
    }
}

/// The physical range of a part of the image.
fn image_range(start: *const u8, end: *const u8, phys: usize) -> Range<usize> {
    let base = &raw const __image_start as usize;
    phys + (start as usize - base)..phys + (end as usize - base)
}

/// Maps physical memory in the direct map with the largest pages that fit.
fn map_direct(range: Range<usize>, flags: usize) {
    let mut phys = range.start;
    while phys < range.end {
        let left = range.end - phys;
        let (size, shift) = if features::huge_pages() && phys % SIZE_1G == 0 && left >= SIZE_1G {
            (SIZE_1G, 30)
        } else if phys % SIZE_2M == 0 && left >= SIZE_2M {
            (SIZE_2M, 21)
        } else {
            (PAGE_SIZE, 12)
        };
        let large = if shift > 12 { LARGE } else { 0 };
        set_entry(DIRECT_MAP + phys, phys | flags | large, shift)
            .expect("no memory for page tables");
        phys += size;
    }
}

/// Writes the entry for `virt` at the level of `shift`, making the tables above it. An entry that is
/// there already stays when it is a larger page.
fn set_entry(virt: usize, entry: usize, shift: u32) -> Result<()> {
    let mut table = ROOT.load(Ordering::Relaxed);
    let mut level = 39;
    loop {
        // SAFETY: `table` is one of the kernel's tables, and the slot is inside it.
        let at = unsafe { table_pointer(table).add(slot(virt, level)) };
        if level == shift {
            // SAFETY: as above; the CPUs read entries, so it is written at once.
            unsafe { at.write_volatile(entry) };
            return Ok(());
        }
        // SAFETY: as above.
        let mut next = unsafe { at.read_volatile() };
        if next & PRESENT == 0 {
            next = new_table().ok_or(Errno::ENOMEM)? | PRESENT | WRITABLE;
            // SAFETY: as above.
            unsafe { at.write_volatile(next) };
        } else if next & LARGE != 0 {
            return Ok(());
        }
        table = next & ADDRESS;
        level -= 9;
    }
}

/// The entry that maps `virt` in the kernel half, and the level it is at.
fn lookup(virt: usize) -> Option<usize> {
    let mut table = ROOT.load(Ordering::Relaxed);
    for level in [39, 30, 21, 12] {
        // SAFETY: `table` is one of the kernel's tables, and the slot is inside it.
        let entry = unsafe { table_pointer(table).add(slot(virt, level)).read_volatile() };
        if entry & PRESENT == 0 {
            return None;
        }
        if entry & LARGE != 0 || level == 12 {
            return Some(entry);
        }
        table = entry & ADDRESS;
    }
    None
}

/// Whether the kernel can read `virt` without a fault: for what only looks around, as the panic's
/// backtrace.
pub fn is_mapped(virt: usize) -> bool {
    virt >= DIRECT_MAP && lookup(virt).is_some()
}

/// Maps device registers, uncached, and returns their address. `ENOMEM` also where the registers are
/// beyond what the direct map reaches.
pub fn map_device(phys: PhysAddr, len: usize) -> Result<*mut u8> {
    map_physical(phys, len, DATA | features::PAGE_UNCACHED)
}

/// Maps tables that firmware left, read-only.
pub fn map_firmware(phys: PhysAddr, len: usize) -> Result<*const u8> {
    map_physical(phys, len, CONSTANT).map(<*mut u8>::cast_const)
}

fn map_physical(phys: PhysAddr, len: usize, flags: usize) -> Result<*mut u8> {
    let end = phys.0.checked_add(len).filter(|&end| end <= DIRECT_MAP_SIZE).ok_or(Errno::ENOMEM)?;
    let _guard = TABLES.lock();
    for page in (phys.page_base().0..end).step_by(PAGE_SIZE) {
        // Memory is mapped already, and stays cached.
        if lookup(DIRECT_MAP + page).is_none() {
            set_entry(DIRECT_MAP + page, page | flags, 12)?;
        }
    }
    Ok(phys_to_virt(phys))
}

/// A root that maps the page at `phys` to itself besides the kernel: for a CPU that is about to turn
/// paging on. Below 4 GiB.
pub(super) fn identity_root(phys: usize) -> Option<usize> {
    let tables = [early_page()?, early_page()?, early_page()?, early_page()?];
    let _guard = TABLES.lock();
    // SAFETY: the four tables are fresh, and the kernel's root is only read.
    unsafe {
        core::ptr::copy_nonoverlapping(
            table_pointer(ROOT.load(Ordering::Relaxed)).add(256),
            table_pointer(tables[0]).add(256),
            256,
        );
        for (level, shift) in [(0, 39), (1, 30), (2, 21)] {
            *table_pointer(tables[level]).add(slot(phys, shift)) =
                tables[level + 1] | PRESENT | WRITABLE;
        }
        *table_pointer(tables[3]).add(slot(phys, 12)) = phys | PRESENT;
    }
    Some(tables[0])
}

/// Maps one page of [`MAPPED_AREA`] to read and write.
pub fn map_page(virt: usize, phys: PhysAddr) -> Result<()> {
    debug_assert!(MAPPED_AREA.contains(&virt));
    let _guard = TABLES.lock();
    set_entry(virt, phys.0 | DATA, 12)
}

/// Takes such a page away, on this CPU. Other CPUs may go on using it until they are told
/// ([`super::cpu::call_on`] with [`io::invlpg`]).
pub fn unmap_page(virt: usize) {
    debug_assert!(MAPPED_AREA.contains(&virt));
    let _guard = TABLES.lock();
    if lookup(virt).is_some() && set_entry(virt, 0, 12).is_ok() {
        io::invlpg(virt);
    }
}
