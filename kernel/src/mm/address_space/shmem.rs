//! The object behind `MAP_SHARED | MAP_ANONYMOUS`: zero pages that come when they are touched, common to all who map it.

use super::{Copies, Mappings, PageSource};
use crate::mm::{
    Commitment, Frame, PAGE_SIZE, PageIndex, PageKind, overcommit,
    page_cache::{CachedPages, PageCache},
    try_alloc,
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::ops::Range;

/// Shared anonymous memory.
pub struct Shmem {
    pages: PageCache,
    size: u64,
    mappings: Mappings,
    /// The memory that was promised; if none, each page is as it comes.
    promise: Option<Commitment>,
}

impl Shmem {
    /// An object of `len` bytes; `unreserved` if they are not to be promised as a whole.
    pub fn create(len: usize, unreserved: bool) -> Result<Arc<dyn PageSource>> {
        let size = len.div_ceil(PAGE_SIZE);
        let promise = if unreserved { None } else { Some(Commitment::new(size)?) };
        let size = size as u64;
        let pages = PageCache::new();
        Ok(try_alloc::arc(Shmem { pages, size, mappings: Mappings::new(), promise })?)
    }

    /// Counts a page that is to come. `ENOSPC` if it may not be promised.
    fn charge_page(&self) -> Result<()> {
        if self.promise.is_none() {
            overcommit::promise_object(1).map_err(|_| Errno::ENOSPC)?;
        }
        Ok(())
    }

    /// Takes pages off the counts.
    fn uncharge_pages(&self, pages: usize) {
        if self.promise.is_none() {
            overcommit::take_back(pages);
        }
    }
}

impl PageSource for Shmem {
    fn page(&self, index: PageIndex, _write: bool) -> Result<Frame> {
        if index.0 >= self.size {
            return Err(Errno::ENXIO);
        }
        if let Some(frame) = self.pages.get(index.0) {
            return Ok(frame);
        }
        let fresh = Frame::alloc_zeroed(PageKind::Shmem)?;
        self.charge_page()?;
        let address = fresh.addr();
        let there = self.pages.get_or_insert(index.0, fresh).map_err(|_| Errno::ENOMEM);
        // Somebody else was faster, or there was no memory.
        if there.as_ref().map(Frame::addr) != Ok(address) {
            self.uncharge_pages(1);
        }
        there
    }

    fn cached_pages(&self) -> Option<CachedPages<'_>> {
        Some(CachedPages::new(&self.pages, PageIndex(u64::MAX)))
    }

    fn wants_write_notice(&self) -> bool {
        false
    }

    fn mappings(&self) -> Option<&Mappings> {
        Some(&self.mappings)
    }

    fn remove(&self, range: Range<u64>) -> Result<()> {
        self.uncharge_pages(self.pages.remove_range(range.clone()));
        self.mappings.unmap(range, Copies::Stay);
        Ok(())
    }
}

impl Drop for Shmem {
    fn drop(&mut self) {
        self.uncharge_pages(self.pages.len());
    }
}
