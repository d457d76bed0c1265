//! Which addresses are the machine's own, and which one it sends from. There is no network card yet: only the loopback
//! network's.

use super::ip::{IpOptions, IpSwitches};
use abi::{Errno, Result};
use core::net::{Ipv4Addr, SocketAddrV4};

/// Whether packets for this address stay on the machine.
pub fn is_local(address: Ipv4Addr) -> bool {
    address.is_loopback() && address != LOOPBACK_BROADCAST
}

/// Everybody on the loopback network.
const LOOPBACK_BROADCAST: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);

/// Whether a socket may be bound to this address: `EADDRNOTAVAIL`, unless it does not care (`IP_FREEBIND`).
pub fn check_bindable(address: Ipv4Addr, options: &IpOptions) -> Result<()> {
    let group = address.is_multicast() || address.is_broadcast() || address == LOOPBACK_BROADCAST;
    let free = options.is_on(IpSwitches::FREE_BIND);
    if address.is_unspecified() || is_local(address) || group || free {
        Ok(())
    } else {
        Err(Errno::EADDRNOTAVAIL)
    }
}

/// Where a packet for `to` goes: no address stands for the machine itself. `ENETUNREACH` for what is elsewhere, `EACCES` for
/// a broadcast that was not asked for.
pub fn route(to: SocketAddrV4, broadcast: bool) -> Result<SocketAddrV4> {
    match *to.ip() {
        address if address.is_unspecified() => {
            Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, to.port()))
        }
        address if is_local(address) => Ok(to),
        LOOPBACK_BROADCAST if !broadcast => Err(Errno::EACCES),
        _ => Err(Errno::ENETUNREACH),
    }
}

/// The address that packets to `to`, an own address, come from.
pub fn source_for(to: Ipv4Addr) -> Ipv4Addr {
    if to.is_loopback() { Ipv4Addr::LOCALHOST } else { to }
}
