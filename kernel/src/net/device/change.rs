//! Changes, one at a time: each works on a copy of what is known and publishes it when it succeeded; one that is refused leaves
//! nothing behind. What happened is told to netlink's listeners before the next change begins.

use super::{Address, Interface, Network, Outcome, Route, RouteKind, address, network};
use crate::{
    net::netlink,
    sync::{Mutex, class},
};
use abi::interface::InterfaceFlags;
use alloc::{sync::Arc, vec::Vec};

/// One change at a time.
static TURN: Mutex<()> = Mutex::new(&class::NETWORK_CHANGE, ());

/// Whether something came or went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happened {
    /// It is new, or it changed.
    New,
    /// It is gone.
    Gone,
}

/// What a change did.
pub enum Event {
    /// To an interface; with what switched.
    Link(Arc<Interface>, InterfaceFlags),
    /// To an address of the interface with a number.
    Address(Happened, u32, Address),
    /// To a route.
    Route(Happened, Arc<Route>),
}

/// The request that a change carries out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cause {
    /// The netlink port that asked; 0 for another way.
    pub port: u32,
    /// Its number there.
    pub sequence: u32,
    /// Who asked wants to be told by a message of its own.
    pub echo: bool,
}

/// Whether an event is what the request was for, and is told as caused by it. Linux tells all that happens to interfaces, and the
/// routes that follow from addresses, without a cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// It is.
    Yes,
    /// It follows from it.
    No,
}

/// A change under way.
pub struct Change {
    pub(super) network: Network,
    events: Vec<(Event, Asked)>,
}

/// Makes a change. May sleep.
pub fn change<R>(cause: Cause, make: impl FnOnce(&mut Change) -> Outcome<R>) -> Outcome<R> {
    let _turn = TURN.lock();
    let mut change = Change { network: (*network::current()).clone(), events: Vec::new() };
    let result = make(&mut change)?;
    network::publish(change.network);
    for (event, asked) in &change.events {
        let cause = if *asked == Asked::Yes { cause } else { Cause::default() };
        netlink::announce(event, cause);
    }
    Ok(result)
}

impl Change {
    /// What is known, with what this change has done so far.
    pub fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn note(&mut self, event: Event, asked: Asked) {
        self.events.push((event, asked));
    }

    /// Does something to the addresses or switches of an interface, and to its routes what follows: routes that no longer do go,
    /// those that now do come. A route that somebody else took out meanwhile stays out.
    pub(super) fn rederive(&mut self, index: u32, change: impl FnOnce(&mut Interface)) {
        // What an interface has that is down may be left from when it was up.
        let (had, had_up) = self.derived(index);
        if let Some(interface) = self.network.interface_mut(index) {
            change(interface);
        }
        let (has, has_up) = self.derived(index);
        let mut gone: Vec<&Route> = had_up.iter().filter(|route| !has_up.contains(route)).collect();
        // What is in a network goes before the address that is in it.
        gone.sort_by_key(|route| route.kind == RouteKind::Local && route.prefix.length() == 32);
        for route in gone {
            self.withdraw(route);
        }
        for route in has.into_iter().filter(|route| !had.contains(route)) {
            self.derive(route);
        }
    }

    /// The routes that follow from an interface's addresses as it is, and as they would if it was up.
    fn derived(&self, index: u32) -> (Vec<Route>, Vec<Route>) {
        match self.network.interface(index) {
            Some(interface) => {
                let derive = |up| address::derived_routes(interface, up).collect();
                (derive(interface.is_up()), derive(true))
            }
            None => (Vec::new(), Vec::new()),
        }
    }
}
