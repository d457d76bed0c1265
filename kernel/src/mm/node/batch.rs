//! Pages that are given back many at a time.
//!
//! What was taken in a row mostly comes back in a row, up or down. So what a CPU's list has no room for is kept as runs of frames, which the buddies take in a few
//! steps each, under a lock that is held for nothing else.

use super::{NODES, lists::keep_page, topology};
use crate::mm::page::{Page, page};
use arrayvec::ArrayVec;
use core::ops::Range;

/// Runs that are collected before they go back.
const RUNS: usize = 32;
/// Most frames of a run, so that pages do not wait long for others while memory is short.
const RUN_FRAMES: usize = 256;

/// Pages that are given back together: when there are many, and when this is dropped.
pub struct FreeBatch {
    /// Each is on one node.
    runs: ArrayVec<Range<u32>, RUNS>,
    only_node: bool,
}

impl FreeBatch {
    /// An empty batch.
    #[inline]
    pub fn new() -> FreeBatch {
        FreeBatch { runs: ArrayVec::new_const(), only_node: topology().node_count() == 1 }
    }

    /// Gives a page back that nobody has a reference to any more, and of which the caller has the entry at hand. The CPU keeps it if it has room.
    #[inline]
    pub(in crate::mm) fn add_page(&mut self, frame: u32, page: &Page) {
        page.end_use();
        if !self.join(&(frame..frame + 1)) && !keep_page(frame, page) {
            self.start_run(frame..frame + 1);
        }
    }

    /// Gives a block back, which is marked as free.
    #[inline]
    pub(super) fn add_block(&mut self, block: Range<u32>) {
        if !self.join(&block) {
            self.start_run(block);
        }
    }

    /// Makes a block part of the last run, if it lies beside that; whether it did.
    #[inline]
    fn join(&mut self, block: &Range<u32>) -> bool {
        let only_node = self.only_node;
        let is_same_node = |frame| only_node || page(frame).node() == page(block.start).node();
        let Some(run) = self.runs.last_mut().filter(|run| run.len() < RUN_FRAMES) else {
            return false;
        };
        if block.start == run.end && is_same_node(run.start) {
            run.end = block.end;
        } else if block.end == run.start && is_same_node(run.start) {
            run.start = block.start;
        } else {
            return false;
        }
        true
    }

    #[inline(never)]
    fn start_run(&mut self, block: Range<u32>) {
        if self.runs.is_full() {
            self.give_back();
        }
        self.runs.push(block);
    }

    fn node_of(&self, run: &Range<u32>) -> usize {
        if self.only_node { 0 } else { page(run.start).node() }
    }

    #[inline(never)]
    fn give_back(&mut self) {
        // The lock is taken once for those in a row that are on one node: all of them, mostly.
        for runs in self.runs.chunk_by(|a, b| self.node_of(a) == self.node_of(b)) {
            let node = &NODES[self.node_of(&runs[0])];
            node.with_buddy(|buddy| {
                node.count_batch();
                for run in runs {
                    buddy.add_range(run.start, run.end);
                }
            });
        }
        self.runs.clear();
    }
}

impl Drop for FreeBatch {
    #[inline]
    fn drop(&mut self) {
        if !self.runs.is_empty() {
            self.give_back();
        }
    }
}
