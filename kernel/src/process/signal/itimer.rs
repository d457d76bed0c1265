//! Interval timers (`setitimer(2)`).

/// The three interval timers of a process.
pub struct IntervalTimers(());

impl IntervalTimers {
    /// Disarms all, when the process ends.
    pub fn clear(&self) {
        todo!()
    }
    /// All disarmed.
    pub fn new() -> IntervalTimers {
        IntervalTimers(())
    }
}
