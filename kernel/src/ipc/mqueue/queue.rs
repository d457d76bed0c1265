//! A queue: messages by priority, who waits, and handing over.
//!
//! A message for which somebody waits goes to the first who does; room goes to the first sender who waits, and with it the sender's
//! message enters. First is who has the highest priority, and among equals who came first (`mq_receive(3)`, POSIX).

use super::notify::Registration;
use crate::{
    fs::{Ownership, SetAttr},
    ipc::{
        namespace::Limit,
        waiter::{Waiter, WakeList},
    },
    process::{Capability, Resource, UserAccount, capable},
    sched,
    sync::{PollEvents, SpinLock, WaitQueue, class},
    time::{self, Timespec},
};
use abi::{Errno, Result, mqueue::MQ_PRIO_MAX};
use alloc::{
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
    vec::Vec,
};
use core::{
    cmp::{Ordering, Reverse},
    sync::atomic::Ordering::Relaxed,
};

/// The most messages and the longest message that the privileged may ask for.
pub const HARD_MESSAGES: i64 = 65536;
pub const HARD_SIZE: i64 = 16 << 20;
/// What Linux charges for a message, and for a priority in use, beside the text.
const MESSAGE_COST: u64 = 48;
const PRIORITY_COST: u64 = 48;

/// What is in `/proc/sys/fs/mqueue`.
pub struct Limits {
    /// Queues.
    pub queues_max: Limit,
    /// Messages in a queue.
    pub msg_max: Limit,
    /// Bytes in a message.
    pub msgsize_max: Limit,
    /// Messages in a queue that is made without attributes.
    pub msg_default: Limit,
    /// Bytes in its messages.
    pub msgsize_default: Limit,
}

impl Limits {
    /// Those at first.
    pub const fn new() -> Limits {
        Limits {
            queues_max: Limit::new(256),
            msg_max: Limit::new(10),
            msgsize_max: Limit::new(8192),
            msg_default: Limit::new(10),
            msgsize_default: Limit::new(8192),
        }
    }
}

/// How large a queue is.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Messages.
    pub messages: usize,
    /// Bytes in one.
    pub size: usize,
    /// What it counts as against `RLIMIT_MSGQUEUE`.
    cost: u64,
}

impl Capacity {
    /// What is asked for (messages and bytes), or the default: `EINVAL` beyond the limits, `EOVERFLOW`.
    pub fn new(limits: &Limits, asked: Option<(i64, i64)>) -> Result<Capacity> {
        let (messages, size) = asked.unwrap_or_else(|| {
            let least = |a: &Limit, b: &Limit| i64::from(a.get().min(b.get()));
            (
                least(&limits.msg_max, &limits.msg_default),
                least(&limits.msgsize_max, &limits.msgsize_default),
            )
        });
        let (most, largest) = match capable(Capability::SysResource) {
            true => (HARD_MESSAGES, HARD_SIZE),
            false => (i64::from(limits.msg_max.get()), i64::from(limits.msgsize_max.get())),
        };
        if messages <= 0 || size <= 0 || messages > most || size > largest {
            return Err(Errno::EINVAL);
        }
        let (count, bytes) = (messages as u64, size as u64);
        let overhead = count * MESSAGE_COST + count.min(MQ_PRIO_MAX.into()) * PRIORITY_COST;
        let text = count.checked_mul(bytes).ok_or(Errno::EOVERFLOW)?;
        let cost = text.checked_add(overhead).ok_or(Errno::EOVERFLOW)?;
        Ok(Capacity { messages: messages as usize, size: size as usize, cost })
    }
}

/// Bytes counted against the user's `RLIMIT_MSGQUEUE`, as long as this lives.
pub struct Charge(Arc<UserAccount>, u64);

impl Charge {
    /// For the current task's user; `EMFILE` beyond the limit.
    pub fn take(capacity: &Capacity) -> Result<Charge> {
        let task = sched::current();
        let limit = task.process.limits().soft(Resource::MessageQueue);
        let account = Arc::clone(&task.credentials.load().account);
        let before = account.message_queue_bytes.fetch_add(capacity.cost, Relaxed);
        let charge = Charge(account, capacity.cost);
        if before.saturating_add(capacity.cost) > limit { Err(Errno::EMFILE) } else { Ok(charge) }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.0.message_queue_bytes.fetch_sub(self.1, Relaxed);
    }
}

/// A message.
pub struct Message {
    /// Below `MQ_PRIO_MAX`; higher ones are received first.
    pub priority: u32,
    /// Its text.
    pub text: Vec<u8>,
}

/// A message in its place.
struct Queued {
    message: Message,
    sequence: u64,
}

impl Queued {
    fn rank(&self) -> (u32, Reverse<u64>) {
        (self.message.priority, Reverse(self.sequence))
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Queued) -> bool {
        self.rank() == other.rank()
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Queued) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Queued) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// A place among those who wait: the task's priority (lower is better), then the order of arrival.
pub(super) type Place = (u8, u64);

/// A task that waits for a message.
pub(super) struct Receiver {
    pub place: Place,
    pub waiter: Waiter<Message>,
}

/// A task that waits for room.
pub(super) struct Sender {
    message: SpinLock<Option<Message>>,
    pub place: Place,
    pub waiter: Waiter<()>,
}

/// A message queue.
pub struct Queue {
    pub capacity: Capacity,
    /// Who polls.
    pub(super) ready: Arc<WaitQueue>,
    pub(super) state: SpinLock<State>,
    _charge: Charge,
}

/// What the queue's lock protects.
pub(super) struct State {
    messages: BinaryHeap<Queued>,
    /// Bytes in the messages.
    pub bytes: usize,
    receivers: BTreeMap<Place, Arc<Receiver>>,
    senders: BTreeMap<Place, Arc<Sender>>,
    next_ticket: u64,
    pub registration: Option<Registration>,
    pub ownership: Ownership,
    pub links: u32,
    pub accessed: Timespec,
    pub modified: Timespec,
    pub changed: Timespec,
}

/// What becomes of those who look on once the queue's lock is released.
#[must_use]
pub(super) struct Effects {
    pub wakes: WakeList,
    /// What pollers are told.
    pub events: PollEvents,
    /// Who is told that the queue is empty no longer.
    pub notification: Option<Registration>,
}

impl Effects {
    pub fn none() -> Effects {
        Effects { wakes: WakeList::new(), events: PollEvents::empty(), notification: None }
    }
}

/// The current task's priority as it counts among those who wait.
fn rank_of_current() -> u8 {
    let params = sched::scheduling(&sched::current());
    if params.policy.is_real_time() {
        99 - params.priority.min(99)
    } else {
        // Nice values are -20 to 19.
        (120 + params.nice).clamp(100, 139) as u8
    }
}

impl Queue {
    /// An empty queue.
    pub fn new(capacity: Capacity, charge: Charge, ownership: Ownership) -> Queue {
        let now = time::realtime();
        let state = State {
            messages: BinaryHeap::new(),
            bytes: 0,
            receivers: BTreeMap::new(),
            senders: BTreeMap::new(),
            next_ticket: 0,
            registration: None,
            ownership,
            links: 1,
            accessed: now,
            modified: now,
            changed: now,
        };
        Queue {
            capacity,
            ready: Arc::new(WaitQueue::new()),
            state: SpinLock::new(&class::IPC_OBJECT, state),
            _charge: charge,
        }
    }

    /// Does what a change has made due. No lock is held.
    pub(super) fn apply(&self, effects: Effects) {
        effects.wakes.wake();
        if !effects.events.is_empty() && !self.ready.is_empty() {
            self.ready.wake_events(effects.events);
        }
        if let Some(registration) = effects.notification {
            registration.deliver();
        }
    }

    /// What a poller sees.
    pub fn events(&self) -> PollEvents {
        let state = self.state.lock();
        let mut events = PollEvents::empty();
        if state.len() > 0 {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        if state.len() < self.capacity.messages {
            events |= PollEvents::OUT | PollEvents::WRNORM;
        }
        events
    }

    /// Sets the mode, owner or times (`chmod(2)` and its like).
    pub fn change(&self, change: &SetAttr) {
        let mut state = self.state.lock();
        let Ownership { mode, uid, gid } = state.ownership;
        state.ownership = Ownership {
            mode: change.mode.unwrap_or(mode),
            uid: change.uid.unwrap_or(uid),
            gid: change.gid.unwrap_or(gid),
        };
        state.accessed = change.atime.unwrap_or(state.accessed);
        state.modified = change.mtime.unwrap_or(state.modified);
        state.changed = time::realtime();
    }
}

impl State {
    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Puts a message in, for which there is room, or hands it to the first who waits; `ENOMEM`.
    pub fn put(&mut self, message: Message, effects: &mut Effects) -> Result<()> {
        if let Some((_, receiver)) = self.receivers.pop_first() {
            receiver.waiter.decide(message, &mut effects.wakes);
        } else {
            self.insert(message)?;
            effects.events = PollEvents::IN | PollEvents::RDNORM;
            if self.messages.len() == 1 {
                effects.notification = self.registration.take();
            }
        }
        self.touch(true);
        Ok(())
    }

    fn insert(&mut self, message: Message) -> Result<()> {
        self.messages.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.bytes += message.text.len();
        let sequence = self.ticket();
        self.messages.push(Queued { message, sequence });
        Ok(())
    }

    /// Takes the first message out, and lets the first sender who waits have the room.
    pub fn take(&mut self, effects: &mut Effects) -> Option<Message> {
        let Queued { message, .. } = self.messages.pop()?;
        self.bytes -= message.text.len();
        self.touch(true);
        let next = self.senders.pop_first();
        match next.and_then(|(_, sender)| sender.take_message().map(|message| (sender, message))) {
            Some((sender, message)) => {
                // Room was reserved when there was one message more.
                let entered = self.insert(message);
                debug_assert!(entered.is_ok());
                sender.waiter.decide((), &mut effects.wakes);
            }
            None => effects.events = PollEvents::OUT | PollEvents::WRNORM,
        }
        Some(message)
    }

    /// Notes a use; `modified`: a message came or went.
    pub fn touch(&mut self, modified: bool) {
        let now = time::realtime();
        (self.accessed, self.changed) = (now, now);
        if modified {
            self.modified = now;
        }
    }

    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Queues the current task for a message.
    pub fn enqueue_receiver(&mut self) -> Arc<Receiver> {
        let place = (rank_of_current(), self.ticket());
        let receiver = Arc::new(Receiver { place, waiter: Waiter::new() });
        self.receivers.insert(place, Arc::clone(&receiver));
        receiver
    }

    /// Queues the current task for room for `message`.
    pub fn enqueue_sender(&mut self, message: Message) -> Arc<Sender> {
        let place = (rank_of_current(), self.ticket());
        let message = SpinLock::new(&class::TABLE, Some(message));
        let sender = Arc::new(Sender { message, place, waiter: Waiter::new() });
        self.senders.insert(place, Arc::clone(&sender));
        sender
    }

    /// A receiver gives up.
    pub fn dequeue_receiver(&mut self, receiver: &Receiver) {
        self.receivers.remove(&receiver.place);
    }

    /// A sender gives up.
    pub fn dequeue_sender(&mut self, sender: &Sender) {
        self.senders.remove(&sender.place);
    }
}

impl Sender {
    fn take_message(&self) -> Option<Message> {
        self.message.lock().take()
    }
}
