//! Changes to interfaces themselves.

use super::{
    Address, Asked, Change, Description, Event, HARDWARE_ADDRESS_LEN, Happened, Interface, Name,
    Outcome, Refusal, Route,
};
use abi::{
    Errno,
    interface::{IFNAMSIZ, InterfaceFlags},
    rtnetlink::RT_SCOPE_HOST,
};
use alloc::sync::Arc;
use core::{fmt::Write, net::Ipv4Addr};

impl Change {
    pub(super) fn add_interface(&mut self, description: &Description) -> Outcome<u32> {
        let name = self.free_name(description.name.as_bytes())?;
        let index = self.network.interfaces().last().map_or(1, |last| last.index + 1);
        self.network.add_interface(Interface::new(index, name, description));
        self.note_link(index, InterfaceFlags::all());
        Ok(index)
    }

    /// An interface by its number; `ENODEV`.
    pub fn interface(&self, index: u32) -> Outcome<&Arc<Interface>> {
        self.network.interface(index).ok_or_else(|| Errno::ENODEV.into())
    }

    fn interface_mut(&mut self, index: u32) -> Outcome<&mut Interface> {
        self.network.interface_mut(index).ok_or_else(|| Errno::ENODEV.into())
    }

    fn note_link(&mut self, index: u32, switched: InterfaceFlags) {
        if let Some(interface) = self.network.interface(index).cloned() {
            self.note(Event::Link(interface, switched), Asked::No);
        }
    }

    /// Switches an interface's flags. Going up, a loopback interface without addresses gets 127.0.0.1/8, and the addresses get
    /// their networks' routes; going down, the routes go that need the link.
    pub fn set_flags(&mut self, index: u32, wanted: InterfaceFlags) -> Outcome<()> {
        let mut tried = (**self.interface(index)?).clone();
        let switched = tried.switch(wanted);
        if switched.is_empty() {
            return Ok(());
        }
        if !switched.contains(InterfaceFlags::UP) {
            *self.interface_mut(index)? = tried;
            self.note_link(index, switched);
            return Ok(());
        }
        self.note(Event::Link(Arc::new(tried.clone()), switched), Asked::No);
        if !tried.is_up() {
            // As on Linux nobody is told of these: that the link is down says it.
            let is_lost = |route: &Route| route.interface == Some(index) && route.needs_link();
            self.network.routes.retain(|route| !is_lost(route));
            *self.interface_mut(index)? = tried;
            return Ok(());
        }
        let needs_address =
            tried.is_loopback() && tried.addresses.is_empty() && tried.speaks_ipv4();
        let name = tried.name;
        self.rederive(index, |interface| *interface = tried);
        if needs_address {
            let mut address = Address::new(Ipv4Addr::LOCALHOST, 8, name);
            address.scope = RT_SCOPE_HOST;
            self.add_address(index, address)?;
        }
        Ok(())
    }

    /// Sets the length of the longest packet: `EINVAL` beyond the driver's bounds. Too little for IPv4 takes its addresses.
    pub fn set_mtu(&mut self, index: u32, mtu: u32) -> Outcome<()> {
        let interface = self.interface_mut(index)?;
        if interface.mtu == mtu {
            return Ok(());
        }
        if i32::try_from(mtu).is_err() || mtu < interface.min_mtu {
            return Err(Refusal::new(Errno::EINVAL, "mtu less than device minimum"));
        }
        if interface.max_mtu != 0 && mtu > interface.max_mtu {
            return Err(Refusal::new(Errno::EINVAL, "mtu greater than device maximum"));
        }
        interface.mtu = mtu;
        if !interface.speaks_ipv4() {
            self.remove_all_addresses(index);
        }
        self.note_link(index, InterfaceFlags::empty());
        Ok(())
    }

    /// Gives an interface another name, which its addresses' labels follow: `EINVAL`, `EEXIST`.
    pub fn rename(&mut self, index: u32, name: &[u8]) -> Outcome<()> {
        if self.interface(index)?.name.as_bytes() == name {
            return Ok(());
        }
        let name = self.free_name(name)?;
        let interface = self.interface_mut(index)?;
        interface.name = name;
        interface.renamed = true;
        for (number, address) in interface.addresses.iter_mut().enumerate() {
            address.label = renamed(&address.label, name, number);
        }
        let addresses = interface.addresses.clone();
        self.note_link(index, InterfaceFlags::empty());
        for address in addresses {
            self.note(Event::Address(Happened::New, index, address), Asked::No);
        }
        Ok(())
    }

    /// Checks that a name may be an interface's and is free.
    fn free_name(&self, name: &[u8]) -> Outcome<Name> {
        if self.network.named(name).is_some() {
            return Err(Errno::EEXIST.into());
        }
        parse_name(name).ok_or_else(|| Errno::EINVAL.into())
    }

    /// Sets how many packets may wait.
    pub fn set_tx_queue_len(&mut self, index: u32, len: u32) -> Outcome<()> {
        let interface = self.interface_mut(index)?;
        if interface.tx_queue_len != len {
            interface.tx_queue_len = len;
            self.note_link(index, InterfaceFlags::empty());
        }
        Ok(())
    }

    /// Sets the address on the network: `EADDRNOTAVAIL` for one that is nobody's or a group's.
    pub fn set_hardware_address(
        &mut self,
        index: u32,
        address: [u8; HARDWARE_ADDRESS_LEN],
    ) -> Outcome<()> {
        let interface = self.interface_mut(index)?;
        let is_one = address[0] & 1 == 0 && address != [0; HARDWARE_ADDRESS_LEN];
        if interface.hardware_address != address && !is_one {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        interface.hardware_address = address;
        self.note_link(index, InterfaceFlags::empty());
        Ok(())
    }

    /// Sets the address of all on the network.
    pub fn set_hardware_broadcast(
        &mut self,
        index: u32,
        address: [u8; HARDWARE_ADDRESS_LEN],
    ) -> Outcome<()> {
        self.interface_mut(index)?.hardware_broadcast = address;
        self.note_link(index, InterfaceFlags::empty());
        Ok(())
    }

    /// Puts an interface into a group. As on Linux nobody is told of it about one that is down.
    pub fn set_group(&mut self, index: u32, group: u32) -> Outcome<()> {
        let interface = self.interface_mut(index)?;
        interface.group = group;
        if interface.is_up() {
            self.note_link(index, InterfaceFlags::empty());
        }
        Ok(())
    }
}

/// A name that an interface may have: text without white space, slashes and colons. A name with `%` asks Linux for a free
/// number in its place, which is not here.
fn parse_name(name: &[u8]) -> Option<Name> {
    let text = core::str::from_utf8(name).ok()?;
    let is_bad = |byte: u8| matches!(byte, b'/' | b':' | b'%' | 11) || byte.is_ascii_whitespace();
    if text.is_empty() || text == "." || text == ".." || text.bytes().any(is_bad) {
        return None;
    }
    Name::from(text).ok()
}

/// The label of the address at `number` after its interface got a new name: what was behind the colon stays.
fn renamed(label: &Name, name: Name, number: usize) -> Name {
    if number == 0 {
        return name;
    }
    let mut rest = Name::new();
    match label.find(':') {
        Some(colon) => rest.push_str(&label[colon..]),
        // A number of an address always fits.
        None => drop(write!(rest, ":{}", number + 1)),
    }
    let mut label = name;
    label.truncate((IFNAMSIZ - 1).saturating_sub(rest.len()).min(label.len()));
    label.push_str(&rest);
    label
}
