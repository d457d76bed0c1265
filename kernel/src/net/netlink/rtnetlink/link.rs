//! Requests about interfaces.

use super::{Answer, Fields, cause, invalid, list as listing};
use crate::net::{
    AF_UNSPEC,
    device::{self, Change, HARDWARE_ADDRESS_LEN, Interface, Network, Outcome, Refusal},
    netlink::{receive::Listing, requests::Request},
};
use abi::{Errno, interface::InterfaceFlags, rtnetlink::*};
use alloc::{sync::Arc, vec::Vec};
use netlink::{Builder, Flags};

/// What a request can set.
const SETTABLE: [u16; 8] = [
    IFLA_IFNAME,
    IFLA_MTU,
    IFLA_TXQLEN,
    IFLA_ADDRESS,
    IFLA_BROADCAST,
    IFLA_GROUP,
    IFLA_ALT_IFNAME,
    IFLA_EXT_MASK,
];

/// Says all about an interface.
pub(super) fn describe(message: &mut Builder, interface: &Interface, switched: InterfaceFlags) {
    message
        .fixed(&LinkMessage {
            family: AF_UNSPEC as u8,
            pad: 0,
            hardware_type: interface.hardware_type,
            index: interface.index.cast_signed(),
            flags: interface.flags().bits(),
            change: switched.bits(),
        })
        .text(IFLA_IFNAME, &interface.name)
        .attribute(IFLA_TXQLEN, &interface.tx_queue_len)
        .attribute(IFLA_OPERSTATE, &interface.operational_state())
        .attribute(IFLA_LINKMODE, &0_u8)
        .attribute(IFLA_MTU, &interface.mtu)
        .attribute(IFLA_MIN_MTU, &interface.min_mtu)
        .attribute(IFLA_MAX_MTU, &interface.max_mtu)
        .attribute(IFLA_GROUP, &interface.group)
        .attribute(IFLA_PROMISCUITY, &interface.promiscuity())
        .attribute(IFLA_ALLMULTI, &interface.all_multicast())
        .attribute(IFLA_NUM_TX_QUEUES, &1_u32)
        .attribute(IFLA_NUM_RX_QUEUES, &1_u32)
        .attribute(IFLA_CARRIER, &1_u8)
        .text(IFLA_QDISC, interface.queue_discipline())
        .attribute(IFLA_CARRIER_CHANGES, &0_u32)
        .attribute(IFLA_CARRIER_UP_COUNT, &0_u32)
        .attribute(IFLA_CARRIER_DOWN_COUNT, &0_u32)
        // `struct rtnl_link_ifmap`: no interface has memory or ports of its own.
        .attribute(IFLA_MAP, &[0_u64; 4])
        .attribute(IFLA_ADDRESS, &interface.hardware_address)
        .attribute(IFLA_BROADCAST, &interface.hardware_broadcast)
        // `struct rtnl_link_stats64` and `rtnl_link_stats`: nothing travels yet that would be counted.
        .attribute(IFLA_STATS64, &[0_u64; 25])
        .attribute(IFLA_STATS, &[0_u32; 24]);
}

/// `RTM_GETLINK` of all.
pub(super) fn list(request: &Request<'_>) -> Outcome<Listing> {
    if request.is_strict() {
        let fields = Fields::<LinkMessage>::read(request)
            .map_err(|_| invalid("Invalid header for link dump"))?;
        let LinkMessage { pad, hardware_type, index, flags, change, .. } = fields.fixed;
        if pad != 0 || hardware_type != 0 || flags != 0 || change != 0 {
            return Err(invalid("Invalid values in header for link dump request"));
        }
        if index != 0 {
            return Err(invalid("Filter by device index not supported for link dumps"));
        }
        // Filters on what no interface here is: a member of another, of a kind of its own.
        fields.allow(&[IFLA_EXT_MASK])?;
    }
    let interfaces: Vec<Arc<Interface>> = device::current().interfaces().to_vec();
    let (sequence, port) = (request.message.header.sequence, request.port);
    let messages = interfaces.into_iter().map(move |interface| {
        let mut message = Builder::new(RTM_NEWLINK, Flags::MULTI, sequence, port);
        describe(&mut message, &interface, InterfaceFlags::empty());
        message.finish()
    });
    Ok(listing(request, messages))
}

/// The interface that a request names by number or name: `EINVAL` when by neither, `ENODEV`.
fn find<'a>(network: &'a Network, fields: &Fields<'_, LinkMessage>) -> Outcome<&'a Arc<Interface>> {
    let index = fields.fixed.index;
    if index > 0 {
        return network.interface(index.cast_unsigned()).ok_or_else(|| Errno::ENODEV.into());
    }
    if index < 0 {
        return Err(invalid("ifindex can't be negative"));
    }
    let name = fields.find(IFLA_IFNAME).or_else(|| fields.find(IFLA_ALT_IFNAME));
    let name = name.ok_or(Errno::EINVAL)?;
    network.named(name.text()).ok_or_else(|| Errno::ENODEV.into())
}

/// `RTM_GETLINK` of one.
pub(super) fn get(request: &Request<'_>) -> Outcome<Answer> {
    let fields = Fields::<LinkMessage>::read(request)?;
    let network = device::current();
    let interface = find(&network, &fields)?;
    let mut message = request.answer(RTM_NEWLINK, Flags::empty());
    describe(&mut message, interface, InterfaceFlags::empty());
    Ok(Answer::Message(message.finish()))
}

/// `RTM_SETLINK`, and `RTM_NEWLINK` of an interface that is there. No kind of interface can be made.
pub(super) fn set(request: &Request<'_>) -> Outcome<Answer> {
    let fields = Fields::<LinkMessage>::read(request)?;
    let is_new = request.message.header.kind == RTM_NEWLINK;
    device::change(cause(request), |change| {
        let found = find(change.network(), &fields).map(|interface| interface.index);
        let index = match found {
            Ok(index) if is_new => {
                if request.flags().contains(Flags::EXCL) {
                    return Err(Errno::EEXIST.into());
                }
                if request.flags().contains(Flags::REPLACE) {
                    return Err(Errno::EOPNOTSUPP.into());
                }
                index
            }
            Ok(index) => index,
            Err(_) if is_new && request.flags().contains(Flags::CREATE) => {
                return Err(Refusal::new(Errno::EOPNOTSUPP, "Unknown device type"));
            }
            Err(refusal) if is_new && refusal.errno == Errno::EINVAL => {
                return Err(Errno::ENODEV.into());
            }
            Err(refusal) => return Err(refusal),
        };
        fields.allow(&SETTABLE)?;
        apply(change, index, &fields)
    })?;
    Ok(Answer::Done)
}

fn apply(change: &mut Change, index: u32, fields: &Fields<'_, LinkMessage>) -> Outcome<()> {
    let hardware = |kind| fields.get::<[u8; HARDWARE_ADDRESS_LEN]>(kind);
    if let Some(address) = hardware(IFLA_ADDRESS)? {
        change.set_hardware_address(index, address)?;
    }
    if let Some(mtu) = fields.get(IFLA_MTU)? {
        change.set_mtu(index, mtu)?;
    }
    if let Some(group) = fields.get(IFLA_GROUP)? {
        change.set_group(index, group)?;
    }
    // With a number, the name is a new one.
    if let Some(name) = fields.find(IFLA_IFNAME).filter(|_| fields.fixed.index > 0) {
        change.rename(index, name.text())?;
    }
    if let Some(broadcast) = hardware(IFLA_BROADCAST)? {
        change.set_hardware_broadcast(index, broadcast)?;
    }
    let LinkMessage { flags, change: mask, .. } = fields.fixed;
    if flags != 0 || mask != 0 {
        // Without a mask all flags are meant.
        let mask = if mask == 0 { u32::MAX } else { mask };
        let old = change.interface(index)?.flags().bits();
        let wanted = flags & mask | old & !mask;
        change.set_flags(index, InterfaceFlags::from_bits_truncate(wanted))?;
    }
    if let Some(len) = fields.get(IFLA_TXQLEN)? {
        change.set_tx_queue_len(index, len)?;
    }
    Ok(())
}

/// `RTM_DELLINK`: `EOPNOTSUPP` for those that were not made by `RTM_NEWLINK`, which is all.
pub(super) fn delete(request: &Request<'_>) -> Outcome<Answer> {
    let fields = Fields::<LinkMessage>::read(request)?;
    find(&device::current(), &fields)?;
    Err(Errno::EOPNOTSUPP.into())
}
