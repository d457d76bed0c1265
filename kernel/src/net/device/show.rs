//! The rows of the tables `dev` and `route` in `/proc/net`.

use super::{Route, RouteKind, network};
use abi::{
    interface::{RTF_GATEWAY, RTF_HOST, RTF_REJECT, RTF_UP},
    rtnetlink::RT_TABLE_MAIN,
};
use alloc::{format, string::String};
use core::{fmt, fmt::Write, net::Ipv4Addr};

/// `/proc/net/dev`. Nothing of what travels through an interface is counted yet.
pub fn devices(out: &mut String) -> fmt::Result {
    for interface in network::current().interfaces() {
        let name = &interface.name;
        write!(
            out,
            "{name:>6}: {:7} {:7} {:4} {:4} {:4} {:5} {:10} {:9} ",
            0, 0, 0, 0, 0, 0, 0, 0
        )?;
        writeln!(out, "{:8} {:7} {:4} {:4} {:4} {:5} {:7} {:10}", 0, 0, 0, 0, 0, 0, 0, 0)?;
    }
    Ok(())
}

/// `/proc/net/route`: the main table. Lines are as long as Linux fills them up.
pub fn routes(out: &mut String) -> fmt::Result {
    const LINE: usize = 127;
    let network = network::current();
    let routes = network.routes.all();
    for route in routes.iter().filter(|route| route.table == RT_TABLE_MAIN && !is_for_many(route)) {
        let interface = route.interface.and_then(|index| network.interface(index));
        let line = format!(
            "{}\t{:08X}\t{:08X}\t{:04X}\t0\t0\t{}\t{:08X}\t0\t0\t0",
            interface.map_or("*", |interface| interface.name.as_str()),
            route.prefix.network().to_be(),
            route.gateway.map_or(0, Ipv4Addr::to_bits).to_be(),
            flags(route),
            route.priority,
            route.prefix.mask().to_be(),
        );
        writeln!(out, "{line:<LINE$}")?;
    }
    Ok(())
}

fn is_for_many(route: &Route) -> bool {
    matches!(route.kind, RouteKind::Broadcast | RouteKind::Multicast)
}

fn flags(route: &Route) -> u16 {
    let mut flags = RTF_UP;
    if matches!(route.kind, RouteKind::Unreachable | RouteKind::Prohibit) {
        flags |= RTF_REJECT;
    }
    if route.gateway.is_some() {
        flags |= RTF_GATEWAY;
    }
    if route.prefix.length() == 32 {
        flags |= RTF_HOST;
    }
    flags
}
