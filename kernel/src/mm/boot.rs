//! Memory at boot: from the loader's memory map to a working allocator.

use super::{PAGE_SIZE, PhysAddr, kernel_map, node, overcommit, page};
use crate::arch::copy;
use core::ops::Range;
use numa::Topology;

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

fn end_of(regions: impl Iterator<Item = (Range<usize>, RegionUse)>) -> usize {
    regions.map(|(range, _)| range.end).max().unwrap_or(0)
}

/// Builds the kernel's page tables and goes over to them: memory can be looked at.
///
/// # Safety
/// Called once, on the first CPU, on a stack in the image, before anything else of `mm`. `image` is the physical address of the image.
pub unsafe fn map_early(regions: impl Iterator<Item = (Range<usize>, RegionUse)>, image: PhysAddr) {
    // SAFETY: as the caller says.
    unsafe { kernel_map::init(image, end_of(regions)) };
}

/// Hands all free memory to the allocator of the node that it is on. From here on the heap works.
///
/// # Safety
/// Called once, on the first CPU, after [`map_early`]. `regions` is right: what it calls free is
/// memory that nobody uses (the loader's own data among it is lost).
pub unsafe fn init_early(
    regions: impl Iterator<Item = (Range<usize>, RegionUse)> + Clone,
    image: PhysAddr,
    topology: &'static Topology,
) {
    let (memory_end, mapped_end) = (end_of(regions.clone()), kernel_map::direct_map_end());
    node::init(topology);
    for (range, _) in regions.clone() {
        each_node(range, node::note_present);
    }
    let kept = regions.clone().filter(|(_, what)| *what == RegionUse::Keep);
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
    for (range, _) in kept {
        each_node(range, |frames, node| frames.for_each(|frame| page::page(frame).set_node(node)));
    }
    let add = |range: Range<usize>| {
        let start = if range.start == home { range.start + size } else { range.start };
        each_node(start..range.end, node::add_memory);
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
    overcommit::init();
}

/// Calls `f` with the frames of a range and their node, for each part of it that is on one node.
fn each_node(range: Range<usize>, f: impl Fn(Range<u32>, usize)) {
    for (part, node) in node::topology().split(range.start as u64..range.end as u64) {
        // A node that ends in the middle of a page leaves that to the next.
        let frames =
            (part.start as usize / PAGE_SIZE) as u32..(part.end as usize / PAGE_SIZE) as u32;
        if !frames.is_empty() {
            f(frames, node);
        }
    }
}

/// Tries the ways to copy and to zero pages. Not earlier than the first thread: before, an emulator may do everything slowly, and some of it more so.
pub fn choose_copy_routines() {
    let take = || node::alloc_page(node::Purpose::Kernel);
    if let (Some(a), Some(b)) = (take(), take()) {
        let pointer = |frame| PhysAddr::of_frame(frame).to_virt().as_mut_ptr::<u8>();
        // SAFETY: two pages, just allocated.
        unsafe { copy::calibrate(pointer(a), pointer(b)) };
        node::free_page(a);
        node::free_page(b);
    }
}
