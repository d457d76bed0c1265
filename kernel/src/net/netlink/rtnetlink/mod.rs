//! `NETLINK_ROUTE` (`rtnetlink(7)`): interfaces, addresses, routes.
//!
//! A request is found by its kind. Each of `link`, `address`, `route` and `rule` reads the requests about its own and writes
//! what is said about them, in answers and in notifications alike.

mod address;
mod fields;
mod link;
mod route;
mod rule;

use super::{
    receive::{Listing, Packet, WhenFull},
    registry,
    requests::Request,
};
use crate::net::{
    AF_BRIDGE,
    device::{Cause, Event, Happened, Outcome, Refusal},
};
use abi::{Errno, rtnetlink::*};
use alloc::{boxed::Box, vec::Vec};
use fields::Fields;
use netlink::{Builder, Flags};

/// What a request gives.
pub(super) enum Answer {
    /// Nothing but the acknowledgement, if that is asked for.
    Done,
    /// A message.
    Message(Vec<u8>),
    /// Many messages.
    Listing(Listing),
}

/// Two bits of a kind tell what is to be done (`RTNL_KIND_*`): a new one, gone, get, set.
const GET: u16 = 2;

/// Carries out a request.
pub(super) fn carry_out(request: &Request<'_>) -> Outcome<Answer> {
    let kind = request.message.header.kind;
    if kind > RTM_MAX {
        return Err(Errno::EOPNOTSUPP.into());
    }
    // Every message has the family in its first byte; one without is ignored.
    let Some(family) = request.message.payload.first() else { return Ok(Answer::Done) };
    let family = u16::from(*family);
    let is_get = kind & 3 == GET;
    if !is_get && !request.socket.may_change() {
        return Err(Errno::EPERM.into());
    }
    if is_get && request.flags().intersects(Flags::DUMP) {
        let listing = match kind {
            RTM_GETLINK if family == AF_BRIDGE => Ok(list(request, core::iter::empty())),
            RTM_GETLINK => link::list(request),
            RTM_GETADDR => address::list(request),
            RTM_GETROUTE => route::list(request),
            RTM_GETRULE => Ok(rule::list(request)),
            // No interface asks for its neighbours.
            RTM_GETNEIGH => Ok(list(request, core::iter::empty())),
            _ => return Err(Errno::EOPNOTSUPP.into()),
        };
        let refused = |refusal| core::iter::once(end(request, Some(refusal)));
        return Ok(Answer::Listing(listing.unwrap_or_else(|refusal| begin(refused(refusal)))));
    }
    match kind {
        RTM_GETLINK => link::get(request),
        RTM_NEWLINK | RTM_SETLINK => link::set(request),
        RTM_DELLINK => link::delete(request),
        RTM_NEWADDR => address::add(request),
        RTM_DELADDR => address::delete(request),
        RTM_GETROUTE => route::get(request),
        RTM_NEWROUTE => route::add(request),
        RTM_DELROUTE => route::delete(request),
        _ => Err(Errno::EOPNOTSUPP.into()),
    }
}

/// A listing of `messages`, with the one that ends it.
fn list(
    request: &Request<'_>,
    messages: impl Iterator<Item = Vec<u8>> + Send + 'static,
) -> Listing {
    begin(messages.chain(core::iter::once(end(request, None))))
}

fn begin(messages: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Listing {
    let messages: Box<dyn Iterator<Item = Vec<u8>> + Send> = Box::new(messages);
    messages.peekable()
}

/// The end of a listing, which says why there is none if it was refused.
fn end(request: &Request<'_>, refusal: Option<Refusal>) -> Vec<u8> {
    let text = refusal.and_then(|refusal| refusal.text);
    let text = text.filter(|_| request.socket.settings.wants_details());
    let flags = if text.is_some() { Flags::MULTI | Flags::ACK_TLVS } else { Flags::MULTI };
    let mut message = request.answer(NLMSG_DONE, flags);
    message.fixed(&refusal.map_or(0, |refusal| -refusal.errno.code()));
    if let Some(text) = text {
        message.text(NLMSGERR_ATTR_MSG, text);
    }
    message.finish()
}

/// The flags of a listing's messages.
fn listed(filtered: bool) -> Flags {
    if filtered { Flags::MULTI | Flags::DUMP_FILTERED } else { Flags::MULTI }
}

/// What a change asked for over netlink is to be noted as.
fn cause(request: &Request<'_>) -> Cause {
    Cause {
        port: request.port,
        sequence: request.message.header.sequence,
        echo: request.flags().contains(Flags::ECHO),
    }
}

/// Tells those who listen, and who asked for it, what a change did.
pub fn announce(event: &Event, cause: Cause) {
    let group = match event {
        Event::Link(..) => RTNLGRP_LINK,
        Event::Address(..) => RTNLGRP_IPV4_IFADDR,
        Event::Route(..) => RTNLGRP_IPV4_ROUTE,
    };
    if !cause.echo && !registry::has_listeners(group) {
        return;
    }
    let kind = match event {
        Event::Link(..) => RTM_NEWLINK,
        Event::Address(Happened::New, ..) => RTM_NEWADDR,
        Event::Address(Happened::Gone, ..) => RTM_DELADDR,
        Event::Route(Happened::New, _) => RTM_NEWROUTE,
        Event::Route(Happened::Gone, _) => RTM_DELROUTE,
    };
    let mut message = Builder::new(kind, Flags::empty(), cause.sequence, cause.port);
    match event {
        Event::Link(interface, switched) => link::describe(&mut message, interface, *switched),
        Event::Address(_, index, address) => address::describe(&mut message, *index, address),
        Event::Route(_, route) => {
            route::describe(&mut message, route, route.table);
        }
    }
    let packet = Packet::from_kernel(message.finish(), group);
    registry::multicast(&packet, cause.echo.then_some(cause.port));
    if cause.echo
        && let Ok(socket) = registry::find(cause.port)
    {
        // Who has no room for it learns that it is lost.
        let _ = socket.deliver(packet, WhenFull::Lose);
    }
}

/// The error for a request that is checked and has what it must not have.
const fn invalid(text: &'static str) -> Refusal {
    Refusal::new(Errno::EINVAL, text)
}
