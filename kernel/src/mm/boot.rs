//! Memory at boot: from the loader's memory map to a working allocator.

use super::{PAGE_SIZE, PhysAddr, kernel_map, node, page};
use crate::arch::copy;
use core::ops::Range;

/// What the allocator is told of a range of physical memory, in whole pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegionUse {
    /// To be handed out.
    Free,
    /// Memory with content that stays: the image, the initramfs, firmware tables.
    Keep,
}

/// Memory below is left to firmware and to the start of other CPUs.
const LOW_MEMORY_END: usize = 1 << 20;

/// Builds the kernel's page tables and goes over to them, then hands all free memory to the allocator. From here on the heap works.
///
/// # Safety
/// Called once, on the first CPU, on a stack in the image, before anything else of `mm`. `regions` is right: what it calls free is
/// memory that nobody uses (the loader's own data among it is lost). `image` is the physical address of the image.
pub unsafe fn init_early(
    regions: impl Iterator<Item = (Range<usize>, RegionUse)> + Clone,
    image: PhysAddr,
) {
    let memory_end = regions.clone().map(|(range, _)| range.end).max().unwrap_or(0);
    // SAFETY: as the caller says.
    let mapped_end = unsafe { kernel_map::init(image, memory_end) };
    let free = regions
        .filter(|(_, what)| *what == RegionUse::Free)
        .map(|(range, _)| range.start.max(LOW_MEMORY_END)..range.end)
        .filter(|range| range.start < range.end);

    // The array of pages takes the start of the first range that is large enough.
    let size = page::array_size(memory_end);
    let fits = |range: &Range<usize>| range.start + size <= range.end.min(mapped_end);
    let home = free.clone().find(fits).expect("no memory for the array of page frames").start;
    let array = PhysAddr(home).to_virt();
    // SAFETY: the range is free memory, and the direct map shows it.
    unsafe {
        array.as_mut_ptr::<u8>().write_bytes(0, size);
        page::install(array.as_mut_ptr(), memory_end / PAGE_SIZE);
    }
    let add = |range: Range<usize>| {
        let start = if range.start == home { range.start + size } else { range.start };
        if start < range.end {
            node::add_memory((start / PAGE_SIZE) as u32, (range.end / PAGE_SIZE) as u32);
        }
    };
    for range in free.clone() {
        let end = range.end.min(mapped_end);
        if range.start < end {
            add(range.start..end);
        }
    }
    if mapped_end < memory_end {
        kernel_map::extend_direct_map(memory_end).expect("no memory for the direct map");
        for range in free.filter(|range| range.end > mapped_end) {
            add(range.start.max(mapped_end)..range.end);
        }
    }
    kernel_map::protect_image(image).expect("no memory for page tables");
    choose_copy_routines();
}

fn choose_copy_routines() {
    let take = || node::alloc_page(node::Purpose::Kernel);
    if let (Some(a), Some(b)) = (take(), take()) {
        let pointer = |frame| PhysAddr::of_frame(frame).to_virt().as_mut_ptr::<u8>();
        // SAFETY: two pages, just allocated.
        unsafe { copy::calibrate(pointer(a), pointer(b)) };
        node::free_page(a);
        node::free_page(b);
    }
}
