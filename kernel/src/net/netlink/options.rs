//! `SOL_NETLINK`.

use super::socket::NetlinkSocket;
use crate::net::options::OptionValue;
use abi::{Errno, Result, rtnetlink::*};
use core::sync::atomic::{AtomicU32, Ordering};
use smallvec::SmallVec;

/// Switches, one bit for each option's number.
#[derive(Default)]
pub(super) struct Settings(AtomicU32);

impl Settings {
    fn is_on(&self, option: u32) -> bool {
        self.0.load(Ordering::Relaxed) & 1 << option != 0
    }

    fn switch(&self, option: u32, on: bool) {
        if on {
            self.0.fetch_or(1 << option, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!(1 << option), Ordering::Relaxed);
        }
    }

    /// A message without room is lost without a word.
    pub fn ignores_losses(&self) -> bool {
        self.is_on(NETLINK_NO_ENOBUFS)
    }

    /// Its sends to a group fail when a listener has no room.
    pub fn wants_broadcast_errors(&self) -> bool {
        self.is_on(NETLINK_BROADCAST_ERROR)
    }

    /// Acknowledgements do not repeat the request.
    pub fn caps_acknowledgements(&self) -> bool {
        self.is_on(NETLINK_CAP_ACK)
    }

    /// Acknowledgements say more than an error.
    pub fn wants_details(&self) -> bool {
        self.is_on(NETLINK_EXT_ACK)
    }

    /// Requests for listings are checked, and select.
    pub fn is_strict(&self) -> bool {
        self.is_on(NETLINK_GET_STRICT_CHK)
    }
}

/// Whether an option is a switch. Namespaces there is one of, so `NETLINK_LISTEN_ALL_NSID` makes no difference.
fn is_switch(name: u32) -> bool {
    matches!(
        name,
        NETLINK_BROADCAST_ERROR
            | NETLINK_NO_ENOBUFS
            | NETLINK_LISTEN_ALL_NSID
            | NETLINK_CAP_ACK
            | NETLINK_EXT_ACK
            | NETLINK_GET_STRICT_CHK
    )
}

impl NetlinkSocket {
    pub(super) fn set_netlink_option(&self, level: i32, name: u32, value: &[u8]) -> Result<()> {
        if level != SOL_NETLINK {
            return Err(Errno::ENOPROTOOPT);
        }
        let value = match value.first_chunk() {
            Some(bytes) => u32::from_ne_bytes(*bytes),
            // As Linux takes a value that is too short.
            None => 0,
        };
        match name {
            NETLINK_ADD_MEMBERSHIP => {
                let bit = NetlinkSocket::check_group(value)?;
                self.set_groups(|groups| groups | bit);
            }
            NETLINK_DROP_MEMBERSHIP => {
                let bit = NetlinkSocket::check_group(value)?;
                self.set_groups(|groups| groups & !bit);
            }
            _ if is_switch(name) => {
                self.settings.switch(name, value != 0);
                if name == NETLINK_NO_ENOBUFS && value != 0 {
                    self.end_congestion();
                }
            }
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    pub(super) fn netlink_option(&self, level: i32, name: u32) -> Result<OptionValue> {
        if level != SOL_NETLINK {
            return Err(Errno::ENOPROTOOPT);
        }
        match name {
            NETLINK_LIST_MEMBERSHIPS => {
                let bytes = self.groups().to_ne_bytes();
                let len = (RTNLGRP_MAX as usize).div_ceil(8).next_multiple_of(size_of::<u32>());
                Ok(OptionValue::Bytes(SmallVec::from_slice(&bytes[..len])))
            }
            _ if is_switch(name) => Ok(OptionValue::Int(i32::from(self.settings.is_on(name)))),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }
}
