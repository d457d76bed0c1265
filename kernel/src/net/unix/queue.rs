//! Messages between sockets, and the accounting of what a sender has under way.

use super::Name;
use crate::{
    fs::{File, IoSink, IoSource},
    net::{UserCredentials, options::DEFAULT_BUFFER, payload::Payload},
    sync::{PollEvents, WaitQueue},
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering};

/// What each message costs its sender beside its bytes. (As much as on Linux, so that as many fit.)
const OVERHEAD: usize = 768;

/// A message in a receiver's queue.
pub(super) struct Message {
    data: Payload,
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
        Ok(Message {
            data: Payload::take(source, len)?,
            consumed: 0,
            sender: None,
            credentials,
            rights: Vec::new(),
            _charge: charge,
        })
    }

    /// All its bytes.
    pub fn len(&self) -> usize {
        self.data.len()
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
        self.data.copy_to(self.consumed, sink)
    }
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
