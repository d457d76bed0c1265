//! A hierarchical timing wheel: arming, disarming and expiry cost the same however many timers there are.
//!
//! Time is counted in units of 1,024 ns. Seven levels of 64 slots: level 0 has a slot for each unit, level `n` one for each
//! `64^n` units. A timer lies at the level of the highest base-64 digit in which its time differs from the wheel's, in
//! the slot that this digit names; so all timers at a level come before all timers at the levels above. When the wheel's
//! time reaches a slot of an upper level, its timers move down; each moves at most six times. Timers expire in
//! the order of their units, never early, and at most a unit late; within a unit first armed is first served.
//!
//! What lies beyond the top level (some weeks) waits in its last slots and is sorted in again from there.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::sync::Arc;
use lists::{End, Lists, Node};

/// Nanoseconds in a unit, as a shift.
const UNIT_SHIFT: u32 = 10;
const LEVELS: usize = 7;
const SLOTS: usize = 64;
const DIGIT_BITS: u32 = 6;
/// The furthest ahead that a timer is sorted: half the top level's round, so that its slots tell this round from the next.
const HORIZON: u64 = 1 << (DIGIT_BITS * LEVELS as u32 - 1);

/// What the wheel asks of a timer.
pub trait Expires {
    /// When it expires, in nanoseconds. Does not change while it is in the wheel.
    fn expires(&self) -> u64;
}

/// The wheel.
pub struct Wheel<V: Expires> {
    slots: Lists<Node<V>, { LEVELS * SLOTS }>,
    /// Bit n of a level: slot n holds timers.
    occupied: [u64; LEVELS],
    /// For each slot, a bound below which no timer in it expires, in nanoseconds.
    earliest: [u64; LEVELS * SLOTS],
    /// Every unit before this one has expired.
    now: u64,
}

impl<V: Expires> Wheel<V> {
    /// An empty wheel at time zero.
    pub const fn new() -> Self {
        Self { slots: Lists::new(), occupied: [0; LEVELS], earliest: [0; LEVELS * SLOTS], now: 0 }
    }
    /// How many timers are armed.
    pub fn len(&self) -> usize {
        self.slots.len()
    }
    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
    /// Arms a timer, which is in no wheel; gives it back if it is.
    pub fn insert(&mut self, timer: Arc<Node<V>>) -> Result<(), Arc<Node<V>>> {
        let expires = timer.expires();
        let unit = expires.div_ceil(1 << UNIT_SHIFT).clamp(self.now, self.now + HORIZON);
        let level = match unit ^ self.now {
            0 => 0,
            differing => (differing.ilog2() / DIGIT_BITS) as usize,
        };
        let level = level.min(LEVELS - 1);
        let slot = (unit >> (DIGIT_BITS * level as u32)) as usize % SLOTS;
        let index = level * SLOTS + slot;
        self.slots.insert(index, timer, End::Back)?;
        let first_in_slot = self.occupied[level] & (1 << slot) == 0;
        let earliest = &mut self.earliest[index];
        *earliest = if first_in_slot { expires } else { (*earliest).min(expires) };
        self.occupied[level] |= 1 << slot;
        Ok(())
    }
    /// Disarms a timer, if it is in this wheel.
    pub fn remove(&mut self, timer: &Node<V>) -> Option<Arc<Node<V>>> {
        let index = self.slots.slot_of(timer)?;
        let timer = self.slots.remove(timer);
        self.settle(index);
        timer
    }
    /// Whether the timer is in this wheel.
    pub fn contains(&self, timer: &Node<V>) -> bool {
        self.slots.slot_of(timer).is_some()
    }
    /// Nothing expires before this, in nanoseconds; `None`: the wheel is empty. Exact, but for timers that were
    /// disarmed after being the first of their slot.
    pub fn next_expiry(&self) -> Option<u64> {
        let (level, slot) = self.first()?;
        Some(self.earliest[level * SLOTS + slot])
    }
    /// Takes a timer that has expired by `now`, in nanoseconds; `None` when no more have.
    pub fn pop_expired(&mut self, now: u64) -> Option<Arc<Node<V>>> {
        let now = now >> UNIT_SHIFT;
        while let Some((level, slot)) = self.first() {
            let index = level * SLOTS + slot;
            let start = self.start_of(level, slot);
            if start > now {
                break;
            }
            self.now = self.now.max(start);
            if level == 0 {
                let timer = self.slots.pop_front(index);
                self.settle(index);
                return timer;
            }
            // Only what is there now: a timer from beyond the horizon may come back into this level.
            let mut left = self.slots.iter(index).count();
            while left > 0
                && let Some(timer) = self.slots.pop_front(index)
            {
                left -= 1;
                self.settle(index);
                // It is in no list: it was just taken out.
                let _ = self.insert(timer);
            }
        }
        self.now = self.now.max(now);
        None
    }

    /// The first occupied slot of the lowest occupied level.
    fn first(&self) -> Option<(usize, usize)> {
        for level in 0..LEVELS {
            if self.occupied[level] != 0 {
                // Only at the top level may slots lie behind the wheel's digit: in its next round.
                let digit = (self.now >> (DIGIT_BITS * level as u32)) as u32 % SLOTS as u32;
                let ahead = self.occupied[level].rotate_right(digit).trailing_zeros();
                return Some((level, ((digit + ahead) as usize) % SLOTS));
            }
        }
        None
    }

    /// The first unit of a slot that is occupied at the wheel's time.
    fn start_of(&self, level: usize, slot: usize) -> u64 {
        let shift = DIGIT_BITS * level as u32;
        let digit = (self.now >> shift) % SLOTS as u64;
        let ahead = (slot as u64 + SLOTS as u64 - digit) % SLOTS as u64;
        ((self.now >> shift) + ahead) << shift
    }

    fn settle(&mut self, index: usize) {
        if self.slots.is_slot_empty(index) {
            self.occupied[index / SLOTS] &= !(1 << (index % SLOTS));
        }
    }
}

impl<V: Expires> Default for Wheel<V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Fake {
        expires: u64,
        id: usize,
    }
    impl Expires for Fake {
        fn expires(&self) -> u64 {
            self.expires
        }
    }
    fn timer(id: usize, expires: u64) -> Arc<Node<Fake>> {
        Arc::new(Node::new(Fake { expires, id }))
    }

    #[test]
    fn a_timer_expires_at_its_time_and_not_before() {
        for expires in [0, 1, 1023, 1024, 70_000, 5_000_000, 1 << 33, 1 << 45, 1 << 58] {
            let mut wheel = Wheel::<Fake>::new();
            assert!(wheel.insert(timer(0, expires)).is_ok());
            assert_eq!(wheel.next_expiry(), Some(expires));
            if expires > 0 {
                assert!(wheel.pop_expired(expires - 1).is_none(), "{expires}");
            }
            assert!(wheel.pop_expired(expires + 1023).is_some(), "{expires}");
            assert!(wheel.is_empty());
        }
    }

    #[test]
    fn a_timer_in_the_past_expires_at_once() {
        let mut wheel = Wheel::<Fake>::new();
        assert!(wheel.pop_expired(1 << 40).is_none());
        assert!(wheel.insert(timer(0, 5)).is_ok());
        assert!(wheel.pop_expired(1 << 40).is_some());
    }

    #[test]
    fn ten_thousand_timers_expire_in_order() {
        let mut wheel = Wheel::<Fake>::new();
        for id in 0..10_000 {
            let expires = (id as u64).wrapping_mul(2_654_435_761) % 10_000_000_000;
            assert!(wheel.insert(timer(id, expires)).is_ok());
        }
        let (mut last, mut count) = (0, 0);
        while let Some(next) = wheel.next_expiry() {
            while let Some(timer) = wheel.pop_expired(next + 1023) {
                assert!(timer.expires.div_ceil(1024) >= last);
                last = timer.expires.div_ceil(1024);
                count += 1;
            }
        }
        assert_eq!(count, 10_000);
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_list(
            operations in prop::collection::vec((0u8..4, 0usize..16, 0u32..48, any::<u64>()), 1..150)
        ) {
            let mut wheel = Wheel::<Fake>::new();
            let mut timers: Vec<Option<Arc<Node<Fake>>>> = vec![None; 16];
            let mut now = 0u64;
            for (operation, which, bits, random) in operations {
                let distance = random & ((1 << bits) - 1);
                match operation {
                    0..=2 => {
                        if let Some(old) = timers[which].take() {
                            prop_assert!(wheel.remove(&old).is_some());
                        }
                        if operation < 2 {
                            let new = timer(which, now + distance);
                            prop_assert!(wheel.insert(new.clone()).is_ok());
                            timers[which] = Some(new);
                        }
                    }
                    _ => {
                        now += distance;
                        while let Some(popped) = wheel.pop_expired(now) {
                            prop_assert!(popped.expires <= now);
                            prop_assert!(timers[popped.id].take().is_some());
                        }
                        for left in timers.iter().flatten() {
                            prop_assert!(left.expires.div_ceil(1024) > now >> 10);
                        }
                    }
                }
                prop_assert_eq!(wheel.len(), timers.iter().flatten().count());
                if let Some(next) = wheel.next_expiry() {
                    prop_assert!(timers.iter().flatten().all(|timer| timer.expires >= next));
                }
            }
        }
    }
}
