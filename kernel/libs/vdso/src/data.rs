//! The data page: written by the kernel, read by the kernel and every process, both without a lock.
//!
//! A sequence count is odd while the kernel writes. Every field is an atomic that is read and written relaxed, so a reader that
//! meets a writer sees a mixture, never undefined behaviour, and reads again.

use super::clock::{Time, nanos};
use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};

/// What the clocks are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Parameters {
    /// The time-stamp counter at boot.
    pub boot: u64,
    /// Nanoseconds a counter tick, in units of 2^-[`SHIFT`](super::clock::SHIFT), as measured.
    pub nominal: u64,
    /// The counter when the monotonic clock was last steered,
    pub base: u64,
    /// what that clock showed then, in nanoseconds,
    pub base_nanos: u64,
    /// and nanoseconds a tick since, in the same units.
    pub multiplier: u64,
    /// The wall clock less the monotonic clock: seconds,
    pub wall_seconds: i64,
    /// and nanoseconds, less than a second.
    pub wall_nanos: u64,
    /// International Atomic Time less UTC, in seconds.
    pub tai_offset: i64,
    /// The time zone that `settimeofday(2)` set: minutes west of Greenwich in the low half, `tz_dsttime` in the high half.
    pub timezone: u64,
}

/// The page's content. All zero: nothing is published; programs ask by system calls, and the kernel's clocks stand at zero.
#[repr(C, align(64))]
pub struct Data {
    sequence: AtomicU32,
    source: AtomicU32,
    base: AtomicU64,
    base_nanos: AtomicU64,
    multiplier: AtomicU64,
    wall_seconds: AtomicI64,
    wall_nanos: AtomicU64,
    tai_offset: AtomicI64,
    boot: AtomicU64,
    nominal: AtomicU64,
    timezone: AtomicU64,
}

/// `source`: the clocks follow the time-stamp counter.
const COUNTER: u32 = 1;

impl Data {
    /// Nothing published.
    pub const fn new() -> Data {
        Data {
            sequence: AtomicU32::new(0),
            source: AtomicU32::new(0),
            base: AtomicU64::new(0),
            base_nanos: AtomicU64::new(0),
            multiplier: AtomicU64::new(0),
            wall_seconds: AtomicI64::new(0),
            wall_nanos: AtomicU64::new(0),
            tai_offset: AtomicI64::new(0),
            boot: AtomicU64::new(0),
            nominal: AtomicU64::new(0),
            timezone: AtomicU64::new(0),
        }
    }

    /// Shows new parameters to all readers. As for [`Data::update`].
    pub fn publish(&self, new: &Parameters) {
        self.update(|parameters| *parameters = *new);
    }

    /// Changes the parameters. Readers wait meanwhile, so `change` may read the counter as the moment of the change, but no clock. The
    /// caller keeps other writers away, and is not interrupted by a reader.
    pub fn update<R>(&self, change: impl FnOnce(&mut Parameters) -> R) -> R {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let mut new = self.load();
        let result = change(&mut new);
        self.source.store(COUNTER, Ordering::Relaxed);
        self.base.store(new.base, Ordering::Relaxed);
        self.base_nanos.store(new.base_nanos, Ordering::Relaxed);
        self.multiplier.store(new.multiplier, Ordering::Relaxed);
        self.wall_seconds.store(new.wall_seconds, Ordering::Relaxed);
        self.wall_nanos.store(new.wall_nanos, Ordering::Relaxed);
        self.tai_offset.store(new.tai_offset, Ordering::Relaxed);
        self.boot.store(new.boot, Ordering::Relaxed);
        self.nominal.store(new.nominal, Ordering::Relaxed);
        self.timezone.store(new.timezone, Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
        result
    }

    fn load(&self) -> Parameters {
        Parameters {
            boot: self.boot.load(Ordering::Relaxed),
            nominal: self.nominal.load(Ordering::Relaxed),
            base: self.base.load(Ordering::Relaxed),
            base_nanos: self.base_nanos.load(Ordering::Relaxed),
            multiplier: self.multiplier.load(Ordering::Relaxed),
            wall_seconds: self.wall_seconds.load(Ordering::Relaxed),
            wall_nanos: self.wall_nanos.load(Ordering::Relaxed),
            tai_offset: self.tai_offset.load(Ordering::Relaxed),
            timezone: self.timezone.load(Ordering::Relaxed),
        }
    }

    /// What `look` makes of the fields, read while no writer was at work.
    #[inline(always)]
    fn consistent<R>(&self, look: impl Fn(&Data) -> R) -> R {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before & 1 == 0 {
                let seen = look(self);
                fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == before {
                    return seen;
                }
            }
            core::hint::spin_loop();
        }
    }

    /// Whether the clocks follow the counter: else programs ask the kernel.
    #[inline(always)]
    pub fn follows_counter(&self) -> bool {
        self.source.load(Ordering::Relaxed) == COUNTER
    }

    /// All parameters.
    pub fn parameters(&self) -> Parameters {
        self.consistent(Data::load)
    }

    /// `CLOCK_MONOTONIC`, in nanoseconds.
    #[inline(always)]
    pub fn monotonic_nanos(&self, counter: impl Fn() -> u64) -> u64 {
        let (now, base, base_nanos, multiplier) = self.consistent(|data| {
            (
                counter(),
                data.base.load(Ordering::Relaxed),
                data.base_nanos.load(Ordering::Relaxed),
                data.multiplier.load(Ordering::Relaxed),
            )
        });
        base_nanos.wrapping_add(nanos(now, base, multiplier))
    }

    /// `CLOCK_MONOTONIC_RAW`, in nanoseconds.
    #[inline(always)]
    pub fn raw_nanos(&self, counter: impl Fn() -> u64) -> u64 {
        let (now, boot, nominal) = self.consistent(|data| {
            (counter(), data.boot.load(Ordering::Relaxed), data.nominal.load(Ordering::Relaxed))
        });
        nanos(now, boot, nominal)
    }

    /// `CLOCK_REALTIME`, and how many seconds International Atomic Time is ahead of it.
    #[inline(always)]
    pub fn realtime(&self, counter: impl Fn() -> u64) -> (Time, i64) {
        let (monotonic, seconds, nanos, tai) = self.consistent(|data| {
            let base = data.base.load(Ordering::Relaxed);
            let base_nanos = data.base_nanos.load(Ordering::Relaxed);
            let passed = nanos(counter(), base, data.multiplier.load(Ordering::Relaxed));
            (
                base_nanos.wrapping_add(passed),
                data.wall_seconds.load(Ordering::Relaxed),
                data.wall_nanos.load(Ordering::Relaxed),
                data.tai_offset.load(Ordering::Relaxed),
            )
        });
        let mut time = Time::from_nanos(monotonic.wrapping_add(nanos));
        time.seconds = time.seconds.wrapping_add(seconds);
        (time, tai)
    }

    /// The time zone, as in [`Parameters::timezone`].
    #[inline(always)]
    pub fn timezone(&self) -> u64 {
        self.timezone.load(Ordering::Relaxed)
    }

    /// How many nanoseconds of the counter's own pass in so many of the monotonic clock: more, when that is steered to be slow.
    #[inline]
    pub fn unsteered(&self, nanos: u64) -> u64 {
        let (nominal, multiplier) =
            (self.nominal.load(Ordering::Relaxed), self.multiplier.load(Ordering::Relaxed));
        if nominal == multiplier {
            return nanos;
        }
        (u128::from(nanos) * u128::from(nominal) / u128::from(multiplier.max(1))) as u64
    }
}

impl Default for Data {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SECOND, SHIFT};
    use std::sync::atomic::AtomicBool;

    /// A counter of 1 GHz that was 5 at boot; the wall clock is 100.9 s ahead.
    const SET: Parameters = Parameters {
        boot: 5,
        nominal: 1 << SHIFT,
        base: 5,
        base_nanos: 0,
        multiplier: 1 << SHIFT,
        wall_seconds: 100,
        wall_nanos: 900_000_000,
        tai_offset: 37,
        timezone: 0,
    };

    fn page(parameters: &Parameters) -> Data {
        let data = Data::new();
        data.publish(parameters);
        data
    }

    #[test]
    fn an_empty_page_shows_nothing() {
        assert!(!Data::new().follows_counter());
        assert_eq!(Data::new().monotonic_nanos(|| 7), 0);
    }

    #[test]
    fn what_is_published_is_read() {
        let data = page(&SET);
        assert!(data.follows_counter());
        assert_eq!(data.parameters(), SET);
    }

    #[test]
    fn clocks_count_from_their_bases() {
        let data = page(&SET);
        assert_eq!(data.monotonic_nanos(|| 5 + 3 * SECOND + 7), 3 * SECOND + 7);
        assert_eq!(data.raw_nanos(|| 5 + 3 * SECOND + 7), 3 * SECOND + 7);
        let (time, tai) = data.realtime(|| 5 + SECOND + 200_000_000);
        assert_eq!((time.seconds, time.nanos, tai), (102, 100_000_000, 37));
    }

    #[test]
    fn a_counter_behind_its_base_stands_still() {
        assert_eq!(page(&SET).monotonic_nanos(|| 0), 0);
    }

    #[test]
    fn steering_leaves_no_step_and_the_raw_clock_alone() {
        // A tenth of a percent, from the tenth second on.
        let rate = (1_i64 << 32) / 1000;
        let at = 5 + 10 * SECOND;
        for (rate, gained) in [(rate, 1_000_000_i64), (-rate, -1_000_000)] {
            let mut steered = SET;
            steered.steer(at, rate);
            let data = page(&steered);
            assert_eq!(data.monotonic_nanos(|| at), 10 * SECOND);
            let gain = |seconds: u64| {
                let counter = at + seconds * SECOND;
                let (steered, raw) = (data.monotonic_nanos(|| counter), data.raw_nanos(|| counter));
                steered.cast_signed() - raw.cast_signed()
            };
            assert!((gain(1) - gained).abs() < 2);
            assert!((gain(100) - 100 * gained).abs() < 100);
            let counted = data.unsteered(SECOND).cast_signed();
            assert!((counted - SECOND.cast_signed() + gained).abs() < 2000);
        }
    }

    #[test]
    fn readers_never_see_a_mixture() {
        let data = Data::new();
        let all = |n: u64| Parameters {
            boot: n,
            nominal: n,
            base: n,
            base_nanos: n,
            multiplier: n,
            wall_seconds: n.cast_signed(),
            wall_nanos: n,
            tai_offset: n.cast_signed(),
            timezone: n,
        };
        data.publish(&all(0));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let seen = data.parameters();
                    assert_eq!(seen, all(seen.boot));
                    assert!(seen.boot >= last);
                    last = seen.boot;
                }
            });
            for n in 1..=100_000 {
                data.publish(&all(n));
            }
            done.store(true, Ordering::Relaxed);
            reader.join().expect("the reader saw a mixture");
        });
    }
}
