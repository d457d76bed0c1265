//! Messages between sockets, and the accounting of what a sender has under way.

use super::Name;
use crate::{
    fs::{File, IoSink, IoSource},
    mm::{Frame, PAGE_SIZE, PageKind},
    net::{UserCredentials, options::DEFAULT_BUFFER},
    sync::{PollEvents, WaitQueue},
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering};

/// What each message costs its sender beside its bytes. (As much as on Linux, so that as many fit.)
const OVERHEAD: usize = 768;
/// Messages up to this size are copied to the heap; larger ones to pages of their own.
const SMALL: usize = 2048;

/// A message's bytes.
enum Data {
    Small(Vec<u8>),
    Pages { frames: Vec<Frame>, len: usize },
}

/// A message in a receiver's queue.
pub(super) struct Message {
    data: Data,
    /// Bytes already read (streams).
    consumed: usize,
    /// Who sent it, for datagrams.
    pub sender: Option<Arc<Name>>,
    pub credentials: UserCredentials,
    /// Files that travel along.
    pub rights: Vec<Arc<File>>,
    /// Gives the sender its room back when the message is gone.
    _charge: Charge,
}

impl Message {
    /// Takes `len` bytes from `source`; `EFAULT` when they are not all there.
    pub fn new(
        source: &mut IoSource<'_>,
        len: usize,
        charge: Charge,
        credentials: UserCredentials,
    ) -> Result<Message> {
        let data = if len <= SMALL { small(source, len)? } else { pages(source, len)? };
        Ok(Message {
            data,
            consumed: 0,
            sender: None,
            credentials,
            rights: Vec::new(),
            _charge: charge,
        })
    }

    /// All its bytes.
    pub fn len(&self) -> usize {
        match &self.data {
            Data::Small(bytes) => bytes.len(),
            Data::Pages { len, .. } => *len,
        }
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.len() - self.consumed
    }

    /// Notes that `count` bytes were read.
    pub fn consume(&mut self, count: usize) {
        self.consumed += count;
    }

    /// Copies what has not been read, as far as there is room for it; how many bytes.
    pub fn copy_to(&self, sink: &mut IoSink<'_>) -> Result<usize> {
        let wanted = self.remaining().min(sink.remaining());
        if wanted == 0 {
            return Ok(0);
        }
        match &self.data {
            Data::Small(bytes) => sink.write(&bytes[self.consumed..self.consumed + wanted]),
            Data::Pages { frames, .. } => {
                let mut done = 0;
                while done < wanted {
                    let at = self.consumed + done;
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

fn small(source: &mut IoSource<'_>, len: usize) -> Result<Data> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
    bytes.resize(len, 0);
    fill(len, |done| source.read(&mut bytes[done..]))?;
    Ok(Data::Small(bytes))
}

fn pages(source: &mut IoSource<'_>, len: usize) -> Result<Data> {
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
    Ok(Data::Pages { frames, len })
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

/// What a socket has under way, and who waits for room.
pub(super) struct SendBuffer {
    used: AtomicUsize,
    limit: AtomicUsize,
    /// Writers and pollers.
    pub writable: Arc<WaitQueue>,
}

impl SendBuffer {
    /// Nothing under way.
    pub fn new() -> SendBuffer {
        SendBuffer {
            used: AtomicUsize::new(0),
            limit: AtomicUsize::new(DEFAULT_BUFFER),
            writable: Arc::new(WaitQueue::new()),
        }
    }

    /// Bytes under way, bookkeeping included.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Follows `SO_SNDBUF`.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Whether `poll` calls the socket writable: three quarters are free.
    pub fn is_writable(&self) -> bool {
        self.used() * 4 <= self.limit.load(Ordering::Relaxed)
    }

    /// Takes room for a message of `len` bytes: any size, once the buffer is not full. `EAGAIN`.
    pub fn reserve(self: &Arc<Self>, len: usize) -> Result<Charge> {
        let limit = self.limit.load(Ordering::Relaxed);
        if self.used() >= limit {
            return Err(Errno::EAGAIN);
        }
        let bytes = len + OVERHEAD;
        self.used.fetch_add(bytes, Ordering::SeqCst);
        Ok(Charge { buffer: Arc::clone(self), bytes })
    }
}

/// Room taken in a send buffer; given back when dropped.
pub(super) struct Charge {
    buffer: Arc<SendBuffer>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.buffer.used.fetch_sub(self.bytes, Ordering::SeqCst);
        if self.buffer.is_writable() && !self.buffer.writable.is_empty() {
            self.buffer.writable.wake_events(PollEvents::OUT | PollEvents::WRNORM);
        }
    }
}
