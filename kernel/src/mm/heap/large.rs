//! Whole pages: for slabs, and for what is too large for them.

use crate::mm::{
    PAGE_SIZE, PhysAddr, VirtAddr, VmEvent,
    node::{self, Purpose},
    page::page,
    reclaim,
};
use core::ptr;

/// Takes `count` pages, aligned to 2^`order` of them.
pub(super) fn alloc_pages(count: usize, order: u8) -> Option<*mut u8> {
    let frame = if order == 0 {
        node::alloc_page(Purpose::Kernel)?
    } else if count == 1 << order {
        node::alloc_kept_block(order)?
    } else {
        alloc_part(count, order)?
    };
    page(frame).use_for_heap();
    Some(PhysAddr::of_frame(frame).to_virt().as_mut_ptr())
}

/// Takes the first `count` pages of a block.
#[inline(never)]
fn alloc_part(count: usize, order: u8) -> Option<u32> {
    let frame = node::alloc_block(order, Purpose::Kernel)?;
    node::free_range(frame + count as u32, frame + (1 << order));
    VmEvent::MorePages.count(count - 1);
    Some(frame)
}

/// The first frame of pages that are the heap's.
pub(super) fn frame_of(pages: *mut u8) -> u32 {
    VirtAddr(pages.addr()).to_phys().frame_number()
}

pub(super) fn free_pages(pages: *mut u8, count: usize) {
    let frame = frame_of(pages);
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
pub(super) fn large(size: usize, align: usize) -> Option<(usize, u8)> {
    if size <= PAGE_SIZE && align <= PAGE_SIZE {
        return Some((1, 0));
    }
    let count = size.div_ceil(PAGE_SIZE);
    let order = count.max(align / PAGE_SIZE).next_power_of_two().ilog2() as u8;
    (order <= buddy::MAX_ORDER).then_some((count, order))
}

#[inline(never)]
pub(super) fn alloc_large(size: usize, align: usize) -> *mut u8 {
    // When no block is that large, nothing that could be freed would help.
    let Some((count, order)) = large(size, align) else { return ptr::null_mut() };
    let once = || alloc_pages(count, order);
    once().or_else(|| reclaim::retry_kernel(once)).unwrap_or(ptr::null_mut())
}

#[inline(never)]
pub(super) fn free_large(pages: *mut u8, size: usize, align: usize) {
    if let Some((count, _)) = large(size, align) {
        free_pages(pages, count);
    }
}
