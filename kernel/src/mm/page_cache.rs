//! The pages of a file or of shared memory by their number: a tree that is read without a lock.

use super::{Frame, PageIndex};
use crate::sync::KernelRcu;
use arrayvec::ArrayVec;
use core::ops::Range;
use rcu_collections::PageTree;

/// The pages of an object.
pub type PageCache = PageTree<Frame, KernelRcu>;

/// Pages that are collected at once.
const CHUNK: usize = 32;

/// Hands the pages in `range` for which `wanted` holds to `sink`, in their order, until it says false. It may do what a read-side section must not, so
/// a few pages are collected first.
pub fn for_each_page(
    pages: &PageCache,
    range: Range<PageIndex>,
    wanted: impl Fn(&Frame) -> bool,
    sink: &mut dyn FnMut(PageIndex, Frame) -> bool,
) {
    let mut next = range.start.0;
    loop {
        let mut found = ArrayVec::<(u64, Frame), CHUNK>::new();
        pages.for_each(next..range.end.0, |index, frame| {
            if wanted(frame) {
                found.push((index, frame.clone()));
            }
            !found.is_full()
        });
        let more = found.is_full();
        for (index, frame) in found {
            next = index + 1;
            if !sink(PageIndex(index), frame) {
                return;
            }
        }
        if !more {
            return;
        }
    }
}
