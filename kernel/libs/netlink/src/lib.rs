//! Netlink messages (`netlink(7)`): headers and attributes, read and built. What the messages mean is their family's to know.
//!
//! - `header`: the header of a message, and the messages of a datagram one after the other.
//! - `attributes`: the attributes behind a message's fixed part.
//! - `builder`: a message under construction.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod attributes;
mod builder;
mod header;
#[cfg(test)]
mod tests;

pub use attributes::{Attribute, Attributes, Malformed};
pub use builder::Builder;
pub use header::{Flags, HEADER_LEN, Header, Message, Messages};

/// Headers, messages and attributes begin at multiples of this.
const ALIGNMENT: usize = 4;

/// Where something of `len` bytes is followed by the next.
const fn align(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}
