//! Send and receive.

use super::{
    super::{
        address::{self, NOWHERE},
        counters::{Counter, count},
        ip::{Header, Overrides},
        local,
    },
    Datagram, Pending, UdpSocket, lookup,
};
use crate::{
    net::{
        MessageFlags, ReceiveMessage, SendMessage, Shutdown, options::Switches, payload::Payload,
    },
    sched,
    sync::{PollEvents, rcu},
};
use abi::{Errno, Result};
use alloc::vec::Vec;
use core::{net::SocketAddrV4, sync::atomic::Ordering};
use inet::true_size;

/// The longest payload: what is left of a packet's 65535 bytes behind the headers of IP and UDP.
const MAX_PAYLOAD: usize = 65535 - 20 - 8;

/// `sendmsg(2)`. The whole datagram or nothing.
pub(super) fn send(socket: &UdpSocket, message: &mut SendMessage<'_, '_>) -> Result<usize> {
    if message.data.remaining() > MAX_PAYLOAD {
        return Err(Errno::EMSGSIZE);
    }
    if message.flags.contains(MessageFlags::OOB) {
        return Err(Errno::EOPNOTSUPP);
    }
    let to = destination(socket, message)?;
    let overrides = match message.controls.is_empty() {
        true => Overrides::default(),
        false => Overrides::parse(message.controls)?,
    };
    let to = local::route(to, socket.options.is_on(Switches::BROADCAST))?;
    socket.bind_somewhere()?;
    let bound = socket.local.load();
    let source = match overrides.source {
        Some(source) => source,
        None if bound.ip().is_unspecified() => local::source_for(*to.ip()),
        None => *bound.ip(),
    };
    let from = SocketAddrV4::new(source, bound.port());
    let mut header = socket.ip.header(*to.ip());
    header.ttl = overrides.ttl.unwrap_or(header.ttl);
    header.tos = overrides.tos.unwrap_or(header.tos);

    let pending = {
        let mut inner = socket.inner.lock();
        if let Some(error) = inner.error.take() {
            return Err(error);
        }
        if inner.shutdown.contains(Shutdown::SEND) {
            return Err(Errno::EPIPE);
        }
        inner.pending.take()
    };
    let more = message.flags.contains(MessageFlags::MORE) || socket.cork.load(Ordering::Relaxed);
    let len = message.data.remaining();
    if pending.is_none() && !more {
        let payload = Payload::take(message.data, len)?;
        deliver(socket, Datagram { from, header, payload }, to);
        return Ok(len);
    }
    let pending = pending.unwrap_or(Pending { from, to, header, bytes: Vec::new() });
    append(socket, message, pending)?;
    if !more {
        push_pending(socket);
    }
    Ok(len)
}

/// Where it goes: `EDESTADDRREQ` when neither the call nor the socket says.
fn destination(socket: &UdpSocket, message: &SendMessage<'_, '_>) -> Result<SocketAddrV4> {
    match message.address {
        Some(address) => match address::parse_lenient(address)? {
            to if to.port() == 0 => Err(Errno::EINVAL),
            to => Ok(to),
        },
        None => match socket.remote.load() {
            NOWHERE => Err(Errno::EDESTADDRREQ),
            to => Ok(to),
        },
    }
}

/// Adds to a datagram that is being put together. One that becomes too long is dropped (`EMSGSIZE`).
fn append(
    socket: &UdpSocket,
    message: &mut SendMessage<'_, '_>,
    mut pending: Pending,
) -> Result<()> {
    let (have, len) = (pending.bytes.len(), message.data.remaining());
    if have + len > MAX_PAYLOAD {
        return Err(Errno::EMSGSIZE);
    }
    pending.bytes.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
    pending.bytes.resize(have + len, 0);
    let mut done = 0;
    while done < len {
        done += message.data.read(&mut pending.bytes[have + done..])?;
    }
    socket.inner.lock().pending = Some(pending);
    Ok(())
}

/// Sends what was put together.
pub(super) fn push_pending(socket: &UdpSocket) {
    let pending = socket.inner.lock().pending.take();
    if let Some(Pending { from, to, header, bytes }) = pending {
        let payload = Payload::Small(bytes);
        deliver(socket, Datagram { from, header, payload }, to);
    }
}

/// Gives a datagram to whom it is for. Nobody there is what ICMP's "port unreachable" tells a connected sender. A sender that is
/// faster than its receiver lets others have the CPU, the receiver may be among them: what it sent on and on would only be lost.
fn deliver(socket: &UdpSocket, datagram: Datagram, to: SocketAddrV4) {
    count(Counter::UdpOut);
    let guard = rcu::read();
    let found = lookup::find(&guard, datagram.from, to).map(|receiver| receiver.enqueue(datagram));
    drop(guard);
    match found {
        Some(Crowding::Crowded) => sched::yield_now(),
        Some(Crowding::Roomy) => {}
        None => {
            count(Counter::UdpNoPorts);
            if socket.remote.load() == to {
                socket.set_error(Errno::ECONNREFUSED);
            }
        }
    }
}

/// How full a receiver is.
enum Crowding {
    /// Less than half.
    Roomy,
    /// Half or more.
    Crowded,
}

impl UdpSocket {
    /// Queues a datagram here, if there is room.
    fn enqueue(&self, datagram: Datagram) -> Crowding {
        let cost = true_size(datagram.payload.len());
        let room = self.options.receive_buffer.load(Ordering::Relaxed);
        let mut inner = self.inner.lock();
        let closed = inner.binding.is_none();
        if inner.charged > room || closed || inner.queue.try_reserve(1).is_err() {
            drop(inner);
            drop(datagram);
            self.drops.fetch_add(1, Ordering::Relaxed);
            count(Counter::UdpInErrors);
            count(Counter::UdpReceiveBufferErrors);
            return Crowding::Crowded;
        }
        inner.charged += cost;
        let crowded = inner.charged * 2 >= room;
        inner.queue.push_back(datagram);
        drop(inner);
        if !self.readable.is_empty() {
            self.readable.wake_events(PollEvents::IN | PollEvents::RDNORM);
        }
        if crowded { Crowding::Crowded } else { Crowding::Roomy }
    }
}

/// `recvmsg(2)`: one datagram; what does not fit is lost.
pub(super) fn receive(socket: &UdpSocket, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
    if message.flags.contains(MessageFlags::ERRQUEUE) {
        // Nothing ever waits there.
        return Err(Errno::EAGAIN);
    }
    let peek = message.flags.contains(MessageFlags::PEEK);
    let _reader = socket.reader.lock_interruptible()?;
    let mut inner = socket.inner.lock();
    if let Some(error) = inner.error.take() {
        return Err(error);
    }
    let Some(datagram) = inner.queue.pop_front() else {
        return match inner.shutdown.contains(Shutdown::RECEIVE) {
            true => Ok(0),
            false => Err(Errno::EAGAIN),
        };
    };
    let len = datagram.payload.len();
    if !peek {
        inner.charged -= true_size(len);
    }
    drop(inner);
    let result = datagram.payload.copy_to(0, message.data);
    if let Ok(copied) = result {
        describe(socket, message, datagram.from, &datagram.header);
        message.result_flags.set(MessageFlags::TRUNC, copied < len);
    }
    if peek {
        socket.inner.lock().queue.push_front(datagram);
    } else if result.is_ok() {
        count(Counter::UdpIn);
    }
    let copied = result?;
    Ok(if message.flags.contains(MessageFlags::TRUNC) { len } else { copied })
}

fn describe(
    socket: &UdpSocket,
    message: &mut ReceiveMessage<'_, '_>,
    from: SocketAddrV4,
    header: &Header,
) {
    message.address = Some(address::encode(from));
    if let Some(controls) = &mut message.controls {
        socket.ip.describe(header, controls);
    }
}
