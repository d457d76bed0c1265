//! Interval timers (`setitimer(2)`).

/// The three interval timers of a process.
pub struct IntervalTimers(());

impl IntervalTimers {
    /// None armed.
    pub fn new() -> IntervalTimers {
        IntervalTimers(())
    }
}
