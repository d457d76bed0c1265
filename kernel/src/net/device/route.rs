//! A route, and the tables that they are in (`ip-route(8)`).

use abi::{
    Errno,
    rtnetlink::{
        RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_NOWHERE, RT_SCOPE_UNIVERSE, RT_TABLE_LOCAL,
        RT_TABLE_MAIN,
    },
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::net::Ipv4Addr;
pub use prefix_table::{Prefix, PrefixTable};

/// `RTN_*`: what is done with packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RouteKind {
    /// They go to one machine.
    Unicast = 1,
    /// They are for this machine.
    Local = 2,
    /// They are for all machines of a network.
    Broadcast = 3,
    /// They are for one of several machines.
    Anycast = 4,
    /// They are for a group of machines.
    Multicast = 5,
    /// They are dropped.
    Blackhole = 6,
    /// The sender learns that nobody is there.
    Unreachable = 7,
    /// The sender learns that it may not.
    Prohibit = 8,
    /// Other tables decide.
    Throw = 9,
}

impl RouteKind {
    /// From its number.
    pub fn new(number: u8) -> Option<RouteKind> {
        use RouteKind::*;
        let all = [
            Unicast,
            Local,
            Broadcast,
            Anycast,
            Multicast,
            Blackhole,
            Unreachable,
            Prohibit,
            Throw,
        ];
        all.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The least scope of such a route.
    pub fn least_scope(self) -> u8 {
        match self {
            RouteKind::Local => RT_SCOPE_HOST,
            RouteKind::Broadcast | RouteKind::Anycast => RT_SCOPE_LINK,
            _ => RT_SCOPE_UNIVERSE,
        }
    }

    /// Why a packet cannot be sent, for those that say so.
    pub fn error(self) -> Option<Errno> {
        match self {
            RouteKind::Blackhole => Some(Errno::EINVAL),
            RouteKind::Unreachable => Some(Errno::EHOSTUNREACH),
            RouteKind::Prohibit => Some(Errno::EACCES),
            RouteKind::Throw => Some(Errno::EAGAIN),
            _ => None,
        }
    }
}

/// A route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// Where the packets go that it is for.
    pub prefix: Prefix,
    /// The type of service that it is for; 0 for any.
    pub tos: u8,
    /// Of equals the one with the lowest counts.
    pub priority: u32,
    /// `RT_TABLE_*`.
    pub table: u32,
    /// What is done with them.
    pub kind: RouteKind,
    /// `RT_SCOPE_*`: how far away the destination is.
    pub scope: u8,
    /// `RTPROT_*`: who made it.
    pub protocol: u8,
    /// The source address of what this machine sends.
    pub preferred_source: Option<Ipv4Addr>,
    /// The machine that knows the further way.
    pub gateway: Option<Ipv4Addr>,
    /// The gateway counts as a neighbour, whatever the addresses say.
    pub on_link: bool,
    /// The interface that they leave by.
    pub interface: Option<u32>,
}

impl Route {
    /// Whether it needs its interface to be up.
    pub fn needs_link(&self) -> bool {
        self.interface.is_some() && self.scope != RT_SCOPE_HOST
    }

    /// Whether both are about the same packets, so that one of them comes first.
    pub fn is_for_the_same(&self, other: &Route) -> bool {
        self.tos == other.tos && self.priority == other.priority
    }

    /// The order of routes of one prefix: the most special type of service, then the lowest metric.
    fn rank(&self) -> (u8, u32) {
        (u8::MAX - self.tos, self.priority)
    }
}

/// What a request to delete a route says of it; what it does not say is any.
pub struct RoutePattern {
    pub prefix: Prefix,
    pub table: u32,
    pub tos: u8,
    pub kind: Option<RouteKind>,
    /// [`RT_SCOPE_NOWHERE`] for any.
    pub scope: u8,
    pub protocol: Option<u8>,
    pub priority: Option<u32>,
    pub preferred_source: Option<Ipv4Addr>,
    pub gateway: Option<Ipv4Addr>,
    pub interface: Option<u32>,
}

impl RoutePattern {
    fn fits(&self, route: &Route) -> bool {
        fn any_or<T: PartialEq>(wanted: Option<T>, is: T) -> bool {
            wanted.is_none_or(|wanted| wanted == is)
        }
        self.tos == route.tos
            && any_or(self.kind, route.kind)
            && (self.scope == RT_SCOPE_NOWHERE || self.scope == route.scope)
            && any_or(self.protocol, route.protocol)
            && any_or(self.priority, route.priority)
            && (self.preferred_source.is_none() || self.preferred_source == route.preferred_source)
            && (self.gateway.is_none() || self.gateway == route.gateway)
            && (self.interface.is_none() || self.interface == route.interface)
    }
}

/// How a route goes into its table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Insertion {
    /// It may be the first for its packets.
    pub create: bool,
    /// It must be.
    pub exclusive: bool,
    /// It goes in the place of the first.
    pub replace: bool,
    /// It goes behind its equals.
    pub append: bool,
}

/// All tables by their number. A table stays when the last route is gone from it.
#[derive(Clone)]
pub struct Tables(BTreeMap<u32, PrefixTable<Arc<Route>>>);

impl Default for Tables {
    /// The two that are always there.
    fn default() -> Tables {
        let tables = [RT_TABLE_LOCAL, RT_TABLE_MAIN];
        Tables(tables.map(|number| (number, PrefixTable::default())).into())
    }
}

impl Tables {
    /// A table; none when no route was ever in it.
    pub fn table(&self, number: u32) -> Option<&PrefixTable<Arc<Route>>> {
        self.0.get(&number)
    }

    /// All routes, in the order in which Linux lists them.
    pub fn all(&self) -> Vec<Arc<Route>> {
        let mut numbers: Vec<u32> = self.0.keys().copied().collect();
        numbers.sort_by_key(|number| (number & 0xff, *number));
        let tables = numbers.iter().filter_map(|number| self.0.get(number));
        tables.flat_map(PrefixTable::iter).flat_map(|(_, routes)| routes.iter().cloned()).collect()
    }

    /// Puts a route in; how it counts among its equals is Linux's `fib_table_insert`. `EEXIST`, `ENOENT`.
    pub fn insert(&mut self, route: &Arc<Route>, how: Insertion) -> Result<(), Errno> {
        let table = self.0.entry(route.table).or_default();
        table.update(route.prefix, |routes| place(routes, route, how))
    }

    /// Takes out the first route that fits; `ESRCH`.
    pub fn remove(&mut self, pattern: &RoutePattern) -> Result<Arc<Route>, Errno> {
        let table = self.0.get_mut(&pattern.table).ok_or(Errno::ESRCH)?;
        let removed = table.update(pattern.prefix, |routes| {
            let index = routes.iter().position(|route| pattern.fits(route))?;
            Some(routes.remove(index))
        });
        removed.ok_or(Errno::ESRCH)
    }

    /// Keeps what `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&Route) -> bool) {
        for table in self.0.values_mut() {
            table.retain(|route| keep(route));
        }
    }
}

fn place(routes: &mut Vec<Arc<Route>>, route: &Arc<Route>, how: Insertion) -> Result<(), Errno> {
    let first = routes.partition_point(|other| other.rank() < route.rank());
    let equals = routes[first..].iter().take_while(|other| other.is_for_the_same(route)).count();
    let mut at = first;
    if equals > 0 {
        if how.exclusive {
            return Err(Errno::EEXIST);
        }
        let twin = routes[first..first + equals].iter().position(|other| other == route);
        if how.replace {
            return match twin {
                Some(0) => Ok(()),
                Some(_) => Err(Errno::EEXIST),
                None => {
                    routes[first] = Arc::clone(route);
                    Ok(())
                }
            };
        }
        if twin.is_some() {
            return Err(Errno::EEXIST);
        }
        if how.append {
            at += equals;
        }
    }
    if !how.create {
        return Err(Errno::ENOENT);
    }
    routes.insert(at, Arc::clone(route));
    Ok(())
}
