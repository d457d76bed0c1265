//! The rate of the monotonic clock (and so of the wall clock): what `adjtimex(2)` set, what a slew adds for a while (`adjtime(3)`), and
//! what an offset adds that comes in by the loop (`ADJ_OFFSET`).
//!
//! A slew goes at 500 millionths. A timer ends it; the counter's own clock tells how much of it is made. Of the loop's offset, a part
//! is made up in every second: a quarter, less by a power of two for each step of the time constant.

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

/// A quarter of the offset in a second, at a time constant of zero (`SHIFT_PLL`).
const LOOP_SHIFT: u32 = 2;

struct Steering {
    /// What `adjtimex(2)` set, in parts per 2^32.
    rate: i64,
    /// Nanoseconds to be slewed, from `since` on the counter's own clock.
    slew: i64,
    since: u64,
    /// The loop's offset that is not yet spent, in nanoseconds times 2^32.
    phase: i64,
    /// Which part of it is spent in a second: this power of two.
    phase_shift: u32,
    /// What this second's part adds, in parts per 2^32.
    phase_rate: i64,
}

static STEERING: IrqSpinLock<Steering> =
    IrqSpinLock::new(&class::CLOCK_STEERING, Steering::AT_BOOT);

/// A power of two that divides as C's `shift_right` does: towards zero.
fn divided(number: i64, shift: u32) -> i64 {
    number / (1 << shift)
}

impl Steering {
    const AT_BOOT: Steering = Steering {
        rate: 0,
        slew: 0,
        since: 0,
        phase: 0,
        phase_shift: LOOP_SHIFT + 2,
        phase_rate: 0,
    };

    /// Takes the next second's part off the loop's offset; whether there is one.
    fn spend_phase(&mut self) -> bool {
        let part = divided(self.phase, self.phase_shift);
        self.phase -= part;
        let rate = part / clock::SECOND;
        if rate != self.phase_rate {
            self.phase_rate = rate;
            let left = self.left();
            self.set_slew(left);
        }
        rate != 0
    }

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
        let rate = self.rate + self.phase_rate + self.slew.signum() * RATE;
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

/// Spends a part of the loop's offset in every second.
struct PhaseStep;

impl TimerCallback for PhaseStep {
    fn expired(&self, now: Instant) -> Option<Instant> {
        let more = STEERING.lock().spend_phase();
        more.then(|| Instant(now.0.saturating_add(clock::SECOND.unsigned_abs())))
    }
}

/// The loop's offset is so many nanoseconds from now on; its parts are spent from the next second on.
pub(super) fn set_phase(nanoseconds: i64) {
    static STEP: Once<Timer> = Once::new();
    let step = STEP.call_once(|| Timer::new(Arc::new(PhaseStep)));
    let due = {
        let mut steering = STEERING.lock();
        steering.phase = nanoseconds << 32;
        steering.phase != 0 || steering.phase_rate != 0
    };
    if due {
        let second = clock::SECOND.unsigned_abs();
        let now = super::monotonic().0;
        step.arm(Instant(now - now % second + second));
    }
}

/// The loop's offset that is not yet spent, in nanoseconds.
pub(super) fn phase_left() -> i64 {
    divided(STEERING.lock().phase, 32)
}

/// The loop's time constant, 0 to 10.
pub(super) fn set_time_constant(constant: u32) {
    STEERING.lock().phase_shift = LOOP_SHIFT + constant;
}
