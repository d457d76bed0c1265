//! The bytes that a socket has received: a queue of references to pages, as a pipe's ring, but bounded by bytes.

use crate::{
    fs::{IoSource, pipe::Buffer},
    mm::{Frame, PAGE_SIZE, PageKind},
};
use abi::{Errno, Result};
use alloc::collections::VecDeque;
use smallvec::SmallVec;

/// The most pages that are filled or emptied between two holds of the socket's lock.
const BATCH: usize = 16;
/// The most bytes of a batch.
pub const BATCH_BYTES: usize = BATCH * PAGE_SIZE;
/// A page that is handed over with fewer bytes than this is copied, so that few bytes never pin many pages.
const WORTH_SHARING: usize = 1024;

/// Buffers on their way into or out of a stream.
pub type Buffers = SmallVec<[Buffer; BATCH]>;

/// The stream, oldest bytes first.
#[derive(Default)]
pub struct Stream {
    buffers: VecDeque<Buffer>,
    /// A page that was emptied: a stream in steady use allocates nothing.
    spare: Option<Frame>,
}

impl Stream {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Copies `len` bytes in if they fit into one page that is there, behind the last bytes or anew; how many came. `None`: there
    /// is no such page. With preemption off, user memory that is not present is `EFAULT`.
    pub fn append(&mut self, source: &mut IoSource<'_>, len: usize) -> Option<Result<usize>> {
        if let Some(last) = self.buffers.back_mut()
            && last.room() >= len
        {
            return Some(last.append(source, len));
        }
        if len > PAGE_SIZE || self.buffers.try_reserve(1).is_err() {
            return None;
        }
        let mut fresh = Buffer::owned(self.spare.take()?, 0);
        let result = fresh.append(source, len);
        if result.is_ok() {
            self.buffers.push_back(fresh);
        } else {
            self.spare = fresh.into_spare();
        }
        Some(result)
    }

    /// Appends buffers; `ENOBUFS`.
    pub fn push(&mut self, buffers: Buffers) -> Result<()> {
        self.buffers.try_reserve(buffers.len()).map_err(|_| Errno::ENOBUFS)?;
        self.buffers.extend(buffers);
        Ok(())
    }

    /// Takes buffers off the front: a batch, with `wanted` bytes if there are so many. The last may have more.
    pub fn take(&mut self, wanted: usize) -> Buffers {
        let mut taken = Buffers::new();
        let mut bytes = 0;
        while bytes < wanted
            && taken.len() < BATCH
            && let Some(front) = self.buffers.pop_front()
        {
            bytes += front.len();
            taken.push(front);
        }
        taken
    }

    /// Puts what is left of buffers that were taken back to the front.
    pub fn put_back(&mut self, buffers: Buffers) {
        for buffer in buffers.into_iter().rev() {
            if buffer.len() > 0 {
                self.buffers.push_front(buffer);
            } else if self.spare.is_none() {
                self.spare = buffer.into_spare();
            }
        }
    }

    /// Shows all buffers to `look` from the front, until it returns false.
    pub fn look(&self, mut look: impl FnMut(&Buffer) -> bool) {
        for buffer in &self.buffers {
            if !look(buffer) {
                return;
            }
        }
    }
}

/// Whether [`build`] takes a reference to the page that `source` is, all of whose bytes have to be within `len`.
pub fn shares(source: &IoSource<'_>, len: usize) -> bool {
    source.is_page() && (WORTH_SHARING..=len).contains(&source.remaining())
}

/// Takes up to `len` bytes, a batch at most, from `source` into pages of their own, or references to its pages. What came before
/// an error counts. May sleep.
pub fn build(source: &mut IoSource<'_>, len: usize) -> Result<Buffers> {
    let mut buffers = Buffers::new();
    if shares(source, len)
        && let Some((frame, offset, len)) = source.take_page()
    {
        buffers.push(Buffer::shared(frame, offset, len));
        return Ok(buffers);
    }
    let mut left = len.min(BATCH_BYTES);
    while left > 0 {
        let wanted = left.min(PAGE_SIZE);
        let mut filled = || -> Result<Buffer> {
            let mut buffer = Buffer::owned(Frame::alloc_uninit(PageKind::Other)?, 0);
            buffer.append(source, wanted)?;
            Ok(buffer)
        };
        match filled() {
            Ok(buffer) => {
                left -= wanted;
                let short = buffer.len() < wanted;
                buffers.push(buffer);
                if short {
                    break;
                }
            }
            Err(error) if buffers.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(buffers)
}
