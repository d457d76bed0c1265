//! Taking the memory of a process that is being killed, without waiting for it to get there (`process_mrelease(2)`).

use super::{Pid, Process, pid::processes_from, signal::Signal};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// Processes looked at in one go.
const BATCH: usize = 64;

impl Process {
    /// Whether no thread of it will run its program again.
    fn is_dying(&self) -> bool {
        self.signals.exit_status().is_some()
            || self.signals.pending_set().contains(Signal::SIGKILL)
            || self.signals.thread_count() == 0
    }
}

/// Takes the memory of `process`. `ESRCH` when it has none, `EINVAL` unless all who use that memory are dying.
pub fn release_memory(process: &Process) -> Result<()> {
    let space = process.address_space().ok_or(Errno::ESRCH)?;
    if !process.is_dying() {
        return Err(Errno::EINVAL);
    }
    let mut from = Pid(1);
    loop {
        let batch = processes_from(from, BATCH);
        let Some(last) = batch.last() else { break };
        from = Pid(last.pid.0.saturating_add(1));
        let shares =
            |other: &Process| other.address_space().is_some_and(|its| Arc::ptr_eq(&its, &space));
        if batch.iter().any(|other| !other.is_dying() && shares(other)) {
            return Err(Errno::EINVAL);
        }
    }
    space.reap()
}
