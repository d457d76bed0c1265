//! The header of a message, and the messages of a datagram.

use super::align;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

bitflags::bitflags! {
    /// `NLM_F_*`. What the upper bits mean depends on the kind of the message.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Flags: u16 {
        /// Asks the kernel for something.
        const REQUEST = 1;
        /// One of several that `NLMSG_DONE` ends.
        const MULTI = 2;
        /// The sender wants to hear that it was done.
        const ACK = 4;
        /// The sender wants its own notification.
        const ECHO = 8;
        /// Only what the request selected is in the listing.
        const DUMP_FILTERED = 0x20;
        /// Get: from the table's root.
        const ROOT = 0x100;
        /// Get: all that match.
        const MATCH = 0x200;
        /// New: instead of what is there.
        const REPLACE = 0x100;
        /// New: not if it is there.
        const EXCL = 0x200;
        /// New: if it is not there.
        const CREATE = 0x400;
        /// New: behind what is there.
        const APPEND = 0x800;
        /// Acknowledgement: the request is not repeated in it.
        const CAPPED = 0x100;
        /// Acknowledgement: attributes follow.
        const ACK_TLVS = 0x200;
    }
}

impl Flags {
    /// Get: the whole table (`NLM_F_DUMP`). One of the two bits is enough.
    pub const DUMP: Flags = Flags::ROOT.union(Flags::MATCH);
}

/// `struct nlmsghdr`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Header {
    /// Bytes of the message with this header.
    pub len: u32,
    /// What it is.
    pub kind: u16,
    /// [`Flags`].
    pub flags: u16,
    /// The request that it belongs to.
    pub sequence: u32,
    /// The port of who sent the request.
    pub port: u32,
}

/// Bytes of a [`Header`].
pub const HEADER_LEN: usize = size_of::<Header>();

impl Header {
    /// The flags, also those that have no name here.
    pub fn flags(&self) -> Flags {
        Flags::from_bits_retain(self.flags)
    }
}

/// A message as it was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// Its header.
    pub header: Header,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// The messages of a datagram. Ends at the first whose length cannot be.
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Those in `datagram`.
    pub fn new(datagram: &'a [u8]) -> Messages<'a> {
        Messages { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let (header, _) = Header::read_from_prefix(self.rest).ok()?;
        let len = header.len as usize;
        let payload = self.rest.get(HEADER_LEN..len)?;
        self.rest = self.rest.get(align(len)..).unwrap_or_default();
        Some(Message { header, payload })
    }
}
