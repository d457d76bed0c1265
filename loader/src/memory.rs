//! The physical memory map, and memory taken from it.
//!
//! Ranges are kept sorted and apart. Memory is taken from the top of the highest usable range below
//! 4 GiB, because that is what the loader's identity map covers and because low memory is scarce.

use core::ops::Range;

use crate::{console::die, pvh};

/// The size of a page.
pub const PAGE: u64 = 4096;
const IDENTITY_END: u64 = 1 << 32;
const CAPACITY: usize = 256;

/// What a range is for, numbered as in the Limine protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum EntryKind {
    /// Free memory.
    Usable = 0,
    /// Not memory, or the firmware's for good.
    Reserved = 1,
    /// ACPI tables.
    AcpiReclaimable = 2,
    /// ACPI's own storage.
    AcpiNvs = 3,
    /// Memory known to be broken.
    BadMemory = 4,
    /// In use until the kernel has taken over.
    BootloaderReclaimable = 5,
    /// The kernel's image and the modules.
    ExecutableAndModules = 6,
}

/// One range, laid out as the protocol's memory map entry.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Entry {
    /// First address.
    pub base: u64,
    /// Length in bytes.
    pub length: u64,
    /// What it is for.
    pub kind: EntryKind,
}

impl Entry {
    /// The address after the range.
    pub fn end(&self) -> u64 {
        self.base + self.length
    }
}

/// The sorted map.
pub struct MemoryMap {
    entries: [Entry; CAPACITY],
    len: usize,
}

impl MemoryMap {
    /// The VMM's map: memory cut to whole pages, the first page kept out of use.
    pub fn from_pvh(raw: &[pvh::MemoryEntry]) -> MemoryMap {
        let none = Entry { base: 0, length: 0, kind: EntryKind::Reserved };
        let mut map = MemoryMap { entries: [none; CAPACITY], len: 0 };
        // Memory first, so that a reserved range laid over it wins.
        for range in raw.iter().filter(|range| range.kind == 1) {
            let base = range.addr.next_multiple_of(PAGE).max(PAGE);
            let end = (range.addr + range.size) / PAGE * PAGE;
            map.reserve(base..end, EntryKind::Usable);
        }
        for range in raw.iter().filter(|range| range.kind != 1) {
            let kind = match range.kind {
                3 => EntryKind::AcpiReclaimable,
                4 => EntryKind::AcpiNvs,
                5 => EntryKind::BadMemory,
                _ => EntryKind::Reserved,
            };
            let base = range.addr / PAGE * PAGE;
            map.reserve(base..(range.addr + range.size).next_multiple_of(PAGE), kind);
        }
        map
    }

    /// The ranges in ascending order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries[..self.len]
    }

    /// Makes `range`, widened to whole pages, of the given kind whatever it was before.
    pub fn reserve(&mut self, range: Range<u64>, kind: EntryKind) {
        let base = range.start / PAGE * PAGE;
        let end = range.end.next_multiple_of(PAGE);
        if base >= end {
            return;
        }
        let mut index = 0;
        while index < self.len {
            let old = self.entries[index];
            if old.end() <= base || old.base >= end {
                index += 1;
                continue;
            }
            self.remove(index);
            if old.base < base {
                self.insert(Entry { length: base - old.base, ..old });
            }
            if old.end() > end {
                self.insert(Entry { base: end, length: old.end() - end, ..old });
            }
            // What was left of the old range is outside the new one now: look again from the start.
            index = 0;
        }
        self.insert(Entry { base, length: end - base, kind });
    }

    /// Takes `length` bytes aligned to `align` (a power of two, at least a page), zeroed.
    pub fn allocate(&mut self, length: u64, align: u64, kind: EntryKind) -> u64 {
        let length = length.next_multiple_of(PAGE);
        let fitting = self.entries[..self.len].iter().rev().find_map(|entry| {
            let end = entry.end().min(IDENTITY_END);
            let base = end.checked_sub(length)? & !(align - 1);
            (entry.kind == EntryKind::Usable && base >= entry.base.max(1 << 20)).then_some(base)
        });
        let Some(base) = fitting else { die("out of memory: give the machine more") };
        self.reserve(base..base + length, kind);
        // SAFETY: the range was usable memory inside the identity map and is now ours alone.
        unsafe { core::ptr::write_bytes(base as *mut u8, 0, length as usize) };
        base
    }

    fn insert(&mut self, entry: Entry) {
        let at = self.entries[..self.len].partition_point(|other| other.base < entry.base);
        // Neighbours of one kind are one range, except for memory in use: the kernel frees that by
        // what it knows of it.
        if at > 0 {
            let before = &mut self.entries[at - 1];
            if before.kind == entry.kind && before.end() == entry.base {
                before.length += entry.length;
                return;
            }
        }
        if at < self.len {
            let after = &mut self.entries[at];
            if after.kind == entry.kind && entry.end() == after.base {
                after.base = entry.base;
                after.length += entry.length;
                return;
            }
        }
        if self.len == CAPACITY {
            die("the memory map has too many ranges");
        }
        self.entries.copy_within(at..self.len, at + 1);
        self.entries[at] = entry;
        self.len += 1;
    }

    fn remove(&mut self, index: usize) {
        self.entries.copy_within(index + 1..self.len, index);
        self.len -= 1;
    }
}

/// The bytes of a physical range.
///
/// # Safety
/// The range lies below 4 GiB, holds initialised memory, and nothing writes to it any more.
pub unsafe fn bytes(range: Range<u64>) -> &'static [u8] {
    let length = (range.end - range.start) as usize;
    // SAFETY: the caller vouches for the range, and physical addresses are mapped one to one.
    unsafe { core::slice::from_raw_parts(range.start as *const u8, length) }
}
