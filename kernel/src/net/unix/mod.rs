//! Local sockets (`unix(7)`): streams, datagrams, sequenced packets; names in the file system and abstract ones; descriptors and
//! credentials along with the bytes.
//!
//! - `name`: addresses, and who is bound to them.
//! - `queue`: messages, and the accounting of what a sender has under way.
//! - `connection`: connect, listen, accept.
//! - `transfer`: send and receive.
//!
//! Each socket has the queue of what it *receives*; a sender puts its message straight there. So a pair shares nothing but the
//! two queues, and no call ever holds two sockets' locks: it takes what it needs from its own, lets go, and then looks at
//! the other's.
//!
//! Locks: `SOCKET_READ` (one reader of a stream at a time, across copies to user memory), then one socket's `SOCKET` (never across
//! copies or sleeps). Wait queues are woken when the lock is released.
//!
//! What is missing: out-of-band data, and the collection of sockets that are only reachable through messages in
//! each other's queues: such a circle is kept until one of the sockets is read or closed.

mod connection;
mod name;
mod queue;
mod transfer;

use super::{
    AF_UNIX, Address, Options, ReceiveMessage, SendMessage, Shutdown, Socket, SocketType,
    UserCredentials, socket::Waiting,
};
use crate::{
    mm::{UserAddr, user},
    sync::{Mutex, PollEvents, PollTable, SpinLock, WaitQueue, class},
};
use abi::{
    Errno, Result,
    ioctl::{FIONREAD, TIOCOUTQ},
};
use alloc::{
    collections::VecDeque,
    sync::{Arc, Weak},
};
use name::Name;
use queue::{Message, SendBuffer};

/// How many datagrams wait at a socket before senders do (`net.unix.max_dgram_qlen`).
const DATAGRAM_BACKLOG: usize = 10;

/// A local socket.
pub struct UnixSocket {
    /// Itself, for its peers.
    me: Weak<UnixSocket>,
    kind: SocketType,
    options: Options,
    /// One reader of a stream at a time.
    reader: Mutex<()>,
    inner: SpinLock<Inner>,
    /// What this socket has under way to others.
    send_buffer: Arc<SendBuffer>,
    /// Something came: bytes, a connection, the end.
    readable: Arc<WaitQueue>,
    /// The queue has room again for senders of datagrams and for connections.
    room: Arc<WaitQueue>,
}

/// What a socket is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Neither of the others.
    Unconnected,
    /// In `connect(2)`.
    Connecting,
    /// `listen(2)` was called.
    Listening,
    /// Has a peer, or had one.
    Connected,
}

/// What the socket's lock protects.
struct Inner {
    state: State,
    name: Option<Arc<Name>>,
    peer: Option<Arc<UnixSocket>>,
    queue: VecDeque<Message>,
    /// Bytes in the queue.
    queued: usize,
    /// Connections that wait for accept.
    pending: VecDeque<Arc<UnixSocket>>,
    backlog: usize,
    shutdown: Shutdown,
    error: Option<Errno>,
    /// Closed: nobody will read any more.
    dead: bool,
    /// Who called listen, for those who connect.
    own_credentials: UserCredentials,
    peer_credentials: UserCredentials,
}

/// A new socket; `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`.
pub fn create(kind: SocketType, protocol: i32) -> Result<Arc<UnixSocket>> {
    if protocol != 0 && protocol != i32::from(AF_UNIX) {
        return Err(Errno::EPROTONOSUPPORT);
    }
    match kind {
        SocketType::Stream | SocketType::Datagram | SocketType::SeqPacket => {
            Ok(UnixSocket::new(kind))
        }
        // Linux has always taken raw sockets for datagrams here.
        SocketType::Raw => Ok(UnixSocket::new(SocketType::Datagram)),
        SocketType::ReliableDatagram | SocketType::Unsupported => Err(Errno::ESOCKTNOSUPPORT),
    }
}

/// Two connected to one another.
pub fn create_pair(kind: SocketType, protocol: i32) -> Result<(Arc<UnixSocket>, Arc<UnixSocket>)> {
    let (first, second) = (create(kind, protocol)?, create(kind, protocol)?);
    let credentials = UserCredentials::effective();
    first.join(&second, credentials);
    second.join(&first, credentials);
    Ok((first, second))
}

impl UnixSocket {
    fn new(kind: SocketType) -> Arc<UnixSocket> {
        Arc::new_cyclic(|me| UnixSocket {
            me: Weak::clone(me),
            kind,
            options: Options::new(),
            reader: Mutex::new(&class::SOCKET_READ, ()),
            inner: SpinLock::new(
                &class::SOCKET,
                Inner {
                    state: State::Unconnected,
                    name: None,
                    peer: None,
                    queue: VecDeque::new(),
                    queued: 0,
                    pending: VecDeque::new(),
                    backlog: DATAGRAM_BACKLOG,
                    shutdown: Shutdown::empty(),
                    error: None,
                    dead: false,
                    own_credentials: UserCredentials::NOBODY,
                    peer_credentials: UserCredentials::NOBODY,
                },
            ),
            send_buffer: Arc::new(SendBuffer::new()),
            readable: Arc::new(WaitQueue::new()),
            room: Arc::new(WaitQueue::new()),
        })
    }

    /// Makes `peer` the other end.
    fn join(&self, peer: &Arc<UnixSocket>, credentials: UserCredentials) {
        let mut inner = self.inner.lock();
        inner.state = State::Connected;
        inner.peer = Some(Arc::clone(peer));
        inner.peer_credentials = credentials;
    }

    /// Whether the kind has connections with a beginning and an end.
    fn is_connection_oriented(&self) -> bool {
        self.kind != SocketType::Datagram
    }

    /// Something came or ended.
    fn wake_readers(&self) {
        if !self.readable.is_empty() {
            self.readable.wake_all();
        }
    }

    /// Both directions may have changed for good.
    fn wake_everybody(&self) {
        self.readable.wake_all();
        self.send_buffer.writable.wake_all();
        self.room.wake_all();
    }

    /// Whether `sender` must wait before it adds a datagram. One that this socket is connected to never does.
    fn is_full_for(&self, inner: &Inner, sender: &UnixSocket) -> bool {
        let mutual = inner.peer.as_ref().is_some_and(|peer| core::ptr::eq(&**peer, sender));
        !mutual && inner.queue.len() > DATAGRAM_BACKLOG
    }

    /// The peer is closed or shuts down: `how` from this socket's point of view.
    fn shut(&self, how: Shutdown, error: Option<Errno>) {
        let mut inner = self.inner.lock();
        inner.shutdown |= how;
        if error.is_some() {
            inner.error = error;
        }
        drop(inner);
        self.wake_everybody();
    }
}

impl Socket for UnixSocket {
    fn family(&self) -> u16 {
        AF_UNIX
    }

    fn kind(&self) -> SocketType {
        self.kind
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn bind(&self, address: &[u8]) -> Result<()> {
        name::bind(self, address)
    }

    fn connect(&self, address: &[u8], _: Waiting, table: &mut PollTable) -> Result<()> {
        connection::connect(self, address, table)
    }

    fn listen(&self, backlog: usize) -> Result<()> {
        connection::listen(self, backlog)
    }

    fn accept(&self) -> Result<Arc<dyn Socket>> {
        connection::accept(self)
    }

    fn send(&self, message: &mut SendMessage<'_, '_>, table: &mut PollTable) -> Result<usize> {
        transfer::send(self, message, table)
    }

    fn receive(&self, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
        transfer::receive(self, message)
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        let peer = {
            let mut inner = self.inner.lock();
            inner.shutdown |= how;
            inner.peer.clone()
        };
        self.wake_everybody();
        if self.is_connection_oriented()
            && let Some(peer) = peer
        {
            let mut mirrored = Shutdown::empty();
            mirrored.set(Shutdown::SEND, how.contains(Shutdown::RECEIVE));
            mirrored.set(Shutdown::RECEIVE, how.contains(Shutdown::SEND));
            peer.shut(mirrored, None);
        }
        Ok(())
    }

    fn local_address(&self) -> Result<Address> {
        Ok(Name::to_address(self.inner.lock().name.as_deref()))
    }

    fn peer_address(&self) -> Result<Address> {
        let peer = self.inner.lock().peer.clone().ok_or(Errno::ENOTCONN)?;
        peer.local_address()
    }

    fn poll(&self, table: &mut PollTable) -> PollEvents {
        table.register(&self.readable);
        table.register(&self.send_buffer.writable);
        let inner = self.inner.lock();
        let mut events = PollEvents::empty();
        events.set(PollEvents::ERR, inner.error.is_some());
        events.set(PollEvents::HUP, inner.shutdown == Shutdown::all());
        if inner.shutdown.contains(Shutdown::RECEIVE) {
            events |= PollEvents::RDHUP | PollEvents::IN | PollEvents::RDNORM;
        }
        // A message that a reader has taken off for a moment still counts.
        if !inner.queue.is_empty() || inner.queued > 0 || !inner.pending.is_empty() {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        if self.is_connection_oriented() && inner.state == State::Unconnected {
            events |= PollEvents::HUP;
        }
        let mut writable = inner.state != State::Listening && self.send_buffer.is_writable();
        let peer = inner.peer.clone();
        drop(inner);
        if self.kind == SocketType::Datagram
            && let Some(peer) = peer
        {
            table.register(&peer.room);
            writable &= !peer.is_full_for(&peer.inner.lock(), self);
        }
        if writable {
            events |= PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND;
        }
        events
    }

    fn take_error(&self) -> Option<Errno> {
        self.inner.lock().error.take()
    }

    fn is_listening(&self) -> bool {
        self.inner.lock().state == State::Listening
    }

    fn peer_credentials(&self) -> UserCredentials {
        self.inner.lock().peer_credentials
    }

    fn ioctl(&self, command: u32, argument: usize) -> Result<usize> {
        let bytes = match command {
            FIONREAD => {
                let inner = self.inner.lock();
                match self.kind {
                    _ if inner.state == State::Listening => return Err(Errno::EINVAL),
                    SocketType::Stream => inner.queued,
                    _ => inner.queue.front().map_or(0, Message::remaining),
                }
            }
            TIOCOUTQ => self.send_buffer.used(),
            _ => return Err(Errno::ENOTTY),
        };
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        user::write(UserAddr(argument), &bytes)?;
        Ok(0)
    }

    fn release(&self) {
        let (peer, name, unread, queue, pending) = {
            let mut inner = self.inner.lock();
            inner.dead = true;
            inner.shutdown = Shutdown::all();
            let unread = !inner.queue.is_empty();
            inner.queued = 0;
            (
                inner.peer.take(),
                inner.name.take(),
                unread,
                core::mem::take(&mut inner.queue),
                core::mem::take(&mut inner.pending),
            )
        };
        if let Some(name) = &name {
            name::unbind(self, name);
        }
        if self.is_connection_oriented()
            && let Some(peer) = peer
        {
            // Bytes that were never read: the peer learns that they were lost.
            peer.shut(Shutdown::all(), unread.then_some(Errno::ECONNRESET));
        }
        for connection in pending {
            // Never accepted, so whoever connected is told.
            connection.refuse();
        }
        self.wake_everybody();
        // Outside the lock: files in messages may be sockets.
        drop(queue);
    }
}

impl UnixSocket {
    /// Ends a connection that nobody accepted.
    fn refuse(&self) {
        let (peer, queue) = {
            let mut inner = self.inner.lock();
            inner.dead = true;
            inner.shutdown = Shutdown::all();
            (inner.peer.take(), core::mem::take(&mut inner.queue))
        };
        if let Some(peer) = peer {
            peer.shut(Shutdown::all(), Some(Errno::ECONNRESET));
        }
        drop(queue);
    }
}
