//! Datagrams (`udp(7)`, RFC 768).
//!
//! - `lookup`: who gets a datagram.
//! - `transfer`: send and receive.
//!
//! Each socket has the queue of what it receives; a sender finds the receiver under RCU and puts its datagram straight there.
//! What a socket is bound and connected to is in words that senders read without its lock.
//!
//! Locks: `SOCKET_READ` (one reader at a time, across copies to user memory), `SOCKET` (one only, never across copies).

mod lookup;
mod transfer;

use super::{
    address::{self, Endpoint, NOWHERE},
    ip::{Header, IpOptions, IpSwitches, SOL_IP},
    local,
    ports::{Binding, Ports, Reuse},
};
use crate::{
    mm::{UserAddr, try_alloc, user},
    net::{
        AF_INET, AF_UNSPEC, Address, Options, ReceiveMessage, SendMessage, Shutdown, Socket,
        SocketType,
        options::{OptionValue, Switches, int_value},
        payload::Payload,
        socket::Waiting,
    },
    process::Uid,
    sched,
    sync::{Mutex, PollEvents, PollTable, SpinLock, WaitQueue, class, rcu},
};
use abi::{
    Errno, Result,
    ioctl::{FIONREAD, TIOCOUTQ},
    net::IPPROTO_UDP,
};
use alloc::{
    collections::VecDeque,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};
pub(super) use lookup::for_each;

/// `SOL_UDP`.
const SOL_UDP: i32 = IPPROTO_UDP as i32;
const UDP_CORK: u32 = 1;

static PORTS: Ports = Ports::new();

/// A socket for datagrams.
pub struct UdpSocket {
    /// Itself, for the table.
    me: Weak<UdpSocket>,
    options: Options,
    ip: IpOptions,
    /// `UDP_CORK`: datagrams are put together until it is turned off.
    cork: AtomicBool,
    /// What it is bound to, for senders.
    local: Endpoint,
    /// What it is connected to, for senders.
    remote: Endpoint,
    /// One reader at a time.
    reader: Mutex<()>,
    inner: SpinLock<Inner>,
    /// Something came: datagrams, an error, the end.
    readable: Arc<WaitQueue>,
    /// Datagrams that were lost here.
    drops: AtomicU64,
    /// Whose it is, and its file: for `/proc/net/udp`.
    user: Uid,
    inode: AtomicU64,
}

/// What the socket's lock protects.
struct Inner {
    queue: VecDeque<Datagram>,
    /// What the queue costs (`SO_RCVBUF`).
    charged: usize,
    error: Option<Errno>,
    shutdown: Shutdown,
    connected: bool,
    /// The right to the port it is bound to.
    binding: Option<Arc<Binding>>,
    /// The address and the port were asked for, and stay when the association is given up.
    address_chosen: bool,
    port_chosen: bool,
    /// A datagram that is being put together.
    pending: Option<Pending>,
}

/// A socket as `/proc/net/udp` shows it.
pub(super) struct Summary {
    pub local: SocketAddrV4,
    pub remote: SocketAddrV4,
    pub connected: bool,
    pub charged: usize,
    pub drops: u64,
    pub user: Uid,
    pub inode: u64,
}

/// A datagram that waits to be received.
struct Datagram {
    from: SocketAddrV4,
    header: Header,
    payload: Payload,
}

/// A datagram that is being put together.
struct Pending {
    from: SocketAddrV4,
    to: SocketAddrV4,
    header: Header,
    bytes: Vec<u8>,
}

impl UdpSocket {
    /// A new one; `ENOMEM`.
    pub fn new() -> Result<Arc<UdpSocket>> {
        let readable = try_alloc::arc(WaitQueue::new())?;
        try_alloc::arc_cyclic(|me| UdpSocket {
            me: Weak::clone(me),
            options: Options::new(),
            ip: IpOptions::new(),
            cork: AtomicBool::new(false),
            local: Endpoint::new(),
            remote: Endpoint::new(),
            reader: Mutex::new(&class::SOCKET_READ, ()),
            inner: SpinLock::new(
                &class::SOCKET,
                Inner {
                    queue: VecDeque::new(),
                    charged: 0,
                    error: None,
                    shutdown: Shutdown::empty(),
                    connected: false,
                    binding: None,
                    address_chosen: false,
                    port_chosen: false,
                    pending: None,
                },
            ),
            readable,
            drops: AtomicU64::new(0),
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

    /// Takes a port, and an address where one is named; `EINVAL` when it has them already.
    fn bind_to(&self, wanted: SocketAddrV4) -> Result<()> {
        {
            let mut inner = self.inner.lock();
            if inner.binding.is_some() {
                return Err(Errno::EINVAL);
            }
            if wanted.port() == 0 && self.ip.is_on(IpSwitches::BIND_ADDRESS_NO_PORT) {
                // The port is chosen when it is needed.
                inner.address_chosen = !wanted.ip().is_unspecified();
                self.local.store(wanted);
                return Ok(());
            }
        }
        self.bind_now(wanted)
    }

    /// The same with a port at once.
    fn bind_now(&self, wanted: SocketAddrV4) -> Result<()> {
        let binding = PORTS.bind(wanted, self.reuse())?;
        let bound = SocketAddrV4::new(*wanted.ip(), binding.port());
        let mut inner = self.inner.lock();
        if inner.binding.is_some() {
            drop(inner);
            drop(binding);
            return Err(Errno::EINVAL);
        }
        inner.binding = Some(binding);
        inner.address_chosen = !wanted.ip().is_unspecified();
        inner.port_chosen = wanted.port() != 0;
        self.local.store(bound);
        drop(inner);
        lookup::insert(self);
        Ok(())
    }

    /// Binds to any port if it has none; `EAGAIN` when there is none left.
    fn bind_somewhere(&self) -> Result<()> {
        let local = self.local.load();
        if local.port() != 0 {
            return Ok(());
        }
        match self.bind_now(local) {
            // Another thread was faster.
            Ok(()) | Err(Errno::EINVAL) => Ok(()),
            Err(_) => Err(Errno::EAGAIN),
        }
    }

    /// Gives the association up, and what was bound only for it.
    fn disconnect(&self) {
        let mut inner = self.inner.lock();
        inner.connected = false;
        self.remote.store(NOWHERE);
        let mut bound = self.local.load();
        if !inner.address_chosen {
            bound.set_ip(Ipv4Addr::UNSPECIFIED);
        }
        let mut released = None;
        if !inner.port_chosen {
            released = inner.binding.take();
            lookup::remove(self, bound.port());
            bound.set_port(0);
        }
        self.local.store(bound);
        drop(inner);
        drop(released);
    }

    /// What `/proc/net/udp` shows.
    pub(super) fn summary(&self) -> Summary {
        let inner = self.inner.lock();
        Summary {
            local: self.local.load(),
            remote: self.remote.load(),
            connected: inner.connected,
            charged: inner.charged,
            drops: self.drops.load(Ordering::Relaxed),
            user: self.user,
            inode: self.inode.load(Ordering::Relaxed),
        }
    }

    /// Notes an error that a datagram of this socket met, and tells.
    fn set_error(&self, error: Errno) {
        self.inner.lock().error = Some(error);
        self.readable.wake_all();
    }
}

impl Socket for UdpSocket {
    fn family(&self) -> u16 {
        AF_INET
    }

    fn kind(&self) -> SocketType {
        SocketType::Datagram
    }

    fn protocol(&self) -> i32 {
        SOL_UDP
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn bind(&self, address: &[u8]) -> Result<()> {
        let wanted = address::parse_bindable(address)?;
        local::check_bindable(*wanted.ip(), &self.ip)?;
        self.bind_to(wanted)
    }

    fn connect(&self, address: &[u8], _: Waiting, _: &mut PollTable) -> Result<()> {
        if address::family(address)? == AF_UNSPEC {
            self.disconnect();
            return Ok(());
        }
        self.bind_somewhere()?;
        let to = address::parse(address)?;
        let to = local::route(to, self.options.is_on(Switches::BROADCAST))?;
        let mut inner = self.inner.lock();
        let mut bound = self.local.load();
        if bound.ip().is_unspecified() {
            bound.set_ip(local::source_for(*to.ip()));
            self.local.store(bound);
        }
        self.remote.store(to);
        inner.connected = true;
        Ok(())
    }

    fn send(&self, message: &mut SendMessage<'_, '_>, _: &mut PollTable) -> Result<usize> {
        transfer::send(self, message)
    }

    fn receive(&self, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
        transfer::receive(self, message)
    }

    fn shutdown(&self, how: Shutdown) -> Result<()> {
        let mut inner = self.inner.lock();
        // Even without a connection, as on Linux: who waits for datagrams is told.
        inner.shutdown |= how;
        let connected = inner.connected;
        drop(inner);
        self.readable.wake_all();
        if connected { Ok(()) } else { Err(Errno::ENOTCONN) }
    }

    fn local_address(&self) -> Result<Address> {
        Ok(address::encode(self.local.load()))
    }

    fn peer_address(&self) -> Result<Address> {
        match self.remote.load() {
            to if to.port() != 0 => Ok(address::encode(to)),
            _ => Err(Errno::ENOTCONN),
        }
    }

    fn poll(&self, table: &mut PollTable) -> PollEvents {
        table.register(&self.readable);
        let inner = self.inner.lock();
        // What is sent is at once the receiver's, so there is always room.
        let mut events = PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND;
        events.set(PollEvents::ERR, inner.error.is_some());
        events.set(PollEvents::HUP, inner.shutdown == Shutdown::all());
        if inner.shutdown.contains(Shutdown::RECEIVE) {
            events |= PollEvents::RDHUP | PollEvents::IN | PollEvents::RDNORM;
        }
        // Not the queue: what a reader looks at is off it for a moment.
        if inner.charged > 0 {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        events
    }

    fn take_error(&self) -> Option<Errno> {
        self.inner.lock().error.take()
    }

    fn set_option(&self, level: i32, name: u32, value: &[u8]) -> Result<()> {
        match (level, name) {
            (SOL_IP, _) => self.ip.set(SocketType::Datagram, name, value),
            (SOL_UDP, UDP_CORK) => {
                let on = int_value(value).ok_or(Errno::EINVAL)? != 0;
                self.cork.store(on, Ordering::Relaxed);
                if !on {
                    transfer::push_pending(self);
                }
                Ok(())
            }
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn option(&self, level: i32, name: u32) -> Result<OptionValue> {
        match (level, name) {
            (SOL_IP, _) => self.ip.get(name, self.inner.lock().connected),
            (SOL_UDP, UDP_CORK) => {
                Ok(OptionValue::Int(i32::from(self.cork.load(Ordering::Relaxed))))
            }
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn opened(&self, inode: u64) {
        self.inode.store(inode, Ordering::Relaxed);
    }

    fn ioctl(&self, command: u32, argument: usize) -> Result<usize> {
        let bytes = match command {
            FIONREAD => self.inner.lock().queue.front().map_or(0, |first| first.payload.len()),
            TIOCOUTQ => 0,
            _ => return Err(Errno::ENOTTY),
        };
        user::write(UserAddr(argument), &i32::try_from(bytes).unwrap_or(i32::MAX))?;
        Ok(0)
    }

    fn release(&self) {
        let bound = self.local.load();
        if bound.port() != 0 {
            lookup::remove(self, bound.port());
        }
        let mut inner = self.inner.lock();
        let (queue, binding) = (core::mem::take(&mut inner.queue), inner.binding.take());
        inner.shutdown = Shutdown::all();
        drop(inner);
        drop((queue, binding));
        self.readable.wake_all();
    }
}
