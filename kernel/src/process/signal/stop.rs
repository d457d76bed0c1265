//! Stops and continuation (job control; `signal(7)`, `wait(2)`).
//!
//! A stop signal is delivered to one thread, which orders the stop of all. Each thread counts itself when it gets there; the last
//! one tells the parent. SIGCONT takes effect when it is *sent*: it wakes all threads, and the parent is told by the first of
//! them that runs, in task context.

use super::state::{Orders, ProcessSignals, State, Stop, StopEvent, raise};
use super::{Signal, child};
use crate::{
    process::Task,
    sched::{self, TaskState, WakeEvent},
};
use core::sync::atomic::Ordering;

impl ProcessSignals {
    /// What `wait4(2)` with `WUNTRACED` or `WCONTINUED` reports of this process; `consume` unless `WNOWAIT`.
    pub fn stop_event(
        &self,
        wanted: impl FnOnce(StopEvent) -> bool,
        consume: bool,
    ) -> Option<StopEvent> {
        let mut state = self.state.lock();
        let event = state.event?;
        if !wanted(event) {
            return None;
        }
        if consume {
            state.event = None;
        }
        Some(event)
    }

    /// Whether a stop is in force.
    pub fn is_stopped(&self) -> bool {
        self.state.lock().stop.as_ref().is_some_and(|stop| stop.complete)
    }

    /// Orders all threads to stop, on behalf of the current one, which took `signal` off the queue.
    pub(super) fn begin_stop(&self, state: &mut State, signal: Signal) {
        if state.exit_status.is_some() || state.exec.is_some() {
            return;
        }
        if state.stop.is_none() {
            state.stop = Some(Stop { signal, complete: false });
        }
        self.set_order(Orders::STOP);
        for task in &state.threads {
            raise(task, WakeEvent::Signal);
        }
    }

    /// Ends a stop without a word: SIGCONT's and a group exit's common part. The threads are woken by the caller.
    pub(super) fn end_stop(&self, state: &mut State) -> Option<Stop> {
        let stop = state.stop.take();
        self.clear_order(Orders::STOP);
        if state.stopped != 0 {
            state.stopped = 0;
            for task in &state.threads {
                task.signals.in_stop.store(false, Ordering::Relaxed);
            }
        }
        stop
    }

    /// SIGCONT was sent: ends a stop and lets the parent know.
    pub(super) fn continue_all(&self, state: &mut State) {
        let Some(stop) = self.end_stop(state) else { return };
        state.event = Some(StopEvent::Continued);
        // A stop that had not come to its end is announced as a stop: the parent learns that it was asked for.
        state.notice = Some(if stop.complete {
            StopEvent::Continued
        } else {
            StopEvent::Stopped(stop.signal)
        });
        self.set_order(Orders::NOTIFY);
        for task in &state.threads {
            raise(task, WakeEvent::Continue);
        }
    }

    /// Stops the current thread for as long as a stop is in force.
    pub(super) fn stay_stopped(task: &Task) {
        let signals = &task.process.signals;
        loop {
            let mut state = signals.state.lock();
            if state.stop.is_none() {
                return;
            }
            if !task.signals.in_stop.swap(true, Ordering::Relaxed) {
                state.stopped += 1;
                if let Some(event) = state.complete_stop() {
                    drop(state);
                    child::notify_stop(&task.process, event);
                    continue;
                }
            }
            // Under the lock, so that a SIGCONT sent from here on finds the state that it is to end.
            sched::set_state(TaskState::Stopped);
            drop(state);
            sched::schedule();
        }
    }

    /// Tells the parent what a SIGCONT left to be told.
    pub(super) fn tell_parent(task: &Task) {
        let signals = &task.process.signals;
        let mut state = signals.state.lock();
        let notice = state.notice.take();
        signals.clear_order(Orders::NOTIFY);
        drop(state);
        if let Some(event) = notice {
            child::notify_stop(&task.process, event);
        }
    }
}
