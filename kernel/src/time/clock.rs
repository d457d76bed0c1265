//! The clocks: `CLOCK_MONOTONIC` from the TSC; `CLOCK_REALTIME` is that plus an offset.

/// Nanoseconds on `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Instant(pub u64);

/// `struct timespec`, as user space has it.
#[repr(C)]
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Default,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
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
        Timespec {
            tv_sec: ns.div_euclid(1_000_000_000) as i64,
            tv_nsec: ns.rem_euclid(1_000_000_000) as i64,
        }
    }
    /// As a duration; `EINVAL` when negative or out of range.
    pub fn to_duration(self) -> abi::Result<core::time::Duration> {
        if self.tv_sec < 0 || !(0..1_000_000_000).contains(&self.tv_nsec) {
            return Err(abi::Errno::EINVAL);
        }
        Ok(core::time::Duration::new(self.tv_sec as u64, self.tv_nsec as u32))
    }
}

/// Now, on the monotonic clock.
pub fn monotonic() -> Instant {
    todo!()
}

/// Now, in wall-clock time since 1970.
pub fn realtime() -> Timespec {
    todo!()
}
