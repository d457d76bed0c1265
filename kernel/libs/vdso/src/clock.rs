//! The arithmetic of the clocks.

use super::data::Parameters;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds that the coarse clocks resolve: a tick.
pub const COARSE_RESOLUTION: u64 = 4_000_000;
/// Fraction bits of multipliers: a step is a part in 10^12, and counters from 0.25 GHz on fit.
pub const SHIFT: u32 = 40;

/// Seconds and nanoseconds: `struct timespec`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanos: i64,
}

impl Time {
    /// From nanoseconds.
    #[inline(always)]
    pub const fn from_nanos(nanos: u64) -> Time {
        Time { seconds: (nanos / SECOND) as i64, nanos: (nanos % SECOND) as i64 }
    }
}

/// Nanoseconds from one value of the counter to a later one. One that is not later (another CPU's counter is behind by a
/// little) gives 0.
#[inline(always)]
pub fn nanos(counter: u64, base: u64, multiplier: u64) -> u64 {
    ((u128::from(counter.saturating_sub(base)) * u128::from(multiplier)) >> SHIFT) as u64
}

impl Parameters {
    /// The clocks follow a counter that was `boot` at boot, with so many nanoseconds a tick.
    pub fn start(boot: u64, multiplier: u64) -> Parameters {
        Parameters { boot, nominal: multiplier, base: boot, multiplier, ..Parameters::default() }
    }

    /// From `counter` on, the monotonic clock and the wall clock run faster than nominal by `rate` parts per 2^32.
    pub fn steer(&mut self, counter: u64, rate: i64) {
        self.base_nanos += nanos(counter, self.base, self.multiplier);
        self.base = self.base.max(counter);
        let change = (i128::from(self.nominal) * i128::from(rate)) >> 32;
        self.multiplier = self.nominal.wrapping_add_signed(change as i64);
    }

    /// The wall clock less the monotonic clock, in nanoseconds.
    pub fn wall_offset(&self) -> i128 {
        i128::from(self.wall_seconds) * i128::from(SECOND) + i128::from(self.wall_nanos)
    }

    /// Sets it.
    pub fn set_wall_offset(&mut self, offset: i128) {
        self.wall_seconds = offset.div_euclid(i128::from(SECOND)) as i64;
        self.wall_nanos = offset.rem_euclid(i128::from(SECOND)) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_carry_into_seconds_both_ways() {
        for offset in [0, 1, -1, 1_500_000_000, -1_500_000_000, i128::from(i64::MAX)] {
            let mut parameters = Parameters::default();
            parameters.set_wall_offset(offset);
            assert!(parameters.wall_nanos < SECOND);
            assert_eq!(parameters.wall_offset(), offset);
        }
    }

    #[test]
    fn long_up_times_do_not_overflow() {
        let century = 3_155_760_000 * SECOND;
        assert_eq!(nanos(century, 0, 1 << SHIFT), century);
    }
}
