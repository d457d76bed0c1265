//! The page tables that the kernel starts on: all of memory at the direct map's base in the largest
//! pages that the CPU has, and the kernel's image page by page with its own permissions.

use crate::{
    elf::Kernel,
    memory::{EntryKind, MemoryMap, PAGE},
};

/// Where the direct map of physical memory begins.
pub const HHDM: u64 = 0xffff_8000_0000_0000;

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const SIZE_2M: u64 = 2 << 20;
const SIZE_1G: u64 = 1 << 30;
/// The direct map covers the first 4 GiB whatever is there, for the devices in it.
const ALWAYS_MAPPED: u64 = 4 << 30;

/// Builds the tables and returns the physical address of the root.
pub fn build(kernel: &Kernel, memory: &mut MemoryMap) -> u64 {
    let root = table(memory);
    let large = if has_1g_pages() { SIZE_1G } else { SIZE_2M };
    let top = memory.entries().last().map_or(0, |entry| entry.end());
    let ram_top = memory
        .entries()
        .iter()
        .filter(|entry| entry.kind != EntryKind::Reserved)
        .map(|entry| entry.end())
        .max()
        .unwrap_or(top);
    let end = ram_top.max(ALWAYS_MAPPED).next_multiple_of(large);
    for phys in (0..end).step_by(large as usize) {
        map(root, HHDM + phys, phys | PRESENT | WRITABLE | NO_EXECUTE | LARGE, large, memory);
    }
    for segment in &kernel.segments {
        let mut flags = PRESENT;
        if segment.write {
            flags |= WRITABLE;
        }
        if !segment.execute {
            flags |= NO_EXECUTE;
        }
        for offset in (0..segment.length).step_by(PAGE as usize) {
            map(root, segment.virt + offset, (segment.phys + offset) | flags, PAGE, memory);
        }
    }
    // The loader itself goes on running until it has jumped.
    let old_root = current_root();
    // SAFETY: both tables are page-sized, in the identity map, and nothing else refers to them.
    unsafe { *(root as *mut u64) = *(old_root as *const u64) };
    root
}

/// Sets the entry for `virt` at the level of pages of `size`, making the tables above it.
fn map(root: u64, virt: u64, entry: u64, size: u64, memory: &mut MemoryMap) {
    let mut at = root;
    let mut shift = 39;
    loop {
        let slot = (at + (virt >> shift & 511) * 8) as *mut u64;
        if 1 << shift == size {
            // SAFETY: `slot` is inside a table that this module allocated.
            unsafe { slot.write(entry) };
            return;
        }
        // SAFETY: as above; a present entry above the last level refers to a table of ours.
        at = unsafe {
            if *slot & PRESENT == 0 {
                *slot = table(memory) | PRESENT | WRITABLE;
            }
            *slot & ADDRESS
        };
        shift -= 9;
    }
}

fn table(memory: &mut MemoryMap) -> u64 {
    memory.allocate(PAGE, PAGE, EntryKind::BootloaderReclaimable)
}

fn has_1g_pages() -> bool {
    use core::arch::x86_64::__cpuid;
    // CPUID exists on every 64-bit CPU; an unknown leaf is caught by the first test.
    __cpuid(0x8000_0000).eax >= 0x8000_0001 && __cpuid(0x8000_0001).edx & 1 << 26 != 0
}

fn current_root() -> u64 {
    let root: u64;
    // SAFETY: reading CR3 changes nothing.
    unsafe { core::arch::asm!("mov {}, cr3", out(reg) root, options(nomem, nostack)) };
    root & ADDRESS
}
