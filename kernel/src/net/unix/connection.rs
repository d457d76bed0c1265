//! Connections: connect, listen, accept.

use super::{
    State, UnixSocket,
    name::{self, Name},
};
use crate::{
    net::{AF_UNSPEC, Shutdown, Socket, SocketType, UserCredentials, options::Switches},
    sync::PollTable,
};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// `listen(2)`: `EOPNOTSUPP` for datagrams, `EINVAL` when unnamed or connected.
pub(super) fn listen(socket: &UnixSocket, backlog: usize) -> Result<()> {
    if !socket.is_connection_oriented() {
        return Err(Errno::EOPNOTSUPP);
    }
    let credentials = UserCredentials::effective();
    let mut inner = socket.inner.lock();
    if inner.name.is_none() || !matches!(inner.state, State::Unconnected | State::Listening) {
        return Err(Errno::EINVAL);
    }
    let grows = backlog > inner.backlog;
    inner.state = State::Listening;
    inner.backlog = backlog;
    inner.own_credentials = credentials;
    inner.peer_credentials = credentials;
    drop(inner);
    if grows {
        socket.room.wake_all();
    }
    Ok(())
}

/// `accept(2)`: `EOPNOTSUPP` for datagrams, `EINVAL` when not listening.
pub(super) fn accept(socket: &UnixSocket) -> Result<Arc<dyn Socket>> {
    if !socket.is_connection_oriented() {
        return Err(Errno::EOPNOTSUPP);
    }
    let mut inner = socket.inner.lock();
    if inner.state != State::Listening {
        return Err(Errno::EINVAL);
    }
    match inner.pending.pop_front() {
        Some(connection) => {
            drop(inner);
            socket.room.wake_all();
            Ok(connection)
        }
        None if inner.shutdown.contains(Shutdown::RECEIVE) => Err(Errno::EINVAL),
        None => Err(Errno::EAGAIN),
    }
}

/// `connect(2)`.
pub(super) fn connect(socket: &UnixSocket, address: &[u8], table: &mut PollTable) -> Result<()> {
    if socket.options.is_on(Switches::PASS_CREDENTIALS) && socket.inner.lock().name.is_none() {
        name::bind_somewhere(socket)?;
    }
    if socket.kind == SocketType::Datagram {
        return connect_datagram(socket, address);
    }
    let listener = name::find(socket, address)?;
    begin(socket)?;
    let result = join_listener(socket, &listener, table);
    if result.is_err() {
        socket.inner.lock().state = State::Unconnected;
    }
    result
}

/// Makes sure that one thread connects a socket that can be connected.
fn begin(socket: &UnixSocket) -> Result<()> {
    let mut inner = socket.inner.lock();
    match inner.state {
        State::Unconnected => {
            inner.state = State::Connecting;
            Ok(())
        }
        State::Connecting => Err(Errno::EALREADY),
        State::Listening => Err(Errno::EINVAL),
        State::Connected => Err(Errno::EISCONN),
    }
}

fn join_listener(
    socket: &UnixSocket,
    listener: &Arc<UnixSocket>,
    table: &mut PollTable,
) -> Result<()> {
    table.register(&listener.room);
    let me = socket.me.upgrade().ok_or(Errno::ENOTCONN)?;
    let connection = UnixSocket::new(socket.kind);
    connection.join(&me, UserCredentials::effective());
    connection.inner.lock().name = listener.name();
    let mut inner = listener.inner.lock();
    if inner.dead || inner.state != State::Listening || inner.shutdown.contains(Shutdown::RECEIVE) {
        return Err(Errno::ECONNREFUSED);
    }
    if inner.pending.len() > inner.backlog {
        return Err(Errno::EAGAIN);
    }
    let credentials = inner.own_credentials;
    inner.pending.push_back(Arc::clone(&connection));
    drop(inner);
    // From the moment the connection can be accepted its peer can send to us, which needs nothing of this.
    socket.join(&connection, credentials);
    listener.wake_readers();
    Ok(())
}

fn connect_datagram(socket: &UnixSocket, address: &[u8]) -> Result<()> {
    let family = address.first_chunk::<2>().ok_or(Errno::EINVAL)?;
    let peer = if u16::from_ne_bytes(*family) == AF_UNSPEC {
        None
    } else {
        let peer = name::find(socket, address)?;
        peer.accepts_from(socket)?;
        Some(peer)
    };
    let mut inner = socket.inner.lock();
    inner.state = if peer.is_some() { State::Connected } else { State::Unconnected };
    let old = core::mem::replace(&mut inner.peer, peer);
    drop(inner);
    drop(old);
    socket.wake_everybody();
    Ok(())
}

impl UnixSocket {
    /// Whether a datagram socket takes messages from `sender`: one that is connected only from its peer. `EPERM`.
    pub(super) fn accepts_from(&self, sender: &UnixSocket) -> Result<()> {
        match &self.inner.lock().peer {
            Some(peer) if !core::ptr::eq(&**peer, sender) => Err(Errno::EPERM),
            _ => Ok(()),
        }
    }

    /// The name, for those who receive from this socket.
    pub(super) fn name(&self) -> Option<Arc<Name>> {
        self.inner.lock().name.clone()
    }
}
