//! A message queue, and handing over.
//!
//! A message for which somebody waits goes to the first who does and never enters the queue. Room that a message leaves goes to the first
//! sender whose message fits, and with it the sender's message enters. So whoever waited has nothing to do but to take the outcome.

use crate::{
    ipc::{
        Permissions,
        ids::{Id, Key, Object},
        now,
        waiter::{Waiter, WakeList},
    },
    process::Pid,
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    vec::Vec,
};

/// A message.
pub struct Message {
    /// Its type, at least 1.
    pub kind: i64,
    /// Its text.
    pub text: Vec<u8>,
}

/// A message queue.
pub struct MessageQueue {
    id: Id,
    key: Key,
    pub(super) state: SpinLock<State>,
}

/// What the queue's lock protects.
pub(super) struct State {
    pub permissions: Permissions,
    /// `IPC_RMID` came.
    pub removed: bool,
    pub messages: VecDeque<Message>,
    /// Bytes in the messages.
    pub bytes: usize,
    /// The most of them (`msg_qbytes`), and of messages.
    pub max_bytes: usize,
    /// Who sent last, who received last.
    pub sender: u32,
    pub receiver: u32,
    /// Seconds since 1970 of the last send, receive and change; 0: never.
    pub sent: i64,
    pub received: i64,
    pub changed: i64,
    receivers: BTreeMap<u64, Arc<Receiver>>,
    senders: BTreeMap<u64, Arc<Sender>>,
    next_ticket: u64,
}

/// Which message is wanted (`msgrcv(2)`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The first.
    Any,
    /// The first of this type.
    Exactly(i64),
    /// The first of another type.
    Not(i64),
    /// The first of the lowest type that is at most this.
    AtMost(i64),
}

/// A task that waits for a message.
pub(super) struct Receiver {
    pub wanted: Wanted,
    /// The longest text that it takes.
    pub room: usize,
    pub pid: Pid,
    pub ticket: u64,
    pub waiter: Waiter<Outcome<Message>>,
}

/// A task that waits for room for its message.
pub(super) struct Sender {
    message: SpinLock<Option<Message>>,
    length: usize,
    pub pid: Pid,
    pub ticket: u64,
    pub waiter: Waiter<Outcome<()>>,
}

/// What is decided about somebody who waits.
pub(super) enum Outcome<T> {
    /// What it waited for.
    Given(T),
    /// It fails.
    Failed(Errno),
    /// It is to look again: the queue's owner or limit has changed.
    LookAgain,
}

impl Wanted {
    fn takes(self, kind: i64) -> bool {
        match self {
            Wanted::Any => true,
            Wanted::Exactly(wanted) => kind == wanted,
            Wanted::Not(unwanted) => kind != unwanted,
            Wanted::AtMost(most) => kind <= most,
        }
    }
}

impl Object for MessageQueue {
    fn id(&self) -> Id {
        self.id
    }
    fn permissions(&self) -> Permissions {
        self.state.lock().permissions
    }
}

impl MessageQueue {
    /// An empty queue for at most `max_bytes`.
    pub(super) fn new(id: Id, key: Key, permissions: Permissions, max_bytes: usize) -> Self {
        let state = State {
            permissions,
            removed: false,
            messages: VecDeque::new(),
            bytes: 0,
            max_bytes,
            sender: 0,
            receiver: 0,
            sent: 0,
            received: 0,
            changed: now(),
            receivers: BTreeMap::new(),
            senders: BTreeMap::new(),
            next_ticket: 1,
        };
        MessageQueue { id, key, state: SpinLock::new(&class::IPC_OBJECT, state) }
    }
    /// The key that it was made with.
    pub fn key(&self) -> Key {
        self.key
    }
}

impl State {
    /// Whether a message of `length` bytes fits.
    pub fn fits(&self, length: usize) -> bool {
        self.bytes + length <= self.max_bytes && self.messages.len() < self.max_bytes
    }

    /// Puts in a message that fits, or hands it to the first who waits for it; `ENOMEM`.
    pub fn put(&mut self, message: Message, from: Pid, wakes: &mut WakeList) -> Result<()> {
        self.messages.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.sender = from.0;
        self.sent = now();
        let Some(message) = self.hand_over(message, wakes) else { return Ok(()) };
        self.bytes += message.text.len();
        self.messages.push_back(message);
        Ok(())
    }

    /// Gives the message to the first who waits for it; back if nobody does.
    fn hand_over(&mut self, message: Message, wakes: &mut WakeList) -> Option<Message> {
        loop {
            let mut waiting = self.receivers.values();
            let Some(receiver) = waiting.find(|one| one.wanted.takes(message.kind)) else {
                return Some(message);
            };
            let receiver = Arc::clone(receiver);
            self.receivers.remove(&receiver.ticket);
            if message.text.len() > receiver.room {
                // It learns that there is one, and the next is asked.
                receiver.waiter.decide(Outcome::Failed(Errno::E2BIG), wakes);
                continue;
            }
            self.receiver = receiver.pid.0;
            self.received = now();
            receiver.waiter.decide(Outcome::Given(message), wakes);
            return None;
        }
    }

    /// The position of the message that is wanted.
    pub fn find(&self, wanted: Wanted) -> Option<usize> {
        match wanted {
            Wanted::Any => (!self.messages.is_empty()).then_some(0),
            Wanted::AtMost(most) => {
                let mut best: Option<(usize, i64)> = None;
                for (at, message) in self.messages.iter().enumerate() {
                    if message.kind > most || best.is_some_and(|(_, kind)| message.kind >= kind) {
                        continue;
                    }
                    best = Some((at, message.kind));
                    // None is lower.
                    if message.kind == 1 {
                        break;
                    }
                }
                best.map(|(at, _)| at)
            }
            _ => self.messages.iter().position(|message| wanted.takes(message.kind)),
        }
    }

    /// Takes the message at a position out, and lets senders have the room.
    pub fn take(&mut self, at: usize, by: Pid, wakes: &mut WakeList) -> Option<Message> {
        let message = self.messages.remove(at)?;
        self.bytes -= message.text.len();
        self.receiver = by.0;
        self.received = now();
        self.admit_senders(wakes);
        Some(message)
    }

    /// Puts in the messages of senders for whom there is room, in the order in which they came.
    fn admit_senders(&mut self, wakes: &mut WakeList) {
        let mut tried = 0;
        while let Some((&ticket, sender)) = self.senders.range(tried + 1..).next() {
            tried = ticket;
            if !self.fits(sender.length) {
                continue;
            }
            let sender = Arc::clone(sender);
            self.senders.remove(&ticket);
            let message = sender.message.lock().take();
            let result = match message {
                Some(message) => self.put(message, sender.pid, wakes),
                None => Ok(()),
            };
            let outcome = match result {
                Ok(()) => Outcome::Given(()),
                Err(errno) => Outcome::Failed(errno),
            };
            sender.waiter.decide(outcome, wakes);
        }
    }

    /// Queues a receiver; `ticket` is the place that it had before, if it had one.
    pub fn enqueue_receiver(
        &mut self,
        wanted: Wanted,
        room: usize,
        pid: Pid,
        ticket: Option<u64>,
    ) -> Arc<Receiver> {
        let ticket = self.ticket(ticket);
        let waiter = Waiter::new();
        let receiver = Arc::new(Receiver { wanted, room, pid, ticket, waiter });
        self.receivers.insert(ticket, Arc::clone(&receiver));
        receiver
    }

    /// Queues a sender, likewise.
    pub fn enqueue_sender(
        &mut self,
        message: Message,
        pid: Pid,
        ticket: Option<u64>,
    ) -> Arc<Sender> {
        let ticket = self.ticket(ticket);
        let sender = Arc::new(Sender {
            length: message.text.len(),
            message: SpinLock::new(&class::TABLE, Some(message)),
            pid,
            ticket,
            waiter: Waiter::new(),
        });
        self.senders.insert(ticket, Arc::clone(&sender));
        sender
    }

    fn ticket(&mut self, before: Option<u64>) -> u64 {
        before.unwrap_or_else(|| {
            self.next_ticket += 1;
            self.next_ticket - 1
        })
    }

    /// A receiver gives up.
    pub fn dequeue_receiver(&mut self, receiver: &Receiver) {
        self.receivers.remove(&receiver.ticket);
    }

    /// A sender gives up.
    pub fn dequeue_sender(&mut self, sender: &Sender) {
        self.senders.remove(&sender.ticket);
    }

    /// Owner, mode or limit have changed: all who wait look again.
    pub fn recheck_waiting(&mut self, wakes: &mut WakeList) {
        for receiver in core::mem::take(&mut self.receivers).into_values() {
            receiver.waiter.decide(Outcome::LookAgain, wakes);
        }
        for sender in core::mem::take(&mut self.senders).into_values() {
            sender.waiter.decide(Outcome::LookAgain, wakes);
        }
    }

    /// The queue is removed: nobody waits any longer. The messages, to be dropped outside the lock.
    pub fn close(&mut self, wakes: &mut WakeList) -> VecDeque<Message> {
        self.removed = true;
        self.bytes = 0;
        for receiver in core::mem::take(&mut self.receivers).into_values() {
            receiver.waiter.decide(Outcome::Failed(Errno::EIDRM), wakes);
        }
        for sender in core::mem::take(&mut self.senders).into_values() {
            sender.waiter.decide(Outcome::Failed(Errno::EIDRM), wakes);
        }
        core::mem::take(&mut self.messages)
    }
}

impl Sender {
    /// Its message, which nobody has taken.
    pub fn take_back(&self) -> Option<Message> {
        self.message.lock().take()
    }
}
