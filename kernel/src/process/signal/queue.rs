//! A queue of pending signals, and the count of queued signals a user that `RLIMIT_SIGPENDING` bounds.
//!
//! A standard signal is pending at most once; a real-time signal once for each time it was sent. When memory or the limit
//! runs out a standard signal stays pending without its information, as on Linux.

use super::{SigInfo, Signal, SignalSet, code};
use crate::sync::{IrqSpinLock, class};
use abi::{Errno, Result};
use alloc::{collections::VecDeque, vec::Vec};

/// Signals that wait for delivery.
pub struct Queue {
    set: SignalSet,
    entries: VecDeque<Entry>,
}

struct Entry {
    info: SigInfo,
    /// Whose count it is in.
    user: u32,
}

impl Queue {
    /// Nothing pending.
    pub const fn new() -> Queue {
        Queue { set: SignalSet::EMPTY, entries: VecDeque::new() }
    }

    /// What is pending.
    pub fn set(&self) -> SignalSet {
        self.set
    }

    /// Adds one, counted for `user`, of whom at most `limit` may be queued. `EAGAIN` for a real-time signal that a user
    /// process sent and that does not fit.
    pub fn push(&mut self, info: SigInfo, user: u32, limit: u64) -> Result<()> {
        let signal = info.signal;
        if !signal.is_realtime() && self.set.contains(signal) {
            return Ok(());
        }
        // The kernel's own and kill(2)'s standard signals are not bounded: there is one of each at most.
        let unbounded = !signal.is_realtime() && info.code >= 0;
        let counted = charge(user, if unbounded { u64::MAX } else { limit });
        if counted && self.entries.try_reserve(1).is_ok() {
            self.entries.push_back(Entry { info, user });
        } else {
            if counted {
                uncharge(user);
            }
            if signal.is_realtime() && info.code != code::SI_USER && !info.is_from_kernel() {
                return Err(Errno::EAGAIN);
            }
        }
        self.set = self.set.with(signal);
        Ok(())
    }

    /// Marks SIGKILL pending without an entry: an order to die needs no memory.
    pub fn mark_kill(&mut self) {
        self.set = self.set.with(Signal::SIGKILL);
    }

    /// Takes the next of the signals in `wanted`: faults first, then by number, then by age.
    pub fn pop(&mut self, wanted: SignalSet) -> Option<SigInfo> {
        let ready = self.set.intersection(wanted);
        let faults = ready.intersection(SignalSet::SYNCHRONOUS);
        let signal = if faults.is_empty() { ready.first()? } else { faults.first()? };
        Some(self.take(signal))
    }

    /// Takes the oldest fault signal that the CPU raised.
    pub fn pop_fault(&mut self, wanted: SignalSet) -> Option<SigInfo> {
        let ready = self.set.intersection(wanted).intersection(SignalSet::SYNCHRONOUS);
        if ready.is_empty() {
            return None;
        }
        let info = self
            .entries
            .iter()
            .find(|entry| ready.contains(entry.info.signal) && entry.info.is_from_kernel())?;
        Some(self.take(info.info.signal))
    }

    fn take(&mut self, signal: Signal) -> SigInfo {
        let mut found = None;
        let mut more = false;
        for (i, entry) in self.entries.iter().enumerate() {
            if entry.info.signal == signal {
                if found.is_some() {
                    more = true;
                    break;
                }
                found = Some(i);
            }
        }
        if !more {
            self.set = SignalSet(self.set.0 & !(1 << signal.index()));
        }
        match found.and_then(|i| self.entries.remove(i)) {
            Some(entry) => {
                uncharge(entry.user);
                entry.info
            }
            // Its information was lost for want of memory: as if sent by kill(2) from nobody.
            None => SigInfo { signal, code: code::SI_USER, errno: 0, payload: [0; 4] },
        }
    }

    /// Drops every pending signal in `set`; whether there was one.
    pub fn flush(&mut self, set: SignalSet) -> bool {
        if self.set.intersection(set).is_empty() {
            return false;
        }
        self.set = self.set.difference(set);
        self.entries.retain(|entry| {
            let dropped = set.contains(entry.info.signal);
            if dropped {
                uncharge(entry.user);
            }
            !dropped
        });
        true
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        for entry in &self.entries {
            uncharge(entry.user);
        }
    }
}

const SHARDS: usize = 64;

/// Queued signals of each user, in shards by user id. A user without any has no entry.
static COUNTS: [IrqSpinLock<Vec<(u32, u64)>>; SHARDS] =
    [const { IrqSpinLock::new(&class::SIGNAL_COUNT, Vec::new()) }; SHARDS];

/// Counts one more for `user` unless that would exceed `limit`; whether it was counted.
fn charge(user: u32, limit: u64) -> bool {
    let mut shard = COUNTS[user as usize % SHARDS].lock();
    if let Some((_, count)) = shard.iter_mut().find(|(id, _)| *id == user) {
        let fits = *count < limit;
        *count += u64::from(fits);
        return fits;
    }
    if limit == 0 || shard.try_reserve(1).is_err() {
        return false;
    }
    shard.push((user, 1));
    true
}

fn uncharge(user: u32) {
    let mut shard = COUNTS[user as usize % SHARDS].lock();
    if let Some(i) = shard.iter().position(|(id, _)| *id == user) {
        shard[i].1 -= 1;
        if shard[i].1 == 0 {
            shard.swap_remove(i);
        }
    }
}

/// How many signals are queued for `user` (`SigQ` in `/proc/<pid>/status`).
pub fn queued_for(user: u32) -> u64 {
    let shard = COUNTS[user as usize % SHARDS].lock();
    shard.iter().find(|(id, _)| *id == user).map_or(0, |(_, count)| *count)
}
