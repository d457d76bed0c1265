//! A prefix: the addresses that begin with the same bits.

use core::{fmt, net::Ipv4Addr};

/// A network and its length in bits, at most 32. The bits after the length are zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    network: u32,
    length: u8,
}

impl Prefix {
    /// The prefix of `length` bits (more than 32 are 32) that `address` is in.
    pub const fn of(address: u32, length: u8) -> Prefix {
        let length = if length > 32 { 32 } else { length };
        Prefix { network: address & mask(length), length }
    }

    /// The prefix with just these bits; `None` if the length is above 32 or there are bits after it.
    pub const fn exact(network: u32, length: u8) -> Option<Prefix> {
        if length > 32 || network & !mask(length) != 0 {
            return None;
        }
        Some(Prefix { network, length })
    }

    /// Its first address.
    pub const fn network(self) -> u32 {
        self.network
    }

    /// Its last address.
    pub const fn last(self) -> u32 {
        self.network | !self.mask()
    }

    /// How many bits its addresses share.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// These bits set.
    pub const fn mask(self) -> u32 {
        mask(self.length)
    }

    /// Whether `address` is in it.
    pub const fn contains(self, address: u32) -> bool {
        address & self.mask() == self.network
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.network), self.length)
    }
}

const fn mask(length: u8) -> u32 {
    match length {
        0 => 0,
        length => u32::MAX << (32 - length),
    }
}
