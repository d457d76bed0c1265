//! Listeners: the queue of connections that wait for `accept(2)`, and those that wait for a place in it.

use super::{State, TcpSocket, close, connect, tables};
use crate::{mm::try_alloc, net::Socket, sync::PollEvents};
use abi::{Errno, Result};
use alloc::{collections::VecDeque, sync::Arc};

/// What a listening socket has.
pub struct Listener {
    /// Connections that wait to be accepted.
    ready: VecDeque<Arc<TcpSocket>>,
    /// Places that are taken by connections on their way into the queue.
    coming: usize,
    /// Sockets in `SYN_SENT` that found no place.
    waiting: VecDeque<Arc<TcpSocket>>,
    backlog: usize,
}

/// What a listener says to a socket that connects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It has a place in the queue.
    Now,
    /// It will be let in when there is one.
    Later,
    /// Nobody listens any more, or there is no memory for one that waits.
    Never,
}

impl Listener {
    /// Connections that wait to be accepted.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// How many it takes beyond one.
    pub fn backlog(&self) -> usize {
        self.backlog
    }

    /// Takes a place in the queue if there is one, and memory for it: as Linux counts, for one more than the backlog.
    fn take_place(&mut self) -> bool {
        let is_free = self.ready.len() + self.coming <= self.backlog
            && self.ready.try_reserve(self.coming + 1).is_ok();
        self.coming += usize::from(is_free);
        is_free
    }
}

/// `listen(2)`: `EINVAL` when connected, `EADDRINUSE`, `ENOMEM`.
pub(super) fn listen(socket: &TcpSocket, backlog: usize) -> Result<()> {
    let me = socket.me.upgrade().ok_or(Errno::EINVAL)?;
    {
        let mut inner = socket.inner.lock();
        if let Some(listener) = &mut inner.listener {
            listener.backlog = backlog;
            return Ok(());
        }
        if inner.state != State::Closed || inner.phase != super::Phase::Unconnected {
            return Err(Errno::EINVAL);
        }
    }
    let (unbound, local) = {
        let inner = socket.inner.lock();
        (inner.binding.is_none(), inner.local)
    };
    if unbound {
        socket.bind_now(local)?;
    }
    let binding = socket.inner.lock().binding.clone().ok_or(Errno::EINVAL)?;
    super::PORTS.listen(&binding)?;
    let (ready, waiting) = (VecDeque::new(), VecDeque::new());
    let listener = try_alloc::boxed(Listener { ready, coming: 0, waiting, backlog })?;
    let mut inner = socket.change();
    if inner.state != State::Closed {
        return Err(Errno::EINVAL);
    }
    inner.state = State::Listen;
    inner.error = None;
    inner.listener = Some(listener);
    let local = inner.local;
    drop(inner);
    tables::listen(local, socket.reuse().port, me);
    Ok(())
}

/// `accept(2)`: `EINVAL` when not listening. Lets the first in that waits for the place.
pub(super) fn accept(socket: &TcpSocket) -> Result<Arc<dyn Socket>> {
    let mut inner = socket.inner.lock();
    let listener = inner.listener.as_mut().ok_or(Errno::EINVAL)?;
    let connection = listener.ready.pop_front().ok_or(Errno::EAGAIN)?;
    let next = listener.next_in_line();
    drop(inner);
    if let (Some(next), Some(me)) = (next, socket.me.upgrade()) {
        connect::let_in(&me, next);
    }
    Ok(connection)
}

impl Listener {
    /// Gives a place to the first that waits for one.
    fn next_in_line(&mut self) -> Option<Arc<TcpSocket>> {
        if self.waiting.is_empty() || !self.take_place() {
            return None;
        }
        self.waiting.pop_front()
    }
}

impl TcpSocket {
    /// Looks for a place for a socket that connects.
    pub(super) fn admit(&self, client: &Arc<TcpSocket>) -> Admission {
        let mut inner = self.inner.lock();
        let Some(listener) = &mut inner.listener else { return Admission::Never };
        if listener.take_place() {
            Admission::Now
        } else if listener.waiting.try_reserve(1).is_ok() {
            listener.waiting.push_back(Arc::clone(client));
            Admission::Later
        } else {
            Admission::Never
        }
    }

    /// A connection that had a place does not come: who gets it.
    pub(super) fn leave_place(&self) -> Option<Arc<TcpSocket>> {
        let mut inner = self.inner.lock();
        let listener = inner.listener.as_mut()?;
        listener.coming -= 1;
        listener.next_in_line()
    }

    /// A socket that waits for a place does not want it any more.
    pub(super) fn forget(&self, client: &TcpSocket) {
        let mut inner = self.inner.lock();
        let mut forgotten = None;
        if let Some(listener) = &mut inner.listener
            && let Some(at) =
                listener.waiting.iter().position(|waiting| core::ptr::eq(&**waiting, client))
        {
            forgotten = listener.waiting.remove(at);
        }
        drop(inner);
        drop(forgotten);
    }

    /// Puts a connection into the queue; false when nobody listens any more.
    pub(super) fn take_in(&self, connection: &Arc<TcpSocket>) -> bool {
        let mut inner = self.inner.lock();
        let Some(listener) = &mut inner.listener else { return false };
        listener.coming -= 1;
        listener.ready.push_back(Arc::clone(connection));
        drop(inner);
        if !self.readable.is_empty() {
            self.readable.wake_events(PollEvents::IN | PollEvents::RDNORM);
        }
        true
    }

    /// Stops listening: who was not accepted is reset, who waited is refused.
    pub(super) fn stop_listening(&self) {
        let mut inner = self.change();
        let Some(listener) = inner.listener.take() else { return };
        inner.state = State::Closed;
        let (local, binding) = (inner.local, inner.binding.clone());
        drop(inner);
        tables::remove_listener(local, self);
        if let Some(binding) = binding {
            binding.stop_listening();
        }
        let Listener { ready, waiting, .. } = *listener;
        for connection in ready {
            close::abort(&connection);
        }
        for client in waiting {
            connect::refuse(&client);
        }
        self.wake_everybody();
    }
}
