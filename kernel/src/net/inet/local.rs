//! Which addresses are the machine's own, and which one it sends from: what the table of routes says, as long as no packet leaves
//! the machine. None takes a lock or writes what is shared.

use super::ip::{IpOptions, IpSwitches};
use crate::net::device::{self, RouteKind};
use abi::{Errno, Result};
use core::net::{Ipv4Addr, SocketAddrV4};

pub use device::is_local;

/// Whether a socket may be bound to this address: `EADDRNOTAVAIL`, unless it does not care (`IP_FREEBIND`).
pub fn check_bindable(address: Ipv4Addr, options: &IpOptions) -> Result<()> {
    let is_group = || {
        let broadcast = device::with(|network| network.local_kind(address));
        address.is_multicast() || address.is_broadcast() || broadcast == Some(RouteKind::Broadcast)
    };
    let free = options.is_on(IpSwitches::FREE_BIND);
    if address.is_unspecified() || is_local(address) || free || is_group() {
        Ok(())
    } else {
        Err(Errno::EADDRNOTAVAIL)
    }
}

/// Where a packet for `to` goes: no address stands for the machine itself. `ENETUNREACH` for what is elsewhere, `EACCES` for
/// a broadcast that was not asked for.
pub fn route(to: SocketAddrV4, broadcast: bool) -> Result<SocketAddrV4> {
    let address = if to.ip().is_unspecified() { Ipv4Addr::LOCALHOST } else { *to.ip() };
    match device::with(|network| network.local_kind(address)) {
        Some(RouteKind::Local) => Ok(SocketAddrV4::new(address, to.port())),
        Some(RouteKind::Broadcast) if !broadcast => Err(Errno::EACCES),
        _ => Err(Errno::ENETUNREACH),
    }
}

/// The address that packets to `to`, an own address, come from.
pub fn source_for(to: Ipv4Addr) -> Ipv4Addr {
    device::with(|network| network.local_source(to))
}
