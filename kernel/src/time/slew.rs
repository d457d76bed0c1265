//! The rate of the monotonic clock (and so of the wall clock): what `adjtimex(2)` set, and what a slew adds for a while (`adjtime(3)`).
//!
//! A slew goes at 500 millionths. A timer ends it; the counter's own clock tells how much of it is made.

use super::{Instant, Timer, TimerCallback, clock};
use crate::{
    arch,
    sync::{IrqSpinLock, Once, class},
};
use alloc::sync::Arc;

/// One nanosecond is made in so many.
const PERIOD: u64 = 2000;
/// The rate of a slew, in parts per 2^32.
const RATE: i64 = (1 << 32) / PERIOD as i64;

struct Steering {
    /// What `adjtimex(2)` set, in parts per 2^32.
    rate: i64,
    /// Nanoseconds to be slewed, from `since` on the counter's own clock.
    slew: i64,
    since: u64,
}

static STEERING: IrqSpinLock<Steering> =
    IrqSpinLock::new(&class::CLOCK_STEERING, Steering { rate: 0, slew: 0, since: 0 });

impl Steering {
    fn left(&self) -> i64 {
        let made = (arch::clock::raw_ns().saturating_sub(self.since) / PERIOD).cast_signed();
        self.slew - self.slew.clamp(-made, made)
    }

    fn set_slew(&mut self, slew: i64) {
        self.slew = slew;
        self.since = arch::clock::raw_ns();
        self.apply();
    }

    fn apply(&self) {
        let rate = self.rate + self.slew.signum() * RATE;
        clock::update(|parameters| parameters.steer(arch::clock::counter(), rate));
    }
}

/// Looks whether the slew is made.
struct SlewEnd;

impl TimerCallback for SlewEnd {
    fn expired(&self, now: Instant) -> Option<Instant> {
        let mut steering = STEERING.lock();
        let left = steering.left();
        if left == 0 {
            if steering.slew != 0 {
                steering.set_slew(0);
            }
            return None;
        }
        // Rather a little early than late: then it looks again.
        let wait = left.unsigned_abs().saturating_mul(PERIOD - 1);
        Some(Instant(now.0.saturating_add(wait)))
    }
}

/// Changes the rate, in parts per 2^32. A slew goes on.
pub(super) fn set_rate(rate: i64) {
    let mut steering = STEERING.lock();
    if steering.rate != rate {
        steering.rate = rate;
        let left = steering.left();
        steering.set_slew(left);
    }
}

/// Nanoseconds that are still to be slewed.
pub(super) fn slew_left() -> i64 {
    STEERING.lock().left()
}

/// Slews by so many nanoseconds from now on; what was left of the slew before.
pub(super) fn set_slew(slew: i64) -> i64 {
    static END: Once<Timer> = Once::new();
    let end = END.call_once(|| Timer::new(Arc::new(SlewEnd)));
    let mut steering = STEERING.lock();
    let left = steering.left();
    if left != 0 || slew != 0 {
        steering.set_slew(slew);
    }
    drop(steering);
    if slew != 0 {
        // Looks, and is armed for the end.
        end.arm(super::monotonic());
    }
    left
}
