//! Addresses of interfaces by `ioctl(2)`, as Internet sockets answer it. A name may be an address's label (`lo:1`); of several
//! addresses with one label the first is meant, or the one that the request has in it.

use super::{
    super::{Address, Change, Interface, Name, Outcome, Prefix, network},
    Request, set_as_admin,
};
use crate::net::AF_INET;
use abi::{
    Errno, Result,
    interface::{InterfaceFlags, SocketAddress4},
    ioctl::*,
    rtnetlink::RT_SCOPE_HOST,
};
use alloc::sync::Arc;
use core::net::Ipv4Addr;

pub(super) fn ioctl(command: u32, argument: usize) -> Result<usize> {
    let mut request = Request::read(argument)?;
    match command {
        SIOCGIFADDR | SIOCGIFBRDADDR | SIOCGIFNETMASK | SIOCGIFDSTADDR => {
            get(command, &mut request)?;
            request.write(argument)
        }
        SIOCSIFADDR | SIOCSIFBRDADDR | SIOCSIFNETMASK | SIOCSIFDSTADDR | SIOCSIFFLAGS => {
            set_as_admin(|change| set(command, &request, change))?;
            Ok(0)
        }
        _ => Err(Errno::ENOTTY),
    }
}

fn get(command: u32, request: &mut Request) -> Result<()> {
    let network = network::current();
    let interface = request.find(&network)?;
    let given = request.address();
    let labelled = |address: &&Address| address.label.as_bytes() == request.label();
    let mut found = interface.addresses.iter().filter(labelled);
    let first = found.clone().next();
    let exact =
        found.find(|address| given.family == AF_INET && address.local.octets() == given.address);
    let address = exact.or(first).ok_or(Errno::EADDRNOTAVAIL)?;
    let answer = match command {
        SIOCGIFADDR => address.local,
        SIOCGIFBRDADDR => address.broadcast.unwrap_or(Ipv4Addr::UNSPECIFIED),
        SIOCGIFNETMASK => Ipv4Addr::from_bits(address.network().mask()),
        _ => address.peer,
    };
    request.set_address(SocketAddress4 {
        family: AF_INET,
        address: answer.octets(),
        ..SocketAddress4::default()
    });
    Ok(())
}

fn set(command: u32, request: &Request, change: &mut Change) -> Outcome<()> {
    let given = request.address();
    if command != SIOCSIFFLAGS && given.family != AF_INET {
        return Err(Errno::EINVAL.into());
    }
    let interface = Arc::clone(request.find(change.network())?);
    let labelled = |address: &&Address| address.label.as_bytes() == request.label();
    let old = interface.addresses.iter().find(labelled).cloned();
    let address = Ipv4Addr::from(given.address);
    match command {
        SIOCSIFFLAGS => set_flags(change, request, &interface, old),
        SIOCSIFADDR => set_local(change, request, &interface, old, address),
        _ => {
            let old = old.ok_or(Errno::EADDRNOTAVAIL)?;
            let mut new = old.clone();
            match command {
                SIOCSIFBRDADDR => new.broadcast = given_or_none(address),
                SIOCSIFDSTADDR => {
                    if address != old.peer && class_len(address).is_none() {
                        return Err(Errno::EINVAL.into());
                    }
                    new.peer = address;
                }
                _ => set_mask(&interface, &mut new, address)?,
            }
            if new == old { Ok(()) } else { put_in_place(change, interface.index, Some(&old), new) }
        }
    }
}

fn given_or_none(address: Ipv4Addr) -> Option<Ipv4Addr> {
    (!address.is_unspecified()).then_some(address)
}

/// The flags of the interface, or of an address: one that goes down is taken.
fn set_flags(
    change: &mut Change,
    request: &Request,
    interface: &Interface,
    old: Option<Address>,
) -> Outcome<()> {
    if !request.names_address() {
        return change.set_flags(interface.index, request.flags());
    }
    let old = old.ok_or(Errno::EADDRNOTAVAIL)?;
    if request.flags().contains(InterfaceFlags::UP) {
        return Ok(());
    }
    change.remove_address(interface.index, old.local, old.prefix_len)
}

/// Sets the address with a label, in the network that its class gives it.
fn set_local(
    change: &mut Change,
    request: &Request,
    interface: &Interface,
    old: Option<Address>,
    local: Ipv4Addr,
) -> Outcome<()> {
    let prefix_len = class_len(local).ok_or(Errno::EINVAL)?;
    if old.as_ref().is_some_and(|old| old.local == local) {
        return Ok(());
    }
    let prefix_len = match interface.flags().contains(InterfaceFlags::POINTOPOINT) {
        true => 32,
        false => prefix_len,
    };
    let label = core::str::from_utf8(request.label()).ok().and_then(|text| Name::from(text).ok());
    let mut new = Address::new(local, prefix_len, label.ok_or(Errno::EINVAL)?);
    if interface.flags().contains(InterfaceFlags::BROADCAST) && prefix_len < 31 {
        new.broadcast = Some(Ipv4Addr::from_bits(new.network().last()));
    }
    put_in_place(change, interface.index, old.as_ref(), new)
}

/// Sets the mask, and the broadcast address with it if that is the network's last; `EINVAL` for a mask with gaps.
fn set_mask(interface: &Interface, address: &mut Address, mask: Ipv4Addr) -> Outcome<()> {
    let len = mask.to_bits().leading_ones() as u8;
    if Prefix::of(0, len).mask() != mask.to_bits() {
        return Err(Errno::EINVAL.into());
    }
    let last = |address: &Address| {
        let network = Prefix::of(address.local.to_bits(), address.prefix_len);
        Some(Ipv4Addr::from_bits(network.last()))
    };
    let was_last = address.broadcast == last(address);
    address.prefix_len = len;
    if interface.flags().contains(InterfaceFlags::BROADCAST) && len < 31 && was_last {
        address.broadcast = last(address);
    }
    Ok(())
}

/// Takes the old address and gives the new one.
fn put_in_place(
    change: &mut Change,
    index: u32,
    old: Option<&Address>,
    mut new: Address,
) -> Outcome<()> {
    if let Some(old) = old {
        change.remove_address(index, old.local, old.prefix_len)?;
    }
    if new.local.is_loopback() {
        new.scope = RT_SCOPE_HOST;
    }
    change.add_address(index, new)
}

/// The bits of the network that an address's class gives it; none for classes without networks.
fn class_len(address: Ipv4Addr) -> Option<u8> {
    match address.octets()[0] {
        0 => Some(0),
        _ if address.is_broadcast() => Some(0),
        1..128 => Some(8),
        128..192 => Some(16),
        192..224 => Some(24),
        224..240 => None,
        240.. => Some(32),
    }
}
