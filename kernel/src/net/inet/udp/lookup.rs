//! Who gets a datagram: the sockets by their local port, read under RCU.

use super::{
    super::{address::words, listing},
    UdpSocket,
};
use crate::{
    net::options::Switches,
    random,
    sync::{KernelRcu, Lazy, rcu::RcuGuard},
};
use abi::Result;
use alloc::sync::Arc;
use core::net::SocketAddrV4;
use inet::flow;
use rcu_collections::RcuHash;

/// The bound sockets. A port's number is its hash.
static TABLE: Lazy<RcuHash<Arc<UdpSocket>, KernelRcu>> = Lazy::new(|| RcuHash::new(10));
static KEY: Lazy<u32> = Lazy::new(|| random::word() as u32);

/// Enters a socket under the port it is bound to.
pub(super) fn insert(socket: &UdpSocket) {
    if let Some(me) = socket.me.upgrade() {
        TABLE.replace(u64::from(socket.local.load().port()), |_| false, me);
    }
}

/// Takes it out.
pub(super) fn remove(socket: &UdpSocket, port: u16) {
    TABLE.remove(u64::from(port), |listed| core::ptr::eq(&**listed, socket));
}

/// Shows every bound socket, which may sleep; `ENOMEM`.
pub fn for_each(mut show: impl FnMut(&UdpSocket)) -> Result<()> {
    listing::for_each(&TABLE, |socket| show(&socket))
}

/// How well a socket suits a datagram; `None`: not at all. A socket of the address itself goes before one of all addresses, then
/// one that is connected to the sender.
fn score(socket: &UdpSocket, from: SocketAddrV4, to: SocketAddrV4) -> Option<u32> {
    let (local, remote) = (socket.local.load(), socket.remote.load());
    let exact = local.ip() == to.ip();
    let connected = !remote.ip().is_unspecified();
    let fits = local.port() == to.port()
        && (exact || local.ip().is_unspecified())
        && (!connected || remote == from);
    fits.then_some(u32::from(exact) * 2 + u32::from(connected))
}

/// The socket that a datagram is for. Of those that suit equally well and share their port by `SO_REUSEPORT` the hash of
/// addresses and ports chooses one; of others the latest.
pub(super) fn find(guard: &RcuGuard, from: SocketAddrV4, to: SocketAddrV4) -> Option<&UdpSocket> {
    let port = u64::from(to.port());
    let (mut best, mut count, mut shared) = (None, 0, false);
    TABLE.get(guard, port, |socket| {
        let rank = score(socket, from, to);
        if rank > best {
            (best, count) = (rank, 1);
            shared = socket.options.is_on(Switches::REUSE_PORT);
        } else if rank.is_some() && rank == best {
            count += 1;
        }
        false
    });
    best?;
    let mut skip = match count {
        1 => 0,
        _ if !shared => 0,
        _ => flow::choose(flow::hash(words(to), words(from), *KEY), count),
    };
    let chosen = TABLE.get(guard, port, |socket| {
        let suits = score(socket, from, to) == best;
        let found = suits && skip == 0;
        skip -= usize::from(suits && !found);
        found
    });
    chosen.map(|socket| &**socket)
}
