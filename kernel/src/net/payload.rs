//! The bytes of a message between its sender and its receiver: on the heap when they are few, else in pages.

use crate::{
    fs::{IoSink, IoSource},
    mm::{Frame, PAGE_SIZE, PageKind},
};
use abi::{Errno, Result};
use alloc::vec::Vec;

/// Up to this size bytes are copied to the heap; more go to pages of their own.
const SMALL: usize = 2048;

/// A message's bytes.
pub enum Payload {
    /// Few of them.
    Small(Vec<u8>),
    /// More.
    Pages {
        /// Full pages but for the last.
        frames: Vec<Frame>,
        /// Bytes in all.
        len: usize,
    },
}

impl Payload {
    /// Takes `len` bytes from `source`; `EFAULT` when they are not all there, `ENOBUFS`. May sleep.
    pub fn take(source: &mut IoSource<'_>, len: usize) -> Result<Payload> {
        if len <= SMALL { small(source, len) } else { pages(source, len) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Payload::Small(bytes) => bytes.len(),
            Payload::Pages { len, .. } => *len,
        }
    }

    /// Copies what is behind the first `skip` bytes, as far as there is room for it; how many bytes.
    pub fn copy_to(&self, skip: usize, sink: &mut IoSink<'_>) -> Result<usize> {
        let wanted = (self.len() - skip).min(sink.remaining());
        if wanted == 0 {
            return Ok(0);
        }
        match self {
            Payload::Small(bytes) => sink.write(&bytes[skip..skip + wanted]),
            Payload::Pages { frames, .. } => {
                let mut done = 0;
                while done < wanted {
                    let at = skip + done;
                    let (page, offset) = (at / PAGE_SIZE, at % PAGE_SIZE);
                    let count = (PAGE_SIZE - offset).min(wanted - done);
                    match sink.write_frame(&frames[page], offset, count) {
                        Ok(copied) => done += copied,
                        Err(error) if done == 0 => return Err(error),
                        Err(_) => break,
                    }
                }
                Ok(done)
            }
        }
    }
}

fn small(source: &mut IoSource<'_>, len: usize) -> Result<Payload> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
    bytes.resize(len, 0);
    fill(len, |done| source.read(&mut bytes[done..]))?;
    Ok(Payload::Small(bytes))
}

fn pages(source: &mut IoSource<'_>, len: usize) -> Result<Payload> {
    let mut frames = Vec::new();
    frames.try_reserve_exact(len.div_ceil(PAGE_SIZE)).map_err(|_| Errno::ENOBUFS)?;
    let mut left = len;
    while left > 0 {
        let frame = Frame::alloc_uninit(PageKind::Other)?;
        let count = left.min(PAGE_SIZE);
        fill(count, |done| source.read_frame(&frame, done, count - done))?;
        frames.push(frame);
        left -= count;
    }
    Ok(Payload::Pages { frames, len })
}

/// Repeats a partial read until `len` bytes are there.
fn fill(len: usize, mut read: impl FnMut(usize) -> Result<usize>) -> Result<()> {
    let mut done = 0;
    while done < len {
        match read(done)? {
            0 => return Err(Errno::EFAULT),
            count => done += count,
        }
    }
    Ok(())
}
