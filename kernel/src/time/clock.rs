//! The clocks: `CLOCK_MONOTONIC` from the TSC; `CLOCK_REALTIME` is that plus an offset.
//!
//! The wall clock is a base (an instant and the wall time then) and a rate, read under a sequence count: no lock, no store.

use crate::{arch, mm, sync::SeqLock};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Nanoseconds in a second.
pub(super) const SECOND: i64 = 1_000_000_000;

/// Nanoseconds on `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Instant(pub u64);

/// `struct timespec`, as user space has it.
#[repr(C)]
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct Timespec {
    /// Seconds.
    pub tv_sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub tv_nsec: i64,
}

impl Instant {
    /// This plus `d`, saturating.
    pub fn after(self, d: core::time::Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Timespec {
    /// From nanoseconds.
    pub const fn from_nanos(ns: i128) -> Timespec {
        // Until the year 2262 a division of 64 bits does.
        if ns >= 0 && ns <= i64::MAX as i128 {
            let ns = ns as i64;
            return Timespec { tv_sec: ns / SECOND, tv_nsec: ns % SECOND };
        }
        Timespec {
            tv_sec: ns.div_euclid(SECOND as i128) as i64,
            tv_nsec: ns.rem_euclid(SECOND as i128) as i64,
        }
    }
    /// In nanoseconds.
    pub const fn to_nanos(self) -> i128 {
        self.tv_sec as i128 * SECOND as i128 + self.tv_nsec as i128
    }
    /// As a duration; `EINVAL` when negative or out of range.
    pub fn to_duration(self) -> abi::Result<core::time::Duration> {
        if self.tv_sec < 0 || !(0..SECOND).contains(&self.tv_nsec) {
            return Err(abi::Errno::EINVAL);
        }
        Ok(core::time::Duration::new(self.tv_sec as u64, self.tv_nsec as u32))
    }
}

/// How wall-clock time follows from monotonic time.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(super) struct WallClock {
    /// A monotonic instant, in nanoseconds.
    pub base: u64,
    /// Wall-clock nanoseconds since 1970 at that instant, as two words of an `i128`.
    pub wall_low: u64,
    pub wall_high: i64,
    /// How much faster the wall clock runs, in parts per 2^32 (`ADJ_FREQUENCY`, `ADJ_TICK`).
    pub rate: i64,
    /// Nanoseconds that are to be slewed from `base` on (`adjtime(3)`).
    slew: i64,
    /// International Atomic Time less UTC, in seconds.
    pub tai_offset: i64,
    /// The time zone that `settimeofday(2)` set, as the vDSO has it: kept for those who ask, used for nothing.
    timezone: u64,
}

impl WallClock {
    /// Wall-clock nanoseconds at a monotonic instant.
    pub fn at(&self, now: u64) -> i128 {
        let wall = i128::from(self.wall_high) << 64 | i128::from(self.wall_low);
        let passed = now.wrapping_sub(self.base).cast_signed();
        wall + i128::from(vdso::clock::steered(passed, self.rate, self.slew))
    }
    /// Nanoseconds that are still to be slewed at `now`.
    pub fn slew_left(&self, now: u64) -> i64 {
        let passed = now.wrapping_sub(self.base).cast_signed();
        self.slew - vdso::clock::slewed(passed, self.slew)
    }
    /// Goes on at `now` as it is, to be changed from there.
    pub fn go_on(&mut self, now: u64) {
        let slew = self.slew_left(now);
        self.rebase(now, self.at(now));
        self.slew = slew;
    }
    /// Slews by so many nanoseconds from `now` on.
    pub fn set_slew(&mut self, now: u64, slew: i64) {
        self.go_on(now);
        self.slew = slew;
    }
    /// Begins anew at `now` with the wall-clock time given; what was to be slewed is forgotten.
    pub fn rebase(&mut self, now: u64, wall: i128) {
        self.slew = 0;
        self.base = now;
        // The low and the high 64 bits.
        self.wall_low = wall as u64;
        self.wall_high = (wall >> 64) as i64;
    }
    /// The instant at which the wall clock shows `wall`; 0 when that was before boot.
    fn instant_of(&self, wall: i128) -> u64 {
        let ahead = wall - self.at(self.base);
        // The rate is at most a tenth, so one correction is exact to its square: a second round makes it so to nanoseconds.
        let mut passed = ahead;
        for _ in 0..3 {
            let by_rate = (passed * i128::from(self.rate)) >> 32;
            let near = i64::try_from(passed).unwrap_or(i64::MAX);
            passed = ahead - by_rate - i128::from(vdso::clock::slewed(near, self.slew));
        }
        u64::try_from((i128::from(self.base) + passed).max(0)).unwrap_or(u64::MAX)
    }
}

pub(super) static WALL: SeqLock<WallClock> = SeqLock::zeroed();

/// Changes the wall clock, in the vDSO's data page, too.
pub(super) fn update_wall<R>(change: impl FnOnce(&mut WallClock) -> R) -> R {
    // The page is written under the lock's exclusion of writers.
    WALL.update(|clock| {
        let result = change(clock);
        publish(clock);
        result
    })
}

fn publish(clock: &WallClock) {
    let (counter_base, multiplier) = arch::clock::counter_scale();
    let wall = Timespec::from_nanos(clock.at(clock.base));
    mm::vdso::data().publish(&vdso::data::Parameters {
        counter_base,
        multiplier,
        wall_base: clock.base,
        wall_seconds: wall.tv_sec,
        wall_nanos: wall.tv_nsec.cast_unsigned(),
        rate: clock.rate,
        slew: clock.slew,
        tai_offset: clock.tai_offset,
        timezone: clock.timezone,
    });
}

/// Takes the wall-clock time from the machine's clock. Once, at boot.
pub fn init() {
    let wall = i128::from(arch::clock::boot_realtime_seconds()) * i128::from(SECOND);
    // Made before the lock is taken.
    mm::vdso::data();
    update_wall(|clock| clock.rebase(0, wall));
}

/// The time zone that [`set_timezone`] set: minutes west of Greenwich, and `tz_dsttime`.
pub fn timezone() -> [i32; 2] {
    let zone = WALL.read().timezone;
    [zone as u32, (zone >> 32) as u32].map(u32::cast_signed)
}

/// Remembers the time zone.
pub fn set_timezone([minutes_west, dst_time]: [i32; 2]) {
    let (west, dst) = (minutes_west.cast_unsigned(), dst_time.cast_unsigned());
    update_wall(|clock| clock.timezone = u64::from(west) | u64::from(dst) << 32);
}

/// Now, on the monotonic clock.
#[inline]
pub fn monotonic() -> Instant {
    Instant(arch::clock::now_ns())
}

/// Now, in wall-clock time since 1970.
pub fn realtime() -> Timespec {
    Timespec::from_nanos(WALL.read().at(monotonic().0))
}

/// The monotonic instant at which the wall clock shows `wall`, as it runs now.
pub fn realtime_to_monotonic(wall: Timespec) -> Instant {
    Instant(WALL.read().instant_of(wall.to_nanos()))
}
