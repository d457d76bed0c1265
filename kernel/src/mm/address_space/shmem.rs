//! The object behind `MAP_SHARED | MAP_ANONYMOUS`: zero pages that come when they are touched, common to all who map it.

use super::{Copies, Mappings, PageSource};
use crate::{
    mm::{Commitment, Frame, PAGE_SIZE, PageIndex, overcommit, stats, try_alloc},
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{collections::BTreeMap, sync::Arc};
use core::ops::Range;

/// Shared anonymous memory.
pub struct Shmem {
    pages: SpinLock<BTreeMap<u64, Frame>>,
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
        let pages = SpinLock::new(&class::PAGE, BTreeMap::new());
        Ok(try_alloc::arc(Shmem { pages, size, mappings: Mappings::new(), promise })?)
    }
}

impl PageSource for Shmem {
    fn page(&self, index: PageIndex, _write: bool) -> Result<Frame> {
        if index.0 >= self.size {
            return Err(Errno::ENXIO);
        }
        if let Some(frame) = self.pages.lock().get(&index.0) {
            return Ok(frame.clone());
        }
        let fresh = Frame::alloc_zeroed()?;
        if self.promise.is_none() {
            overcommit::promise_object(1).map_err(|_| Errno::ENOSPC)?;
        }
        let mut pages = self.pages.lock();
        let mut came = false;
        let frame = pages.entry(index.0).or_insert_with(|| {
            came = true;
            stats::count_shmem(1);
            fresh
        });
        let frame = frame.clone();
        drop(pages);
        if !came && self.promise.is_none() {
            overcommit::take_back(1);
        }
        Ok(frame)
    }

    fn cached_pages(
        &self,
        range: Range<PageIndex>,
        sink: &mut dyn FnMut(PageIndex, Frame) -> bool,
    ) {
        for (&index, frame) in self.pages.lock().range(range.start.0..range.end.0) {
            if !sink(PageIndex(index), frame.clone()) {
                return;
            }
        }
    }

    fn wants_write_notice(&self) -> bool {
        false
    }

    fn mappings(&self) -> Option<&Mappings> {
        Some(&self.mappings)
    }

    fn remove(&self, range: Range<u64>) -> Result<()> {
        let mut removed = 0;
        let mut at = range.start;
        // A few at a time, each given up without the lock.
        loop {
            let page = {
                let mut pages = self.pages.lock();
                let Some(index) = pages.range(at..range.end).next().map(|(&index, _)| index) else {
                    break;
                };
                at = index + 1;
                pages.remove(&index)
            };
            removed += usize::from(page.is_some());
        }
        stats::count_shmem(-(removed as isize));
        if self.promise.is_none() {
            overcommit::take_back(removed);
        }
        self.mappings.unmap(range, Copies::Stay);
        Ok(())
    }
}

impl Drop for Shmem {
    fn drop(&mut self) {
        let pages = self.pages.get_mut().len();
        stats::count_shmem(-(pages as isize));
        if self.promise.is_none() {
            overcommit::take_back(pages);
        }
    }
}
