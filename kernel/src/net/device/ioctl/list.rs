//! `SIOCGIFCONF`: the addresses of all interfaces.

use super::super::{Address, network};
use crate::{
    mm::{UserAddr, user},
    net::AF_INET,
};
use abi::{
    Errno, Result,
    interface::{IFNAMSIZ, InterfaceList, InterfaceRequest, SocketAddress4},
};
use alloc::vec::Vec;
use zerocopy::IntoBytes;

/// As many entries as there is room for; without a buffer, how many bytes all take. `EFAULT`.
pub(super) fn ioctl(argument: usize) -> Result<usize> {
    const ENTRY: usize = size_of::<InterfaceRequest>();
    let mut list: InterfaceList = user::read(UserAddr(argument))?;
    let network = network::current();
    let addresses = network.interfaces().iter().flat_map(|interface| &interface.addresses);
    let bytes = if list.buffer == 0 {
        addresses.count() * ENTRY
    } else {
        let room = usize::try_from(list.len).unwrap_or(0) / ENTRY;
        let entries: Vec<InterfaceRequest> = addresses.take(room).map(entry).collect();
        let buffer = usize::try_from(list.buffer).map_err(|_| Errno::EFAULT)?;
        user::copy_to_user(UserAddr(buffer), entries.as_bytes())?;
        entries.len() * ENTRY
    };
    list.len = i32::try_from(bytes).unwrap_or(i32::MAX);
    user::write(UserAddr(argument), &list)?;
    Ok(0)
}

fn entry(address: &Address) -> InterfaceRequest {
    let mut name = [0; IFNAMSIZ];
    name[..address.label.len()].copy_from_slice(address.label.as_bytes());
    let local = SocketAddress4 {
        family: AF_INET,
        address: address.local.octets(),
        ..SocketAddress4::default()
    };
    let mut value = [0; 24];
    value[..size_of::<SocketAddress4>()].copy_from_slice(local.as_bytes());
    InterfaceRequest { name, value }
}
