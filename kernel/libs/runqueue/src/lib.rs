//! One CPU's run queue: 256 levels in a bitmap with a list each. Picking, queueing and taking out are O(1), however many
//! tasks are queued.
//!
//! - Before all levels come tasks with deadlines, the earliest first: a heap, so O(log n) in their number (see [`DeadlineHeap`]).
//! - Levels 0 to 98 are real-time priorities 99 to 1: first come, first served, strictly by priority.
//! - Levels 128 to 255 are a *wheel of virtual time* for all other tasks: feedback with honest weights. A task's virtual time
//!   grows as it runs, by the time it ran times 1024 over its weight; the wheel has a bucket for each
//!   millisecond of virtual time, and the first bucket that holds anybody is served. A task that computes moves on to later
//!   buckets, one that slept is near the front, and over time everybody gets the share that the weights say, since
//!   virtual times are kept exactly and only the order within a millisecond is not.
//!
//! What this crate does not know: CPUs, locks, sleeping, who runs now. [`Entity`] is what it asks of a task.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(not(test), forbid(unsafe_code))]

extern crate alloc;

mod deadline;
mod weight;

pub use deadline::{DeadlineHeap, DeadlineState};
pub use weight::{IDLE_WEIGHT, NICE_0_WEIGHT, weight_of_nice};

use alloc::sync::Arc;
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use lists::{End, Linked, Lists};

const LEVELS: usize = 256;
/// Where the wheel's levels begin.
const WHEEL: usize = 128;
/// Buckets in the wheel.
const BUCKETS: u64 = 128;
/// Virtual nanoseconds in a bucket: about a millisecond.
const BUCKET_SHIFT: u32 = 20;

/// How far before the queue's clock a task is placed that slept: it runs soon, but gains no more than this.
pub const SLEEPER_CREDIT: u64 = 4_000_000;
/// How much less virtual time a woken task must have to take the CPU from the one that runs.
pub const WAKE_UP_GRANULARITY: u64 = 100_000;
/// The furthest ahead of the clock that a virtual time may be.
const MAX_AHEAD: u64 = 4_000_000_000;

/// How a task is to be queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Band {
    /// By deadline; the earliest runs first.
    Deadline(u64),
    /// By real-time priority, 1 to 99; 99 runs first.
    RealTime(u8),
    /// By virtual time.
    Fair,
}

/// The virtual time that a task of `weight` passes in `ran` nanoseconds.
#[inline]
pub fn virtual_time_of(ran: u64, weight: u64) -> u64 {
    // Most have this weight: no division.
    if weight == NICE_0_WEIGHT { ran } else { ran.saturating_mul(NICE_0_WEIGHT) / weight.max(1) }
}

/// A task's virtual time.
#[derive(Default)]
pub struct FairState {
    /// Absolute on a queue, by that queue's clock.
    virtual_time: AtomicU64,
    /// Off the queues: how far it was ahead of (or, negative, behind) the clock of the queue it left.
    lag: AtomicI64,
}

impl FairState {
    /// A new task's: at the clock.
    pub const fn new() -> FairState {
        FairState { virtual_time: AtomicU64::new(0), lag: AtomicI64::new(0) }
    }
    /// Charges `ran` nanoseconds of a task of `weight`.
    pub fn charge(&self, ran: u64, weight: u64) {
        let virtual_ran = virtual_time_of(ran, weight);
        // Only the CPU that runs the task charges it.
        self.virtual_time.store(self.virtual_time.load(Relaxed) + virtual_ran, Relaxed);
    }
    /// Its virtual time, by the clock of the queue that it is on.
    pub fn virtual_time(&self) -> u64 {
        self.virtual_time.load(Relaxed)
    }
}

/// What a task must tell.
pub trait Entity: Linked {
    /// How it is queued. Does not change while it is queued.
    fn band(&self) -> Band;
    /// Its virtual time.
    fn fair(&self) -> &FairState;
    /// Its deadline.
    fn deadline(&self) -> &DeadlineState;
}

/// The queue.
pub struct RunQueue<T: Entity> {
    /// Those with deadlines.
    pub deadlines: DeadlineHeap<T>,
    levels: Lists<T, LEVELS>,
    bitmap: [u64; LEVELS / 64],
    /// The queue's virtual clock: the largest virtual time that was ever the least of all.
    clock: u64,
}

impl<T: Entity> RunQueue<T> {
    /// An empty queue.
    pub const fn new() -> Self {
        Self {
            deadlines: DeadlineHeap::new(),
            levels: Lists::new(),
            bitmap: [0; LEVELS / 64],
            clock: SLEEPER_CREDIT,
        }
    }
    /// How many tasks are queued.
    pub fn len(&self) -> usize {
        self.levels.len() + self.deadlines.len()
    }
    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty() && self.deadlines.is_empty()
    }
    /// The virtual clock.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// A task comes to this queue from sleep or from another queue: places it in virtual time. `slept` is how long ago it
    /// left, in nanoseconds: sleep forgives what it used too much and gains it the sleeper's credit at most.
    pub fn place(&self, task: &T, slept: u64) {
        let slept = i64::try_from(slept).unwrap_or(i64::MAX);
        let lag = task.fair().lag.load(Relaxed).saturating_sub(slept);
        let lag = lag.clamp(-(SLEEPER_CREDIT as i64), MAX_AHEAD as i64);
        task.fair().virtual_time.store(self.clock.saturating_add_signed(lag), Relaxed);
    }
    /// A task leaves this queue, to sleep or for another: remembers its place relative to those that stay. (The clock may have waited for
    /// this one, and goes on to them now: what they had more of it is still owed.)
    pub fn displace(&self, task: &T) {
        let rest = self.first_bucket().map_or(0, |(_, bucket)| bucket << BUCKET_SHIFT);
        let lag = task.fair().virtual_time().wrapping_sub(self.clock.max(rest)) as i64;
        task.fair().lag.store(lag, Relaxed);
    }

    /// A task that yields goes behind the tasks that would run next.
    pub fn yield_to_first(&self, task: &T) {
        if let Some((_, bucket)) = self.first_bucket() {
            task.fair().virtual_time.fetch_max(bucket << BUCKET_SHIFT, Relaxed);
        }
    }

    /// Queues a placed task; at the front of its level when it was preempted and keeps its turn.
    pub fn insert(&mut self, task: Arc<T>, end: End) {
        let level = match task.band() {
            Band::Deadline(_) => return self.deadlines.insert(task),
            Band::RealTime(priority) => 99 - usize::from(priority.clamp(1, 99)),
            Band::Fair => self.level_of(&task),
        };
        if self.levels.insert(level, task, end).is_ok() {
            self.bitmap[level / 64] |= 1 << (level % 64);
        }
    }
    /// Takes a task out, wherever it is.
    pub fn remove(&mut self, task: &T) -> Option<Arc<T>> {
        let Some(level) = self.levels.slot_of(task) else { return self.deadlines.remove(task) };
        let task = self.levels.remove(task);
        self.settle(level);
        task
    }
    /// Whether the task is queued here.
    pub fn contains(&self, task: &T) -> bool {
        self.levels.slot_of(task).is_some() || self.deadlines.contains(task)
    }
    /// The clock follows the least virtual time of the running task (`None`: not a fair one) and the queued ones.
    #[inline]
    pub fn advance_clock(&mut self, running: Option<u64>) {
        // The least is no later than the running task's: most often nothing to look for.
        if running.is_none_or(|running| running > self.clock) {
            self.advance_clock_to_least(running);
        }
    }
    fn advance_clock_to_least(&mut self, running: Option<u64>) {
        let queued = self.first_bucket().map(|(_, bucket)| bucket << BUCKET_SHIFT);
        let least = match (running, queued) {
            (Some(running), Some(queued)) => running.min(queued),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return,
        };
        self.clock = self.clock.max(least);
    }
    /// Takes the task that should run next.
    pub fn pick(&mut self) -> Option<Arc<T>> {
        if let Some(task) = self.deadlines.pop() {
            return Some(task);
        }
        if let Some(level) = self.first_level_in(0, WHEEL) {
            let task = self.levels.pop_front(level);
            self.settle(level);
            return task;
        }
        self.pick_fair()
    }
    /// Takes the task that should run next among those without a real-time priority.
    pub fn pick_fair(&mut self) -> Option<Arc<T>> {
        loop {
            let (level, bucket) = self.first_bucket()?;
            let task = self.levels.pop_front(level)?;
            self.settle(level);
            let virtual_time = task.fair().virtual_time();
            if virtual_time >> BUCKET_SHIFT <= bucket || !self.has_fair() {
                self.clock = self.clock.max(virtual_time.min((bucket + 1) << BUCKET_SHIFT));
                return Some(task);
            }
            // It waited in the wheel's last bucket because its own was out of sight: a step nearer now.
            self.clock = self.clock.max(bucket << BUCKET_SHIFT);
            self.insert(task, End::Back);
        }
    }
    /// Takes the first task that `wanted` agrees to, best first, among the first `limit`: for another CPU that has nothing to do.
    pub fn steal(&mut self, limit: usize, mut wanted: impl FnMut(&T) -> bool) -> Option<Arc<T>> {
        let place = self.deadlines.iter().take(limit).position(&mut wanted);
        if let Some(place) = place {
            return self.deadlines.take_nth(place);
        }
        let (level, position) = self.find(limit, wanted)?;
        let task = self.levels.remove_nth(level, position);
        self.settle(level);
        task
    }
    /// Whether `wanted` agrees to one of the first `limit` tasks.
    pub fn any(&self, limit: usize, mut wanted: impl FnMut(&T) -> bool) -> bool {
        self.deadlines.iter().take(limit).any(&mut wanted) || self.find(limit, wanted).is_some()
    }

    /// The level of the first task that `wanted` agrees to, among the first `limit`, and its place there.
    fn find(&self, limit: usize, mut wanted: impl FnMut(&T) -> bool) -> Option<(usize, usize)> {
        let mut left = limit;
        for word in 0..self.bitmap.len() {
            let mut bits = self.bitmap[word];
            while bits != 0 {
                let level = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                for (position, task) in self.levels.iter(level).enumerate() {
                    if left == 0 {
                        return None;
                    }
                    left -= 1;
                    if wanted(task) {
                        return Some((level, position));
                    }
                }
            }
        }
        None
    }
    /// Whether a task without a real-time priority is queued.
    pub fn has_fair(&self) -> bool {
        self.first_level_in(WHEEL, LEVELS).is_some()
    }
    /// The highest real-time priority queued.
    pub fn best_real_time(&self) -> Option<u8> {
        self.first_level_in(0, WHEEL).map(|level| (99 - level) as u8)
    }

    fn settle(&mut self, level: usize) {
        if self.levels.is_slot_empty(level) {
            self.bitmap[level / 64] &= !(1 << (level % 64));
        }
    }

    /// The first bucket that the wheel shows: nothing queued lies before it.
    fn base(&self) -> u64 {
        self.clock.saturating_sub(SLEEPER_CREDIT) >> BUCKET_SHIFT
    }

    /// Where in the wheel a task belongs.
    fn level_of(&self, task: &T) -> usize {
        let bucket = task.fair().virtual_time() >> BUCKET_SHIFT;
        let base = self.base();
        WHEEL + (bucket.clamp(base, base + BUCKETS - 1) % BUCKETS) as usize
    }

    /// The first bucket in the wheel's order that holds a task: its level, its number.
    fn first_bucket(&self) -> Option<(usize, u64)> {
        let base = self.base();
        let start = (base % BUCKETS) as usize;
        let level = self
            .first_level_in(WHEEL + start, LEVELS)
            .or_else(|| self.first_level_in(WHEEL, WHEEL + start))?;
        let ahead = (level - WHEEL + BUCKETS as usize - start) as u64 % BUCKETS;
        Some((level, base + ahead))
    }

    fn first_level_in(&self, from: usize, to: usize) -> Option<usize> {
        let mut word = from / 64;
        let mut bits = self.bitmap.get(word)? & (u64::MAX << (from % 64));
        loop {
            if bits != 0 {
                let level = word * 64 + bits.trailing_zeros() as usize;
                return (level < to).then_some(level);
            }
            word += 1;
            if word * 64 >= to {
                return None;
            }
            bits = self.bitmap[word];
        }
    }
}

impl<T: Entity> Default for RunQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
