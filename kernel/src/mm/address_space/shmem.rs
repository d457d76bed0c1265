//! The object behind `MAP_SHARED | MAP_ANONYMOUS`: zero pages that come when they are touched, common to all who map it.

use super::PageSource;
use crate::{
    mm::{Frame, PAGE_SIZE, PageIndex, stats, try_alloc},
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{collections::BTreeMap, sync::Arc};
use core::ops::Range;

/// Shared anonymous memory.
pub struct Shmem {
    pages: SpinLock<BTreeMap<u64, Frame>>,
    size: u64,
}

impl Shmem {
    /// An object of `len` bytes.
    pub fn create(len: usize) -> Result<Arc<dyn PageSource>> {
        let size = len.div_ceil(PAGE_SIZE) as u64;
        let pages = SpinLock::new(&class::PAGE, BTreeMap::new());
        Ok(try_alloc::arc(Shmem { pages, size })?)
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
        let mut pages = self.pages.lock();
        let frame = pages.entry(index.0).or_insert_with(|| {
            stats::count_shmem(1);
            fresh
        });
        Ok(frame.clone())
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
}

impl Drop for Shmem {
    fn drop(&mut self) {
        stats::count_shmem(-(self.pages.get_mut().len() as isize));
    }
}
