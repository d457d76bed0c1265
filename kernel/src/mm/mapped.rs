//! Entries that map pages of objects, counted by node (`Mapped`).
//!
//! Address spaces count theirs in any case, many at a time; the first node's counter has the sum of that, so with one node nothing is left to do. With several,
//! which a switch in the code knows, the entries for pages of the other nodes are counted one by one beside, and the first node has the rest. A page never moves to
//! another node, so it does not matter whether an entry is counted before it is made or after, nor when it is taken off.

use super::{
    Frame, PhysAddr,
    address_space::tables::is_counted,
    node,
    page::{Page, PageKind, page},
    stats::{Counter, counter, sum},
};
use crate::arch::{
    code_switch::{self, SEVERAL_NODES},
    cpu,
    paging::{ENTRIES, PteFlags, Table},
};
use numa::MAX_NODES;

/// Whether entries are counted by node.
#[inline(always)]
pub(super) fn by_node() -> bool {
    code_switch::if_on!(SEVERAL_NODES, { return true });
    false
}

/// From now on they are, if there are several nodes. Called before there are programs; may sleep.
pub fn count_by_node() {
    if node::with_memory().any(|node| node != 0) {
        code_switch::turn(&SEVERAL_NODES, true);
    }
}

/// Counts entries that map objects' pages, on whatever node.
#[inline]
pub(super) fn count(entries: isize) {
    cpu::count(const { counter(Counter::Mapped as u8, 0) }, entries);
}

/// An entry maps the frame at `addr`: counts it on its node.
#[cold]
pub(super) fn count_on_node(addr: PhysAddr) {
    let page = page(addr.frame_number());
    if page.node() != 0 {
        Counter::Mapped.count_up(page);
    }
}

/// One did, and does not any more.
#[cold]
pub(super) fn uncount_on_node(addr: PhysAddr) {
    uncount_page(page(addr.frame_number()));
}

fn uncount_page(page: &Page) {
    if page.node() != 0 {
        Counter::Mapped.count_down(page);
    }
}

/// The same of frames that entries mapped, private memory among them.
#[cold]
pub(super) fn uncount_frames_on_nodes(frames: &[Frame]) {
    frames
        .iter()
        .map(Frame::page)
        .filter(|page| !page.is(PageKind::Anonymous))
        .for_each(uncount_page);
}

/// The same of all entries of a leaf table that nobody uses any more.
#[cold]
pub(super) fn uncount_table_on_nodes(table: &Table) {
    for entry in (0..ENTRIES).map(|index| table.load(index)) {
        if is_counted(entry) && !entry.has(PteFlags::ANONYMOUS) {
            uncount_on_node(entry.addr());
        }
    }
}

/// Entries that map objects' pages of `node`.
pub(super) fn on_node(node: usize) -> usize {
    let counted = |node| sum(counter(Counter::Mapped as u8, node as u8));
    let elsewhere = || (1..MAX_NODES).map(counted).sum();
    if node == 0 { counted(0).saturating_sub(elsewhere()) } else { counted(node) }
}
