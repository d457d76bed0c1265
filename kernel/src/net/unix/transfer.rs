//! Send and receive.

use super::{Inner, State, UnixSocket, name, queue::Message};
use crate::{
    net::{
        MessageFlags, ReceiveMessage, SendMessage, Shutdown, SocketType, UserCredentials,
        options::Switches, unix::name::Name,
    },
    sync::{PollTable, SpinLockGuard},
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering;

/// The most bytes of a stream that make one message.
const STREAM_CHUNK: usize = 32 * 1024;
/// Room that a message needs beside its bytes: a datagram that leaves less is too long.
const HEADROOM: usize = 32;

/// One try of `sendmsg(2)`.
pub(super) fn send(
    socket: &UnixSocket,
    message: &mut SendMessage<'_, '_>,
    table: &mut PollTable,
) -> Result<usize> {
    if message.flags.contains(MessageFlags::OOB) {
        return Err(Errno::EOPNOTSUPP);
    }
    let limit = socket.options.send_buffer.load(Ordering::Relaxed);
    socket.send_buffer.set_limit(limit);
    match socket.kind {
        SocketType::Stream => send_stream(socket, message, limit),
        SocketType::SeqPacket => send_packet(socket, message, limit),
        _ => send_datagram(socket, message, limit, table),
    }
}

/// The other end of a connection that can still be sent to: `ENOTCONN`, `EPIPE`, and for a named destination `EISCONN`.
fn connected_peer(socket: &UnixSocket, message: &SendMessage<'_, '_>) -> Result<Arc<UnixSocket>> {
    let inner = socket.inner.lock();
    let connected = inner.state == State::Connected;
    if message.address.is_some() && socket.kind == SocketType::Stream {
        return Err(if connected { Errno::EISCONN } else { Errno::EOPNOTSUPP });
    }
    if !connected {
        return Err(Errno::ENOTCONN);
    }
    if inner.shutdown.contains(Shutdown::SEND) {
        return Err(Errno::EPIPE);
    }
    inner.peer.clone().ok_or(Errno::ENOTCONN)
}

fn send_stream(
    socket: &UnixSocket,
    message: &mut SendMessage<'_, '_>,
    limit: usize,
) -> Result<usize> {
    let peer = connected_peer(socket, message)?;
    let len = message.data.remaining();
    if len == 0 {
        return Ok(0);
    }
    if !peer.can_receive() {
        return Err(Errno::EPIPE);
    }
    let chunk = len.min(STREAM_CHUNK).min(limit / 2 - 64);
    let new = build(socket, message, chunk)?;
    peer.deliver(new, Errno::EPIPE)?;
    Ok(chunk)
}

fn send_packet(
    socket: &UnixSocket,
    message: &mut SendMessage<'_, '_>,
    limit: usize,
) -> Result<usize> {
    let peer = connected_peer(socket, message)?;
    let len = packet_length(message, limit)?;
    if !peer.can_receive() {
        return Err(Errno::EPIPE);
    }
    let new = build(socket, message, len)?;
    peer.deliver(new, Errno::EPIPE)?;
    Ok(len)
}

fn send_datagram(
    socket: &UnixSocket,
    message: &mut SendMessage<'_, '_>,
    limit: usize,
    table: &mut PollTable,
) -> Result<usize> {
    if socket.inner.lock().shutdown.contains(Shutdown::SEND) {
        return Err(Errno::EPIPE);
    }
    if socket.options.is_on(Switches::PASS_CREDENTIALS) && socket.name().is_none() {
        name::bind_somewhere(socket)?;
    }
    let len = packet_length(message, limit)?;
    let peer = match message.address {
        Some(address) => {
            let peer = name::find(socket, address)?;
            peer.accepts_from(socket)?;
            peer
        }
        None => socket.inner.lock().peer.clone().ok_or(Errno::ENOTCONN)?,
    };
    table.register(&peer.room);
    {
        let inner = peer.inner.lock();
        if inner.dead {
            drop(inner);
            socket.forget_peer(&peer);
            return Err(Errno::ECONNREFUSED);
        }
        if inner.shutdown.contains(Shutdown::RECEIVE) {
            return Err(Errno::EPIPE);
        }
        if peer.is_full_for(&inner, socket) {
            return Err(Errno::EAGAIN);
        }
    }
    let mut new = build(socket, message, len)?;
    new.sender = socket.name();
    peer.deliver(new, Errno::ECONNREFUSED)?;
    Ok(len)
}

/// The length of a message that is sent as a whole; `EMSGSIZE`.
fn packet_length(message: &SendMessage<'_, '_>, limit: usize) -> Result<usize> {
    let len = message.data.remaining();
    if len > limit.saturating_sub(HEADROOM) { Err(Errno::EMSGSIZE) } else { Ok(len) }
}

/// Takes `len` bytes and what travels beside them, once the sender has room for them.
fn build(socket: &UnixSocket, message: &mut SendMessage<'_, '_>, len: usize) -> Result<Message> {
    let charge = socket.send_buffer.reserve(len)?;
    let credentials = message.credentials.unwrap_or_else(UserCredentials::real);
    let mut new = Message::new(message.data, len, charge, credentials)?;
    new.rights = core::mem::take(&mut message.rights);
    Ok(new)
}

impl UnixSocket {
    /// Whether somebody will read what is sent here.
    fn can_receive(&self) -> bool {
        let inner = self.inner.lock();
        !inner.dead && !inner.shutdown.contains(Shutdown::RECEIVE)
    }

    /// Queues a message here; `refusal` when the socket was closed meanwhile.
    fn deliver(&self, message: Message, refusal: Errno) -> Result<()> {
        let mut inner = self.inner.lock();
        if inner.dead || inner.shutdown.contains(Shutdown::RECEIVE) {
            drop(inner);
            drop(message);
            return Err(refusal);
        }
        inner.queued += message.remaining();
        inner.queue.push_back(message);
        drop(inner);
        self.wake_readers();
        Ok(())
    }

    /// A peer that is gone is no longer the default destination.
    fn forget_peer(&self, gone: &Arc<UnixSocket>) {
        let mut inner = self.inner.lock();
        if inner.peer.as_ref().is_some_and(|peer| Arc::ptr_eq(peer, gone)) {
            inner.state = State::Unconnected;
            let old = inner.peer.take();
            drop(inner);
            drop(old);
        }
    }
}

/// One try of `recvmsg(2)`.
pub(super) fn receive(socket: &UnixSocket, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
    if message.flags.contains(MessageFlags::OOB) {
        return Err(match socket.kind {
            SocketType::Stream => Errno::EINVAL,
            _ => Errno::EOPNOTSUPP,
        });
    }
    match socket.kind {
        SocketType::Stream => receive_stream(socket, message),
        _ => receive_packet(socket, message),
    }
}

/// Why there is nothing to receive; `Ok(0)` at the end.
fn nothing(socket: &UnixSocket, mut inner: SpinLockGuard<'_, Inner>) -> Result<usize> {
    if let Some(error) = inner.error.take() {
        return Err(error);
    }
    if inner.shutdown.contains(Shutdown::RECEIVE) {
        return Ok(0);
    }
    match (socket.kind, inner.state) {
        (SocketType::Stream, State::Connected) | (SocketType::Datagram, _) => Err(Errno::EAGAIN),
        (SocketType::SeqPacket, State::Connected) => Err(Errno::EAGAIN),
        (SocketType::Stream, _) => Err(Errno::EINVAL),
        _ => Err(Errno::ENOTCONN),
    }
}

/// Reads across messages, but never across a change of the sender (where that is asked for) or past one with files.
fn receive_stream(socket: &UnixSocket, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
    let peek = message.flags.contains(MessageFlags::PEEK);
    let tell_sender = socket.options.is_on(Switches::PASS_CREDENTIALS);
    let _reader = socket.reader.lock_interruptible()?;
    // Taken off the queue while it is copied; what is left goes back to the front.
    let mut kept = Vec::new();
    let mut copied = 0;
    let result = loop {
        if copied > 0 && message.data.remaining() == 0 {
            break Ok(());
        }
        let mut inner = socket.inner.lock();
        let Some(mut next) = inner.queue.pop_front() else {
            if copied > 0 {
                break Ok(());
            }
            match nothing(socket, inner) {
                Ok(_) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(inner);
        if tell_sender && copied > 0 && message.credentials != Some(next.credentials) {
            kept.push(next);
            break Ok(());
        }
        let count = match next.copy_to(message.data) {
            Ok(count) => count,
            Err(error) => {
                kept.push(next);
                break if copied > 0 { Ok(()) } else { Err(error) };
            }
        };
        copied += count;
        if tell_sender {
            message.credentials = Some(next.credentials);
        }
        let had_rights = !next.rights.is_empty();
        if peek {
            message.rights.extend(next.rights.iter().cloned());
            kept.push(next);
        } else {
            message.rights.append(&mut next.rights);
            next.consume(count);
            socket.inner.lock().queued -= count;
            if next.remaining() > 0 {
                kept.push(next);
                break Ok(());
            }
        }
        if had_rights {
            break Ok(());
        }
    };
    if !kept.is_empty() {
        put_back(socket, kept);
    }
    result.map(|()| copied)
}

/// Messages that were looked at go back to the front, in order. If the socket was closed meanwhile they go with it.
fn put_back(socket: &UnixSocket, messages: Vec<Message>) {
    let mut inner = socket.inner.lock();
    if inner.dead {
        drop(inner);
        drop(messages);
        return;
    }
    for message in messages.into_iter().rev() {
        inner.queue.push_front(message);
    }
}

/// Takes one message as a whole; what does not fit is lost.
fn receive_packet(socket: &UnixSocket, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
    let peek = message.flags.contains(MessageFlags::PEEK);
    let _reader = socket.reader.lock_interruptible()?;
    let mut inner = socket.inner.lock();
    if socket.kind == SocketType::SeqPacket && inner.state != State::Connected {
        return Err(Errno::ENOTCONN);
    }
    let Some(mut next) = inner.queue.pop_front() else { return nothing(socket, inner) };
    if !peek {
        inner.queued -= next.len();
    }
    drop(inner);
    if socket.kind == SocketType::Datagram && !peek && !socket.room.is_empty() {
        socket.room.wake_all();
    }
    let result = next.copy_to(message.data);
    if let Ok(count) = result {
        if count < next.len() {
            message.result_flags |= MessageFlags::TRUNC;
        }
        if socket.kind == SocketType::Datagram {
            message.address = next.sender.as_deref().map(|name| Name::to_address(Some(name)));
        }
        if socket.options.is_on(Switches::PASS_CREDENTIALS) {
            message.credentials = Some(next.credentials);
        }
        if peek {
            message.rights.extend(next.rights.iter().cloned());
        } else {
            message.rights.append(&mut next.rights);
        }
    }
    let len = next.len();
    if peek {
        put_back(socket, alloc::vec![next]);
    }
    let count = result?;
    let whole = message.flags.contains(MessageFlags::TRUNC);
    Ok(if whole { len } else { count })
}
