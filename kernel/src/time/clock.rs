//! The clocks: `CLOCK_MONOTONIC` from the TSC, steered; `CLOCK_REALTIME` is that plus an offset.
//!
//! Scale and offset are in the vDSO's data page, read under a sequence count: no lock, no store.

use crate::{
    arch,
    mm::vdso::data,
    sync::{IrqSpinLock, class},
};
use vdso::data::Parameters;
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
    /// Long ago: the deadline of a look that does not wait.
    pub const PAST: Instant = Instant(0);

    /// Whether it is now or was before.
    pub fn has_passed(self) -> bool {
        self == Self::PAST || self <= super::monotonic()
    }
    /// What is left until then.
    pub fn left(self) -> core::time::Duration {
        if self == Self::PAST {
            return core::time::Duration::ZERO;
        }
        core::time::Duration::from_nanos(self.0.saturating_sub(super::monotonic().0))
    }
    /// The deadline of a wait that begins now.
    pub fn in_time(d: core::time::Duration) -> Instant {
        if d.is_zero() { Self::PAST } else { super::monotonic().after(d) }
    }
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

static WRITER: IrqSpinLock<()> = IrqSpinLock::new(&class::SEQUENCE, ());

/// Changes what the clocks are made of, for everybody at once: the kernel and all programs read the same page. `change` reads no
/// clock: all stand still meanwhile.
pub(super) fn update<R>(change: impl FnOnce(&mut Parameters) -> R) -> R {
    let _exclusive = WRITER.lock();
    data().update(change)
}

/// The wall clock less the monotonic clock, in nanoseconds.
pub(super) fn wall_offset() -> i128 {
    data().parameters().wall_offset()
}

/// International Atomic Time less UTC, in seconds.
pub(super) fn tai_offset() -> i64 {
    data().parameters().tai_offset
}

/// Takes the wall-clock time from the machine's clock. Once, at boot.
pub fn init() {
    let wall = i128::from(arch::clock::boot_realtime_seconds()) * i128::from(SECOND);
    update(|clocks| clocks.set_wall_offset(wall));
}

/// The time zone that [`set_timezone`] set, for those who ask: minutes west of Greenwich, and `tz_dsttime`.
pub fn timezone() -> [i32; 2] {
    let zone = data().timezone();
    [zone as u32, (zone >> 32) as u32].map(u32::cast_signed)
}

/// Remembers the time zone.
pub fn set_timezone([minutes_west, dst_time]: [i32; 2]) {
    let (west, dst) = (minutes_west.cast_unsigned(), dst_time.cast_unsigned());
    update(|clocks| clocks.timezone = u64::from(west) | u64::from(dst) << 32);
}

/// Now, on the monotonic clock.
#[inline]
pub fn monotonic() -> Instant {
    Instant(arch::clock::now_ns())
}

/// Now, in wall-clock time since 1970.
pub fn realtime() -> Timespec {
    let (time, _) = data().realtime(arch::clock::counter);
    Timespec { tv_sec: time.seconds, tv_nsec: time.nanos }
}

/// The monotonic instant at which the wall clock shows `wall`, as it is set now; 0 when that was before boot.
pub fn realtime_to_monotonic(wall: Timespec) -> Instant {
    let instant = (wall.to_nanos() - wall_offset()).max(0);
    Instant(u64::try_from(instant).unwrap_or(u64::MAX))
}
