//! Routes by `ioctl(2)` (`SIOCADDRT`, `SIOCDELRT`): Linux's `rtentry_to_fib_config`.

use super::{
    super::{Insertion, Network, Outcome, Prefix, Route, RouteKind, RoutePattern},
    name_of, set_as_admin,
};
use crate::{
    mm::{UserAddr, user},
    net::{AF_INET, options::privileged},
    process::Capability,
};
use abi::{
    Errno, Result,
    interface::{
        IFNAMSIZ, RTF_GATEWAY, RTF_HOST, RTF_IRTT, RTF_MTU, RTF_REJECT, RTF_WINDOW, RouteEntry,
        SocketAddress4,
    },
    ioctl::{SIOCADDRT, SIOCDELRT},
    rtnetlink::{
        RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_NOWHERE, RT_SCOPE_UNIVERSE, RT_TABLE_MAIN,
        RTPROT_BOOT,
    },
};
use core::net::Ipv4Addr;

pub(super) fn ioctl(command: u32, argument: usize) -> Result<usize> {
    let entry: RouteEntry = user::read(UserAddr(argument))?;
    if !privileged(Capability::NetAdmin) {
        return Err(Errno::EPERM);
    }
    let device = match usize::try_from(entry.device) {
        Ok(0) | Err(_) => None,
        Ok(at) => {
            let mut name = [0; IFNAMSIZ];
            user::copy_from_user(&mut name[..IFNAMSIZ - 1], UserAddr(at))?;
            Some(name)
        }
    };
    set_as_admin(|change| {
        let route = parse(&entry, device.as_ref(), change.network(), command)?;
        match command {
            SIOCDELRT => change.remove_route(&RoutePattern {
                prefix: route.prefix,
                table: route.table,
                tos: 0,
                kind: Some(route.kind),
                scope: route.scope,
                protocol: None,
                priority: (route.priority != 0).then_some(route.priority),
                preferred_source: route.preferred_source,
                gateway: route.gateway,
                interface: route.interface,
            }),
            _ => change.add_route(route, Insertion { create: true, ..Insertion::default() }),
        }
    })?;
    Ok(0)
}

fn parse(
    entry: &RouteEntry,
    device: Option<&[u8; IFNAMSIZ]>,
    network: &Network,
    command: u32,
) -> Outcome<Route> {
    if entry.destination.family != AF_INET {
        return Err(Errno::EAFNOSUPPORT.into());
    }
    // What the flags announce has no meaning here yet.
    if command == SIOCADDRT && entry.flags & (RTF_MTU | RTF_WINDOW | RTF_IRTT) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut route = Route {
        prefix: destination(entry)?,
        tos: 0,
        priority: u32::try_from(i32::from(entry.metric) - 1).unwrap_or(0),
        table: RT_TABLE_MAIN,
        kind: RouteKind::Unicast,
        scope: if command == SIOCDELRT { RT_SCOPE_NOWHERE } else { RT_SCOPE_LINK },
        protocol: RTPROT_BOOT,
        preferred_source: None,
        gateway: None,
        on_link: false,
        interface: None,
    };
    if entry.flags & RTF_REJECT != 0 {
        route.scope = RT_SCOPE_HOST;
        route.kind = RouteKind::Unreachable;
        return Ok(route);
    }
    if let Some(device) = device {
        let label = name_of(device);
        let end = label.iter().position(|byte| *byte == b':').unwrap_or(label.len());
        let interface = network.named(&label[..end]).ok_or(Errno::ENODEV)?;
        route.interface = Some(interface.index);
        if end < label.len() {
            let mut addresses = interface.addresses.iter();
            let named = addresses.find(|address| address.label.as_bytes() == label);
            route.preferred_source = Some(named.ok_or(Errno::ENODEV)?.local);
        }
    }
    let gateway = Ipv4Addr::from(entry.gateway.address);
    if entry.gateway.family == AF_INET && !gateway.is_unspecified() {
        route.gateway = Some(gateway);
        if entry.flags & RTF_GATEWAY != 0 && is_unicast(network, gateway) {
            route.scope = RT_SCOPE_UNIVERSE;
        }
    }
    if command == SIOCDELRT {
        return Ok(route);
    }
    if entry.flags & RTF_GATEWAY != 0 && route.gateway.is_none() {
        return Err(Errno::EINVAL.into());
    }
    Ok(route)
}

/// Whether an address is another machine's.
fn is_unicast(network: &Network, address: Ipv4Addr) -> bool {
    !network.is_local(address) && !address.is_multicast() && !address.is_broadcast()
}

/// The destination: with `RTF_HOST` one machine, else a network with a mask or, without one, of its class.
fn destination(entry: &RouteEntry) -> Outcome<Prefix> {
    let SocketAddress4 { address, .. } = entry.destination;
    let address = Ipv4Addr::from(address).to_bits();
    if entry.flags & RTF_HOST != 0 {
        return Ok(Prefix::of(address, 32));
    }
    let mask = Ipv4Addr::from(entry.mask.address).to_bits();
    if entry.mask.family != AF_INET && (mask != 0 || entry.mask.family != 0) {
        return Err(Errno::EAFNOSUPPORT.into());
    }
    let len = mask.leading_ones() as u8;
    if Prefix::of(0, len).mask() != mask {
        return Err(Errno::EINVAL.into());
    }
    Prefix::exact(address, len).ok_or_else(|| Errno::EINVAL.into())
}
