//! Network interfaces, their IPv4 addresses, and the routes (docs/interfaces.md).
//!
//! - `interface`, `address`, `route`: the three things, and what follows from what.
//! - `network`: all of them at one time, as readers find it; the choice of a way for a packet.
//! - `change`: how they are changed, one change after the other; `link`, `addressing`, `routing`: the changes there are.
//! - `ioctl`: how programs ask for and change them by `ioctl(2)`. Netlink is [`super::netlink`].
//! - `show`: the tables in `/proc/net`.
//!
//! A driver registers its interface with [`register`]; the first is `lo`, whose number is 1 as on Linux. It is down until
//! somebody brings it up, and gets 127.0.0.1/8 then.
//!
//! Lock: `NETWORK_CHANGE`, held around a whole change with its notifications. Readers take none.

mod address;
mod addressing;
mod change;
mod interface;
pub mod ioctl;
mod link;
mod network;
mod refusal;
mod route;
mod routing;
pub mod show;

pub use address::{Address, hundredths};
pub use change::{Asked, Cause, Change, Event, Happened, change};
pub use interface::{Description, HARDWARE_ADDRESS_LEN, Interface, Name};
pub use ioctl::ioctl;
pub use network::{Network, Path, current, with};
pub use refusal::{Outcome, Refusal};
pub use route::{Insertion, Prefix, Route, RouteKind, RoutePattern};

use abi::interface::{ARPHRD_LOOPBACK, InterfaceFlags};
use core::net::Ipv4Addr;

/// Whether packets to `address` are for this machine. No lock, no shared write.
pub fn is_local(address: Ipv4Addr) -> bool {
    with(|network| network.is_local(address))
}

/// Registers the loopback interface.
pub fn init() {
    let loopback = Description {
        name: "lo",
        hardware_type: ARPHRD_LOOPBACK,
        address: [0; HARDWARE_ADDRESS_LEN],
        broadcast: [0; HARDWARE_ADDRESS_LEN],
        flags: InterfaceFlags::LOOPBACK,
        mtu: 65536,
        min_mtu: 0,
        max_mtu: 0,
    };
    if let Err(refusal) = register(&loopback) {
        pr_err!("network: no loopback interface: {}", refusal.errno);
    }
}

/// Adds an interface, which is down; its number. `EINVAL`, `EEXIST` for its name.
pub fn register(description: &Description) -> Outcome<u32> {
    change(Cause::default(), |change| change.add_interface(description))
}
