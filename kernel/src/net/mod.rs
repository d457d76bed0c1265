//! Networking: the socket layer and its address families.
//!
//! - `socket`: what every socket can do ([`Socket`]), the file it is to user space, and the one place where socket calls wait.
//! - `message`: what travels with data: flags, descriptors, credentials.
//! - `options`: `SOL_SOCKET`.
//! - `unix`: local sockets (`unix(7)`).
//!
//! Every operation has a try form that answers `EAGAIN`; waiting is done by [`socket::wait_for`] on the queues that `poll` registers on.
#![forbid(unsafe_code)]

pub mod message;
pub mod options;
pub mod socket;
pub mod unix;

pub use message::{MessageFlags, ReceiveMessage, SendMessage, UserCredentials};
pub use options::Options;
pub use socket::{Address, Shutdown, Socket, SocketFile, SocketType};

use abi::{Errno, Result};
use alloc::sync::Arc;

/// Local sockets.
pub const AF_UNIX: u16 = 1;
/// In `connect(2)`: gives up the association.
pub const AF_UNSPEC: u16 = 0;

/// A new socket of `family` (`socket(2)`): `EAFNOSUPPORT`, `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`.
pub fn create(family: i32, kind: SocketType, protocol: i32) -> Result<Arc<dyn Socket>> {
    match u16::try_from(family) {
        Ok(AF_UNIX) => Ok(unix::create(kind, protocol)?),
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
        _ => Err(Errno::EAFNOSUPPORT),
    }
}
