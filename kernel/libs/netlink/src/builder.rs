//! A message under construction.

use super::{Flags, HEADER_LEN, Header, align, attributes::ATTRIBUTE_HEADER};
use alloc::vec::Vec;
use zerocopy::{Immutable, IntoBytes};

/// A message that grows: a header, a fixed part, attributes.
pub struct Builder {
    header: Header,
    bytes: Vec<u8>,
}

impl Builder {
    /// A message of a header alone.
    pub fn new(kind: u16, flags: Flags, sequence: u32, port: u32) -> Builder {
        let header = Header { len: 0, kind, flags: flags.bits(), sequence, port };
        Builder { header, bytes: alloc::vec![0; HEADER_LEN] }
    }

    /// Adds a fixed part.
    pub fn fixed(&mut self, part: &(impl IntoBytes + Immutable)) -> &mut Builder {
        self.raw(part.as_bytes())
    }

    /// Adds bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Builder {
        self.bytes.extend_from_slice(bytes);
        self.pad();
        self
    }

    /// Adds an attribute. A value that is longer than an attribute can be is cut.
    pub fn attribute(
        &mut self,
        kind: u16,
        value: &(impl IntoBytes + Immutable + ?Sized),
    ) -> &mut Builder {
        let value = value.as_bytes();
        let most = usize::from(u16::MAX) - ATTRIBUTE_HEADER;
        let value = &value[..value.len().min(most)];
        let len = (ATTRIBUTE_HEADER + value.len()) as u16;
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.raw(value)
    }

    /// Adds a text attribute, with a NUL behind it.
    pub fn text(&mut self, kind: u16, text: &str) -> &mut Builder {
        let mut value = Vec::with_capacity(text.len() + 1);
        value.extend_from_slice(text.as_bytes());
        value.push(0);
        self.attribute(kind, &value[..])
    }

    /// The message, padded so that another can follow. `len` counts the padding only where an attribute follows it.
    pub fn finish(mut self) -> Vec<u8> {
        self.header.len = self.bytes.len() as u32;
        self.bytes[..HEADER_LEN].copy_from_slice(self.header.as_bytes());
        self.bytes
    }

    fn pad(&mut self) {
        self.bytes.resize(align(self.bytes.len()), 0);
    }
}
