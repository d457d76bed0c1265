//! Send and receive.

use super::{
    Inner, State, TcpSocket, close,
    stream::{self, BATCH_BYTES, Buffers},
};
use crate::{
    fs::{IoSource, pipe::Buffer},
    net::{MessageFlags, ReceiveMessage, SendMessage, Shutdown},
    sync::{PollEvents, SpinLockGuard},
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;

/// One try of `sendmsg(2)`: as much as there is room for, a batch at most. Destinations are ignored, as on Linux.
pub(super) fn send(socket: &TcpSocket, message: &mut SendMessage<'_, '_>) -> Result<usize> {
    if message.flags.contains(MessageFlags::OOB) {
        return Err(Errno::EOPNOTSUPP);
    }
    let peer = peer_to_send_to(socket)?;
    let len = message.data.remaining();
    if len == 0 {
        return Ok(0);
    }
    let mut room = socket.room(&peer);
    if room == 0 {
        socket.note_room(&peer);
        // The reader may have made room just before.
        room = socket.room(&peer);
        if room == 0 {
            return Err(Errno::EAGAIN);
        }
    }
    match peer.deliver(message.data, len.min(room)) {
        Err(Refused::Failed(error)) => Err(error),
        Ok(count) => {
            socket.note_room(&peer);
            Ok(count)
        }
        Err(Refused::Closed) => {
            // The bytes went out, and a reset came back.
            message.data.skip(len);
            close::reset_arrived(socket);
            Ok(len)
        }
    }
}

/// The other end, when this one may send: `EAGAIN` while it is connecting, the pending error, `EPIPE`.
fn peer_to_send_to(socket: &TcpSocket) -> Result<Arc<TcpSocket>> {
    let inner = socket.inner.lock();
    let broken = inner.error.is_some() || inner.shutdown.contains(Shutdown::SEND);
    match &inner.peer {
        Some(peer) if inner.state.can_send() && !broken => Ok(Arc::clone(peer)),
        _ if inner.state == State::SynSent && !broken => Err(Errno::EAGAIN),
        _ => {
            drop(inner);
            Err(socket.change().error.take().unwrap_or(Errno::EPIPE))
        }
    }
}

/// Why a stream took nothing.
enum Refused {
    /// Its socket is closed.
    Closed,
    /// The bytes could not be had.
    Failed(Errno),
}

impl From<Errno> for Refused {
    fn from(error: Errno) -> Refused {
        Refused::Failed(error)
    }
}

impl TcpSocket {
    /// Takes up to `len` bytes for this socket's reader.
    fn deliver(&self, source: &mut IoSource<'_>, len: usize) -> Result<usize, Refused> {
        if !stream::shares(source, len) {
            let mut inner = self.receiving()?;
            // User memory that is not there is brought in below.
            if let Some(Ok(count)) = inner.stream.append(source, len) {
                self.arrived(inner, count);
                return Ok(count);
            }
        }
        let buffers = stream::build(source, len.min(BATCH_BYTES))?;
        let count = buffers.iter().map(|buffer| buffer.len()).sum();
        let mut inner = self.receiving()?;
        inner.stream.push(buffers)?;
        self.arrived(inner, count);
        Ok(count)
    }

    fn receiving(&self) -> Result<SpinLockGuard<'_, Inner>, Refused> {
        let inner = self.inner.lock();
        match inner.state {
            _ if inner.dead => Err(Refused::Closed),
            State::Established | State::FinWait2 => Ok(inner),
            // Another thread shut the sender down a moment ago.
            _ if inner.finished => Err(Refused::Failed(Errno::EPIPE)),
            _ => Err(Refused::Closed),
        }
    }

    /// Bytes are in the stream.
    fn arrived(&self, mut inner: SpinLockGuard<'_, Inner>, count: usize) {
        inner.received += count as u64;
        let queued = self.queued.load(Ordering::Relaxed) + count;
        self.queued.store(queued, Ordering::SeqCst);
        drop(inner);
        if queued >= self.options.low_water() && !self.readable.is_empty() {
            self.readable.wake_events(PollEvents::IN | PollEvents::RDNORM);
        }
    }

    /// Of buffers that were taken off `count` bytes were read, and the rest goes back. Tells the sender if it waits for room and there is
    /// enough.
    fn left(&self, rest: Buffers, count: usize) {
        let mut inner = self.inner.lock();
        // If the socket was closed meanwhile, it goes with it.
        if !inner.dead {
            inner.stream.put_back(rest);
            let queued = self.queued.load(Ordering::Relaxed);
            self.queued.store(queued.saturating_sub(count), Ordering::SeqCst);
        }
        drop(inner);
        self.tell_room();
    }
}

/// One try of `recvmsg(2)`: what is there, as far as it fits.
pub(super) fn receive(socket: &TcpSocket, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
    if message.flags.contains(MessageFlags::ERRQUEUE) {
        // Nothing ever waits there.
        return Err(Errno::EAGAIN);
    }
    if message.flags.contains(MessageFlags::OOB) {
        // No urgent data ever came.
        return Err(Errno::EINVAL);
    }
    let _reader = socket.reader.lock_interruptible()?;
    if message.flags.contains(MessageFlags::PEEK) {
        return peek(socket, message);
    }
    let discard = message.flags.contains(MessageFlags::TRUNC);
    let mut total = 0;
    loop {
        let wanted = message.data.remaining();
        let mut inner = socket.inner.lock();
        if inner.stream.is_empty() && total == 0 {
            return nothing(socket, inner);
        }
        // Without room for a byte the call only waits for one, as on Linux.
        let mut taken = inner.stream.take(wanted);
        if taken.is_empty() {
            return Ok(total);
        }
        drop(inner);
        let result = copy(&mut taken, message, discard);
        let count = *result.as_ref().unwrap_or(&0);
        socket.left(taken, count);
        total += count;
        match result {
            Err(error) if total == 0 => return Err(error),
            Ok(count) if count > 0 && message.data.remaining() > 0 => {}
            _ => return Ok(total),
        }
    }
}

/// Moves bytes out of buffers; how many.
fn copy(taken: &mut Buffers, message: &mut ReceiveMessage<'_, '_>, discard: bool) -> Result<usize> {
    let mut total = 0;
    for buffer in taken {
        let wanted = buffer.len().min(message.data.remaining());
        let result = match discard {
            true => Ok(message.data.skip(wanted)),
            false => message.data.write_frame(buffer.frame(), buffer.offset(), wanted),
        };
        match result {
            Ok(count) => {
                buffer.consume(count);
                total += count;
                if count < wanted {
                    break;
                }
            }
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(total)
}

/// The bytes at the front, in the pages that they lie in.
pub(super) fn take_pages(socket: &TcpSocket, count: usize, most: usize) -> Result<Vec<Buffer>> {
    let _reader = socket.reader.lock_interruptible()?;
    let mut inner = socket.inner.lock();
    if inner.stream.is_empty() {
        return nothing(socket, inner).map(|_| Vec::new());
    }
    let mut rest = inner.stream.take(count);
    drop(inner);
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for buffer in rest.iter_mut().take(most) {
        let len = buffer.len().min(count - bytes);
        taken.push(buffer.split_front(len));
        bytes += len;
    }
    socket.left(rest, bytes);
    Ok(taken)
}

/// `MSG_PEEK`: references to the pages are copied from, with no lock held; the bytes stay.
fn peek(socket: &TcpSocket, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
    let mut shared = Buffers::new();
    let inner = socket.inner.lock();
    if inner.stream.is_empty() {
        return nothing(socket, inner);
    }
    let mut left = message.data.remaining();
    inner.stream.look(|buffer| {
        shared.push(buffer.reference());
        left = left.saturating_sub(buffer.len());
        left > 0 && shared.len() < shared.inline_size()
    });
    drop(inner);
    copy(&mut shared, message, false)
}

/// Why there is nothing to receive; `Ok(0)` at the end.
fn nothing(socket: &TcpSocket, inner: SpinLockGuard<'_, Inner>) -> Result<usize> {
    match inner.state {
        State::Listen => Err(Errno::ENOTCONN),
        _ if inner.finished => Ok(0),
        _ if inner.error.is_some() => {
            drop(inner);
            // Somebody else may have been told meanwhile.
            Err(socket.change().error.take().unwrap_or(Errno::EAGAIN))
        }
        _ if inner.shutdown.contains(Shutdown::RECEIVE) => Ok(0),
        State::Closed => Err(Errno::ENOTCONN),
        _ => Err(Errno::EAGAIN),
    }
}
