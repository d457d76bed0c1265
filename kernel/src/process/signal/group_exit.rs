//! The end of all threads at once: `exit_group(2)`, a fatal signal, exec in a process with several threads.

use super::state::{ProcessSignals, State, raise};
use crate::{
    process::{ExitStatus, Task},
    sched::WakeEvent,
};
use abi::{Errno, Result};
use core::sync::atomic::Ordering;

impl ProcessSignals {
    /// Orders all threads to exit with `status`. The first order counts: returns the status with which
    /// the process really ends. The caller then ends its own thread.
    pub fn begin_group_exit(&self, status: ExitStatus) -> ExitStatus {
        let mut state = self.state.lock();
        // An exec that has killed this thread already decided that the process goes on.
        if state.exit_status.is_none() {
            self.order_exit(&mut state, status);
        }
        state.exit_status.unwrap_or(status)
    }

    /// The order itself, with the lock held.
    pub(super) fn order_exit(&self, state: &mut State, status: ExitStatus) {
        state.exit_status = Some(status);
        self.end_stop(state);
        kill_threads(state, None);
    }

    /// Orders all threads but `task`, the caller, to exit, for exec. `ERESTARTNOINTR` when the process is being ended or another
    /// thread runs exec already: the caller dies with it. The caller then waits until [`ProcessSignals::thread_count`] is one
    /// (each [`ProcessSignals::detach`] wakes `child_wait`), and calls [`ProcessSignals::end_exec`].
    pub fn begin_exec(&self, task: &Task) -> Result<()> {
        let mut state = self.state.lock();
        if state.exit_status.is_some() || state.exec.is_some() {
            return Err(Errno::ERESTARTNOINTR);
        }
        state.exec = Some(task.tid());
        self.end_stop(&mut state);
        kill_threads(&state, Some(task));
        Ok(())
    }

    /// Ends what [`ProcessSignals::begin_exec`] began, when the new program is about to run or exec gave up.
    pub fn end_exec(&self) {
        self.state.lock().exec = None;
    }
}

/// Marks SIGKILL pending for each thread but `spared`, and wakes them.
fn kill_threads(state: &State, spared: Option<&Task>) {
    for task in &state.threads {
        if spared.is_some_and(|spared| spared.tid() == task.tid()) {
            continue;
        }
        let mut queue = task.signals.queue.lock();
        queue.mark_kill();
        task.signals.pending.store(queue.set().0, Ordering::SeqCst);
        drop(queue);
        raise(task, WakeEvent::Kill);
    }
}
