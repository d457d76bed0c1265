//! Large blocks for those who could do with single pages: huge pages.

use super::{NODES, Purpose, events, free_on_node, lists};
use crate::mm::page::page;
use core::sync::atomic::Ordering;

/// The part of a node's memory that has to stay free beside the reserve.
const PLENTIFUL_SHARE: usize = 8;

/// Whether so much of this CPU's node is free that a block of 2^`order` pages may be taken.
pub fn is_plentiful(order: u8) -> bool {
    let home = lists::home();
    let node = &NODES[home];
    let kept = node.total.load(Ordering::Relaxed) / PLENTIFUL_SHARE;
    free_on_node(home) >= node.reserve.load(Ordering::Relaxed) + kept + (1 << order)
}

/// Takes a block of 2^`order` pages from this CPU's node, if that has plenty; single pages come from wherever there are some. Never waits.
pub fn alloc_spare_block(order: u8) -> Option<u32> {
    if !is_plentiful(order) {
        return None;
    }
    let home = lists::home();
    let frame = NODES[home].alloc_block(order, Purpose::User)?;
    events::count(home, frame);
    Some(frame)
}

/// Gives a block of 2^`order` pages back, whose frames are all marked as free.
pub fn free_block(frame: u32, order: u8) {
    NODES[page(frame).node()].with_buddy(|buddy| buddy.free(frame, order));
}
