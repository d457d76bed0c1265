//! `SOL_IP` options (`ip(7)`), and the control messages that go with them. All are words that the calls read and set without a
//! lock.

use super::local;
use crate::net::{
    SocketType,
    message::ControlMessage,
    options::{OptionValue, int_value},
};
use abi::{
    Errno, Result,
    net::{
        IP_BIND_ADDRESS_NO_PORT, IP_FREEBIND, IP_MTU, IP_MTU_DISCOVER, IP_MULTICAST_LOOP,
        IP_MULTICAST_TTL, IP_PKTINFO, IP_RECVTOS, IP_RECVTTL, IP_TOS, IP_TTL, IPPROTO_IP,
    },
};
use alloc::vec::Vec;
use core::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU32, Ordering},
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `SOL_IP`.
pub const SOL_IP: i32 = IPPROTO_IP as i32;
/// The largest packet that the loopback device and the protocol take.
const LOOPBACK_MTU: i32 = 65535;
/// The loopback device's number.
const LOOPBACK_INDEX: i32 = 1;
/// Hops that a packet may take by default.
const DEFAULT_TTL: u32 = 64;
/// The bits of the type of service that are congestion notification.
const ECN_MASK: u32 = 3;
/// `IP_PMTUDISC_WANT`, and the highest of its kind.
const DISCOVER_WANT: u32 = 1;
const DISCOVER_LAST: u32 = 5;

bitflags::bitflags! {
    /// Options that are on or off.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct IpSwitches: u32 {
        const PACKET_INFO = 1;
        const RECEIVE_TTL = 2;
        const RECEIVE_TOS = 4;
        const FREE_BIND = 8;
        const BIND_ADDRESS_NO_PORT = 0x10;
        const MULTICAST_LOOP = 0x20;
    }
}

/// The options of one socket.
pub struct IpOptions {
    switches: AtomicU32,
    tos: AtomicU32,
    ttl: AtomicU32,
    multicast_ttl: AtomicU32,
    discover: AtomicU32,
}

/// `struct in_pktinfo`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct PacketInfo {
    index: i32,
    specific: [u8; 4],
    address: [u8; 4],
}

/// What a packet's header has for those who ask.
#[derive(Clone, Copy)]
pub struct Header {
    /// Where it was sent to.
    pub to: Ipv4Addr,
    /// Hops it may still take.
    pub ttl: u8,
    /// Type of service.
    pub tos: u8,
}

impl IpOptions {
    /// All as they are at first.
    pub fn new() -> IpOptions {
        IpOptions {
            switches: AtomicU32::new(IpSwitches::MULTICAST_LOOP.bits()),
            tos: AtomicU32::new(0),
            ttl: AtomicU32::new(DEFAULT_TTL),
            multicast_ttl: AtomicU32::new(1),
            discover: AtomicU32::new(DISCOVER_WANT),
        }
    }

    /// A copy: what a connection has of its listener.
    pub fn inherited(&self) -> IpOptions {
        let word = |word: &AtomicU32| AtomicU32::new(word.load(Ordering::Relaxed));
        IpOptions {
            switches: word(&self.switches),
            tos: word(&self.tos),
            ttl: word(&self.ttl),
            multicast_ttl: word(&self.multicast_ttl),
            discover: word(&self.discover),
        }
    }

    /// Whether a switch is on.
    pub fn is_on(&self, switch: IpSwitches) -> bool {
        self.switches.load(Ordering::Relaxed) & switch.bits() != 0
    }

    /// The header of a packet to `to`.
    pub fn header(&self, to: Ipv4Addr) -> Header {
        Header {
            to,
            ttl: self.ttl.load(Ordering::Relaxed) as u8,
            tos: self.tos.load(Ordering::Relaxed) as u8,
        }
    }

    fn by_name(name: u32) -> Option<IpSwitches> {
        Some(match name {
            IP_PKTINFO => IpSwitches::PACKET_INFO,
            IP_RECVTTL => IpSwitches::RECEIVE_TTL,
            IP_RECVTOS => IpSwitches::RECEIVE_TOS,
            IP_FREEBIND => IpSwitches::FREE_BIND,
            IP_BIND_ADDRESS_NO_PORT => IpSwitches::BIND_ADDRESS_NO_PORT,
            IP_MULTICAST_LOOP => IpSwitches::MULTICAST_LOOP,
            _ => return None,
        })
    }

    /// `getsockopt(2)`; `ENOTCONN` for the path of a socket without one, `ENOPROTOOPT`.
    pub fn get(&self, name: u32, connected: bool) -> Result<OptionValue> {
        let word = |word: &AtomicU32| word.load(Ordering::Relaxed).cast_signed();
        if let Some(switch) = IpOptions::by_name(name) {
            return Ok(OptionValue::Int(i32::from(self.is_on(switch))));
        }
        Ok(OptionValue::Int(match name {
            IP_TOS => word(&self.tos),
            IP_TTL => word(&self.ttl),
            IP_MULTICAST_TTL => word(&self.multicast_ttl),
            IP_MTU_DISCOVER => word(&self.discover),
            IP_MTU if connected => LOOPBACK_MTU,
            IP_MTU => return Err(Errno::ENOTCONN),
            _ => return Err(Errno::ENOPROTOOPT),
        }))
    }

    /// `setsockopt(2)`; `EINVAL`, `ENOPROTOOPT`.
    pub fn set(&self, kind: SocketType, name: u32, value: &[u8]) -> Result<()> {
        let int = match (int_value(value), value.first()) {
            (Some(int), _) => int,
            (None, Some(byte)) => i32::from(*byte),
            (None, None) => 0,
        };
        let bits = int.cast_unsigned();
        if let Some(switch) = IpOptions::by_name(name) {
            if int != 0 {
                self.switches.fetch_or(switch.bits(), Ordering::Relaxed);
            } else {
                self.switches.fetch_and(!switch.bits(), Ordering::Relaxed);
            }
            return Ok(());
        }
        match name {
            IP_TOS if kind == SocketType::Stream => {
                let kept = self.tos.load(Ordering::Relaxed) & ECN_MASK;
                self.tos.store(bits & 0xff & !ECN_MASK | kept, Ordering::Relaxed);
            }
            IP_TOS => self.tos.store(bits & 0xff, Ordering::Relaxed),
            IP_TTL | IP_MULTICAST_TTL if value.is_empty() => return Err(Errno::EINVAL),
            IP_TTL => {
                let ttl = if int == -1 { DEFAULT_TTL } else { bits };
                if !(1..=255).contains(&ttl) {
                    return Err(Errno::EINVAL);
                }
                self.ttl.store(ttl, Ordering::Relaxed);
            }
            IP_MULTICAST_TTL if kind == SocketType::Datagram => {
                let ttl = if int == -1 { 1 } else { bits };
                if ttl > 255 {
                    return Err(Errno::EINVAL);
                }
                self.multicast_ttl.store(ttl, Ordering::Relaxed);
            }
            IP_MULTICAST_TTL => return Err(Errno::EINVAL),
            IP_MTU_DISCOVER if bits <= DISCOVER_LAST => {
                self.discover.store(bits, Ordering::Relaxed);
            }
            IP_MTU_DISCOVER => return Err(Errno::EINVAL),
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// What the socket wants to know of a packet that came.
    pub fn describe(&self, header: &Header, controls: &mut Vec<ControlMessage>) {
        let on = IpSwitches::from_bits_truncate(self.switches.load(Ordering::Relaxed));
        if on.contains(IpSwitches::PACKET_INFO) {
            let address = header.to.octets();
            let info = PacketInfo { index: LOOPBACK_INDEX, specific: address, address };
            controls.push(ControlMessage::new(SOL_IP, IP_PKTINFO as i32, &info));
        }
        if on.contains(IpSwitches::RECEIVE_TTL) {
            let ttl = i32::from(header.ttl);
            controls.push(ControlMessage::new(SOL_IP, IP_TTL as i32, &ttl));
        }
        if on.contains(IpSwitches::RECEIVE_TOS) {
            controls.push(ControlMessage::new(SOL_IP, IP_TOS as i32, &header.tos));
        }
    }
}

/// What a sender says of one packet (`cmsg(3)`).
#[derive(Default)]
pub struct Overrides {
    /// The address it comes from.
    pub source: Option<Ipv4Addr>,
    /// Hops it may take.
    pub ttl: Option<u8>,
    /// Type of service.
    pub tos: Option<u8>,
}

impl Overrides {
    /// Decodes the messages of `SOL_IP`; `EINVAL` for others of that level and for addresses that are not the machine's.
    pub fn parse(controls: &[ControlMessage]) -> Result<Overrides> {
        let mut overrides = Overrides::default();
        for control in controls.iter().filter(|control| control.level == SOL_IP) {
            let byte = || match int_value(&control.data) {
                Some(int) => u8::try_from(int).map_err(|_| Errno::EINVAL),
                None => control.data.first().copied().ok_or(Errno::EINVAL),
            };
            match control.kind.cast_unsigned() {
                IP_PKTINFO => {
                    let info = PacketInfo::read_from_bytes(&control.data);
                    let info = info.map_err(|_| Errno::EINVAL)?;
                    let source = Ipv4Addr::from(info.specific);
                    if !source.is_unspecified() {
                        if !local::is_local(source) {
                            return Err(Errno::EINVAL);
                        }
                        overrides.source = Some(source);
                    }
                }
                IP_TTL => match byte()? {
                    0 => return Err(Errno::EINVAL),
                    ttl => overrides.ttl = Some(ttl),
                },
                IP_TOS => overrides.tos = Some(byte()?),
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(overrides)
    }
}
