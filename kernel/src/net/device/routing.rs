//! Changes to routes.

use super::{
    Asked, Change, Event, Happened, Insertion, Outcome, Refusal, Route, RouteKind, RoutePattern,
};
use abi::{
    Errno,
    rtnetlink::{RT_SCOPE_HOST, RT_SCOPE_LINK},
};
use alloc::sync::Arc;
use core::net::Ipv4Addr;

impl Change {
    /// Adds a route that somebody asked for, checked as Linux's `fib_create_info` checks: `EINVAL`, `ENODEV`, `ENETDOWN`,
    /// `ENETUNREACH`, and what its table says.
    pub fn add_route(&mut self, mut route: Route, how: Insertion) -> Outcome<()> {
        if route.kind.least_scope() > route.scope {
            return Err(Refusal::new(Errno::EINVAL, "Invalid scope"));
        }
        if route.kind.error().is_some() {
            if route.gateway.is_some() || route.interface.is_some() {
                return Err(Refusal::new(
                    Errno::EINVAL,
                    "Gateway, device and multipath can not be specified for this route type",
                ));
            }
        } else if route.scope > RT_SCOPE_HOST {
            return Err(Refusal::new(Errno::EINVAL, "Invalid scope"));
        } else {
            route.interface = Some(self.next_hop(&route)?);
        }
        if let Some(source) = route.preferred_source {
            let is_own =
                route.kind == RouteKind::Local && route.prefix.network() == source.to_bits();
            if !is_own && !self.network.is_local(source) {
                return Err(Refusal::new(Errno::EINVAL, "Invalid prefsrc address"));
            }
        }
        self.insert_route(route, how, Asked::Yes)
    }

    /// The interface that a route's packets leave by.
    fn next_hop(&self, route: &Route) -> Outcome<u32> {
        if route.scope == RT_SCOPE_HOST {
            if route.gateway.is_some() {
                let text = "Route with host scope can not have a gateway";
                return Err(Refusal::new(Errno::EINVAL, text));
            }
            return Ok(self.interface(route.interface.unwrap_or(0))?.index);
        }
        let Some(gateway) = route.gateway else {
            if route.on_link {
                let text = "Invalid flags for nexthop - PERVASIVE and ONLINK can not be set";
                return Err(Refusal::new(Errno::EINVAL, text));
            }
            return self.raised(route.interface.unwrap_or(0), "Device for nexthop is not up");
        };
        const INVALID: Refusal = Refusal::new(Errno::EINVAL, "Nexthop has invalid gateway");
        if route.on_link {
            if route.scope >= RT_SCOPE_LINK {
                return Err(Refusal::new(Errno::EINVAL, "Nexthop has invalid scope"));
            }
            let index = self.raised(route.interface.unwrap_or(0), "Nexthop device is not up")?;
            let is_host = !gateway.is_multicast() && !gateway.is_broadcast();
            return if is_host && !self.network.is_local(gateway) {
                Ok(index)
            } else {
                Err(INVALID)
            };
        }
        let scope = (route.scope + 1).max(RT_SCOPE_LINK);
        let way = self.network.route(gateway, scope, route.interface);
        let way = way.map_err(|errno| Refusal { errno, ..INVALID })?;
        match way.kind {
            RouteKind::Unicast | RouteKind::Local => {
                self.raised(way.interface.unwrap_or(0), "Nexthop device is not up")
            }
            _ => Err(INVALID),
        }
    }

    /// An interface that is up; `ENODEV`, `ENETDOWN` with `text`.
    fn raised(&self, index: u32, text: &'static str) -> Outcome<u32> {
        match self.interface(index)?.is_up() {
            true => Ok(index),
            false => Err(Refusal::new(Errno::ENETDOWN, text)),
        }
    }

    fn insert_route(&mut self, route: Route, how: Insertion, asked: Asked) -> Outcome<()> {
        let route = Arc::new(route);
        self.network.routes.insert(&route, how)?;
        self.note(Event::Route(Happened::New, route), asked);
        Ok(())
    }

    /// Takes a route; `ESRCH`.
    pub fn remove_route(&mut self, pattern: &RoutePattern) -> Outcome<()> {
        self.take_route(pattern, Asked::Yes)
    }

    fn take_route(&mut self, pattern: &RoutePattern, asked: Asked) -> Outcome<()> {
        let route = self.network.routes.remove(pattern)?;
        self.note(Event::Route(Happened::Gone, route), asked);
        Ok(())
    }

    /// Adds a route that follows from an address. It may be there already.
    pub(super) fn derive(&mut self, route: Route) {
        let how = Insertion { create: true, append: true, ..Insertion::default() };
        // An equal one serves as well.
        let _ = self.insert_route(route, how, Asked::No);
    }

    /// Takes a route that no longer follows from an address. Somebody may have taken it already.
    pub(super) fn withdraw(&mut self, route: &Route) {
        let pattern = RoutePattern {
            prefix: route.prefix,
            table: route.table,
            tos: route.tos,
            kind: Some(route.kind),
            scope: route.scope,
            protocol: Some(route.protocol),
            priority: None,
            preferred_source: route.preferred_source,
            gateway: None::<Ipv4Addr>,
            interface: route.interface,
        };
        let _ = self.take_route(&pattern, Asked::No);
    }
}
