//! Who gets a segment: connections by their four numbers, listeners by their port. Both are read under RCU.

use super::{
    super::{address::words, listing},
    TcpSocket,
    time_wait::TimeWait,
};
use crate::{
    random,
    sync::{KernelRcu, Lazy, rcu},
};
use abi::Result;
use alloc::sync::Arc;
use core::net::SocketAddrV4;
use inet::flow;
use rcu_collections::RcuHash;

/// The four numbers of a connection, from one end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tuple {
    /// This end.
    pub local: SocketAddrV4,
    /// The other.
    pub remote: SocketAddrV4,
}

impl Tuple {
    /// The other end's.
    pub fn reversed(self) -> Tuple {
        Tuple { local: self.remote, remote: self.local }
    }

    fn hash(self) -> u64 {
        flow::hash(words(self.local), words(self.remote), *KEY)
    }
}

/// What a connection is represented by.
#[derive(Clone)]
pub enum Holder {
    /// Its socket.
    Socket(Arc<TcpSocket>),
    /// What is left of it.
    TimeWait(Arc<TimeWait>),
}

#[derive(Clone)]
struct Connection {
    tuple: Tuple,
    holder: Holder,
}

#[derive(Clone)]
struct Listener {
    local: SocketAddrV4,
    /// It shares the port with others of its user (`SO_REUSEPORT`).
    shared: bool,
    socket: Arc<TcpSocket>,
}

static KEY: Lazy<u32> = Lazy::new(|| random::word() as u32);
static CONNECTIONS: Lazy<RcuHash<Connection, KernelRcu>> = Lazy::new(|| RcuHash::new(14));
/// A port's number is its hash.
static LISTENERS: Lazy<RcuHash<Listener, KernelRcu>> = Lazy::new(|| RcuHash::new(10));

/// Enters a connection that begins here, unless its numbers are taken. One in `TIME_WAIT` for long enough yields. The caller holds
/// the lock of the local port, which keeps others from entering the same.
pub fn enter_new(tuple: Tuple, socket: &Arc<TcpSocket>) -> bool {
    let free = {
        let guard = rcu::read();
        match CONNECTIONS.get(&guard, tuple.hash(), |listed| listed.tuple == tuple) {
            None => true,
            Some(Connection { holder: Holder::TimeWait(waiting), .. }) => waiting.may_yield(),
            Some(_) => false,
        }
    };
    if free {
        enter(tuple, Holder::Socket(Arc::clone(socket)));
    }
    free
}

/// Enters a connection in the place of what may be left of an earlier one.
pub fn enter(tuple: Tuple, holder: Holder) {
    CONNECTIONS.replace(tuple.hash(), |listed| listed.tuple == tuple, Connection { tuple, holder });
}

/// Takes out a socket's connection.
pub fn remove(tuple: Tuple, socket: &TcpSocket) {
    CONNECTIONS.remove(tuple.hash(), |listed| {
        matches!(&listed.holder, Holder::Socket(listed) if core::ptr::eq(&**listed, socket))
    });
}

/// Takes out what is left of a connection.
pub fn remove_waiting(waiting: &TimeWait) {
    CONNECTIONS.remove(waiting.tuple.hash(), |listed| {
        matches!(&listed.holder, Holder::TimeWait(listed) if core::ptr::eq(&**listed, waiting))
    });
}

/// Enters a listener.
pub fn listen(local: SocketAddrV4, shared: bool, socket: Arc<TcpSocket>) {
    LISTENERS.replace(u64::from(local.port()), |_| false, Listener { local, shared, socket });
}

/// Takes a listener out.
pub fn remove_listener(local: SocketAddrV4, socket: &TcpSocket) {
    LISTENERS.remove(u64::from(local.port()), |listed| core::ptr::eq(&*listed.socket, socket));
}

/// The listener for a connection: one of the address itself before one of all addresses. Those that share the port are chosen from by
/// the hash of the four numbers.
pub fn find_listener(tuple: Tuple) -> Option<Arc<TcpSocket>> {
    let to = tuple.local;
    let guard = rcu::read();
    let rank = |listed: &Listener| {
        let exact = listed.local.ip() == to.ip();
        let fits = listed.local.port() == to.port();
        (fits && (exact || listed.local.ip().is_unspecified())).then_some(exact)
    };
    let (mut best, mut count, mut shared) = (None, 0, false);
    LISTENERS.get(&guard, u64::from(to.port()), |listed| {
        let rank = rank(listed);
        if rank > best {
            (best, count, shared) = (rank, 1, listed.shared);
        } else if rank.is_some() && rank == best {
            count += 1;
        }
        false
    });
    best?;
    let mut skip = if shared { flow::choose(tuple.hash(), count) } else { 0 };
    let chosen = LISTENERS.get(&guard, u64::from(to.port()), |listed| {
        let suits = rank(listed) == best;
        let found = suits && skip == 0;
        skip -= usize::from(suits && !found);
        found
    });
    chosen.map(|listed| Arc::clone(&listed.socket))
}

/// Shows every listener, which may sleep; `ENOMEM`.
pub fn for_each_listener(mut show: impl FnMut(&TcpSocket)) -> Result<()> {
    listing::for_each(&LISTENERS, |listed| show(&listed.socket))
}

/// Shows every connection, which may sleep; `ENOMEM`.
pub fn for_each(mut show: impl FnMut(Tuple, &Holder)) -> Result<()> {
    listing::for_each(&CONNECTIONS, |listed| show(listed.tuple, &listed.holder))
}

/// Where the search for the local port of a connection starts.
pub fn search_start(from: core::net::Ipv4Addr, to: SocketAddrV4) -> u32 {
    flow::start(from.to_bits(), words(to), *KEY)
}
