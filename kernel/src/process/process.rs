//! A process: a thread group, its place in the family, what its threads share.

use super::{Pid, signal::ProcessSignals};
use crate::mm::AddressSpace;
use alloc::{sync::Arc, vec::Vec};

/// A thread group.
pub struct Process {
    /// The process id: the leader's thread id.
    pub pid: Pid,
    /// Handlers, process-directed pending signals, stop and exit state, interval timers.
    pub signals: ProcessSignals,
}

impl Process {
    /// The parent's id as `getppid(2)` tells it.
    pub fn parent_pid(&self) -> Pid {
        todo!()
    }
    /// The process group.
    pub fn group(&self) -> Arc<super::ProcessGroup> {
        todo!()
    }
    /// The session.
    pub fn session(&self) -> Arc<super::Session> {
        todo!()
    }
    /// Its live threads.
    pub fn threads(&self) -> Vec<Arc<super::Task>> {
        todo!()
    }
    /// The leader (kept until the process is reaped).
    pub fn leader(&self) -> Option<Arc<super::Task>> {
        todo!()
    }
    /// Its children.
    pub fn children(&self) -> Vec<Arc<Process>> {
        todo!()
    }
    /// Resource limits.
    pub fn limits(&self) -> &super::Limits {
        todo!()
    }
    /// The address space, unless it has exited.
    pub fn address_space(&self) -> Option<Arc<AddressSpace>> {
        todo!()
    }
    /// When it started, on the monotonic clock.
    pub fn start_time(&self) -> crate::time::Instant {
        todo!()
    }
}
