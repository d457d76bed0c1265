//! Clocks and timers: the TSC clock source, per-CPU high-resolution timers, and what is built on them.
#![forbid(unsafe_code)]

mod clock;
mod hrtimer;

pub use clock::{Instant, Timespec, monotonic, realtime};
pub use core::time::Duration;
pub use hrtimer::{Timer, TimerCallback};

/// This CPU's timer interrupt, with interrupts off, after the controller was told (EOI). `from_user`: it interrupted user mode.
pub fn timer_interrupt(_from_user: bool) {
    todo!()
}
