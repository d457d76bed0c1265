//! `mq_timedsend(2)`, `mq_timedreceive(2)`. Texts are copied from and to user memory without a lock.

use super::{
    queue::{Effects, Message, Receiver, Sender},
    queue_of,
};
use crate::{
    fs::{File, OpenFlags},
    ipc::waiter::{Ended, Waiter},
    mm::{UserAddr, try_alloc, user},
    time::{self, Timespec, WallWatcher},
};
use abi::{Errno, Result, mqueue::MQ_PRIO_MAX};
use alloc::sync::Arc;

impl WallWatcher for Receiver {
    fn wall_clock_was_set(&self) {
        self.waiter.nudge();
    }
}

impl WallWatcher for Sender {
    fn wall_clock_was_set(&self) {
        self.waiter.nudge();
    }
}

/// Sleeps until somebody decides, a signal comes, or the wall clock shows `until`, however it is set meanwhile.
fn sleep<W: WallWatcher + 'static, T>(
    watcher: &Arc<W>,
    waiter: &Waiter<T>,
    until: Option<Timespec>,
) -> Ended {
    let Some(until) = until else { return waiter.sleep(|| None) };
    time::watch(watcher);
    let ended = waiter.sleep(|| Some(time::realtime_to_monotonic(until)));
    time::unwatch(&**watcher);
    ended
}

/// Why a wait that nobody decided has ended.
fn reason(ended: Ended) -> Errno {
    if ended == Ended::TimedOut { Errno::ETIMEDOUT } else { Errno::ERESTARTSYS }
}

/// Sends the `length` bytes at `text` with a priority, waiting for room until a wall-clock time unless the file is non-blocking.
pub fn send(
    file: &File,
    text: UserAddr,
    length: usize,
    priority: u32,
    until: Option<Timespec>,
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
    let ended = sleep(&sender, &sender.waiter, until);
    sender.waiter.outcome_or_lock(|| queue.state.lock()).map_err(|mut state| {
        state.dequeue_sender(&sender);
        reason(ended)
    })
}

/// `EINVAL` for a priority that is none.
pub fn check_priority(priority: u32) -> Result<()> {
    if priority < MQ_PRIO_MAX { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Receives the first message of the highest priority, waiting for one likewise; `room` must do for any message.
pub fn receive(file: &File, room: usize, until: Option<Timespec>) -> Result<Message> {
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
    let ended = sleep(&receiver, &receiver.waiter, until);
    receiver.waiter.outcome_or_lock(|| queue.state.lock()).map_err(|mut state| {
        state.dequeue_receiver(&receiver);
        reason(ended)
    })
}
