//! How a connection ends: `shutdown(2)`, `close(2)`, and what `FIN` and `RST` do at the other end.

use super::{
    super::counters::{Counter, count},
    Inner, Phase, State, TcpSocket,
    stream::Stream,
    tables::{self, Tuple},
    time_wait,
};
use crate::net::Shutdown;
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::{sync::atomic::Ordering, time::Duration};

/// `shutdown(2)`: `ENOTCONN` when there is no connection.
pub(super) fn shutdown(socket: &TcpSocket, how: Shutdown) -> Result<()> {
    let state = {
        let mut inner = socket.change();
        // Even without a connection, as on Linux.
        if !matches!(inner.state, State::Listen | State::SynSent) {
            inner.shutdown |= how;
        }
        inner.state
    };
    let result = match state {
        State::Closed => Err(Errno::ENOTCONN),
        State::Listen if how.contains(Shutdown::RECEIVE) => {
            socket.stop_listening();
            Ok(())
        }
        State::Listen => Ok(()),
        State::SynSent => disconnect(socket),
        _ => {
            if how.contains(Shutdown::SEND) {
                send_fin(socket);
            }
            Ok(())
        }
    };
    socket.wake_everybody();
    result
}

/// This end will send no more.
fn send_fin(socket: &TcpSocket) {
    let mut inner = socket.change();
    inner.shutdown |= Shutdown::SEND;
    let over = match inner.state {
        State::Established => {
            inner.state = State::FinWait2;
            None
        }
        State::CloseWait => Some(finish(&mut inner)),
        _ => return,
    };
    let peer = inner.peer.clone();
    drop(inner);
    if let Some(over) = over {
        over.leave_table(socket);
    }
    if let Some(peer) = peer {
        fin_arrived(&peer);
    }
}

/// What a connection that is over gives back once its socket's lock is free.
#[must_use]
struct Over {
    tuple: Tuple,
    _binding: Option<Arc<super::Binding>>,
}

impl Over {
    fn leave_table(self, socket: &TcpSocket) {
        tables::remove(self.tuple, socket);
    }
}

/// The connection is over at this end; what was received can still be read.
fn finish(inner: &mut Inner) -> Over {
    let tuple = inner.tuple();
    inner.state = State::Closed;
    inner.shutdown = Shutdown::all();
    let binding = if inner.port_chosen { None } else { inner.binding.take() };
    Over { tuple, _binding: binding }
}

/// The other end will send no more.
fn fin_arrived(socket: &TcpSocket) {
    let mut inner = socket.change();
    inner.finished = true;
    inner.shutdown |= Shutdown::RECEIVE;
    match inner.state {
        State::Established => inner.state = State::CloseWait,
        State::FinWait2 => {
            let binding = inner.binding.clone();
            let over = finish(&mut inner);
            drop(inner);
            if time_wait::enter(over.tuple, binding, State::TimeWait).is_none() {
                over.leave_table(socket);
            }
            socket.wake_everybody();
            return;
        }
        _ => {
            let rest = inner.rest.take();
            drop(inner);
            if let Some(rest) = rest {
                rest.finish();
            }
            return;
        }
    }
    drop(inner);
    socket.wake_everybody();
}

/// The other end reset the connection, or nobody listens.
pub(super) fn reset_arrived(socket: &TcpSocket) {
    let mut inner = socket.change();
    let error = match inner.state {
        State::SynSent => Errno::ECONNREFUSED,
        State::CloseWait => Errno::EPIPE,
        State::Established | State::FinWait2 => Errno::ECONNRESET,
        State::Closed | State::Listen | State::TimeWait => return,
    };
    let was_connected = inner.state.is_connected();
    inner.error = Some(error);
    let over = finish(&mut inner);
    drop(inner);
    if was_connected {
        count(Counter::TcpEstablishedResets);
    }
    over.leave_table(socket);
    socket.wake_everybody();
}

/// Ends a connection at both ends, without regard for what is under way.
pub(super) fn abort(socket: &TcpSocket) {
    let mut inner = socket.change();
    let peer = inner.peer.take();
    let over = inner.state.is_connected().then(|| finish(&mut inner));
    let (stream, binding) = (core::mem::take(&mut inner.stream), inner.binding.take());
    drop(inner);
    drop((stream, binding));
    socket.queued.store(0, Ordering::SeqCst);
    let Some(over) = over else { return };
    over.leave_table(socket);
    if let Some(peer) = peer {
        reset_arrived(&peer);
    }
}

/// `connect(2)` to no family: the connection is reset, and the socket as new but for what it was bound to.
pub(super) fn disconnect(socket: &TcpSocket) -> Result<()> {
    let state = socket.inner.lock().state;
    match state {
        State::Listen => socket.stop_listening(),
        State::SynSent => withdraw(socket),
        _ => {}
    }
    let mut inner = socket.change();
    let peer = inner.peer.take();
    let over = inner.state.is_connected().then(|| finish(&mut inner));
    let stream = core::mem::take(&mut inner.stream);
    socket.queued.store(0, Ordering::SeqCst);
    socket.full.store(false, Ordering::SeqCst);
    socket.starved.store(false, Ordering::SeqCst);
    let binding = TcpSocket::forget_addresses(&mut inner);
    inner.state = State::Closed;
    inner.phase = Phase::Unconnected;
    inner.shutdown = Shutdown::empty();
    inner.finished = false;
    inner.error = (state == State::SynSent).then_some(Errno::ECONNRESET);
    drop(inner);
    drop((stream, binding));
    if let Some(over) = over {
        over.leave_table(socket);
        if let Some(peer) = peer {
            reset_arrived(&peer);
        }
    }
    socket.wake_everybody();
    Ok(())
}

/// A socket that is connecting no longer does.
fn withdraw(socket: &TcpSocket) {
    let mut inner = socket.change();
    if inner.state != State::SynSent {
        return;
    }
    let over = finish(&mut inner);
    drop(inner);
    if let Some(listener) = tables::find_listener(over.tuple.reversed()) {
        listener.forget(socket);
    }
    over.leave_table(socket);
}

/// `close(2)`. What was sent is at the receiver already, so there is nothing to linger for; with a time of 0, or bytes that nobody will
/// read, the connection is reset.
pub(super) fn close(socket: &TcpSocket) {
    let state = {
        let mut inner = socket.change();
        inner.dead = true;
        inner.state
    };
    let unread = socket.queued.load(Ordering::SeqCst) > 0;
    match state {
        State::Listen => socket.stop_listening(),
        State::SynSent => withdraw(socket),
        _ if unread || socket.options.linger() == Some(Duration::ZERO) => abort(socket),
        _ => send_fin(socket),
    }
    let mut inner = socket.change();
    inner.shutdown = Shutdown::all();
    let stream: Stream = core::mem::take(&mut inner.stream);
    let binding = inner.binding.take();
    let peer = inner.peer.take();
    let half_closed = inner.state == State::FinWait2;
    let tuple = inner.tuple();
    drop(inner);
    drop(stream);
    socket.queued.store(0, Ordering::SeqCst);
    if half_closed {
        outlive(socket, tuple, binding);
    } else {
        drop(binding);
    }
    drop(peer);
    socket.wake_everybody();
}

/// The other end may still send: what is left of the connection waits for its `FIN`.
fn outlive(socket: &TcpSocket, tuple: Tuple, binding: Option<Arc<super::Binding>>) {
    let rest = time_wait::enter(tuple, binding, State::FinWait2);
    let mut inner = socket.change();
    let finished = inner.state != State::FinWait2;
    inner.state = State::Closed;
    match rest {
        // The `FIN` came while it was being put away.
        Some(rest) if finished => {
            drop(inner);
            rest.finish();
        }
        Some(rest) => inner.rest = Some(rest),
        None => {
            drop(inner);
            tables::remove(tuple, socket);
        }
    }
}
