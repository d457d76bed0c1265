//! Socket addresses (`struct sockaddr_in`).

use crate::net::{AF_INET, AF_UNSPEC, Address};
use abi::{Errno, Result};
use core::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::atomic::{AtomicU64, Ordering},
};

/// `sizeof(struct sockaddr_in)`.
const LEN: usize = 16;
/// No address and no port.
pub const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

/// The family of an address; `EINVAL` when it has none.
pub fn family(address: &[u8]) -> Result<u16> {
    let family = address.first_chunk().ok_or(Errno::EINVAL)?;
    Ok(u16::from_ne_bytes(*family))
}

/// Decodes a destination: `EINVAL` when it is short, `EAFNOSUPPORT` for other families.
pub fn parse(address: &[u8]) -> Result<SocketAddrV4> {
    let bytes: &[u8; LEN] = address.first_chunk().ok_or(Errno::EINVAL)?;
    match family(bytes)? {
        AF_INET => Ok(decode(bytes)),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// The same of a datagram's, which may be without a family.
pub fn parse_lenient(address: &[u8]) -> Result<SocketAddrV4> {
    let bytes: &[u8; LEN] = address.first_chunk().ok_or(Errno::EINVAL)?;
    match family(bytes)? {
        AF_INET | AF_UNSPEC => Ok(decode(bytes)),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// Decodes what a socket is to be bound to; "all addresses" may be without a family.
pub fn parse_bindable(address: &[u8]) -> Result<SocketAddrV4> {
    let wanted = parse_lenient(address)?;
    match family(address)? {
        AF_UNSPEC if !wanted.ip().is_unspecified() => Err(Errno::EAFNOSUPPORT),
        _ => Ok(wanted),
    }
}

fn decode(bytes: &[u8; LEN]) -> SocketAddrV4 {
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    SocketAddrV4::new(Ipv4Addr::new(bytes[4], bytes[5], bytes[6], bytes[7]), port)
}

/// Encodes an address.
pub fn encode(address: SocketAddrV4) -> Address {
    let mut bytes = [0; LEN];
    bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    bytes[4..8].copy_from_slice(&address.ip().octets());
    bytes.into_iter().collect()
}

/// An address and a port that are read without a lock.
pub struct Endpoint(AtomicU64);

impl Endpoint {
    /// Starts as [`NOWHERE`].
    pub const fn new() -> Endpoint {
        Endpoint(AtomicU64::new(0))
    }

    /// Both, as they were together at one time.
    pub fn load(&self) -> SocketAddrV4 {
        let word = self.0.load(Ordering::Relaxed);
        SocketAddrV4::new(Ipv4Addr::from_bits((word >> 16) as u32), word as u16)
    }

    /// Changes both together.
    pub fn store(&self, address: SocketAddrV4) {
        let word = u64::from(address.ip().to_bits()) << 16 | u64::from(address.port());
        self.0.store(word, Ordering::Relaxed);
    }
}

/// As the hashes take it.
pub fn words(address: SocketAddrV4) -> (u32, u16) {
    (address.ip().to_bits(), address.port())
}
