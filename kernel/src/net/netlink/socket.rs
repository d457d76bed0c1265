//! The socket.

use super::{
    NETLINK_ROUTE,
    options::Settings,
    receive::{Inbox, Packet, WhenFull, address, group_bit},
    registry, requests,
};
use crate::{
    net::{
        AF_NETLINK, AF_UNSPEC, Address, MessageFlags, Options, ReceiveMessage, SendMessage,
        Shutdown, Socket, SocketType, UserCredentials,
        options::{OptionValue, privileged},
        socket::Waiting,
    },
    process::{Capability, Credentials},
    sched,
    sync::{Mutex, PollEvents, PollTable, SpinLock, WaitQueue, class},
};
use abi::{
    Errno, Result,
    rtnetlink::{NetlinkAddress, RTNLGRP_MAX},
};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};
use zerocopy::FromBytes;

/// Room that a message needs beside its bytes: one that leaves less is too long.
const HEADROOM: usize = 32;

/// A netlink socket.
pub struct NetlinkSocket {
    me: Weak<NetlinkSocket>,
    kind: SocketType,
    pub(super) options: Options,
    pub(super) settings: Settings,
    /// Who made it: a change to the network needs the right of both that and who sends.
    maker: Arc<Credentials>,
    names: SpinLock<Names>,
    /// The groups that it listens to, one bit each from group 1 on.
    groups: AtomicU64,
    /// One reader at a time.
    pub(super) reader: Mutex<()>,
    pub(super) inbox: SpinLock<Inbox>,
    /// Something came.
    pub(super) readable: Arc<WaitQueue>,
    /// The queue has room again.
    pub(super) room: Arc<WaitQueue>,
}

/// Ports.
#[derive(Default)]
struct Names {
    /// Its own, once it has one.
    port: Option<u32>,
    /// Where messages go that name no destination.
    peer: Destination,
}

/// Where a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Destination {
    /// 0 is the kernel.
    port: u32,
    /// All that listen to this group too; 0 for none.
    group: u32,
}

impl Destination {
    fn new(address: &NetlinkAddress) -> Destination {
        let group = match address.groups {
            0 => 0,
            groups => groups.trailing_zeros() + 1,
        };
        Destination { port: address.port, group }
    }

    /// Only the privileged send to others than the kernel; `EPERM`.
    fn check(self) -> Result<Destination> {
        if self != Destination::default() && !privileged(Capability::NetAdmin) {
            return Err(Errno::EPERM);
        }
        Ok(self)
    }
}

/// A new socket; `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`.
pub fn create(kind: SocketType, protocol: i32) -> Result<Arc<NetlinkSocket>> {
    if !matches!(kind, SocketType::Raw | SocketType::Datagram) {
        return Err(Errno::ESOCKTNOSUPPORT);
    }
    if protocol != NETLINK_ROUTE {
        return Err(Errno::EPROTONOSUPPORT);
    }
    Ok(Arc::new_cyclic(|me| NetlinkSocket {
        me: Weak::clone(me),
        kind,
        options: Options::new(),
        settings: Settings::default(),
        maker: sched::current().credentials.load(),
        names: SpinLock::new(&class::SOCKET, Names::default()),
        groups: AtomicU64::new(0),
        reader: Mutex::new(&class::SOCKET_READ, ()),
        inbox: SpinLock::new(&class::SOCKET, Inbox::default()),
        readable: Arc::new(WaitQueue::new()),
        room: Arc::new(WaitQueue::new()),
    }))
}

impl NetlinkSocket {
    /// Its port, once it has one.
    pub(super) fn port(&self) -> Option<u32> {
        self.names.lock().port
    }

    /// Its port; it gets one if it has none.
    fn own_port(&self) -> u32 {
        if let Some(port) = self.port() {
            return port;
        }
        let port = registry::claim_any(&self.me);
        self.take_port(port)
    }

    /// Keeps a port that was claimed, unless another thread was faster.
    fn take_port(&self, port: u32) -> u32 {
        let mut names = self.names.lock();
        let kept = *names.port.get_or_insert(port);
        drop(names);
        if kept != port {
            registry::release(port);
        }
        kept
    }

    /// Whether who sends may change the network through it.
    pub(super) fn may_change(&self) -> bool {
        self.maker.has(Capability::NetAdmin) && privileged(Capability::NetAdmin)
    }

    /// Whether it listens to a group.
    pub(super) fn is_in_group(&self, group: u32) -> bool {
        group != 0 && self.groups() & 1 << (group - 1) != 0
    }

    /// The groups, one bit each.
    pub(super) fn groups(&self) -> u64 {
        self.groups.load(Ordering::Relaxed)
    }

    /// Changes the groups that it listens to.
    pub(super) fn set_groups(&self, change: impl FnOnce(u64) -> u64) {
        registry::change_groups(&self.me, &self.groups, change);
    }

    fn destination(&self, message: &SendMessage<'_, '_>) -> Result<Destination> {
        let Some(bytes) = message.address else { return Ok(self.names.lock().peer) };
        Destination::new(&parse_address(bytes)?).check()
    }
}

/// Decodes an address; `EINVAL`.
fn parse_address(bytes: &[u8]) -> Result<NetlinkAddress> {
    let (address, _) = NetlinkAddress::read_from_prefix(bytes).map_err(|_| Errno::EINVAL)?;
    if address.family == AF_NETLINK { Ok(address) } else { Err(Errno::EINVAL) }
}

impl Socket for NetlinkSocket {
    fn family(&self) -> u16 {
        AF_NETLINK
    }

    fn kind(&self) -> SocketType {
        self.kind
    }

    fn protocol(&self) -> i32 {
        NETLINK_ROUTE
    }

    fn options(&self) -> &Options {
        &self.options
    }

    /// The port (0 for any that is free) and the first 32 groups: `EINVAL` for another port than it has, `EADDRINUSE`.
    fn bind(&self, bytes: &[u8]) -> Result<()> {
        let wanted = parse_address(bytes)?;
        match self.port() {
            Some(port) if port != wanted.port => return Err(Errno::EINVAL),
            Some(_) => {}
            None if wanted.port == 0 => drop(self.own_port()),
            None => {
                registry::claim(&self.me, wanted.port)?;
                if self.take_port(wanted.port) != wanted.port {
                    return Err(Errno::EINVAL);
                }
            }
        }
        self.set_groups(|groups| groups & !u64::from(u32::MAX) | u64::from(wanted.groups));
        Ok(())
    }

    fn connect(&self, bytes: &[u8], _: Waiting, _: &mut PollTable) -> Result<()> {
        let family = bytes.first_chunk::<2>().ok_or(Errno::EINVAL)?;
        if u16::from_ne_bytes(*family) == AF_UNSPEC {
            self.names.lock().peer = Destination::default();
            return Ok(());
        }
        let peer = Destination::new(&parse_address(bytes)?).check()?;
        self.own_port();
        self.names.lock().peer = peer;
        Ok(())
    }

    fn send(&self, message: &mut SendMessage<'_, '_>, table: &mut PollTable) -> Result<usize> {
        if message.flags.contains(MessageFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        let len = message.data.remaining();
        if len == 0 {
            return Err(Errno::ENODATA);
        }
        let to = self.destination(message)?;
        let port = self.own_port();
        if len > self.options.send_buffer.load(Ordering::Relaxed).saturating_sub(HEADROOM) {
            return Err(Errno::EMSGSIZE);
        }
        // A destination without room is found before the bytes are taken, so that the call can try again.
        let receiver = if to.port == 0 { None } else { Some(registry::find(to.port)?) };
        if let Some(receiver) = &receiver {
            receiver.check_sender(port)?;
            table.register(&receiver.room);
            receiver.check_room()?;
        }
        let bytes = requests::take_bytes(message.data, len)?;
        if to.group == 0 && receiver.is_none() {
            requests::carry_out(self, port, &bytes);
            return Ok(len);
        }
        let credentials = message.credentials.unwrap_or_else(UserCredentials::real);
        let mut packet = Packet { bytes: bytes.into(), port, group: to.group, credentials };
        if to.group != 0 {
            let everybody_got_it = registry::multicast(&packet, Some(port));
            if !everybody_got_it && self.settings.wants_broadcast_errors() {
                return Err(Errno::ENOBUFS);
            }
        }
        packet.group = 0;
        match receiver {
            Some(receiver) => receiver.deliver(packet, WhenFull::Exceed)?,
            None => requests::carry_out(self, port, &packet.bytes),
        }
        Ok(len)
    }

    fn receive(&self, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
        self.receive_packet(message)
    }

    fn shutdown(&self, _: Shutdown) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn local_address(&self) -> Result<Address> {
        Ok(address(self.port().unwrap_or(0), self.groups() as u32))
    }

    fn peer_address(&self) -> Result<Address> {
        let peer = self.names.lock().peer;
        Ok(address(peer.port, group_bit(peer.group)))
    }

    /// Sending never waits for the kernel, so the socket is always writable.
    fn poll(&self, table: &mut PollTable) -> PollEvents {
        table.register(&self.readable);
        let inbox = self.inbox.lock();
        let mut events = PollEvents::OUT | PollEvents::WRNORM | PollEvents::WRBAND;
        events.set(PollEvents::ERR, inbox.error.is_some());
        events.set(PollEvents::IN | PollEvents::RDNORM, inbox.has_messages());
        events
    }

    fn take_error(&self) -> Option<Errno> {
        self.inbox.lock().error.take()
    }

    fn set_option(&self, level: i32, name: u32, value: &[u8]) -> Result<()> {
        self.set_netlink_option(level, name, value)
    }

    fn option(&self, level: i32, name: u32) -> Result<OptionValue> {
        self.netlink_option(level, name)
    }

    fn release(&self) {
        self.set_groups(|_| 0);
        if let Some(port) = self.port() {
            registry::release(port);
        }
        let old = self.inbox.lock().close();
        drop(old);
        self.room.wake_all();
    }
}

impl NetlinkSocket {
    /// Whether it takes messages from a port: one that is connected only from its peer. `ECONNREFUSED`.
    fn check_sender(&self, port: u32) -> Result<()> {
        let peer = self.names.lock().peer;
        if peer.port != 0 && peer.port != port { Err(Errno::ECONNREFUSED) } else { Ok(()) }
    }

    /// The bit of a group that there is; `EINVAL`.
    pub(super) fn check_group(group: u32) -> Result<u64> {
        match group {
            1..=RTNLGRP_MAX => Ok(1 << (group - 1)),
            _ => Err(Errno::EINVAL),
        }
    }
}
