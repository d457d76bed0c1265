//! The fixed part of a request and its attributes, read as Linux reads them.

use super::super::requests::Request;
use crate::net::device::{Outcome, Refusal};
use abi::Errno;
use core::net::Ipv4Addr;
use netlink::{Attribute, Attributes};
use zerocopy::FromBytes;

/// A request's fixed part, and its attributes.
pub(super) struct Fields<'a, T> {
    /// What every such request has.
    pub fixed: T,
    attributes: Attributes<'a>,
}

impl<'a, T: FromBytes> Fields<'a, T> {
    /// `EINVAL` for a message that is too short for its fixed part.
    pub fn read(request: &Request<'a>) -> Outcome<Fields<'a, T>> {
        let payload = request.message.payload;
        let (fixed, rest) = T::read_from_prefix(payload).map_err(|_| Errno::EINVAL)?;
        Ok(Fields { fixed, attributes: Attributes::new(rest) })
    }

    /// The attributes that the request has beside `known` ones: the first of them.
    pub fn other_than(&self, known: &[u16]) -> Option<Attribute<'a>> {
        self.attributes.clone().find(|attribute| !known.contains(&attribute.kind))
    }

    /// Refuses a request with attributes that mean something to Linux but nothing here: `EOPNOTSUPP`.
    pub fn allow(&self, known: &[u16]) -> Outcome<()> {
        match self.other_than(known) {
            Some(other) => {
                let text = "Attribute is not supported";
                Err(Refusal::new(Errno::EOPNOTSUPP, text).at(self.offset(&other)))
            }
            None => Ok(()),
        }
    }

    /// An attribute.
    pub fn find(&self, kind: u16) -> Option<Attribute<'a>> {
        self.attributes.last(kind)
    }

    /// An attribute's value: `ERANGE` when it is too short.
    pub fn get<V: FromBytes>(&self, kind: u16) -> Outcome<Option<V>> {
        let Some(attribute) = self.find(kind) else { return Ok(None) };
        let refusal = Refusal::new(Errno::ERANGE, "Attribute failed policy validation");
        match attribute.read() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(refusal.at(self.offset(&attribute))),
        }
    }

    /// An address.
    pub fn address(&self, kind: u16) -> Outcome<Option<Ipv4Addr>> {
        Ok(self.get::<[u8; 4]>(kind)?.map(Ipv4Addr::from))
    }

    /// Where an attribute begins in the message's payload.
    fn offset(&self, attribute: &Attribute<'_>) -> usize {
        size_of::<T>() + attribute.offset
    }
}
