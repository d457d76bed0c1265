//! Process ids and the table from ids to tasks, processes, groups and sessions, read under RCU.

use super::{Process, ProcessGroup, Session, Task};
use alloc::{sync::Arc, vec::Vec};

/// A process, thread, group or session id. Zero is the idle task's and means "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pid(pub u32);

/// The task with thread id `tid`.
pub fn find_task(_tid: Pid) -> Option<Arc<Task>> {
    todo!()
}

/// The process with id `pid` (a zombie too).
pub fn find_process(_pid: Pid) -> Option<Arc<Process>> {
    todo!()
}

/// The process group with id `pgid`.
pub fn find_group(_pgid: Pid) -> Option<Arc<ProcessGroup>> {
    todo!()
}

/// The session with id `sid`.
pub fn find_session(_sid: Pid) -> Option<Arc<Session>> {
    todo!()
}

/// All processes in pid order, from `from` on, at most `max` (`/proc`, `kill(-1)`).
pub fn processes_from(_from: Pid, _max: usize) -> Vec<Arc<Process>> {
    todo!()
}
