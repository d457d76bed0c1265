//! Who has which port, and who listens to which group.

use super::{
    receive::{Packet, WhenFull},
    socket::NetlinkSocket,
};
use crate::{
    sched,
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicU64, Ordering};

struct Registry {
    ports: BTreeMap<u32, Weak<NetlinkSocket>>,
    /// Those that are in any group.
    listeners: Vec<Weak<NetlinkSocket>>,
    /// The next port for a second socket of a process. Such ports are above all process ids.
    next: u32,
}

/// The first port of those that are no process's.
const FIRST_SPARE: u32 = -4097_i32 as u32;
/// The last: below it process ids could be meant.
const LAST_SPARE: u32 = i32::MIN as u32;

static REGISTRY: SpinLock<Registry> = SpinLock::new(
    &class::NETLINK_TABLE,
    Registry { ports: BTreeMap::new(), listeners: Vec::new(), next: FIRST_SPARE },
);

/// Gives a port to a socket: `EADDRINUSE`.
pub(super) fn claim(socket: &Weak<NetlinkSocket>, port: u32) -> Result<()> {
    let mut registry = REGISTRY.lock();
    if registry.ports.contains_key(&port) {
        return Err(Errno::EADDRINUSE);
    }
    registry.ports.insert(port, Weak::clone(socket));
    Ok(())
}

/// Gives a socket the number of its process, or if another socket has that, one that is no process's.
pub(super) fn claim_any(socket: &Weak<NetlinkSocket>) -> u32 {
    let own = sched::current().process.pid.0;
    let mut registry = REGISTRY.lock();
    let mut port = own;
    while registry.ports.contains_key(&port) {
        port = registry.next;
        registry.next = if port == LAST_SPARE { FIRST_SPARE } else { port - 1 };
    }
    registry.ports.insert(port, Weak::clone(socket));
    port
}

/// Takes a port back.
pub(super) fn release(port: u32) {
    REGISTRY.lock().ports.remove(&port);
}

/// The socket with a port; `ECONNREFUSED`.
pub(super) fn find(port: u32) -> Result<Arc<NetlinkSocket>> {
    REGISTRY.lock().ports.get(&port).and_then(Weak::upgrade).ok_or(Errno::ECONNREFUSED)
}

/// Changes the groups of a socket, which is listed as long as it is in any.
pub(super) fn change_groups(
    socket: &Weak<NetlinkSocket>,
    groups: &AtomicU64,
    change: impl FnOnce(u64) -> u64,
) {
    let mut registry = REGISTRY.lock();
    let old = groups.load(Ordering::Relaxed);
    let new = change(old);
    groups.store(new, Ordering::Relaxed);
    if new == 0 {
        registry.listeners.retain(|other| !Weak::ptr_eq(other, socket));
    } else if old == 0 {
        registry.listeners.push(Weak::clone(socket));
    }
}

/// Sends a message to all that listen to a group but `except`. Who has no room for it loses it, and is told; whether all got it.
pub(super) fn multicast(packet: &Packet, except: Option<u32>) -> bool {
    let listeners: Vec<_> = REGISTRY.lock().listeners.iter().filter_map(Weak::upgrade).collect();
    let mut all = true;
    for socket in listeners {
        let wants =
            socket.is_in_group(packet.group) && (except.is_none() || socket.port() != except);
        if wants {
            all &= socket.deliver(packet.clone(), WhenFull::Lose).is_ok();
        }
    }
    all
}

/// Whether anybody listens to a group.
pub(super) fn has_listeners(group: u32) -> bool {
    let registry = REGISTRY.lock();
    let mut listeners = registry.listeners.iter().filter_map(Weak::upgrade);
    listeners.any(|socket| socket.is_in_group(group))
}
