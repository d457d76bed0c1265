//! Large blocks for those who could do with single pages: huge pages.

use super::{NODES, Purpose, events, free_on_node, lists};
use crate::mm::{VmEvent, page::page};
use core::sync::atomic::Ordering;

/// The part of a node's memory that has to stay free beside the reserve.
const PLENTIFUL_SHARE: usize = 8;

/// Whether so much of this CPU's node is free that a block of 2^`order` pages may be taken.
pub fn is_plentiful(order: u8) -> bool {
    is_plentiful_on(lists::home(), order)
}

/// The same of a certain node.
pub fn is_plentiful_on(node: usize, order: u8) -> bool {
    let of = &NODES[node];
    let kept = of.total.load(Ordering::Relaxed) / PLENTIFUL_SHARE;
    free_on_node(node) >= of.reserve.load(Ordering::Relaxed) + kept + (1 << order)
}

/// Takes a block of 2^`order` pages from this CPU's node, if that has plenty; single pages come from wherever there are some. Never waits.
pub fn alloc_spare_block(order: u8) -> Option<u32> {
    alloc_spare_block_on(lists::home(), order)
}

/// The same from a certain node.
pub fn alloc_spare_block_on(node: usize, order: u8) -> Option<u32> {
    if is_plentiful_on(node, order) { alloc_block_on(node, order) } else { None }
}

/// The same whether or not the node has plenty, as long as its reserve is left alone.
pub fn alloc_block_on(node: usize, order: u8) -> Option<u32> {
    let frame = NODES[node].alloc_block(order, Purpose::User)?;
    events::count_wanted_there(frame);
    VmEvent::MorePages.count((1 << order) - 1);
    Some(frame)
}

/// Gives a block of 2^`order` pages back, whose frames are all marked as free.
pub fn free_block(frame: u32, order: u8) {
    NODES[page(frame).node()].with_buddy(|buddy| buddy.free(frame, order));
}
