//! What a socket receives: a queue of messages, and the listing under way.

use super::socket::NetlinkSocket;
use crate::{
    net::{AF_NETLINK, Address, MessageFlags, ReceiveMessage, UserCredentials, options::Switches},
    sync::PollEvents,
};
use abi::{Errno, Result, rtnetlink::NetlinkAddress};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use core::{iter::Peekable, sync::atomic::Ordering};
use zerocopy::IntoBytes;

/// What a datagram costs its receiver beside its bytes.
const OVERHEAD: usize = 768;
/// The least and the most bytes of a part of a listing. In between it follows what the reader had room for.
const PART_LEN: core::ops::RangeInclusive<usize> = 3776..=32_448;

/// A datagram in a queue.
#[derive(Clone)]
pub(super) struct Packet {
    /// Its messages.
    pub bytes: Arc<[u8]>,
    /// The port of who sent it; the kernel's is 0.
    pub port: u32,
    /// The group that it was sent to; 0 for none.
    pub group: u32,
    /// Who sent it.
    pub credentials: UserCredentials,
}

impl Packet {
    /// From the kernel.
    pub fn from_kernel(bytes: Vec<u8>, group: u32) -> Packet {
        let credentials = UserCredentials { pid: 0, uid: 0, gid: 0 };
        Packet { bytes: bytes.into(), port: 0, group, credentials }
    }

    fn cost(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}

/// The rest of a listing: messages, then the one that ends it.
pub(super) type Listing = Peekable<Box<dyn Iterator<Item = Vec<u8>> + Send>>;

/// What a message does that finds no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WhenFull {
    /// It is lost, and the receiver is told (`ENOBUFS`).
    Lose,
    /// It goes in all the same: there was room when its sender looked (`NetlinkSocket::check_room`), and it cannot be given back.
    Exceed,
}

/// The receiving half of a socket.
#[derive(Default)]
pub(super) struct Inbox {
    queue: VecDeque<Packet>,
    /// What the queue costs.
    used: usize,
    /// Since a message was lost nothing more is taken until the reader has taken all.
    congested: bool,
    /// Whether a listing is under way.
    is_listing: bool,
    /// Its rest, while nobody makes the next part.
    listing: Option<Listing>,
    /// The most that a reader had room for.
    room: usize,
    pub error: Option<Errno>,
    pub dead: bool,
}

impl Inbox {
    pub fn has_messages(&self) -> bool {
        !self.queue.is_empty()
    }

    fn push(&mut self, packet: Packet) {
        self.used += packet.cost();
        self.queue.push_back(packet);
    }

    /// Empties it for good.
    pub fn close(&mut self) -> Inbox {
        core::mem::replace(self, Inbox { dead: true, ..Inbox::default() })
    }
}

impl NetlinkSocket {
    /// Puts a message into the queue: `ENOBUFS`, `ECONNREFUSED` when it is closed.
    pub(super) fn deliver(&self, packet: Packet, when_full: WhenFull) -> Result<()> {
        let limit = self.options.receive_buffer.load(Ordering::Relaxed);
        let mut inbox = self.inbox.lock();
        if inbox.dead {
            return Err(Errno::ECONNREFUSED);
        }
        if when_full == WhenFull::Lose && (inbox.used > limit || inbox.congested) {
            if !self.settings.ignores_losses() {
                inbox.congested = true;
                inbox.error = Some(Errno::ENOBUFS);
                drop(inbox);
                self.wake_readers();
            }
            return Err(Errno::ENOBUFS);
        }
        inbox.push(packet);
        drop(inbox);
        self.wake_readers();
        Ok(())
    }

    /// Whether a sender must wait; `EAGAIN`.
    pub(super) fn check_room(&self) -> Result<()> {
        let limit = self.options.receive_buffer.load(Ordering::Relaxed);
        let inbox = self.inbox.lock();
        if inbox.used > limit || inbox.congested { Err(Errno::EAGAIN) } else { Ok(()) }
    }

    /// Takes messages again after one was lost.
    pub(super) fn end_congestion(&self) {
        self.inbox.lock().congested = false;
    }

    /// Begins a listing; `EBUSY` while there is another.
    pub(super) fn begin_listing(&self, listing: Listing) -> Result<()> {
        let mut inbox = self.inbox.lock();
        if inbox.is_listing {
            return Err(Errno::EBUSY);
        }
        inbox.is_listing = true;
        let room = inbox.room;
        drop(inbox);
        self.continue_listing(listing, room);
        Ok(())
    }

    /// Makes the next part of a listing, with no lock held.
    fn continue_listing(&self, mut listing: Listing, room: usize) {
        let most = room.clamp(*PART_LEN.start(), *PART_LEN.end());
        let mut part: Vec<u8> = Vec::new();
        while let Some(message) = listing.peek() {
            if !part.is_empty() && part.len() + message.len() > most {
                break;
            }
            part.extend(listing.next().into_iter().flatten());
        }
        let rest = listing.peek().is_some().then_some(listing);
        let mut inbox = self.inbox.lock();
        inbox.push(Packet::from_kernel(part, 0));
        inbox.is_listing = rest.is_some();
        inbox.listing = rest;
        drop(inbox);
        self.wake_readers();
    }

    fn wake_readers(&self) {
        if !self.readable.is_empty() {
            self.readable.wake_events(PollEvents::IN | PollEvents::RDNORM);
        }
    }

    /// One try of `recvmsg(2)`: one message as a whole; what does not fit is lost.
    pub(super) fn receive_packet(&self, message: &mut ReceiveMessage<'_, '_>) -> Result<usize> {
        if message.flags.contains(MessageFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        let peek = message.flags.contains(MessageFlags::PEEK);
        let _reader = self.reader.lock_interruptible()?;
        let packet = {
            let mut inbox = self.inbox.lock();
            if let Some(error) = inbox.error.take() {
                return Err(error);
            }
            let packet = inbox.queue.front().cloned().ok_or(Errno::EAGAIN)?;
            if !peek {
                inbox.queue.pop_front();
                inbox.used -= packet.cost();
                inbox.congested &= !inbox.queue.is_empty();
            }
            inbox.room = inbox.room.max(message.data.remaining());
            packet
        };
        let wanted = packet.bytes.len().min(message.data.remaining());
        let mut copied = 0;
        while copied < wanted {
            copied += message.data.write(&packet.bytes[copied..wanted])?;
        }
        message.result_flags.set(MessageFlags::TRUNC, wanted < packet.bytes.len());
        message.address = Some(address(packet.port, group_bit(packet.group)));
        if self.options.is_on(Switches::PASS_CREDENTIALS) {
            message.credentials = Some(packet.credentials);
        }
        if !peek {
            self.after_taking();
        }
        let whole = message.flags.contains(MessageFlags::TRUNC);
        Ok(if whole { packet.bytes.len() } else { copied })
    }

    /// There is room again: for the listing's next part, and for who waits to send.
    fn after_taking(&self) {
        let half = self.options.receive_buffer.load(Ordering::Relaxed) / 2;
        let mut inbox = self.inbox.lock();
        let listing = if inbox.used <= half { inbox.listing.take() } else { None };
        let room = inbox.room;
        drop(inbox);
        if let Some(listing) = listing {
            self.continue_listing(listing, room);
        }
        if !self.room.is_empty() {
            self.room.wake_all();
        }
    }
}

/// A `struct sockaddr_nl`.
pub(super) fn address(port: u32, groups: u32) -> Address {
    let address = NetlinkAddress { family: AF_NETLINK, pad: 0, port, groups };
    address.as_bytes().iter().copied().collect()
}

/// The bit of a group in an address; groups above 32 have none.
pub(super) fn group_bit(group: u32) -> u32 {
    match group {
        1..=32 => 1 << (group - 1),
        _ => 0,
    }
}
