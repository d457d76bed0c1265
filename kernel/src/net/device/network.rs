//! All that is known of the network at one time. Readers borrow it under RCU, or take a reference where they sleep; a change
//! (`change`) makes a copy and publishes that.

use super::{Address, Interface, Route, RouteKind, route::Tables};
use crate::sync::{
    Lazy,
    rcu::{self, RcuArc},
};
use abi::{
    Errno, Result,
    rtnetlink::{RT_SCOPE_HOST, RT_SCOPE_LINK, RT_TABLE_DEFAULT, RT_TABLE_LOCAL, RT_TABLE_MAIN},
};
use alloc::{sync::Arc, vec::Vec};
use core::net::Ipv4Addr;

static NETWORK: Lazy<RcuArc<Network>> = Lazy::new(|| RcuArc::new(Arc::new(Network::default())));

/// Interfaces with their addresses, and routes.
#[derive(Clone, Default)]
pub struct Network {
    /// By their number.
    interfaces: Vec<Arc<Interface>>,
    /// The routes.
    pub routes: Tables,
}

/// Runs `f` with what is known now. Takes no lock and writes nothing that is shared; `f` must not sleep.
pub fn with<R>(f: impl FnOnce(&Network) -> R) -> R {
    let guard = rcu::read();
    f(NETWORK.get(&guard))
}

/// What is known now, to keep.
pub fn current() -> Arc<Network> {
    NETWORK.load()
}

pub(super) fn publish(network: Network) {
    NETWORK.store(Arc::new(network));
}

/// The way that a packet takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// The route that was chosen; none for an unspecified destination, which is this machine.
    pub route: Option<Arc<Route>>,
    /// What happens to the packet.
    pub kind: RouteKind,
    /// The interface that it leaves by.
    pub interface: u32,
    /// That is a loopback interface, so the packet comes back.
    pub stays: bool,
    /// The machine that it is handed to, if that is not its destination.
    pub gateway: Option<Ipv4Addr>,
    /// Its source address; none if no interface has one that would do.
    pub source: Option<Ipv4Addr>,
}

impl Network {
    /// By their number.
    pub fn interfaces(&self) -> &[Arc<Interface>] {
        &self.interfaces
    }

    /// An interface by its number.
    pub fn interface(&self, index: u32) -> Option<&Arc<Interface>> {
        let at = self.position(index)?;
        Some(&self.interfaces[at])
    }

    /// An interface by its name.
    pub fn named(&self, name: &[u8]) -> Option<&Arc<Interface>> {
        self.interfaces.iter().find(|interface| interface.name.as_bytes() == name)
    }

    pub(super) fn interface_mut(&mut self, index: u32) -> Option<&mut Interface> {
        let at = self.position(index)?;
        Some(Arc::make_mut(&mut self.interfaces[at]))
    }

    pub(super) fn add_interface(&mut self, interface: Interface) {
        let at = self.interfaces.partition_point(|other| other.index < interface.index);
        self.interfaces.insert(at, Arc::new(interface));
    }

    fn position(&self, index: u32) -> Option<usize> {
        self.interfaces.binary_search_by_key(&index, |interface| interface.index).ok()
    }

    /// Whether packets to `address` are for this machine.
    pub fn is_local(&self, address: Ipv4Addr) -> bool {
        self.local_kind(address) == Some(RouteKind::Local)
    }

    /// What the table of this machine's own addresses says of one: it is its own, or reaches all of a network.
    pub fn local_kind(&self, address: Ipv4Addr) -> Option<RouteKind> {
        self.local_route(address).map(|route| route.kind)
    }

    /// The source address of packets to an address of this machine.
    pub fn local_source(&self, address: Ipv4Addr) -> Ipv4Addr {
        self.local_route(address).and_then(|route| route.preferred_source).unwrap_or(address)
    }

    fn local_route(&self, address: Ipv4Addr) -> Option<&Route> {
        let longest = self.routes.table(RT_TABLE_LOCAL)?.matches(address.to_bits()).next()?;
        longest.first().map(|route| &**route)
    }

    /// The route of a packet of no special service that leaves by `interface`, if that is given: the longest prefix of the
    /// first table that has one. Routes that reach no further than `scope` do not count. `ENETUNREACH`, or what the route says.
    pub fn route(
        &self,
        destination: Ipv4Addr,
        scope: u8,
        interface: Option<u32>,
    ) -> Result<&Arc<Route>> {
        let usable = |route: &&Arc<Route>| {
            route.tos == 0
                && route.scope >= scope
                && (route.kind.error().is_some()
                    || interface.is_none()
                    || interface == route.interface)
        };
        for table in [RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT] {
            let Some(table) = self.routes.table(table) else { continue };
            let found = table.matches(destination.to_bits()).flatten().find(usable);
            match found.map(|route| (route, route.kind.error())) {
                Some((route, None)) => return Ok(route),
                // `RTN_THROW`.
                Some((_, Some(Errno::EAGAIN))) | None => {}
                Some((_, Some(error))) => return Err(error),
            }
        }
        Err(Errno::ENETUNREACH)
    }

    /// The way of a packet of this machine's own. `ENODEV`; `ENETUNREACH`, also for a
    /// source that is not this machine's.
    pub fn path(
        &self,
        destination: Ipv4Addr,
        source: Option<Ipv4Addr>,
        interface: Option<u32>,
    ) -> Result<Path> {
        if source.is_some_and(|source| !self.is_local(source)) {
            return Err(Errno::ENETUNREACH);
        }
        if let Some(index) = interface {
            let interface = self.interface(index).ok_or(Errno::ENODEV)?;
            if !interface.is_up() || !interface.speaks_ipv4() {
                return Err(Errno::ENETUNREACH);
            }
        }
        let loopback = self.interfaces.iter().find(|interface| interface.is_loopback());
        let loopback = loopback.ok_or(Errno::ENETUNREACH)?.index;
        if destination.is_unspecified() {
            let here = source.unwrap_or(Ipv4Addr::LOCALHOST);
            return Ok(Path {
                route: None,
                kind: RouteKind::Local,
                interface: loopback,
                stays: true,
                gateway: None,
                source: Some(here),
            });
        }
        let route = self.route(destination, 0, interface)?;
        let is_local = route.kind == RouteKind::Local;
        let leaves_by = if is_local { Some(loopback) } else { route.interface };
        let leaves_by = leaves_by.ok_or(Errno::ENETUNREACH)?;
        let choose = || match route.preferred_source {
            Some(source) => Some(source),
            None if is_local => Some(destination),
            None => self.source(route.interface?, route.gateway, route.scope),
        };
        Ok(Path {
            kind: route.kind,
            interface: leaves_by,
            stays: self.interface(leaves_by).is_some_and(|interface| interface.is_loopback()),
            // This machine hands nothing to itself.
            gateway: route.gateway.filter(|gateway| !self.is_local(*gateway)),
            source: source.or_else(choose),
            route: Some(Arc::clone(route)),
        })
    }

    /// The source address of packets that leave by an interface and go as far as `scope`: one in the network of `towards`, else
    /// the interface's first, else another interface's.
    fn source(&self, interface: u32, towards: Option<Ipv4Addr>, scope: u8) -> Option<Ipv4Addr> {
        let own = self.interface(interface)?.addresses.iter();
        // An address of this machine alone is never the source of what leaves it.
        let mut own = own
            .filter(|address| !address.is_secondary() && address.scope.min(RT_SCOPE_HOST) <= scope);
        let first = own.clone().next();
        let near = |address: &&Address| {
            towards.is_none_or(|towards| address.network().contains(towards.to_bits()))
        };
        let others = || {
            let all = self.interfaces.iter().flat_map(|interface| &interface.addresses);
            let mut usable = all.filter(|address| {
                !address.is_secondary() && address.scope != RT_SCOPE_LINK && address.scope <= scope
            });
            usable.next()
        };
        own.find(near).or(first).or_else(others).map(|address| address.local)
    }
}
