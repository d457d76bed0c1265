//! `msgsnd(2)`, `msgrcv(2)`.
//!
//! The fast way touches nothing but the queue: it is found under RCU, locked, and not counted. Texts are copied from and to user memory
//! without a lock.

use super::queue::{Message, Outcome, Wanted};
use crate::{
    ipc::{
        ids::Id,
        namespace,
        permissions::{READ, WRITE},
        waiter::WakeList,
    },
    mm::{UserAddr, try_alloc, user},
    sched,
    sync::rcu,
};
use abi::{
    Errno, Result,
    sysv::{IPC_NOWAIT, MSG_COPY, MSG_EXCEPT, MSG_NOERROR},
};
use alloc::sync::Arc;

bitflags::bitflags! {
    /// Flags of `msgrcv(2)`; others have no effect.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct ReceiveFlags: u32 {
        const NOWAIT = IPC_NOWAIT;
        const NO_ERROR = MSG_NOERROR;
        const EXCEPT = MSG_EXCEPT;
        const COPY = MSG_COPY;
    }
}

/// A message received.
pub struct Received {
    /// It.
    pub message: Message,
    /// How many bytes of its text were asked for.
    pub length: usize,
}

/// Reads a message's text; `ENOMEM`, `EFAULT`.
fn read_text(addr: UserAddr, length: usize) -> Result<alloc::vec::Vec<u8>> {
    let mut text = try_alloc::zeroed_bytes(length)?;
    user::copy_from_user(&mut text, addr)?;
    Ok(text)
}

/// Sends a message of type `kind` with the `length` bytes at `text`; `wait`: until there is room for it.
pub fn send(id: Id, kind: i64, text: UserAddr, length: usize, wait: bool) -> Result<()> {
    let namespace = namespace::current();
    if length > namespace.msg_max.count() as usize || id < 0 || kind < 1 {
        return Err(Errno::EINVAL);
    }
    let mut message = Message { kind, text: read_text(text, length)? };
    let pid = sched::current().process.pid;
    let mut ticket = None;
    let mut held = None;
    loop {
        let guard = rcu::read();
        // Once it has waited it holds the queue, whose state tells whether it was removed.
        let found = match &held {
            None => namespace.queues.find(id, &guard)?,
            Some(queue) => queue,
        };
        let mut state = found.state.lock();
        state.permissions.check(WRITE)?;
        if state.removed {
            return Err(Errno::EIDRM);
        }
        if state.fits(length) {
            let mut wakes = WakeList::new();
            let result = state.put(message, pid, &mut wakes);
            drop(state);
            wakes.wake();
            return result;
        }
        if !wait {
            return Err(Errno::EAGAIN);
        }
        let sender = state.enqueue_sender(message, pid, ticket);
        drop(state);
        let queue = Arc::clone(found);
        drop(guard);
        sender.waiter.sleep(|| None);
        match sender.waiter.outcome_or_lock(|| queue.state.lock()) {
            Ok(Outcome::Given(())) => return Ok(()),
            Ok(Outcome::Failed(errno)) => return Err(errno),
            Ok(Outcome::LookAgain) => {}
            Err(mut state) => {
                state.dequeue_sender(&sender);
                return Err(Errno::ERESTARTNOHAND);
            }
        }
        message = sender.take_back().ok_or(Errno::EIDRM)?;
        ticket = Some(sender.ticket);
        held = Some(queue);
    }
}

/// Receives a message into `room` bytes; `kind` and `flags` say which (`msgrcv(2)`).
pub fn receive(id: Id, room: usize, kind: i64, flags: ReceiveFlags) -> Result<Received> {
    let namespace = namespace::current();
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    if flags.contains(ReceiveFlags::COPY) {
        return copy(id, room, kind, flags);
    }
    let wanted = match kind {
        0 => Wanted::Any,
        1.. if flags.contains(ReceiveFlags::EXCEPT) => Wanted::Not(kind),
        1.. => Wanted::Exactly(kind),
        _ => Wanted::AtMost(kind.checked_neg().unwrap_or(i64::MAX)),
    };
    let longest = if flags.contains(ReceiveFlags::NO_ERROR) { usize::MAX } else { room };
    let pid = sched::current().process.pid;
    let mut ticket = None;
    let mut held = None;
    loop {
        let guard = rcu::read();
        let found = match &held {
            None => namespace.queues.find(id, &guard)?,
            Some(queue) => queue,
        };
        let mut state = found.state.lock();
        state.permissions.check(READ)?;
        if state.removed {
            return Err(Errno::EIDRM);
        }
        if let Some(at) = state.find(wanted) {
            if state.messages[at].text.len() > longest {
                return Err(Errno::E2BIG);
            }
            let mut wakes = WakeList::new();
            let message = state.take(at, pid, &mut wakes);
            drop(state);
            wakes.wake();
            return message.map(|message| received(message, room)).ok_or(Errno::EIDRM);
        }
        if flags.contains(ReceiveFlags::NOWAIT) {
            return Err(Errno::ENOMSG);
        }
        let receiver = state.enqueue_receiver(wanted, longest, pid, ticket);
        drop(state);
        let queue = Arc::clone(found);
        drop(guard);
        receiver.waiter.sleep(|| None);
        match receiver.waiter.outcome_or_lock(|| queue.state.lock()) {
            Ok(Outcome::Given(message)) => return Ok(received(message, room)),
            Ok(Outcome::Failed(errno)) => return Err(errno),
            Ok(Outcome::LookAgain) => {}
            Err(mut state) => {
                state.dequeue_receiver(&receiver);
                return Err(Errno::ERESTARTNOHAND);
            }
        }
        ticket = Some(receiver.ticket);
        held = Some(queue);
    }
}

fn received(message: Message, room: usize) -> Received {
    let length = message.text.len().min(room);
    Received { message, length }
}

/// `MSG_COPY`: a copy of the message at position `at`, which stays where it is.
fn copy(id: Id, room: usize, at: i64, flags: ReceiveFlags) -> Result<Received> {
    if flags.contains(ReceiveFlags::EXCEPT) || !flags.contains(ReceiveFlags::NOWAIT) {
        return Err(Errno::EINVAL);
    }
    let namespace = namespace::current();
    let room = room.min(namespace.msg_max.count() as usize);
    let mut text = try_alloc::vec_with_capacity(room)?;
    let guard = rcu::read();
    let queue = namespace.queues.find(id, &guard)?;
    let state = queue.state.lock();
    state.permissions.check(READ)?;
    if state.removed {
        return Err(Errno::EIDRM);
    }
    let at = usize::try_from(at).map_err(|_| Errno::ENOMSG)?;
    let message = state.messages.get(at).ok_or(Errno::ENOMSG)?;
    if message.text.len() > room {
        let cut = flags.contains(ReceiveFlags::NO_ERROR);
        // A copy is not cut.
        return Err(if cut { Errno::EINVAL } else { Errno::E2BIG });
    }
    text.extend_from_slice(&message.text);
    Ok(received(Message { kind: message.kind, text }, room))
}
