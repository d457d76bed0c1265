//! The messages of a datagram to the kernel, one after the other, and their acknowledgements.

use super::{
    receive::{Packet, WhenFull},
    rtnetlink::{self, Answer},
    socket::NetlinkSocket,
};
use crate::{fs::IoSource, net::device::Refusal};
use abi::{Errno, Result, rtnetlink::*};
use alloc::vec::Vec;
use netlink::{Builder, Flags, HEADER_LEN, Message, Messages};
use zerocopy::IntoBytes;

/// A message that asks the kernel for something.
pub(super) struct Request<'a> {
    /// Through which socket.
    pub socket: &'a NetlinkSocket,
    /// From which port.
    pub port: u32,
    /// The message.
    pub message: Message<'a>,
}

impl Request<'_> {
    /// The message's flags.
    pub fn flags(&self) -> Flags {
        self.message.header.flags()
    }

    /// Whether a listing's request is checked, and selects.
    pub fn is_strict(&self) -> bool {
        self.socket.settings.is_strict()
    }

    /// An answer to it.
    pub fn answer(&self, kind: u16, flags: Flags) -> Builder {
        Builder::new(kind, flags, self.message.header.sequence, self.port)
    }
}

/// Takes `len` bytes from a sender; `EFAULT`, `ENOBUFS`.
pub(super) fn take_bytes(source: &mut IoSource<'_>, len: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
    bytes.resize(len, 0);
    let mut done = 0;
    while done < len {
        match source.read(&mut bytes[done..])? {
            0 => return Err(Errno::EFAULT),
            count => done += count,
        }
    }
    Ok(bytes)
}

/// Does what a datagram asks for. Each message is acknowledged that asks for it or fails; a listing acknowledges itself.
pub(super) fn carry_out(socket: &NetlinkSocket, port: u32, datagram: &[u8]) {
    for message in Messages::new(datagram) {
        let request = Request { socket, port, message };
        let flags = request.flags();
        let is_request = flags.contains(Flags::REQUEST) && message.header.kind >= NLMSG_MIN_TYPE;
        let outcome = if is_request { rtnetlink::carry_out(&request) } else { Ok(Answer::Done) };
        let outcome = match outcome {
            Ok(Answer::Done) => Ok(()),
            Ok(Answer::Message(bytes)) => {
                reply(&request, bytes);
                Ok(())
            }
            Ok(Answer::Listing(listing)) => match socket.begin_listing(listing) {
                Ok(()) => continue,
                Err(error) => Err(Refusal::from(error)),
            },
            Err(refusal) => Err(refusal),
        };
        if outcome.is_err() || flags.contains(Flags::ACK) {
            acknowledge(&request, outcome);
        }
    }
}

fn reply(request: &Request<'_>, bytes: Vec<u8>) {
    // Who has no room for the answer learns that it is lost.
    let _ = request.socket.deliver(Packet::from_kernel(bytes, 0), WhenFull::Lose);
}

/// `NLMSG_ERROR`: the error or 0, the request's header, the request itself if it failed, and what there is to say.
fn acknowledge(request: &Request<'_>, outcome: Result<(), Refusal>) {
    let Message { header, payload } = request.message;
    let settings = &request.socket.settings;
    let refusal = outcome.err();
    let repeats = refusal.is_some() && !settings.caps_acknowledgements();
    let details = refusal.filter(|refusal| {
        settings.wants_details() && (refusal.text.is_some() || refusal.offset.is_some())
    });
    let mut flags = Flags::empty();
    flags.set(Flags::CAPPED, !repeats);
    flags.set(Flags::ACK_TLVS, details.is_some());
    let mut message = request.answer(NLMSG_ERROR, flags);
    message.fixed(&refusal.map_or(0, |refusal| -refusal.errno.code()));
    message.raw(header.as_bytes());
    if repeats {
        message.raw(payload);
    }
    if let Some(details) = details {
        if let Some(text) = details.text {
            message.text(NLMSGERR_ATTR_MSG, text);
        }
        if let Some(offset) = details.offset {
            message.attribute(NLMSGERR_ATTR_OFFS, &((HEADER_LEN + offset) as u32));
        }
    }
    reply(request, message.finish());
}
