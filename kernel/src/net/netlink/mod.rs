//! Netlink sockets (`netlink(7)`): messages to the kernel and from it. One protocol is here, `NETLINK_ROUTE`.
//!
//! - `socket`: the socket; `receive`: what it receives; `options`: `SOL_NETLINK`.
//! - `registry`: who has which port, and who listens to which group.
//! - `requests`: the messages of a datagram to the kernel, one after the other, and their acknowledgements.
//! - `rtnetlink`: what the messages say (`rtnetlink(7)`).
//!
//! A request is carried out in the sender's call; its answer lies in the sender's queue when the call returns. A listing is made
//! part by part, as the reader takes it, from what was known when it was asked for.
//!
//! Locks: `NETLINK_TABLE` (ports and listeners), `SOCKET` (one socket's queue); neither is held with the other, nor around
//! copies to user memory. Readers of one socket take turns (`SOCKET_READ`).

mod options;
mod receive;
mod registry;
mod requests;
mod rtnetlink;
mod socket;

pub use rtnetlink::announce;
pub use socket::create;

/// `NETLINK_ROUTE`.
const NETLINK_ROUTE: i32 = 0;
