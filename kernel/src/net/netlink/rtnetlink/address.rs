//! Requests about addresses.

use super::{Answer, Fields, cause, invalid, list as listing, listed};
use crate::net::{
    AF_INET,
    device::{self, Address, Change, Name, Outcome, Refusal, hundredths},
    netlink::{receive::Listing, requests::Request},
};
use abi::{Errno, rtnetlink::*};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use netlink::{Builder, Flags};

/// What an address has.
const KNOWN: [u16; 8] = [
    IFA_ADDRESS,
    IFA_LOCAL,
    IFA_LABEL,
    IFA_BROADCAST,
    IFA_CACHEINFO,
    IFA_FLAGS,
    IFA_RT_PRIORITY,
    IFA_PROTO,
];
/// For ever, in seconds.
const FOREVER: u32 = u32::MAX;

/// Says all about an address.
pub(super) fn describe(message: &mut Builder, index: u32, address: &Address) {
    message
        .fixed(&AddressMessage {
            family: AF_INET as u8,
            prefix_len: address.prefix_len,
            flags: address.flags as u8,
            scope: address.scope,
            index,
        })
        .attribute(IFA_ADDRESS, &address.peer.octets())
        .attribute(IFA_LOCAL, &address.local.octets());
    if let Some(broadcast) = address.broadcast {
        message.attribute(IFA_BROADCAST, &broadcast.octets());
    }
    message.text(IFA_LABEL, &address.label);
    if address.protocol != 0 {
        message.attribute(IFA_PROTO, &address.protocol);
    }
    message.attribute(IFA_FLAGS, &address.flags);
    if address.priority != 0 {
        message.attribute(IFA_RT_PRIORITY, &address.priority);
    }
    message.attribute(
        IFA_CACHEINFO,
        &AddressTimes {
            preferred: FOREVER,
            valid: FOREVER,
            created: address.created,
            updated: address.updated,
        },
    );
}

/// `RTM_GETADDR`: of all interfaces, or of the one that a checked request names.
pub(super) fn list(request: &Request<'_>) -> Outcome<Listing> {
    let network = device::current();
    let mut only = None;
    if request.is_strict() {
        let fields = Fields::<AddressMessage>::read(request)
            .map_err(|_| invalid("ipv4: Invalid header for address dump request"))?;
        let AddressMessage { prefix_len, flags, scope, index, .. } = fields.fixed;
        if prefix_len != 0 || flags != 0 || scope != 0 {
            return Err(invalid("ipv4: Invalid values in header for address dump request"));
        }
        if fields.other_than(&[]).is_some() {
            return Err(invalid("ipv4: Unsupported attribute in dump request"));
        }
        if index != 0 {
            network.interface(index).ok_or(Errno::ENODEV)?;
            only = Some(index);
        }
    }
    let interfaces = network.interfaces().iter();
    let wanted = interfaces.filter(|interface| only.is_none_or(|only| only == interface.index));
    let addresses: Vec<(u32, Address)> = wanted
        .flat_map(|interface| {
            interface.addresses.iter().map(|address| (interface.index, address.clone()))
        })
        .collect();
    let (sequence, port) = (request.message.header.sequence, request.port);
    let messages = addresses.into_iter().map(move |(index, address)| {
        let mut message = Builder::new(RTM_NEWADDR, listed(only.is_some()), sequence, port);
        describe(&mut message, index, &address);
        message.finish()
    });
    Ok(listing(request, messages))
}

/// `EOPNOTSUPP` for another family's addresses, of which there are none.
fn check_family(fields: &Fields<'_, AddressMessage>) -> Outcome<()> {
    match u16::from(fields.fixed.family) {
        AF_INET => Ok(()),
        _ => Err(Errno::EOPNOTSUPP.into()),
    }
}

/// `RTM_NEWADDR`.
pub(super) fn add(request: &Request<'_>) -> Outcome<Answer> {
    let fields = Fields::<AddressMessage>::read(request)?;
    check_family(&fields)?;
    device::change(cause(request), |change| {
        let index = fields.fixed.index;
        let address = parse(change, &fields)?;
        let known = change
            .interface(index)?
            .addresses
            .iter()
            .find(|known| known.local == address.local && known.shares_network(&address));
        if known.is_none() {
            return change.add_address(index, address);
        }
        let replaces = request.flags().contains(Flags::REPLACE);
        if request.flags().contains(Flags::EXCL) || !replaces {
            return Err(Refusal::new(Errno::EEXIST, "ipv4: Address already assigned"));
        }
        change.update_address(index, address.local, address.prefix_len, |known| {
            known.priority = address.priority;
            known.protocol = address.protocol;
            known.updated = hundredths();
        })
    })?;
    Ok(Answer::Done)
}

/// The address of a request: `EINVAL`, `ENODEV`, `ENOBUFS`.
fn parse(change: &Change, fields: &Fields<'_, AddressMessage>) -> Outcome<Address> {
    fields.allow(&KNOWN)?;
    let AddressMessage { prefix_len, flags, scope, index, .. } = fields.fixed;
    if prefix_len > 32 {
        return Err(invalid("ipv4: Invalid prefix length"));
    }
    let local = fields.address(IFA_LOCAL)?;
    let local = local.ok_or(invalid("ipv4: Local address is not supplied"))?;
    let no_device = Refusal::new(Errno::ENODEV, "ipv4: Device not found");
    let interface = change.interface(index).map_err(|_| no_device)?;
    let label = match fields.find(IFA_LABEL) {
        None => interface.name,
        Some(label) => core::str::from_utf8(label.text())
            .ok()
            .and_then(|text| Name::from(text).ok())
            .ok_or(Errno::ERANGE)?,
    };
    if let Some(times) = fields.get::<AddressTimes>(IFA_CACHEINFO)? {
        if times.valid == 0 || times.preferred > times.valid {
            return Err(invalid("ipv4: Address lifetime is invalid"));
        }
        // Addresses that end by themselves are not here.
        if times.valid != FOREVER || times.preferred != FOREVER {
            return Err(Errno::EOPNOTSUPP.into());
        }
    }
    let flags = fields.get(IFA_FLAGS)?.unwrap_or(u32::from(flags));
    if flags & !(IFA_F_SECONDARY | IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE) != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let mut address = Address::new(local, prefix_len, label);
    address.peer = fields.address(IFA_ADDRESS)?.unwrap_or(local);
    address.broadcast = fields.address(IFA_BROADCAST)?.filter(|all| *all != Ipv4Addr::UNSPECIFIED);
    address.scope = scope;
    address.flags |= flags;
    address.priority = fields.get(IFA_RT_PRIORITY)?.unwrap_or(0);
    address.protocol = fields.get(IFA_PROTO)?.unwrap_or(0);
    Ok(address)
}

/// `RTM_DELADDR`: the first address that fits what the request says of it; `ENODEV`, `EADDRNOTAVAIL`.
pub(super) fn delete(request: &Request<'_>) -> Outcome<Answer> {
    let fields = Fields::<AddressMessage>::read(request)?;
    check_family(&fields)?;
    let local = fields.address(IFA_LOCAL)?;
    let peer = fields.address(IFA_ADDRESS)?;
    let label = fields.find(IFA_LABEL);
    let AddressMessage { prefix_len, index, .. } = fields.fixed;
    device::change(cause(request), |change| {
        let no_device = Refusal::new(Errno::ENODEV, "ipv4: Device not found");
        let interface = change.interface(index).map_err(|_| no_device)?;
        let fits = |address: &&Address| {
            local.is_none_or(|local| local == address.local)
                && label.is_none_or(|label| label.text() == address.label.as_bytes())
                && peer.is_none_or(|peer| {
                    prefix_len == address.prefix_len && address.network().contains(peer.to_bits())
                })
        };
        let found = interface.addresses.iter().find(fits);
        let missing = Refusal::new(Errno::EADDRNOTAVAIL, "ipv4: Address not found");
        let (local, prefix_len) =
            found.map(|found| (found.local, found.prefix_len)).ok_or(missing)?;
        change.remove_address(index, local, prefix_len)
    })?;
    Ok(Answer::Done)
}
