//! What `poll(2)` sees of a socket, in words that it reads without the lock.
//!
//! Whoever changes where the socket stands holds its lock by [`TcpSocket::change`], which brings the word up to date when it lets go, and
//! wakes who waits after that. (A waiter registers first and looks then, so it sees the word or is woken.)
//!
//! Room to send is the peer's to tell. A sender that leaves too little marks itself `full`, then the peer's stream `starved`, then looks
//! again; a reader that makes room takes bytes off, then looks for `starved`, takes that mark and the sender's, and wakes it. So a socket that
//! is `full` has room that was not told of only until its own second look: either that sees it, or the reader sees `starved`.

use super::{Inner, State, TcpSocket};
use crate::{
    net::Shutdown,
    sync::{PollEvents, PollTable, SpinLockGuard},
};
use core::{
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicU32, Ordering},
};

bitflags::bitflags! {
    /// Where a socket stands.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub struct Standing: u32 {
        const LISTENS = 1;
        const CONNECTS = 2;
        /// No connection, or both directions are shut down.
        const OVER = 4;
        /// Nothing more will be received.
        const ENDED = 8;
        /// Nothing more can be sent.
        const MUTE = 0x10;
        /// An error waits to be told.
        const FAILED = 0x20;
    }
}

/// A [`Standing`] that is read without a lock.
pub struct AtomicStanding(AtomicU32);

impl AtomicStanding {
    pub fn new(standing: Standing) -> AtomicStanding {
        AtomicStanding(AtomicU32::new(standing.bits()))
    }

    fn load(&self) -> Standing {
        Standing::from_bits_retain(self.0.load(Ordering::Acquire))
    }

    fn store(&self, standing: Standing) {
        self.0.store(standing.bits(), Ordering::Release);
    }
}

impl Inner {
    pub(super) fn standing(&self) -> Standing {
        let mut standing = Standing::empty();
        let over = self.shutdown == Shutdown::all() || self.state == State::Closed;
        standing.set(Standing::LISTENS, self.listener.is_some());
        standing.set(Standing::CONNECTS, self.state == State::SynSent);
        standing.set(Standing::OVER, over);
        standing.set(Standing::ENDED, self.shutdown.contains(Shutdown::RECEIVE));
        standing.set(Standing::MUTE, self.shutdown.contains(Shutdown::SEND));
        standing.set(Standing::FAILED, self.error.is_some());
        standing
    }
}

/// The socket's lock, held to change where it stands.
#[must_use]
pub(super) struct Change<'a> {
    standing: &'a AtomicStanding,
    inner: SpinLockGuard<'a, Inner>,
}

impl Deref for Change<'_> {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.standing.store(self.inner.standing());
    }
}

impl TcpSocket {
    /// Takes the lock for a change of state, of what is shut down, or of the error.
    pub(super) fn change(&self) -> Change<'_> {
        Change { inner: self.inner.lock(), standing: &self.standing }
    }

    /// `poll(2)`.
    pub(super) fn poll_standing(&self, table: &mut PollTable) -> PollEvents {
        table.register(&self.readable);
        table.register(&self.writable);
        let standing = self.standing.load();
        if standing.contains(Standing::LISTENS) {
            return self.poll_listener();
        }
        let mut events = PollEvents::empty();
        events.set(PollEvents::HUP, standing.contains(Standing::OVER));
        events.set(PollEvents::ERR, standing.contains(Standing::FAILED));
        if standing.contains(Standing::ENDED) {
            events |= PollEvents::IN | PollEvents::RDNORM | PollEvents::RDHUP;
        }
        if standing.contains(Standing::CONNECTS) {
            return events;
        }
        if self.queued.load(Ordering::Relaxed) >= self.options.low_water() {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        if standing.contains(Standing::MUTE) || !self.full.load(Ordering::SeqCst) {
            events |= PollEvents::OUT | PollEvents::WRNORM;
        }
        events
    }

    fn poll_listener(&self) -> PollEvents {
        match &self.inner.lock().listener {
            Some(listener) if listener.ready() > 0 => PollEvents::IN | PollEvents::RDNORM,
            _ => PollEvents::empty(),
        }
    }

    /// Whether `poll` calls it writable: a third of the send buffer is free.
    fn is_writable(&self, peer: &TcpSocket) -> bool {
        self.unsent(peer) * 3 <= self.options.send_buffer.load(Ordering::Relaxed) * 2
    }

    /// Notes whether there is room to send to `peer`: after each send, and when there was none.
    pub(super) fn note_room(&self, peer: &TcpSocket) {
        if self.is_writable(peer) {
            return;
        }
        self.full.store(true, Ordering::SeqCst);
        peer.starved.store(true, Ordering::SeqCst);
        if self.is_writable(peer) {
            self.full.store(false, Ordering::SeqCst);
        }
    }

    /// Bytes were read here: tells the sender if it waits for room and there is enough.
    pub(super) fn tell_room(&self) {
        if !self.starved.load(Ordering::SeqCst) {
            return;
        }
        let Some(peer) = self.inner.lock().peer.clone() else { return };
        if peer.is_writable(self) && self.starved.swap(false, Ordering::SeqCst) {
            peer.full.store(false, Ordering::SeqCst);
            peer.writable.wake_events(PollEvents::OUT | PollEvents::WRNORM);
        }
    }
}
