//! Page tables: entries, tables, walks, and the control register that selects them.
//!
//! A [`Table`] is reached through the direct map. Entries are atomic words: the CPU writes accessed and dirty bits at any
//! time, and other CPUs fault into the same table. Who may write which entry is for `mm` to say (docs/memory.md).

use crate::mm::{PAGE_SIZE, PhysAddr};
use core::{
    arch::asm,
    convert::Infallible,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

/// Entries in a table.
pub const ENTRIES: usize = 512;
/// Entries that can be looked at together.
pub const GROUP: usize = 8;
/// Levels of tables; level 0 is the one that maps 4 KiB pages.
pub const LEVELS: usize = 4;
/// Where all physical memory is mapped, writable and not executable.
pub const DIRECT_MAP_BASE: usize = 0xffff_8880_0000_0000;
/// Where the kernel maps what needs guard pages or memory that is not contiguous. One root entry (512 GiB).
pub const KERNEL_MAP_BASE: usize = 0xffff_c900_0000_0000;
/// Where the kernel's image is linked.
pub const IMAGE_BASE: usize = 0xffff_ffff_8000_0000;

bitflags::bitflags! {
    /// The flag bits of an entry.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct PteFlags: u64 {
        /// The entry maps something.
        const PRESENT = 1 << 0;
        /// Writes are allowed.
        const WRITE = 1 << 1;
        /// User mode may access it.
        const USER = 1 << 2;
        /// Write-through.
        const WRITE_THROUGH = 1 << 3;
        /// Not cached (device registers).
        const NO_CACHE = 1 << 4;
        /// Set by the CPU when the page is used.
        const ACCESSED = 1 << 5;
        /// Set by the CPU when the page is written.
        const DIRTY = 1 << 6;
        /// In an upper table: maps a large page.
        const LARGE = 1 << 7;
        /// Survives a change of tables.
        const GLOBAL = 1 << 8;
        /// Ours: the page belongs to this address space (or its copies): private memory, not a file's page.
        const ANONYMOUS = 1 << 9;
        /// Ours: the frame is not counted (the zero page).
        const UNCOUNTED = 1 << 10;
        /// Ours: written since the marks were last cleared (`/proc/<pid>/clear_refs`). Set where the kernel sets `DIRTY`; the CPU does not know it, so an
        /// entry without it has no `WRITE`, unless its whole mapping counts as written.
        const SOFT_DIRTY = 1 << 11;
        /// No instruction fetch.
        const NO_EXECUTE = 1 << 63;
    }
}

const ADDRESS_MASK: u64 = 0x000f_ffff_ffff_f000;

/// The value of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry(u64);

impl Entry {
    /// Nothing is mapped.
    pub const NONE: Entry = Entry(0);

    /// Maps `addr`.
    #[inline]
    pub const fn new(addr: PhysAddr, flags: PteFlags) -> Entry {
        Entry(addr.0 as u64 & ADDRESS_MASK | flags.bits())
    }
    /// Whether nothing is there.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
    /// Whether it maps something.
    #[inline]
    pub const fn is_present(self) -> bool {
        self.0 & PteFlags::PRESENT.bits() != 0
    }
    /// What it maps.
    #[inline]
    pub const fn addr(self) -> PhysAddr {
        PhysAddr((self.0 & ADDRESS_MASK) as usize)
    }
    /// Its flags.
    #[inline]
    pub const fn flags(self) -> PteFlags {
        PteFlags::from_bits_truncate(self.0)
    }
    /// Whether it has all of `flags`.
    #[inline]
    pub const fn has(self, flags: PteFlags) -> bool {
        self.0 & flags.bits() == flags.bits()
    }
    /// Whether it has one of `flags`.
    #[inline]
    pub const fn has_any(self, flags: PteFlags) -> bool {
        self.0 & flags.bits() != 0
    }
    /// The entry with `flags` added.
    #[inline]
    pub const fn with(self, flags: PteFlags) -> Entry {
        Entry(self.0 | flags.bits())
    }
    /// The entry with `flags` taken away.
    #[inline]
    pub const fn without(self, flags: PteFlags) -> Entry {
        Entry(self.0 & !flags.bits())
    }
}

/// A page of entries.
#[repr(C, align(4096))]
pub struct Table([AtomicU64; ENTRIES]);

impl Table {
    /// A table of empty entries, for a static.
    pub const fn new() -> Table {
        Table([const { AtomicU64::new(0) }; ENTRIES])
    }

    /// The table in the frame at `addr`.
    ///
    /// # Safety
    /// The frame holds a page table, and stays one for as long as the reference is used.
    #[inline]
    pub unsafe fn at<'a>(addr: PhysAddr) -> &'a Table {
        // SAFETY: the direct map shows the frame, aligned; entries are atomics, so sharing is sound.
        unsafe { &*(addr.to_virt().0 as *const Table) }
    }

    /// Reads an entry.
    #[inline]
    pub fn load(&self, index: usize) -> Entry {
        Entry(self.0[index].load(Ordering::Acquire))
    }
    /// Calls `visit` with the index and the value of each entry in `range` that is not empty, in order, until it fails. Eight empty ones in a row are
    /// passed over together.
    #[inline(always)]
    pub fn try_for_each_filled<E>(
        &self,
        range: Range<usize>,
        mut visit: impl FnMut(usize, Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let (groups, _) = self.0.as_chunks::<GROUP>();
        let mut index = range.start;
        while index < range.end {
            let group = &groups[index / GROUP];
            let stop = ((index | (GROUP - 1)) + 1).min(range.end);
            if group.iter().fold(0, |all, entry| all | entry.load(Ordering::Acquire)) == 0 {
                index = stop;
            }
            while index < stop {
                let entry = Entry(group[index % GROUP].load(Ordering::Acquire));
                if !entry.is_none() {
                    visit(index, entry)?;
                }
                index += 1;
            }
        }
        Ok(())
    }
    /// The same of what cannot fail.
    #[inline(always)]
    pub fn for_each_filled(&self, range: Range<usize>, mut visit: impl FnMut(usize, Entry)) {
        let Ok(()) = self.try_for_each_filled(range, |index, entry| {
            visit(index, entry);
            Ok::<(), Infallible>(())
        });
    }
    /// Whether all entries are empty.
    pub fn is_empty(&self) -> bool {
        self.try_for_each_filled(0..ENTRIES, |_, _| Err(())).is_ok()
    }
    /// Writes an entry.
    #[inline]
    pub fn store(&self, index: usize, entry: Entry) {
        self.0[index].store(entry.0, Ordering::Release);
    }
    /// Writes an entry and returns what it held, with the accessed and dirty bits that the CPU set until then.
    #[inline]
    pub fn swap(&self, index: usize, entry: Entry) -> Entry {
        Entry(self.0[index].swap(entry.0, Ordering::AcqRel))
    }
    /// Writes an entry if it still is `expected`.
    #[inline]
    pub fn compare_exchange(&self, index: usize, expected: Entry, new: Entry) -> Result<(), Entry> {
        self.0[index]
            .compare_exchange(expected.0, new.0, Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
            .map_err(Entry)
    }
    /// Adds flags, and loses no bit that the CPU sets meanwhile.
    #[inline]
    pub fn set_flags(&self, index: usize, flags: PteFlags) {
        self.0[index].fetch_or(flags.bits(), Ordering::AcqRel);
    }
    /// Takes flags away, and no bit that the CPU sets meanwhile.
    #[inline]
    pub fn clear_flags(&self, index: usize, flags: PteFlags) {
        self.0[index].fetch_and(!flags.bits(), Ordering::AcqRel);
    }
}

/// The index of `addr`'s entry in a table of `level`.
#[inline]
pub const fn index(addr: usize, level: usize) -> usize {
    (addr >> (12 + 9 * level)) & (ENTRIES - 1)
}

/// Bytes that an entry of a table of `level` covers.
#[inline]
pub const fn span(level: usize) -> usize {
    PAGE_SIZE << (9 * level)
}

/// Makes this CPU use other tables; entries that are not global leave its TLB.
///
/// # Safety
/// `root` is a root table that maps the kernel as all do, and stays alive while it is in use.
#[inline]
pub unsafe fn load_root(root: PhysAddr) {
    // SAFETY: the caller vouches for the tables. Not `nomem`: what user addresses show changes.
    unsafe { asm!("mov cr3, {}", in(reg) root.0, options(nostack, preserves_flags)) };
}

/// Forgets this CPU's translation of one page.
#[inline]
pub fn flush_page(addr: usize) {
    // SAFETY: forgetting a translation only costs time.
    unsafe { asm!("invlpg [{}]", in(reg) addr, options(nostack, preserves_flags)) };
}

/// Forgets all of this CPU's translations that are not global.
#[inline]
pub fn flush_all() {
    // SAFETY: loads what is loaded already.
    unsafe { asm!("mov {0}, cr3", "mov cr3, {0}", out(reg) _, options(nostack, preserves_flags)) };
}

/// Forgets all of this CPU's translations, the kernel's global ones too.
pub fn flush_global() {
    const PGE: usize = 1 << 7;
    // SAFETY: turning global pages off and on again only empties the TLB.
    unsafe {
        asm!(
            "mov {0}, cr4",
            "mov {1}, {0}",
            "and {1}, {2}",
            "mov cr4, {1}",
            "mov cr4, {0}",
            out(reg) _,
            out(reg) _,
            const !PGE as i32,
            options(nostack),
        );
    }
}
