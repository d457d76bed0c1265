//! `mq_timedsend(2)`, `mq_timedreceive(2)`. Texts are copied from and to user memory without a lock.

use super::{
    queue::{Effects, Message},
    queue_of,
};
use crate::{
    fs::{File, OpenFlags},
    ipc::waiter::Ended,
    mm::{UserAddr, try_alloc, user},
    time::Instant,
};
use abi::{Errno, Result, mqueue::MQ_PRIO_MAX};

/// Why a wait that nobody decided has ended.
fn reason(ended: Ended) -> Errno {
    if ended == Ended::TimedOut { Errno::ETIMEDOUT } else { Errno::ERESTARTSYS }
}

/// Sends the `length` bytes at `text` with a priority, waiting for room until the deadline unless the file is non-blocking.
pub fn send(
    file: &File,
    text: UserAddr,
    length: usize,
    priority: u32,
    deadline: Option<Instant>,
) -> Result<()> {
    let queue = queue_of(file)?;
    if !file.flags().writable() {
        return Err(Errno::EBADF);
    }
    if length > queue.capacity.size {
        return Err(Errno::EMSGSIZE);
    }
    let mut message = Message { priority, text: try_alloc::zeroed_bytes(length)? };
    user::copy_from_user(&mut message.text, text)?;
    let mut effects = Effects::none();
    let mut state = queue.state.lock();
    if state.len() < queue.capacity.messages {
        let result = state.put(message, &mut effects);
        drop(state);
        queue.apply(effects);
        return result;
    }
    if file.flags().contains(OpenFlags::NONBLOCK) {
        return Err(Errno::EAGAIN);
    }
    let sender = state.enqueue_sender(message);
    drop(state);
    let ended = sender.waiter.sleep(deadline);
    if sender.waiter.take().is_some() {
        return Ok(());
    }
    let mut state = queue.state.lock();
    if sender.waiter.take().is_some() {
        return Ok(());
    }
    state.dequeue_sender(&sender);
    Err(reason(ended))
}

/// `EINVAL` for a priority that is none.
pub fn check_priority(priority: u32) -> Result<()> {
    if priority < MQ_PRIO_MAX { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Receives the first message of the highest priority, waiting for one likewise; `room` must do for any message.
pub fn receive(file: &File, room: usize, deadline: Option<Instant>) -> Result<Message> {
    let queue = queue_of(file)?;
    if !file.flags().readable() {
        return Err(Errno::EBADF);
    }
    if room < queue.capacity.size {
        return Err(Errno::EMSGSIZE);
    }
    let mut effects = Effects::none();
    let mut state = queue.state.lock();
    if let Some(message) = state.take(&mut effects) {
        drop(state);
        queue.apply(effects);
        return Ok(message);
    }
    if file.flags().contains(OpenFlags::NONBLOCK) {
        return Err(Errno::EAGAIN);
    }
    let receiver = state.enqueue_receiver();
    drop(state);
    let ended = receiver.waiter.sleep(deadline);
    if let Some(message) = receiver.waiter.take() {
        return Ok(message);
    }
    let mut state = queue.state.lock();
    if let Some(message) = receiver.waiter.take() {
        return Ok(message);
    }
    state.dequeue_receiver(&receiver);
    Err(reason(ended))
}
