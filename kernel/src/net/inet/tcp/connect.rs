//! How a connection begins: `connect(2)`, and what the listener's side does of it.

use super::{
    super::{
        address::{self, NOWHERE},
        counters::{Counter, count},
        local, settings,
    },
    Inner, PORTS, Phase, State, TcpSocket, close,
    listen::Admission,
    tables::{self, Holder, Tuple},
};
use crate::net::{AF_UNSPEC, options::Switches, socket::Waiting};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::atomic::{AtomicU32, Ordering},
};

/// How many searches for ports began at each of so many places (RFC 6056, algorithm 4).
static SEARCHES: [AtomicU32; 256] = [const { AtomicU32::new(0) }; 256];

/// One try of `connect(2)`: the first starts it, later ones tell of its outcome. Who does not wait learns that only from a later call,
/// from `poll(2)` or from `SO_ERROR`, as on Linux.
pub(super) fn connect(socket: &TcpSocket, address: &[u8], waiting: Waiting) -> Result<()> {
    if address::family(address)? == AF_UNSPEC {
        return close::disconnect(socket);
    }
    let phase = socket.inner.lock().phase;
    match phase {
        Phase::Connected => Err(Errno::EISCONN),
        Phase::Connecting => outcome(socket, waiting),
        Phase::Unconnected => {
            start(socket, address)?;
            if waiting == Waiting::Never { Err(Errno::EAGAIN) } else { outcome(socket, waiting) }
        }
    }
}

/// How a connection that was started stands: `EALREADY` (or `EAGAIN` for those who wait) while it is under way.
fn outcome(socket: &TcpSocket, waiting: Waiting) -> Result<()> {
    let mut inner = socket.change();
    if inner.state == State::SynSent {
        return Err(if waiting == Waiting::Never { Errno::EALREADY } else { Errno::EAGAIN });
    }
    let error = inner.error.take();
    if error.is_some() || inner.state == State::Closed {
        drop(inner);
        close::disconnect(socket)?;
        return Err(error.unwrap_or(Errno::ECONNABORTED));
    }
    inner.phase = Phase::Connected;
    Ok(())
}

/// Takes a local port and knocks at the listener.
fn start(socket: &TcpSocket, address: &[u8]) -> Result<()> {
    let me = socket.me.upgrade().ok_or(Errno::ENOTCONN)?;
    let to = address::parse(address)?;
    {
        let inner = socket.inner.lock();
        if inner.state != State::Closed {
            return Err(Errno::EISCONN);
        }
    }
    let to = match local::route(to, false) {
        // A broadcast cannot be connected to.
        Err(Errno::EACCES) => return Err(Errno::ENETUNREACH),
        to => to?,
    };
    let tuple = take_port(&me, to)?;
    count(Counter::TcpActiveOpens);
    knock(&me, tuple);
    Ok(())
}

/// Enters the connection in the table, with the port it is bound to or one of its own; `EADDRNOTAVAIL`.
fn take_port(socket: &Arc<TcpSocket>, to: SocketAddrV4) -> Result<Tuple> {
    let bound = socket.inner.lock().local;
    let from = match *bound.ip() {
        address if address.is_unspecified() => local::source_for(*to.ip()),
        address => address,
    };
    let tuple = |port| Tuple { local: SocketAddrV4::new(from, port), remote: to };
    if bound.port() != 0 {
        let tuple = tuple(bound.port());
        let entered = PORTS.with_port(bound.port(), || tables::enter_new(tuple, socket));
        return match entered {
            true => begin(socket, tuple, |_| ()),
            false => Err(Errno::EADDRNOTAVAIL),
        };
    }
    let start = tables::search_start(from, to);
    let searches = &SEARCHES[start as usize % SEARCHES.len()];
    let start = start.wrapping_add(searches.fetch_add(1, Ordering::Relaxed));
    let binding = PORTS.connect(from, socket.reuse(), start, |binding| {
        tables::enter_new(tuple(binding.port()), socket)
    })?;
    let tuple = tuple(binding.port());
    begin(socket, tuple, |inner| inner.binding = Some(binding))
}

/// From now on the socket is connecting; `EALREADY` when another thread was faster.
fn begin(socket: &Arc<TcpSocket>, tuple: Tuple, keep: impl FnOnce(&mut Inner)) -> Result<Tuple> {
    let mut inner = socket.change();
    if inner.state != State::Closed || inner.phase != Phase::Unconnected || inner.dead {
        drop(inner);
        tables::remove(tuple, socket);
        return Err(Errno::EALREADY);
    }
    keep(&mut inner);
    inner.phase = Phase::Connecting;
    inner.state = State::SynSent;
    inner.local = tuple.local;
    inner.remote = tuple.remote;
    inner.error = None;
    Ok(tuple)
}

/// What the `SYN` does: the listener lets the connection in, has it wait, or there is none.
fn knock(socket: &Arc<TcpSocket>, tuple: Tuple) {
    let Some(listener) = tables::find_listener(tuple.reversed()) else {
        refuse(socket);
        return;
    };
    match listener.admit(socket) {
        Admission::Now => let_in(&listener, Arc::clone(socket)),
        Admission::Later => {}
        Admission::Never => refuse(socket),
    }
}

/// Nobody listens.
pub(super) fn refuse(socket: &TcpSocket) {
    count(Counter::TcpAttemptFails);
    close::reset_arrived(socket);
}

/// Makes the connection of a socket that has a place in the listener's queue. If it was closed meanwhile, the next in line has it.
pub(super) fn let_in(listener: &Arc<TcpSocket>, client: Arc<TcpSocket>) {
    let mut next = Some(client);
    while let Some(client) = next {
        next = if join(listener, &client) { None } else { listener.leave_place() };
    }
}

/// Makes a connection: the listener's side of it goes into its queue. False when the socket no longer wants it, or there is no
/// memory for it.
fn join(listener: &Arc<TcpSocket>, client: &Arc<TcpSocket>) -> bool {
    let Ok(connection) = listener.new_connection(client) else {
        refuse(client);
        return false;
    };
    let tuple = connection.inner.lock().tuple();
    {
        let mut inner = client.change();
        if inner.state != State::SynSent {
            drop(inner);
            connection.abandon();
            return false;
        }
        inner.state = State::Established;
        inner.peer = Some(Arc::clone(&connection));
    }
    client.grow_send_buffer();
    tables::enter(tuple, Holder::Socket(Arc::clone(&connection)));
    count(Counter::TcpPassiveOpens);
    client.writable.wake_all();
    if !listener.take_in(&connection) {
        close::abort(&connection);
    }
    true
}

impl TcpSocket {
    /// The listener's side of a connection.
    fn new_connection(&self, client: &Arc<TcpSocket>) -> Result<Arc<TcpSocket>> {
        let tuple = client.inner.lock().tuple().reversed();
        let binding = self.inner.lock().binding.clone();
        let connection = TcpSocket::with_options(
            self.options.inherited(),
            self.ip.inherited(),
            self.tcp.inherited(),
        )?;
        let mut inner = connection.change();
        inner.phase = Phase::Connected;
        inner.state = State::Established;
        inner.local = tuple.local;
        inner.remote = tuple.remote;
        inner.binding = binding;
        inner.address_chosen = true;
        inner.port_chosen = true;
        inner.peer = Some(Arc::clone(client));
        drop(inner);
        connection.grow_send_buffer();
        Ok(connection)
    }

    /// It was never a connection.
    fn abandon(&self) {
        let mut inner = self.change();
        let (peer, binding) = (inner.peer.take(), inner.binding.take());
        inner.state = State::Closed;
        drop(inner);
        drop((peer, binding));
    }

    /// A connection's send buffer has the size that suits its path, unless one was asked for.
    fn grow_send_buffer(&self) {
        if !self.options.is_on(Switches::SEND_BUFFER_CHOSEN) {
            self.options.send_buffer.store(settings::SEND_BUFFER[2], Ordering::Relaxed);
        }
    }

    /// Gives up what belongs to a connection that is over. What was asked for by `bind(2)` stays.
    pub(super) fn forget_addresses(inner: &mut Inner) -> Option<Arc<super::Binding>> {
        inner.remote = NOWHERE;
        if !inner.address_chosen {
            inner.local.set_ip(Ipv4Addr::UNSPECIFIED);
        }
        if inner.port_chosen {
            return None;
        }
        inner.local.set_port(0);
        inner.binding.take()
    }
}
