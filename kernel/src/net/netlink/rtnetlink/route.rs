//! Requests about routes.

use super::{Answer, Fields, cause, invalid, list as listing, listed};
use crate::net::{
    AF_INET, UserCredentials,
    device::{self, Insertion, Outcome, Path, Prefix, Refusal, Route, RouteKind, RoutePattern},
    netlink::{receive::Listing, requests::Request},
};
use abi::{Errno, rtnetlink::*};
use alloc::{sync::Arc, vec::Vec};
use core::net::Ipv4Addr;
use netlink::{Builder, Flags};

/// What a route has.
const KNOWN: [u16; 6] = [RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_TABLE];
/// What a question for a way has.
const ASKED: [u16; 4] = [RTA_DST, RTA_SRC, RTA_OIF, RTA_UID];
/// `IPTOS_RT_MASK`'s complement: bits that no type of service has.
const CONGESTION_BITS: u8 = 3;

/// The table's number in a byte; those that do not fit have the attribute alone.
fn short_table(table: u32) -> u8 {
    u8::try_from(table).unwrap_or(RT_TABLE_COMPAT)
}

/// Says all about a route.
pub(super) fn describe(message: &mut Builder, route: &Route, table: u32) {
    message
        .fixed(&RouteMessage {
            family: AF_INET as u8,
            destination_len: route.prefix.length(),
            source_len: 0,
            tos: route.tos,
            table: short_table(table),
            protocol: route.protocol,
            scope: route.scope,
            kind: route.kind as u8,
            flags: if route.on_link { RTNH_F_ONLINK } else { 0 },
        })
        .attribute(RTA_TABLE, &table);
    if route.prefix.length() > 0 {
        message.attribute(RTA_DST, &Ipv4Addr::from_bits(route.prefix.network()).octets());
    }
    if route.priority != 0 {
        message.attribute(RTA_PRIORITY, &route.priority);
    }
    if let Some(source) = route.preferred_source {
        message.attribute(RTA_PREFSRC, &source.octets());
    }
    if let Some(gateway) = route.gateway {
        message.attribute(RTA_GATEWAY, &gateway.octets());
    }
    if let Some(interface) = route.interface {
        message.attribute(RTA_OIF, &interface);
    }
}

/// What a checked request for a listing selects.
#[derive(Default)]
struct Filter {
    table: u32,
    protocol: u8,
    kind: u8,
    interface: Option<u32>,
}

impl Filter {
    /// `EINVAL` as Linux's `ip_valid_fib_dump_req`.
    fn read(request: &Request<'_>) -> Outcome<Filter> {
        let fields = Fields::<RouteMessage>::read(request)
            .map_err(|_| invalid("Invalid header for FIB dump request"))?;
        let header = &fields.fixed;
        if header.destination_len != 0
            || header.source_len != 0
            || header.tos != 0
            || header.scope != 0
        {
            return Err(invalid("Invalid values in header for FIB dump request"));
        }
        if header.flags & !(RTM_F_CLONED | RTM_F_PREFIX) != 0 {
            return Err(invalid("Invalid flags for FIB dump request"));
        }
        if fields.other_than(&[RTA_TABLE, RTA_OIF]).is_some() {
            return Err(invalid("Unsupported attribute in dump request"));
        }
        let interface = fields.get(RTA_OIF)?;
        if let Some(index) = interface {
            device::with(|network| network.interface(index).map(|_| ())).ok_or(Errno::ENODEV)?;
        }
        let table = fields.get(RTA_TABLE)?.unwrap_or(u32::from(header.table));
        Ok(Filter { table, protocol: header.protocol, kind: header.kind, interface })
    }

    fn selects(&self) -> bool {
        self.table != 0 || self.protocol != 0 || self.kind != 0 || self.interface.is_some()
    }

    fn fits(&self, route: &Route) -> bool {
        (self.table == 0 || self.table == route.table)
            && (self.protocol == 0 || self.protocol == route.protocol)
            && (self.kind == 0 || self.kind == route.kind as u8)
            && (self.interface.is_none() || self.interface == route.interface)
    }
}

/// `RTM_GETROUTE` of all.
pub(super) fn list(request: &Request<'_>) -> Outcome<Listing> {
    let filter = if request.is_strict() { Filter::read(request)? } else { Filter::default() };
    // Routes that were made by use are asked for; there are none.
    let flags = Fields::<RouteMessage>::read(request).map_or(0, |fields| fields.fixed.flags);
    let network = device::current();
    if filter.table != RT_TABLE_UNSPEC && network.routes.table(filter.table).is_none() {
        return Err(Refusal::new(Errno::ENOENT, "ipv4: FIB table does not exist"));
    }
    let mut routes = match flags & RTM_F_CLONED {
        0 => network.routes.all(),
        _ => Vec::new(),
    };
    routes.retain(|route| filter.fits(route));
    let selects = filter.selects();
    let (sequence, port) = (request.message.header.sequence, request.port);
    let messages = routes.into_iter().map(move |route: Arc<Route>| {
        let mut message = Builder::new(RTM_NEWROUTE, listed(selects), sequence, port);
        describe(&mut message, &route, route.table);
        message.finish()
    });
    Ok(listing(request, messages))
}

/// `RTM_GETROUTE` of one: the way of a packet to a destination. `EINVAL`, `ENETUNREACH`, and what the choice of a way gives.
pub(super) fn get(request: &Request<'_>) -> Outcome<Answer> {
    let fields = Fields::<RouteMessage>::read(request)?;
    check_family(&fields)?;
    fields.allow(&ASKED)?;
    let header = &fields.fixed;
    let may_be = |len: u8| len == 0 || len == 32;
    if !may_be(header.destination_len) || !may_be(header.source_len) {
        return Err(invalid("ipv4: Invalid values in header for route get request"));
    }
    let destination = fields.address(RTA_DST)?.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let source = fields.address(RTA_SRC)?.filter(|source| !source.is_unspecified());
    let interface = fields.get(RTA_OIF)?.filter(|index| *index != 0);
    let network = device::current();
    let path = network.path(destination, source, interface)?;
    let mut message = request.answer(RTM_NEWROUTE, Flags::empty());
    match &path.route {
        Some(route) if header.flags & RTM_F_FIB_MATCH != 0 => {
            describe(&mut message, route, asked_table(route.table));
        }
        _ => describe_path(&mut message, &path, destination, source, header.flags),
    }
    Ok(Answer::Message(message.finish()))
}

/// The table that a route is said to be from when somebody asks for a way: as long as nobody made rules, Linux looks into two
/// tables at once, under the name of the main one.
fn asked_table(table: u32) -> u32 {
    if table == RT_TABLE_LOCAL { RT_TABLE_MAIN } else { table }
}

fn describe_path(
    message: &mut Builder,
    path: &Path,
    destination: Ipv4Addr,
    asked: Option<Ipv4Addr>,
    flags: u32,
) {
    let asks_table = flags & RTM_F_LOOKUP_TABLE != 0;
    let table = match &path.route {
        Some(route) if asks_table => asked_table(route.table),
        None if asks_table => RT_TABLE_UNSPEC,
        _ => RT_TABLE_MAIN,
    };
    let mut kind = if path.stays { RTCF_LOCAL } else { 0 };
    if path.kind == RouteKind::Broadcast {
        kind |= RTCF_BROADCAST;
    }
    message
        .fixed(&RouteMessage {
            family: AF_INET as u8,
            destination_len: 32,
            source_len: if asked.is_some() { 32 } else { 0 },
            tos: 0,
            table: short_table(table),
            protocol: 0,
            scope: RT_SCOPE_UNIVERSE,
            kind: path.kind as u8,
            flags: kind | RTM_F_CLONED,
        })
        .attribute(RTA_TABLE, &table)
        .attribute(RTA_DST, &destination.octets());
    if let Some(source) = asked {
        message.attribute(RTA_SRC, &source.octets());
    }
    message.attribute(RTA_OIF, &path.interface);
    if let Some(source) = path.source.filter(|source| Some(*source) != asked) {
        message.attribute(RTA_PREFSRC, &source.octets());
    }
    if let Some(gateway) = path.gateway {
        message.attribute(RTA_GATEWAY, &gateway.octets());
    }
    message.attribute(RTA_UID, &UserCredentials::effective().uid);
    // `struct rta_cacheinfo`: nothing is remembered of a way.
    message.attribute(RTA_CACHEINFO, &[0_u32; 8]);
}

/// `EOPNOTSUPP` for another family's routes, of which there are none.
fn check_family(fields: &Fields<'_, RouteMessage>) -> Outcome<()> {
    match u16::from(fields.fixed.family) {
        AF_INET => Ok(()),
        _ => Err(Errno::EOPNOTSUPP.into()),
    }
}

/// What requests for a new route and for the end of one have in common.
struct Spec {
    prefix: Prefix,
    table: u32,
    priority: u32,
    preferred_source: Option<Ipv4Addr>,
    gateway: Option<Ipv4Addr>,
    interface: Option<u32>,
}

impl Spec {
    fn read(fields: &Fields<'_, RouteMessage>) -> Outcome<Spec> {
        check_family(fields)?;
        fields.allow(&KNOWN)?;
        let header = &fields.fixed;
        if header.tos & CONGESTION_BITS != 0 {
            return Err(invalid("Invalid dsfield (tos): ECN bits must be 0"));
        }
        let destination = fields.address(RTA_DST)?.unwrap_or(Ipv4Addr::UNSPECIFIED);
        if header.destination_len > 32 {
            return Err(invalid("Invalid prefix length"));
        }
        let prefix = Prefix::exact(destination.to_bits(), header.destination_len);
        let table = fields.get(RTA_TABLE)?.unwrap_or(u32::from(header.table));
        Ok(Spec {
            prefix: prefix.ok_or(invalid("Invalid prefix for given prefix length"))?,
            table: if table == RT_TABLE_UNSPEC { RT_TABLE_MAIN } else { table },
            priority: fields.get(RTA_PRIORITY)?.unwrap_or(0),
            preferred_source: fields
                .address(RTA_PREFSRC)?
                .filter(|source| !source.is_unspecified()),
            gateway: fields.address(RTA_GATEWAY)?.filter(|gateway| !gateway.is_unspecified()),
            interface: fields.get(RTA_OIF)?.filter(|index| *index != 0),
        })
    }
}

/// `RTM_NEWROUTE`.
pub(super) fn add(request: &Request<'_>) -> Outcome<Answer> {
    let fields = Fields::<RouteMessage>::read(request)?;
    let spec = Spec::read(&fields)?;
    let header = &fields.fixed;
    if header.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN) != 0 {
        return Err(invalid("Invalid rtm_flags - can not contain DEAD or LINKDOWN"));
    }
    if header.flags & RTNH_F_PERVASIVE != 0 {
        return Err(invalid("Invalid flags for nexthop - PERVASIVE and ONLINK can not be set"));
    }
    let route = Route {
        prefix: spec.prefix,
        tos: header.tos,
        priority: spec.priority,
        table: spec.table,
        kind: RouteKind::new(header.kind).ok_or(invalid("Invalid route type"))?,
        scope: header.scope,
        protocol: header.protocol,
        preferred_source: spec.preferred_source,
        gateway: spec.gateway,
        on_link: header.flags & RTNH_F_ONLINK != 0,
        interface: spec.interface,
    };
    let flags = request.flags();
    let how = Insertion {
        create: flags.contains(Flags::CREATE),
        exclusive: flags.contains(Flags::EXCL),
        replace: flags.contains(Flags::REPLACE),
        append: flags.contains(Flags::APPEND),
    };
    device::change(cause(request), |change| change.add_route(route, how))?;
    Ok(Answer::Done)
}

/// `RTM_DELROUTE`.
pub(super) fn delete(request: &Request<'_>) -> Outcome<Answer> {
    let fields = Fields::<RouteMessage>::read(request)?;
    let spec = Spec::read(&fields)?;
    let header = &fields.fixed;
    let kind = match header.kind {
        0 => None,
        kind => Some(RouteKind::new(kind).ok_or(Errno::ESRCH)?),
    };
    let pattern = RoutePattern {
        prefix: spec.prefix,
        table: spec.table,
        tos: header.tos,
        kind,
        scope: header.scope,
        protocol: (header.protocol != 0).then_some(header.protocol),
        priority: (spec.priority != 0).then_some(spec.priority),
        preferred_source: spec.preferred_source,
        gateway: spec.gateway,
        interface: spec.interface,
    };
    device::change(cause(request), |change| {
        if change.network().routes.table(spec.table).is_none() {
            return Err(Refusal::new(Errno::ESRCH, "ipv4: FIB table does not exist"));
        }
        change.remove_route(&pattern)
    })?;
    Ok(Answer::Done)
}
