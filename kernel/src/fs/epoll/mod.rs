//! `epoll(7)`: interest in many files, and the list of those that became ready.
//!
//! Each watched file is an [`Item`], registered on the file's wait queues by a poll table of its own. A wake-up (under the
//! queue's lock, interrupts off) only moves the item to the ready list; `epoll_wait` takes items from there and asks
//! each file again, so its cost grows with what is ready, not with what is watched.
//!
//! Locks, outermost first: the interest list (`EPOLL`, a mutex), an item's registration (within it), the ready list
//! (`EPOLL_READY`, a spin lock inside wait-queue locks). The ready list has capacity for every item, reserved when an
//! item is added, so that a wake-up never allocates.
//!
//! An item holds its file weakly: closing the file's last descriptor ends the interest. Dead items are dropped when
//! `epoll_wait` meets them and, in bulk, whenever the interest list has doubled.

mod item;
mod nesting;

use super::{File, FileOps, OpenFlags};
use crate::{
    sched,
    sync::{IrqSpinLock, Mutex, PollEvents, PollTable, WaitQueue, Woken, class},
    time::Instant,
};
use abi::{Errno, Result};
use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::{
    fmt::{self, Write},
    sync::atomic::Ordering,
};
use item::{Item, Key};

bitflags::bitflags! {
    /// Input flags of an interest beyond the event bits.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Modes: u32 {
        /// Wake one of several epoll instances on the same file.
        const EXCLUSIVE = 1 << 28;
        /// Keeps a suspended system awake; accepted and without effect, as for a process without the capability.
        const WAKEUP = 1 << 29;
        /// Disable after one delivery.
        const ONESHOT = 1 << 30;
        /// Report changes rather than states.
        const EDGE = 1 << 31;
    }
}

/// An interest: the events to report, how, and the caller's word with them.
#[derive(Clone, Copy, Debug)]
pub struct Interest {
    /// Events asked for; `ERR` and `HUP` are always reported.
    pub events: PollEvents,
    /// Edge-triggered, one-shot and so on.
    pub modes: Modes,
    /// The caller's.
    pub data: u64,
}

impl Interest {
    /// From `struct epoll_event`.
    pub fn from_user(events: u32, data: u64) -> Interest {
        Interest {
            events: PollEvents::from_bits_truncate(events) | PollEvents::ERR | PollEvents::HUP,
            modes: Modes::from_bits_truncate(events),
            data,
        }
    }
}

/// An event to hand to the caller.
#[derive(Clone, Copy, Debug)]
pub struct ReadyEvent {
    /// What happened.
    pub events: PollEvents,
    /// The interest's word.
    pub data: u64,
}

struct Interests {
    items: BTreeMap<Key, Arc<Item>>,
    /// Dead items are looked for when the list has grown to this.
    purge_at: usize,
}

/// An epoll instance.
pub struct EventPoll {
    interests: Mutex<Interests>,
    ready: Arc<ReadyList>,
}

/// What wake-ups reach of an instance.
struct ReadyList {
    queue: IrqSpinLock<VecDeque<Arc<Item>>>,
    /// Waits of `epoll_wait`, and polls of the epoll descriptor itself.
    waiters: Arc<WaitQueue>,
}

impl ReadyList {
    /// Puts `item` on the list unless it is there, and wakes one waiter.
    fn push(&self, item: &Arc<Item>) {
        if !item.listed.swap(true, Ordering::AcqRel) {
            self.queue.lock().push_back(item.clone());
        }
        if !self.waiters.is_empty() {
            self.waiters.wake_one();
        }
    }

    fn pop(&self) -> Option<Arc<Item>> {
        let item = self.queue.lock().pop_front()?;
        // From here a wake-up lists it again: what it announces after this is not lost.
        item.listed.store(false, Ordering::Release);
        Some(item)
    }
}

/// What may be asked for with [`Modes::EXCLUSIVE`].
const EXCLUSIVE_EVENTS: u32 =
    PollEvents::IN.union(PollEvents::OUT).union(PollEvents::ERR).union(PollEvents::HUP).bits()
        | Modes::EXCLUSIVE.union(Modes::WAKEUP).union(Modes::EDGE).bits();

impl EventPoll {
    /// `EPOLL_CTL_ADD`. `EEXIST`, `EPERM` for files that cannot be polled, `ELOOP` for instances that would watch each
    /// other or lie too deep, `ENOMEM`.
    fn add(&self, file: &Arc<File>, fd: i32, interest: Interest) -> Result<()> {
        let mut interests = self.interests.lock();
        let key = Key::new(file, fd);
        if interests.items.contains_key(&key) {
            return Err(Errno::EEXIST);
        }
        if interests.items.len() >= interests.purge_at {
            interests.purge();
        }
        let wanted = interests.items.len() + 1;
        self.reserve(wanted)?;
        let item = Item::new(file, fd, interest, &self.ready);
        let events = item.register(file);
        interests.items.insert(key, item.clone());
        if !events.is_empty() {
            self.ready.push(&item);
        }
        Ok(())
    }

    /// Room on the ready list for `wanted` items.
    fn reserve(&self, wanted: usize) -> Result<()> {
        // Listed items may have left the interests already, so they count apart.
        let mut fresh = VecDeque::new();
        loop {
            let queue = self.ready.queue.lock();
            let need = wanted + queue.len();
            if queue.capacity() >= need {
                return Ok(());
            }
            if fresh.capacity() >= need {
                let mut queue = queue;
                fresh.extend(queue.drain(..));
                core::mem::swap(&mut *queue, &mut fresh);
                return Ok(());
            }
            drop(queue);
            fresh.try_reserve(need * 2).map_err(|_| Errno::ENOMEM)?;
        }
    }

    /// `EPOLL_CTL_MOD`; `ENOENT`, `EINVAL` for an exclusive interest.
    fn modify(&self, file: &Arc<File>, fd: i32, interest: Interest) -> Result<()> {
        let interests = self.interests.lock();
        let item = interests.items.get(&Key::new(file, fd)).ok_or(Errno::ENOENT)?;
        if item.interest().modes.contains(Modes::EXCLUSIVE) {
            return Err(Errno::EINVAL);
        }
        item.set_interest(interest);
        if !item.poll(file).is_empty() {
            self.ready.push(item);
        }
        Ok(())
    }

    /// `EPOLL_CTL_DEL`; `ENOENT`.
    fn remove(&self, file: &Arc<File>, fd: i32) -> Result<()> {
        let item = self.interests.lock().items.remove(&Key::new(file, fd)).ok_or(Errno::ENOENT)?;
        item.unregister();
        Ok(())
    }

    /// Takes up to `max` events off the ready list. Level-triggered items that are still ready go to its end, so that every
    /// file gets its turn.
    fn collect(&self, max: usize) -> Vec<ReadyEvent> {
        let mut events = Vec::new();
        if self.ready.queue.lock().is_empty() {
            return events;
        }
        let mut interests = self.interests.lock();
        // Each item is asked once a call, even if it is listed again meanwhile.
        let mut turns = self.ready.queue.lock().len();
        let mut again = Vec::new();
        while turns > 0 && events.len() < max {
            let Some(item) = self.ready.pop() else { break };
            turns -= 1;
            let Some(file) = item.file.upgrade() else {
                interests.items.remove(&item.key);
                item.unregister();
                continue;
            };
            if !item.is_registered() {
                continue;
            }
            let interest = item.interest();
            let found = item.poll(&file);
            if found.is_empty() {
                continue;
            }
            if events.try_reserve(1).is_err() || again.try_reserve(1).is_err() {
                self.ready.push(&item);
                break;
            }
            events.push(ReadyEvent { events: found, data: interest.data });
            if interest.modes.contains(Modes::ONESHOT) {
                item.disarm();
            } else if !interest.modes.contains(Modes::EDGE) {
                again.push(item);
            }
        }
        for item in &again {
            self.ready.push(item);
        }
        events
    }

    /// `epoll_wait(2)`: up to `max` events, waiting for the first until `deadline` (`None`: for ever). `EINTR`.
    pub fn wait(&self, max: usize, deadline: Option<Instant>) -> Result<Vec<ReadyEvent>> {
        let attempt = || Some(self.collect(max)).filter(|events| !events.is_empty());
        if let Some(events) = attempt() {
            return Ok(events);
        }
        if deadline.is_some_and(|at| at.0 == 0) {
            sched::found_nothing();
            return Ok(Vec::new());
        }
        match self.ready.waiters.wait_until(deadline, attempt) {
            Ok(Woken::Ready(events)) => Ok(events),
            Ok(Woken::TimedOut) => Ok(Vec::new()),
            Err(_) => Err(Errno::EINTR),
        }
    }

    /// Whether some item is really ready (not only listed).
    fn is_ready(&self) -> bool {
        if self.ready.queue.lock().is_empty() {
            return false;
        }
        let interests = self.interests.lock();
        interests.items.values().any(|item| {
            item.listed.load(Ordering::Acquire)
                && item.file.upgrade().is_some_and(|file| !item.poll(&file).is_empty())
        })
    }

    /// The files it watches.
    fn watched(&self) -> Vec<Weak<File>> {
        self.interests.lock().items.values().map(|item| item.file.clone()).collect()
    }
}

impl Interests {
    fn purge(&mut self) {
        self.items.retain(|_, item| {
            let alive = item.file.strong_count() > 0;
            if !alive {
                item.unregister();
            }
            alive
        });
        self.purge_at = (self.items.len() * 2).max(64);
    }
}

impl Drop for EventPoll {
    fn drop(&mut self) {
        // Items and the wait queues they are registered on refer to one another.
        for item in self.interests.get_mut().items.values() {
            item.unregister();
        }
        self.ready.queue.lock().clear();
    }
}

impl FileOps for EventPoll {
    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.register(&self.ready.waiters);
        match self.is_ready() {
            true => PollEvents::IN | PollEvents::RDNORM,
            false => PollEvents::empty(),
        }
    }

    fn show_info(&self, out: &mut String) -> fmt::Result {
        for item in self.interests.lock().items.values() {
            let Some(file) = item.file.upgrade() else { continue };
            let interest = item.interest();
            writeln!(
                out,
                "tfd: {:8} events: {:8x} data: {:16x}  pos:{} ino:{:x} sdev:{:x}",
                item.key.fd,
                interest.events.bits() | interest.modes.bits(),
                interest.data,
                file.position(),
                file.inode().ino(),
                file.inode().file_system().device().packed()
            )?;
        }
        Ok(())
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// What an epoll instance watches: of the files added under the number `fd`, the one at place `occurrence` (`kcmp(2)`). `EINVAL`,
/// `ENOENT`.
pub fn watched_file(instance: &File, fd: u32, occurrence: u32) -> Result<Arc<File>> {
    let interests = of_file(instance)?.interests.lock();
    let same = |item: &&Arc<Item>| item.key.fd.cast_unsigned() == fd;
    let mut files = interests.items.values().filter(same).filter_map(|item| item.file.upgrade());
    files.nth(occurrence as usize).ok_or(Errno::ENOENT)
}

/// `epoll_create1(2)`.
pub fn new_epoll() -> Result<Arc<File>> {
    let epoll = EventPoll {
        interests: Mutex::new(&class::EPOLL, Interests { items: BTreeMap::new(), purge_at: 64 }),
        ready: Arc::new(ReadyList {
            queue: IrqSpinLock::new(&class::EPOLL_READY, VecDeque::new()),
            waiters: Arc::new(WaitQueue::nested()),
        }),
    };
    File::anonymous("[eventpoll]", OpenFlags::RDWR, Arc::new(epoll))
}

/// The instance behind an open file; `EINVAL` when it is none.
pub fn of_file(file: &File) -> Result<&EventPoll> {
    file.ops().as_any().downcast_ref::<EventPoll>().ok_or(Errno::EINVAL)
}

/// What `epoll_ctl(2)` does.
#[derive(Clone, Copy, Debug)]
pub enum Control {
    /// `EPOLL_CTL_ADD`.
    Add(Interest),
    /// `EPOLL_CTL_MOD`.
    Modify(Interest),
    /// `EPOLL_CTL_DEL`.
    Remove,
}

/// `epoll_ctl(2)` on the instance behind `epoll`, about `file` under its number `fd`.
pub fn control(epoll: &Arc<File>, file: &Arc<File>, fd: i32, what: Control) -> Result<()> {
    if !file.ops().pollable() {
        return Err(Errno::EPERM);
    }
    if Arc::ptr_eq(epoll, file) {
        return Err(Errno::EINVAL);
    }
    let instance = of_file(epoll)?;
    match what {
        Control::Add(interest) => {
            let exclusive = interest.modes.contains(Modes::EXCLUSIVE);
            let asked = interest.events.bits() | interest.modes.bits();
            if exclusive && (of_file(file).is_ok() || asked & !EXCLUSIVE_EVENTS != 0) {
                return Err(Errno::EINVAL);
            }
            if of_file(file).is_ok() {
                nesting::with_nesting_checked(epoll, file, || instance.add(file, fd, interest))
            } else {
                instance.add(file, fd, interest)
            }
        }
        Control::Modify(interest) => {
            if interest.modes.contains(Modes::EXCLUSIVE) {
                return Err(Errno::EINVAL);
            }
            instance.modify(file, fd, interest)
        }
        Control::Remove => instance.remove(file, fd),
    }
}
