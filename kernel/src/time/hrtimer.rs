//! Per-CPU high-resolution timers: setting, cancelling and expiry do not grow with their number.

use super::Instant;
use alloc::sync::Arc;

/// What a timer does when it expires: in interrupt context, so it only marks, wakes and re-arms.
pub trait TimerCallback: Send + Sync {
    /// Called with interrupts off. A returned instant re-arms the timer.
    fn expired(&self, now: Instant) -> Option<Instant>;
}

/// A timer. Dropping it cancels it.
pub struct Timer(());

impl Timer {
    /// An unarmed timer.
    pub fn new(_callback: Arc<dyn TimerCallback>) -> Timer {
        todo!()
    }
    /// Arms (or moves) it.
    pub fn arm(&self, _deadline: Instant) {
        todo!()
    }
    /// Disarms it, and waits for a callback that runs on another CPU; whether it was armed.
    pub fn cancel(&self) -> bool {
        todo!()
    }
    /// When it expires, if armed.
    pub fn deadline(&self) -> Option<Instant> {
        todo!()
    }
}
