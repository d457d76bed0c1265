//! One CPU's callbacks, in three stages: those that came lately, those that a grace period runs for, and those that may
//! run. Callbacks move on together and keep their order; each leaves [`Stages::take`] exactly once.

use crate::{GracePeriod, GracePeriods};
use alloc::collections::LinkedList;

/// Callbacks of type `C`. Lists, not vectors: there can be tens of thousands when many processes end at once, memory is short then, and a
/// move from stage to stage happens in an interrupt and must not need any.
pub struct Stages<C> {
    next: LinkedList<C>,
    waiting: LinkedList<C>,
    period: Option<GracePeriod>,
    done: LinkedList<C>,
}

impl<C> Stages<C> {
    /// No callbacks.
    pub const fn new() -> Self {
        Self {
            next: LinkedList::new(),
            waiting: LinkedList::new(),
            period: None,
            done: LinkedList::new(),
        }
    }
    /// Adds a callback, for after a grace period.
    pub fn push(&mut self, callback: C) {
        self.next.push_back(callback);
    }
    /// Whether there are callbacks that wait for a grace period.
    pub fn is_waiting(&self) -> bool {
        !self.next.is_empty() || self.period.is_some()
    }
    /// The grace period that runs for callbacks of this CPU.
    pub fn period(&self) -> Option<GracePeriod> {
        self.period
    }
    /// Whether callbacks may run.
    pub fn is_done(&self) -> bool {
        !self.done.is_empty()
    }
    /// Moves callbacks on as far as grace periods allow; begins one when some came.
    pub fn advance<const N: usize>(&mut self, periods: &GracePeriods<N>) {
        if self.period.is_some_and(|period| periods.is_over(period)) {
            self.period = None;
            self.done.append(&mut self.waiting);
        }
        if self.period.is_none() && !self.next.is_empty() {
            core::mem::swap(&mut self.next, &mut self.waiting);
            self.period = Some(periods.start());
        }
    }
    /// Takes the callbacks that may run, in the order they came.
    pub fn take(&mut self) -> LinkedList<C> {
        core::mem::take(&mut self.done)
    }
}

impl<C> Default for Stages<C> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_callback_runs_once_after_its_own_period() {
        let periods = GracePeriods::<1>::new();
        periods.leave_idle(0);
        let mut stages = Stages::new();
        stages.push(1);
        stages.advance(&periods);
        stages.push(2);
        assert!(stages.take().is_empty());
        periods.quiescent(0);
        stages.advance(&periods);
        assert!(stages.take().into_iter().eq([1]));
        // The second came after the first's period began: it waits for the next.
        stages.advance(&periods);
        assert!(stages.take().is_empty());
        periods.quiescent(0);
        stages.advance(&periods);
        assert!(stages.take().into_iter().eq([2]));
        assert!(!stages.is_waiting() && !stages.is_done());
    }
}
