//! Changes to addresses.

use super::{Address, Asked, Change, Event, Happened, Outcome, Refusal};
use abi::{Errno, rtnetlink::IFA_F_SECONDARY};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

impl Change {
    /// Gives an interface an address. In a network that it has an address in already, it becomes a secondary one: `EEXIST` if
    /// it is there, `EINVAL` if the scopes differ. `ENOBUFS` for an interface without IPv4.
    pub fn add_address(&mut self, index: u32, mut address: Address) -> Outcome<()> {
        let interface = self.interface(index)?;
        if !interface.speaks_ipv4() {
            return Err(Errno::ENOBUFS.into());
        }
        if address.local.is_unspecified() {
            return Ok(());
        }
        address.flags &= !IFA_F_SECONDARY;
        let network = address.clone();
        for other in interface.addresses.iter().filter(|other| other.shares_network(&network)) {
            if other.local == address.local {
                return Err(Refusal::new(Errno::EEXIST, "ipv4: Address already assigned"));
            }
            if other.scope != address.scope {
                return Err(Refusal::new(Errno::EINVAL, "ipv4: Invalid scope value"));
            }
            address.flags |= IFA_F_SECONDARY;
        }
        let follows = |other: &Address| !other.is_secondary() && address.scope <= other.scope;
        let place = match address.is_secondary() {
            true => interface.addresses.len(),
            false => interface.addresses.iter().rposition(follows).map_or(0, |last| last + 1),
        };
        self.note(Event::Address(Happened::New, index, address.clone()), Asked::Yes);
        self.rederive(index, |interface| interface.addresses.insert(place, address));
        Ok(())
    }

    /// Takes an address, and with a primary one the secondary ones of its network. The last one takes all routes with it.
    pub fn remove_address(&mut self, index: u32, local: Ipv4Addr, prefix_len: u8) -> Outcome<()> {
        let addresses = &self.interface(index)?.addresses;
        let is_it = |other: &Address| other.local == local && other.prefix_len == prefix_len;
        let gone = addresses.iter().find(|other| is_it(other)).ok_or(Errno::EADDRNOTAVAIL)?;
        let goes_too = |other: &Address| {
            !gone.is_secondary() && other.is_secondary() && other.shares_network(gone)
        };
        let mut lost: Vec<Address> =
            addresses.iter().filter(|other| goes_too(other)).cloned().collect();
        lost.push(gone.clone());
        for address in lost {
            self.note(Event::Address(Happened::Gone, index, address.clone()), Asked::Yes);
            self.rederive(index, |interface| interface.addresses.retain(|other| *other != address));
            self.forget_source(address.local);
        }
        if self.interface(index)?.addresses.is_empty() {
            self.network.routes.retain(|route| route.interface != Some(index));
        }
        Ok(())
    }

    pub(super) fn remove_all_addresses(&mut self, index: u32) {
        while let Some(first) = self.network.interface(index).and_then(|i| i.addresses.first()) {
            let (local, prefix_len) = (first.local, first.prefix_len);
            if self.remove_address(index, local, prefix_len).is_err() {
                return;
            }
        }
    }

    /// Changes an address that stays where it is: what does not make it another one.
    pub fn update_address(
        &mut self,
        index: u32,
        local: Ipv4Addr,
        prefix_len: u8,
        update: impl FnOnce(&mut Address),
    ) -> Outcome<()> {
        let is_it = |other: &Address| other.local == local && other.prefix_len == prefix_len;
        let found = self.interface(index)?.addresses.iter().position(is_it);
        let at = found.ok_or(Errno::EADDRNOTAVAIL)?;
        self.rederive(index, |interface| update(&mut interface.addresses[at]));
        let address = self.interface(index)?.addresses[at].clone();
        self.note(Event::Address(Happened::New, index, address), Asked::Yes);
        Ok(())
    }

    /// Routes whose source address is no longer this machine's go.
    fn forget_source(&mut self, source: Ipv4Addr) {
        if !self.network.is_local(source) {
            self.network.routes.retain(|route| route.preferred_source != Some(source));
        }
    }
}
