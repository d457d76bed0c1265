//! What the clocks show, from the published parameters and a value of the time-stamp counter.

use super::data::Parameters;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds that the coarse clocks resolve: a tick.
pub const COARSE_RESOLUTION: u64 = 4_000_000;
/// Fraction bits of [`Parameters::multiplier`]: good for counters from 0.25 to 60 GHz.
pub const SHIFT: u32 = 30;

/// Seconds and nanoseconds: `struct timespec`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanos: i64,
}

/// Nanoseconds since boot. A counter that is behind its value at boot (another CPU's, by a little) shows 0.
#[inline(always)]
pub fn nanos_since_boot(counter: u64, base: u64, multiplier: u64) -> u64 {
    let ticks = u128::from(counter.saturating_sub(base));
    ((ticks * u128::from(multiplier)) >> SHIFT) as u64
}

/// A slew goes on by one nanosecond in so many: 500 millionths, as on Linux.
const SLEW_PERIOD: i64 = 2000;

/// How far the wall clock goes in `passed` nanoseconds of the monotonic clock, at a rate and with a slew to be made.
#[inline(always)]
pub fn steered(passed: i64, rate: i64, slew: i64) -> i64 {
    let run = passed.wrapping_add(((i128::from(passed) * i128::from(rate)) >> 32) as i64);
    if slew == 0 { run } else { run.wrapping_add(slewed(passed, slew)) }
}

/// How much of `slew` is made `passed` nanoseconds after its start.
#[inline(always)]
pub fn slewed(passed: i64, slew: i64) -> i64 {
    let most = if passed < 0 { 0 } else { passed / SLEW_PERIOD };
    slew.clamp(-most, most)
}

impl Parameters {
    /// `CLOCK_MONOTONIC`.
    #[inline(always)]
    pub fn monotonic(&self, counter: u64) -> Time {
        let now = nanos_since_boot(counter, self.counter_base, self.multiplier);
        Time { seconds: (now / SECOND) as i64, nanos: (now % SECOND) as i64 }
    }

    /// `CLOCK_REALTIME`.
    #[inline(always)]
    pub fn realtime(&self, counter: u64) -> Time {
        let now = nanos_since_boot(counter, self.counter_base, self.multiplier);
        let passed = now.wrapping_sub(self.wall_base).cast_signed();
        let nanos =
            steered(passed, self.rate, self.slew).wrapping_add(self.wall_nanos.cast_signed());
        let second = SECOND.cast_signed();
        Time {
            seconds: self.wall_seconds.wrapping_add(nanos.div_euclid(second)),
            nanos: nanos.rem_euclid(second),
        }
    }

    /// `CLOCK_TAI`.
    #[inline(always)]
    pub fn tai(&self, counter: u64) -> Time {
        let utc = self.realtime(counter);
        Time { seconds: utc.seconds.wrapping_add(self.tai_offset), ..utc }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A counter of 1 GHz that was 5 at boot; the wall clock was 100.9 s when a second had passed.
    const SET: Parameters = Parameters {
        counter_base: 5,
        multiplier: 1 << SHIFT,
        wall_base: SECOND,
        wall_seconds: 100,
        wall_nanos: 900_000_000,
        rate: 0,
        slew: 0,
        tai_offset: 37,
        timezone: 0,
    };

    #[test]
    fn monotonic_counts_from_boot() {
        assert_eq!(SET.monotonic(5), Time { seconds: 0, nanos: 0 });
        assert_eq!(SET.monotonic(5 + 3 * SECOND + 7), Time { seconds: 3, nanos: 7 });
    }

    #[test]
    fn a_counter_behind_its_start_shows_zero() {
        assert_eq!(SET.monotonic(0), Time { seconds: 0, nanos: 0 });
    }

    #[test]
    fn wall_clock_carries_into_seconds_both_ways() {
        assert_eq!(SET.realtime(5 + SECOND), Time { seconds: 100, nanos: 900_000_000 });
        assert_eq!(SET.realtime(5 + SECOND + 100_000_000), Time { seconds: 101, nanos: 0 });
        assert_eq!(SET.realtime(5), Time { seconds: 99, nanos: 900_000_000 });
    }

    #[test]
    fn atomic_time_is_ahead_by_its_offset() {
        assert_eq!(SET.tai(5 + SECOND).seconds, 137);
    }

    #[test]
    fn a_steered_clock_runs_faster_or_slower() {
        // A tenth of a percent.
        let rate = (1_i64 << 32) / 1000;
        let fast = Parameters { rate, ..SET }.realtime(5 + 11 * SECOND);
        let slow = Parameters { rate: -rate, ..SET }.realtime(5 + 11 * SECOND);
        assert_eq!((fast.seconds, fast.nanos / 1_000_000), (110, 909));
        assert_eq!((slow.seconds, slow.nanos / 1_000_000), (110, 890));
    }

    #[test]
    fn a_slew_is_made_little_by_little_and_ends() {
        let base = 5 + SECOND;
        for slew in [1_000_000, -1_000_000] {
            let clock = Parameters { slew, ..SET };
            let moved = |seconds: u64| {
                let counter = base + seconds * SECOND;
                let (with, without) = (clock.realtime(counter), SET.realtime(counter));
                (with.seconds - without.seconds) * 1_000_000_000 + with.nanos - without.nanos
            };
            assert_eq!(moved(0), 0);
            assert_eq!(moved(1), slew / 2);
            assert_eq!(moved(2), slew);
            assert_eq!(moved(100), slew);
        }
    }
}
