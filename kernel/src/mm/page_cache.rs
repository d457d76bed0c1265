//! The pages of a file or of shared memory by their number: a tree that is read without a lock.

use super::{Frame, PageIndex};
use crate::sync::KernelRcu;
use core::ops::Range;
use rcu_collections::PageTree;

/// The pages of an object.
pub type PageCache = PageTree<Frame, KernelRcu>;

/// What an object has in memory, up to where it ends now.
pub struct CachedPages<'a> {
    pages: &'a PageCache,
    end: u64,
}

impl<'a> CachedPages<'a> {
    /// Those of `pages` below `end`.
    pub fn new(pages: &'a PageCache, end: PageIndex) -> CachedPages<'a> {
        CachedPages { pages, end: end.0 }
    }

    /// Calls `visit` with the pages in `range`, in order; some may be set aside. In a read-side section: it must not sleep.
    #[inline]
    pub fn for_each(&self, range: Range<PageIndex>, mut visit: impl FnMut(PageIndex, &Frame)) {
        self.pages.for_each(range.start.0..range.end.0.min(self.end), |index, frame| {
            visit(PageIndex(index), frame);
            true
        });
    }
}
