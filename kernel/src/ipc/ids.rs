//! Identifiers of System V objects: look-up under RCU, keys, sequence numbers.
//!
//! An identifier is an index below 32768 and a sequence number above it, as on Linux: the index finds the object in a radix
//! tree that readers walk without a lock or a count; the sequence number, which grows whenever indices start over, tells the
//! object from those that had the index before. Indices are handed out in cyclic order within a window that grows with their number.
//!
//! Lock: `IPC_TABLE`, for making and removing only; it may sleep.

use super::Permissions;
use crate::sync::{
    Mutex, MutexGuard, RcuDomain, class,
    rcu::{self, RcuGuard},
};
use abi::{Errno, Result, sysv};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use pid_table::{PidTable, PidWriter, Reserve};

/// One more than the highest index (`IPCMNI`).
pub const INDICES: u32 = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 15;
/// Sequence numbers are below this, so that identifiers are never negative.
const SEQUENCES: u32 = i32::MAX.cast_unsigned() >> INDEX_BITS;
/// The least window in which indices go round.
const LEAST_WINDOW: u32 = 64;

/// A key (`key_t`).
pub type Key = i32;
/// An identifier.
pub type Id = i32;

/// What has an identifier.
pub trait Object: Send + Sync + 'static {
    /// Its identifier.
    fn id(&self) -> Id;
    /// Its owner and mode now.
    fn permissions(&self) -> Permissions;
}

/// By what an object is found that is to tell its state, and by what right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stat {
    /// By identifier, for whom may read it (`IPC_STAT`).
    Id,
    /// By index, for whom may read it (`SEM_STAT` and its like).
    Index,
    /// By index, for anybody (`SEM_STAT_ANY` and its like).
    AnyIndex,
}

impl Stat {
    /// The object; `EINVAL`.
    pub fn find<'g, T: Object>(
        self,
        ids: &'g Ids<T>,
        id: Id,
        guard: &'g RcuGuard,
    ) -> Result<&'g Arc<T>> {
        match self {
            Stat::Id => ids.find(id, guard),
            Stat::Index | Stat::AnyIndex => ids.at_index(id, guard),
        }
    }
    /// Whether the caller must be allowed to read it.
    pub fn needs_permission(self) -> bool {
        self != Stat::AnyIndex
    }
    /// What the call returns for the object with this identifier.
    pub fn result(self, id: Id) -> Id {
        if self == Stat::Id { 0 } else { id }
    }
}

/// The objects of one kind.
pub struct Ids<T: Object> {
    objects: Arc<PidTable<Arc<T>, RcuDomain>>,
    writer: Mutex<Writer<T>>,
}

/// What making and removing knows.
pub struct Writer<T: Object> {
    slots: PidWriter<Arc<T>, RcuDomain>,
    keys: BTreeMap<Key, u32>,
    used: BTreeSet<u32>,
    last: Option<u32>,
    sequence: u32,
    wanted: Option<Id>,
}

/// The index in an identifier.
fn index_of(id: Id) -> u32 {
    id.cast_unsigned() & (INDICES - 1)
}

/// The sequence number in an identifier (`ipc_perm.seq`).
pub fn sequence_of(id: Id) -> u16 {
    // Sequence numbers fit: they are below 2^16.
    (id.cast_unsigned() >> INDEX_BITS) as u16
}

/// Where an index lies in the tree, which hands out numbers from 1 on.
fn slot_of(index: u32) -> u32 {
    index + 1
}

impl<T: Object> Ids<T> {
    /// None yet.
    pub fn new() -> Ids<T> {
        let (objects, slots) = pid_table::new();
        let writer = Writer {
            slots,
            keys: BTreeMap::new(),
            used: BTreeSet::new(),
            last: None,
            sequence: 0,
            wanted: None,
        };
        Ids { objects, writer: Mutex::new(&class::IPC_TABLE, writer) }
    }

    /// The object with this identifier; `EINVAL`.
    #[inline]
    pub fn find<'g>(&'g self, id: Id, guard: &'g RcuGuard) -> Result<&'g Arc<T>> {
        let object = self.at_index(id, guard)?;
        if object.id() == id { Ok(object) } else { Err(Errno::EINVAL) }
    }

    /// The object at an identifier's index, whatever its sequence number (`SEM_STAT` and its like); `EINVAL`.
    #[inline]
    pub fn at_index<'g>(&'g self, id: Id, guard: &'g RcuGuard) -> Result<&'g Arc<T>> {
        if id < 0 {
            return Err(Errno::EINVAL);
        }
        self.objects.get(slot_of(index_of(id)), guard).ok_or(Errno::EINVAL)
    }

    /// A counted reference to the object with this identifier; `EINVAL`.
    pub fn get(&self, id: Id) -> Result<Arc<T>> {
        self.find(id, &rcu::read()).cloned()
    }

    /// Makes or finds an object: `semget(2)` and its family with their errors. `check` looks at one that exists, `prepare` does what
    /// a new one needs that can fail, `build` makes it.
    pub fn open<P>(
        &self,
        key: Key,
        flags: u32,
        limit: u32,
        check: impl FnOnce(&T) -> Result<()>,
        prepare: impl FnOnce() -> Result<P>,
        build: impl FnOnce(Id, P) -> Result<T>,
    ) -> Result<Id> {
        let mut writer = self.writer.lock();
        if key != sysv::IPC_PRIVATE {
            if let Some(object) = writer.with_key(key) {
                if flags & sysv::IPC_CREAT != 0 && flags & sysv::IPC_EXCL != 0 {
                    return Err(Errno::EEXIST);
                }
                check(object)?;
                object.permissions().check(flags)?;
                return Ok(object.id());
            }
            if flags & sysv::IPC_CREAT == 0 {
                return Err(Errno::ENOENT);
            }
        }
        let prepared = prepare()?;
        let (index, id) = writer.reserve(limit)?;
        match build(id, prepared) {
            Ok(object) => {
                writer.publish(index, key, Arc::new(object));
                Ok(id)
            }
            Err(errno) => {
                writer.slots.release(slot_of(index));
                Err(errno)
            }
        }
    }

    /// The identifier that the next object is to get, if one was asked for (`msg_next_id` and its like).
    pub fn next_id(&self) -> Option<Id> {
        self.writer.lock().wanted
    }

    /// Asks for an identifier for the next object. If its index is in use, the object gets the next free index with the
    /// sequence number asked for.
    pub fn set_next_id(&self, id: Id) {
        self.writer.lock().wanted = Some(id);
    }

    /// The lock under which objects come and go.
    pub fn lock(&self) -> MutexGuard<'_, Writer<T>> {
        self.writer.lock()
    }

    /// The highest index in use and how many objects there are, as the `*_INFO` commands tell: 0 when there are none.
    pub fn usage(&self) -> (u32, usize) {
        let writer = self.writer.lock();
        (writer.used.last().copied().unwrap_or(0), writer.used.len())
    }

    /// All objects in the order of their indices, a few at a time from the index `from` on, each with its index.
    pub fn batch(&self, from: u32) -> Vec<(u32, Arc<T>)> {
        const BATCH: usize = 32;
        let mut found = Vec::new();
        let mut next = slot_of(from);
        let guard = rcu::read();
        while found.len() < BATCH {
            let Some((slot, object)) = self.objects.next(next, &guard) else { break };
            found.push((slot - 1, Arc::clone(object)));
            next = slot + 1;
        }
        found
    }

    /// Visits all objects in the order of their indices, with no lock held. Those that come or go meanwhile may be seen or not.
    pub fn for_each(&self, mut visit: impl FnMut(&Arc<T>)) {
        let mut from = 0;
        loop {
            let batch = self.batch(from);
            let Some((last, _)) = batch.last() else { return };
            from = last + 1;
            batch.iter().for_each(|(_, object)| visit(object));
        }
    }
}

impl<T: Object> Writer<T> {
    fn with_key(&self, key: Key) -> Option<&Arc<T>> {
        self.slots.get(slot_of(*self.keys.get(&key)?))
    }

    /// The object with this identifier; `EINVAL`.
    pub fn find(&self, id: Id) -> Result<Arc<T>> {
        let found = self.slots.get(slot_of(index_of(id))).filter(|object| object.id() == id);
        found.cloned().filter(|_| id >= 0).ok_or(Errno::EINVAL)
    }

    /// Takes the next index, or the one asked for by [`Ids::set_next_id`], which does not change what comes next otherwise;
    /// `ENOSPC` when there are `limit` objects.
    fn reserve(&mut self, limit: u32) -> Result<(u32, Id)> {
        let used = self.used.len() as u32;
        if used >= limit.min(INDICES) {
            return Err(Errno::ENOSPC);
        }
        if let Some(wanted) = self.wanted.take() {
            let range = Reserve { min: slot_of(index_of(wanted)), max: slot_of(INDICES) };
            let index = self.slots.reserve_lowest(range).ok_or(Errno::ENOSPC)? - 1;
            let sequence = u32::from(sequence_of(wanted));
            return Ok((index, (sequence << INDEX_BITS | index).cast_signed()));
        }
        let window = (used + used / 2).clamp(LEAST_WINDOW, INDICES);
        let range = Reserve { min: slot_of(0), max: slot_of(window) };
        let index = self.slots.reserve(range).ok_or(Errno::ENOSPC)? - 1;
        let sequence = match self.last {
            Some(last) if index <= last => (self.sequence + 1) % SEQUENCES,
            _ => self.sequence,
        };
        self.last = Some(index);
        self.sequence = sequence;
        Ok((index, (sequence << INDEX_BITS | index).cast_signed()))
    }

    fn publish(&mut self, index: u32, key: Key, object: Arc<T>) {
        self.used.insert(index);
        if key != sysv::IPC_PRIVATE {
            self.keys.insert(key, index);
        }
        self.slots.set(slot_of(index), Some(Arc::new(object)));
    }

    /// The object is no longer found by its key.
    pub fn forget_key(&mut self, key: Key, id: Id) {
        if self.keys.get(&key) == Some(&index_of(id)) {
            self.keys.remove(&key);
        }
    }

    /// The object is no longer found at all.
    pub fn remove(&mut self, key: Key, id: Id) {
        self.forget_key(key, id);
        self.used.remove(&index_of(id));
        self.slots.release(slot_of(index_of(id)));
    }
}
