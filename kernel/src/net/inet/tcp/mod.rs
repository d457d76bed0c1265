//! Streams (`tcp(7)`, RFC 9293) between programs of this machine.
//!
//! - `state`: where a connection stands.
//! - `standing`: what `poll(2)` sees of it, without the lock.
//! - `stream`: received bytes.
//! - `tables`: connections and listeners.
//! - `bind`: the local address.
//! - `connect`, `listen`: how connections begin.
//! - `transfer`: send and receive.
//! - `close`: how connections end.
//! - `time_wait`: what is left of them.
//! - `options`: `SOL_TCP`.
//!
//! Both ends of a connection are sockets that know each other, each with the stream of what it receives. Every operation does its part
//! at its own socket, lets go of its lock, and then does at the other what the segment would have done there.
//!
//! Locks: `SOCKET_READ` (one reader at a time, across copies to user memory), `SOCKET` (one only; user memory is copied under it only
//! with page faults off).

mod bind;
mod close;
mod connect;
mod listen;
mod options;
mod standing;
mod state;
mod stream;
mod tables;
pub(super) mod time_wait;
mod transfer;

use super::{
    address::{self, NOWHERE},
    ip::{IpOptions, SOL_IP},
    local,
    ports::{Binding, Ports, Reuse},
    settings,
};
use crate::{
    fs::pipe::Buffer,
    mm::{UserAddr, try_alloc, user},
    net::{
        AF_INET, Address, Options, ReceiveMessage, SendMessage, Shutdown, Socket, SocketType,
        options::{OptionValue, Switches},
        socket::Waiting,
    },
    process::Uid,
    sched,
    sync::{Mutex, PollEvents, PollTable, SpinLock, WaitQueue, class, rcu},
};
use abi::{
    Errno, Result,
    ioctl::{FIONREAD, SIOCATMARK, TIOCOUTQ},
    net::IPPROTO_TCP,
};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::{
    net::SocketAddrV4,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
use listen::Listener;
use options::{SOL_TCP, TcpOptions};
use standing::AtomicStanding;
pub(super) use state::State;
use stream::Stream;
pub(super) use tables::{Holder, Tuple, for_each, for_each_listener};
use time_wait::TimeWait;

/// Bytes that are not sent yet (`linux/sockios.h`).
const SIOCOUTQNSD: u32 = 0x894b;

static PORTS: Ports = Ports::new();

/// A socket for a stream.
pub struct TcpSocket {
    /// Itself, for the tables and its peer.
    me: Weak<TcpSocket>,
    options: Options,
    ip: IpOptions,
    tcp: TcpOptions,
    /// One reader at a time.
    reader: Mutex<()>,
    inner: SpinLock<Inner>,
    /// Bytes that were received and not read: changed under the lock, read by the sender without.
    queued: AtomicUsize,
    /// The sender found little room here: it is told when there is more.
    starved: AtomicBool,
    /// The peer's stream has little room: it is `starved`.
    full: AtomicBool,
    /// Follows what `inner` says.
    standing: AtomicStanding,
    /// Something came: bytes, a connection, the end.
    readable: Arc<WaitQueue>,
    /// There is room to send, or a connection, or its end.
    writable: Arc<WaitQueue>,
    /// Whose it is, and its file: for `/proc/net/tcp`.
    user: Uid,
    inode: AtomicU64,
}

/// What `connect(2)` has told its caller (Linux's `socket->state`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is under way.
    Unconnected,
    /// It was started, and its outcome was not told yet.
    Connecting,
    /// It is connected, or was.
    Connected,
}

/// What the socket's lock protects.
struct Inner {
    phase: Phase,
    state: State,
    local: SocketAddrV4,
    remote: SocketAddrV4,
    /// The right to the local port.
    binding: Option<Arc<Binding>>,
    /// The address and the port were asked for, and stay when the connection is gone.
    address_chosen: bool,
    port_chosen: bool,
    peer: Option<Arc<TcpSocket>>,
    stream: Stream,
    /// Bytes that ever came.
    received: u64,
    shutdown: Shutdown,
    /// The other end has sent all it will.
    finished: bool,
    error: Option<Errno>,
    listener: Option<Box<Listener>>,
    /// Closed by its user.
    dead: bool,
    /// What is left of a connection whose user closed it in `FIN_WAIT2`.
    rest: Option<Arc<TimeWait>>,
}

impl TcpSocket {
    /// A new one; `ENOMEM`.
    pub fn new() -> Result<Arc<TcpSocket>> {
        let options = Options::with_buffers(settings::SEND_BUFFER[1], settings::RECEIVE_BUFFER[1]);
        TcpSocket::with_options(options, IpOptions::new(), TcpOptions::new())
    }

    fn with_options(options: Options, ip: IpOptions, tcp: TcpOptions) -> Result<Arc<TcpSocket>> {
        let readable = try_alloc::arc(WaitQueue::new())?;
        let writable = try_alloc::arc(WaitQueue::new())?;
        try_alloc::arc_cyclic(|me| TcpSocket {
            me: Weak::clone(me),
            options,
            ip,
            tcp,
            reader: Mutex::new(&class::SOCKET_READ, ()),
            inner: SpinLock::new(&class::SOCKET, Inner::new()),
            queued: AtomicUsize::new(0),
            starved: AtomicBool::new(false),
            full: AtomicBool::new(false),
            standing: AtomicStanding::new(Inner::new().standing()),
            readable,
            writable,
            user: sched::current().credentials.get(&rcu::read()).fsuid,
            inode: AtomicU64::new(0),
        })
    }

    fn reuse(&self) -> Reuse {
        Reuse {
            address: self.options.is_on(Switches::REUSE_ADDRESS),
            port: self.options.is_on(Switches::REUSE_PORT),
        }
    }

    /// Both directions may have changed for good.
    fn wake_everybody(&self) {
        self.readable.wake_all();
        self.writable.wake_all();
    }

    /// Bytes that the peer may send before it has to keep them itself: half of the buffer, as the other half is taken to be
    /// bookkeeping (`tcp_adv_win_scale`).
    fn window(&self) -> usize {
        self.options.receive_buffer.load(Ordering::Relaxed) / 2
    }

    /// Of what was sent to `peer`, the bytes that its window did not take.
    fn unsent(&self, peer: &TcpSocket) -> usize {
        peer.queued.load(Ordering::SeqCst).saturating_sub(peer.window())
    }

    /// How many bytes may be sent now.
    fn room(&self, peer: &TcpSocket) -> usize {
        let most = self.options.send_buffer.load(Ordering::Relaxed) + peer.window();
        most.saturating_sub(peer.queued.load(Ordering::SeqCst))
    }

    /// What `/proc/net/tcp` shows: state, bytes not sent, bytes not read.
    pub(super) fn summary(&self) -> Summary {
        let inner = self.inner.lock();
        Summary {
            state: inner.state,
            local: inner.local,
            unsent: inner.peer.as_ref().map_or(0, |peer| self.unsent(peer)),
            unread: match &inner.listener {
                Some(listener) => listener.ready(),
                None => self.queued.load(Ordering::Relaxed).min(self.window()),
            },
            user: self.user,
            inode: self.inode.load(Ordering::Relaxed),
        }
    }
}

/// A socket as `/proc/net/tcp` shows it.
pub(super) struct Summary {
    pub state: State,
    pub local: SocketAddrV4,
    pub unsent: usize,
    pub unread: usize,
    pub user: Uid,
    pub inode: u64,
}

impl Inner {
    fn new() -> Inner {
        Inner {
            phase: Phase::Unconnected,
            state: State::Closed,
            local: NOWHERE,
            remote: NOWHERE,
            binding: None,
            address_chosen: false,
            port_chosen: false,
            peer: None,
            stream: Stream::default(),
            received: 0,
            shutdown: Shutdown::empty(),
            finished: false,
            error: None,
            listener: None,
            dead: false,
            rest: None,
        }
    }

    fn tuple(&self) -> Tuple {
        Tuple { local: self.local, remote: self.remote }
    }
}

impl Socket for TcpSocket {
    fn family(&self) -> u16 {
        AF_INET
    }

    fn kind(&self) -> SocketType {
        SocketType::Stream
    }

    fn protocol(&self) -> i32 {
        IPPROTO_TCP as i32
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn bind(&self, address: &[u8]) -> Result<()> {
        let wanted = address::parse_bindable(address)?;
        local::check_bindable(*wanted.ip(), &self.ip)?;
        self.bind_to(wanted)
    }

    fn connect(&self, address: &[u8], waiting: Waiting, _: &mut PollTable) -> Result<()> {
        connect::connect(self, address, waiting)
    }

    fn still_connecting(&self) -> Errno {
        Errno::EINPROGRESS
    }

    fn listen(&self, backlog: usize) -> Result<()> {
        listen::listen(self, backlog)
    }

    fn accept(&self) -> Result<Arc<dyn Socket>> {
        listen::accept(self)
    }

    fn accepted_from(&self) -> Result<Address> {
        Ok(address::encode(self.inner.lock().remote))
    }

    fn send(&self, message: &mut SendMessage<'_, '_>, _: &mut PollTable) -> Result<usize> {
        transfer::send(self, message)
    }

    fn receive(&self, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
        transfer::receive(self, message)
    }

    fn take_pages(&self, count: usize, most: usize) -> Result<Vec<Buffer>> {
        transfer::take_pages(self, count, most)
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        close::shutdown(self, how)
    }

    fn local_address(&self) -> Result<Address> {
        Ok(address::encode(self.inner.lock().local))
    }

    fn peer_address(&self) -> Result<Address> {
        let inner = self.inner.lock();
        match inner.state {
            State::Closed | State::SynSent | State::Listen => Err(Errno::ENOTCONN),
            _ => Ok(address::encode(inner.remote)),
        }
    }

    fn poll(&self, table: &mut PollTable) -> PollEvents {
        self.poll_standing(table)
    }

    fn take_error(&self) -> Option<Errno> {
        self.change().error.take()
    }

    fn is_listening(&self) -> bool {
        self.inner.lock().state == State::Listen
    }

    fn set_option(&self, level: i32, name: u32, value: &[u8]) -> Result<()> {
        match level {
            SOL_IP => self.ip.set(SocketType::Stream, name, value),
            SOL_TCP => options::set(self, name, value),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn option(&self, level: i32, name: u32) -> Result<OptionValue> {
        match level {
            SOL_IP => self.ip.get(name, self.inner.lock().state.is_connected()),
            SOL_TCP => options::get(self, name),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn opened(&self, inode: u64) {
        self.inode.store(inode, Ordering::Relaxed);
    }

    fn ioctl(&self, command: u32, argument: usize) -> Result<usize> {
        let bytes = match command {
            FIONREAD | TIOCOUTQ | SIOCOUTQNSD if self.is_listening() => return Err(Errno::EINVAL),
            FIONREAD => self.queued.load(Ordering::Relaxed),
            TIOCOUTQ | SIOCOUTQNSD => {
                let peer = self.inner.lock().peer.clone();
                peer.map_or(0, |peer| self.unsent(&peer))
            }
            // No urgent data ever came.
            SIOCATMARK => 0,
            _ => return Err(Errno::ENOTTY),
        };
        user::write(UserAddr(argument), &i32::try_from(bytes).unwrap_or(i32::MAX))?;
        Ok(0)
    }

    fn release(&self) {
        close::close(self);
    }
}
