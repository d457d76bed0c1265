//! Internet sockets, version 4 (`ip(7)`): datagrams (`udp(7)`) and streams (`tcp(7)`) between programs of this machine.
//! docs/network.md has the design.
//!
//! - `address`: socket addresses, as user space has them and as words that are read without a lock.
//! - `local`: which addresses are the machine's own.
//! - `ports`: who has which local port.
//! - `ip`: the options that all have (`SOL_IP`).
//! - `udp`, `tcp`: the protocols.
//! - `counters`: what `/proc/net/snmp` tells.
//! - `settings`: what `/proc/sys/net` sets.
//! - `listing`: going through a table of sockets.
//! - `table`: the rows of `/proc/net/tcp` and `/proc/net/udp`.
//!
//! What is missing: see docs/network.md.

mod address;
mod counters;
mod ip;
mod listing;
mod local;
mod ports;
pub mod settings;
pub mod table;
mod tcp;
mod udp;

use super::{Socket, SocketType};
use abi::{
    Errno, Result,
    net::{IPPROTO_ICMP, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP},
};
use alloc::sync::Arc;

/// A new socket: `EPROTONOSUPPORT` for a protocol that the type does not have, `ESOCKTNOSUPPORT` for types without any.
pub fn create(kind: SocketType, protocol: i32) -> Result<Arc<dyn Socket>> {
    let protocol = u32::try_from(protocol).map_err(|_| Errno::EINVAL)?;
    if protocol >= 263 {
        // `IPPROTO_MAX`.
        return Err(Errno::EINVAL);
    }
    const ANY: u32 = IPPROTO_IP as u32;
    const TCP: u32 = IPPROTO_TCP as u32;
    const UDP: u32 = IPPROTO_UDP as u32;
    match (kind, protocol) {
        (SocketType::Stream, ANY | TCP) => Ok(tcp::TcpSocket::new()?),
        (SocketType::Datagram, ANY | UDP) => Ok(udp::UdpSocket::new()?),
        // Sockets for `ping` are there on Linux, but no group may use them by default.
        (SocketType::Datagram, protocol) if protocol == IPPROTO_ICMP as u32 => Err(Errno::EACCES),
        (SocketType::Stream | SocketType::Datagram, _) => Err(Errno::EPROTONOSUPPORT),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}
