//! Clocks and timers: the TSC clock source, per-CPU high-resolution timers, and what is built on them.
//!
//! | file | what it holds |
//! |---|---|
//! | [`clock`] | instants, `struct timespec`, `CLOCK_MONOTONIC` and `CLOCK_REALTIME` |
//! | [`adjust`] | setting and steering the wall clock (`settimeofday(2)`, `adjtimex(2)`) |
//! | [`clock_id`] | every clock that user space can name, CPU-time clocks included |
//! | [`hrtimer`] | per-CPU timers on a timing wheel, the tick, the timer's interrupt |
//! | [`wall_watch`] | who is told when the wall clock changes |
//! | [`slew`] | the clocks' rate, and `adjtime(3)` |
//! | [`sleep`] | `nanosleep(2)`, `clock_nanosleep(2)` and their restart |
//! | [`posix_timer`] | `timer_create(2)` and its family |
//!
//! The clocks are read from the vDSO's data page, by the kernel and by programs.
//!
//! Locks: `CLOCK_STEERING`, `SEQUENCE` (writers of the page), `TIMER` (a CPU's wheel; a leaf, also taken by interrupts), `POSIX_TIMERS`.
#![forbid(unsafe_code)]

mod adjust;
mod clock;
mod clock_id;
mod hrtimer;
mod posix_timer;
pub mod rtc_device;
mod sleep;
mod slew;
mod wall_watch;

pub use adjust::{Timex, adjust, set_realtime};
pub use clock::{
    Instant, Timespec, init, monotonic, realtime, realtime_to_monotonic, set_timezone, timezone,
};
pub use clock_id::{ClockId, CpuClock};
pub use core::time::Duration;
pub use hrtimer::{Timer, TimerCallback, check_reprogram, start_tick, timer_interrupt};
pub use posix_timer::{Notify, PosixTimers, TimerValue};
pub use sleep::{check_sleep_clock, sleep_until, sleep_until_clock};
pub use wall_watch::{WallWatcher, unwatch, watch};
