//! The time-stamp counter as a clock, and this CPU's timer interrupt.

/// How counter ticks become nanoseconds: `ns = ((tsc - base_tsc) * mult) >> shift` (128-bit product). The vDSO uses the same numbers.
#[derive(Clone, Copy, Debug)]
pub struct TscScale {
    /// The counter at monotonic time zero (boot).
    pub base_tsc: u64,
    /// Multiplier.
    pub mult: u32,
    /// Shift.
    pub shift: u32,
}

/// The calibrated scale.
pub fn tsc_scale() -> TscScale {
    todo!()
}

/// Nanoseconds since boot, never backwards on one CPU. Callable everywhere.
pub fn now_ns() -> u64 {
    todo!()
}

/// Has this CPU's timer interrupt at `deadline` on the [`now_ns`] clock (at once if that is past); `None`: no interrupt. Long
/// waits may interrupt early: the handler asks again. Called with interrupts off.
pub fn set_timer(_deadline: Option<u64>) {
    todo!()
}

/// Seconds since 1970 (UTC) at boot, from the real-time clock.
pub fn boot_realtime_seconds() -> u64 {
    todo!()
}
