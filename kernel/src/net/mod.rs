//! Networking: the socket layer and its address families.
//!
//! - `socket`: what every socket can do ([`Socket`]), the file it is to user space, and the one place where socket calls wait.
//! - `message`: what travels with data: flags, descriptors, credentials.
//! - `options`: `SOL_SOCKET`.
//! - `payload`: the bytes of a message.
//! - `unix`: local sockets (`unix(7)`).
//! - `inet`: Internet sockets (`ip(7)`).
//! - `device`: interfaces, their addresses, routes (`netdevice(7)`).
//! - `netlink`: messages to and from the kernel about them (`netlink(7)`, `rtnetlink(7)`).
//!
//! Every operation has a try form that answers `EAGAIN`; waiting is done by [`socket::wait_for`] on the queues that `poll` registers on.
#![forbid(unsafe_code)]

pub mod device;
pub mod inet;
pub mod message;
pub mod netlink;
pub mod options;
mod payload;
pub mod socket;
pub mod unix;

pub use message::{MessageFlags, ReceiveMessage, SendMessage, UserCredentials};
pub use options::Options;
pub use socket::{Address, Shutdown, Socket, SocketFile, SocketType};

use abi::{Errno, Result};
use alloc::sync::Arc;

/// Local sockets.
pub const AF_UNIX: u16 = 1;
/// Internet sockets, version 4.
pub const AF_INET: u16 = 2;
/// Bridges between interfaces.
pub const AF_BRIDGE: u16 = 7;
/// Messages to and from the kernel.
pub const AF_NETLINK: u16 = 16;
/// In `connect(2)`: gives up the association.
pub const AF_UNSPEC: u16 = 0;

/// A new socket of `family` (`socket(2)`): `EAFNOSUPPORT`, `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`.
pub fn create(family: i32, kind: SocketType, protocol: i32) -> Result<Arc<dyn Socket>> {
    match u16::try_from(family) {
        Ok(AF_UNIX) => Ok(unix::create(kind, protocol)?),
        Ok(AF_NETLINK) => Ok(netlink::create(kind, protocol)?),
        Ok(AF_INET) => inet::create(kind, protocol),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// Two sockets connected to one another (`socketpair(2)`).
pub fn create_pair(
    family: i32,
    kind: SocketType,
    protocol: i32,
) -> Result<(Arc<dyn Socket>, Arc<dyn Socket>)> {
    match u16::try_from(family) {
        Ok(AF_UNIX) => {
            let (first, second) = unix::create_pair(kind, protocol)?;
            Ok((first, second))
        }
        // Made first, as on Linux, for what is wrong with one alone.
        Ok(AF_INET) => inet::create(kind, protocol).and(Err(Errno::EOPNOTSUPP)),
        Ok(AF_NETLINK) => netlink::create(kind, protocol).and(Err(Errno::EOPNOTSUPP)),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}
