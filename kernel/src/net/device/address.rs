//! An IPv4 address of an interface, and the routes that follow from it.

use super::{Interface, Name, Prefix, Route, RouteKind};
use crate::time;
use abi::rtnetlink::{
    IFA_F_NOPREFIXROUTE, IFA_F_PERMANENT, IFA_F_SECONDARY, RT_SCOPE_HOST, RT_SCOPE_LINK,
    RT_TABLE_LOCAL, RT_TABLE_MAIN, RTPROT_KERNEL,
};
use core::net::Ipv4Addr;

/// An address. All of it is as user space gave it, but for [`IFA_F_SECONDARY`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// The interface's own address.
    pub local: Ipv4Addr,
    /// The other end of a point-to-point link, else the same.
    pub peer: Ipv4Addr,
    /// How many bits of `peer` name the network.
    pub prefix_len: u8,
    /// The address of all on the network.
    pub broadcast: Option<Ipv4Addr>,
    /// `RT_SCOPE_*`: where it means something.
    pub scope: u8,
    /// `IFA_F_*`.
    pub flags: u32,
    /// The name by which `ioctl(2)` knows it.
    pub label: Name,
    /// The metric of its network's route.
    pub priority: u32,
    /// `IFAPROT_*`: who gave it.
    pub protocol: u8,
    /// When it was given and last changed, in hundredths of seconds since the boot.
    pub created: u32,
    pub updated: u32,
}

impl Address {
    /// `local`/`prefix_len`, given now and for ever.
    pub fn new(local: Ipv4Addr, prefix_len: u8, label: Name) -> Address {
        let now = hundredths();
        Address {
            local,
            peer: local,
            prefix_len,
            broadcast: None,
            scope: 0,
            flags: IFA_F_PERMANENT,
            label,
            priority: 0,
            protocol: 0,
            created: now,
            updated: now,
        }
    }

    /// The network that it is in.
    pub fn network(&self) -> Prefix {
        Prefix::of(self.peer.to_bits(), self.prefix_len)
    }

    /// Whether another address of the network comes first.
    pub fn is_secondary(&self) -> bool {
        self.flags & IFA_F_SECONDARY != 0
    }

    /// Whether `other` is in the same network, written in the same way.
    pub fn shares_network(&self, other: &Address) -> bool {
        self.prefix_len == other.prefix_len && self.network() == other.network()
    }
}

/// The clock of [`Address::created`].
pub fn hundredths() -> u32 {
    (time::monotonic().0 / 10_000_000) as u32
}

/// The routes that follow from the addresses of `interface` if it is `up`, in the order of Linux's `fib_add_ifaddr`.
pub fn derived_routes(interface: &Interface, up: bool) -> impl Iterator<Item = Route> {
    interface.addresses.iter().flat_map(move |address| derived(interface, address, up)).flatten()
}

fn derived(interface: &Interface, address: &Address, up: bool) -> [Option<Route>; 4] {
    let primary = match address.is_secondary() {
        false => Some(address),
        true => interface
            .addresses
            .iter()
            .find(|other| !other.is_secondary() && other.shares_network(address)),
    };
    let Some(primary) = primary else { return [const { None }; 4] };
    let route = |kind: RouteKind, prefix: Prefix| Route {
        prefix,
        kind,
        table: if kind == RouteKind::Unicast { RT_TABLE_MAIN } else { RT_TABLE_LOCAL },
        scope: if kind == RouteKind::Local { RT_SCOPE_HOST } else { RT_SCOPE_LINK },
        protocol: RTPROT_KERNEL,
        tos: 0,
        priority: 0,
        preferred_source: Some(primary.local),
        gateway: None,
        on_link: false,
        interface: Some(interface.index),
    };
    let one = |address: Ipv4Addr| Prefix::of(address.to_bits(), 32);
    let network = address.network();
    let broadcast = address.broadcast.filter(|broadcast| up && *broadcast != Ipv4Addr::BROADCAST);
    // Network 0 is nobody's; a network of one address is the address.
    let is_network = up
        && network.network() >> 24 != 0
        && !address.is_secondary()
        && (network.network() != address.local.to_bits() || address.prefix_len < 32);
    let kind = if interface.is_loopback() { RouteKind::Local } else { RouteKind::Unicast };
    let wants_network = is_network && address.flags & IFA_F_NOPREFIXROUTE == 0;
    let wants_last = is_network && address.prefix_len < 31;
    [
        Some(route(RouteKind::Local, one(address.local))),
        broadcast.map(|broadcast| route(RouteKind::Broadcast, one(broadcast))),
        wants_network.then(|| Route { priority: address.priority, ..route(kind, network) }),
        wants_last.then(|| route(RouteKind::Broadcast, Prefix::of(network.last(), 32))),
    ]
}
