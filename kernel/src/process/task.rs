//! A task: one thread, the thing that is scheduled.

use super::{Credentials, Pid, Process, signal::TaskSignals};
use crate::{
    arch,
    fs::{FdTable, FsContext},
    mm::AddressSpace,
    sched::TaskSched,
    sync::{SpinLock, TaskCell, rcu::RcuArc},
};
use alloc::sync::Arc;
use core::sync::atomic::AtomicUsize;

/// A thread. Each subsystem has its part; only that subsystem reaches inside.
pub struct Task {
    /// The thread id.
    pub tid: Pid,
    /// The thread group.
    pub process: Arc<Process>,
    /// Scheduling state.
    pub sched: TaskSched,
    /// Machine state.
    pub thread: arch::Thread,
    /// Signal mask, thread-directed pending signals, alternate stack.
    pub signals: TaskSignals,
    /// Address space; none for kernel threads.
    pub mm: TaskCell<AddressSpace>,
    /// Descriptors.
    pub files: TaskCell<FdTable>,
    /// Root and working directory, umask.
    pub fs: TaskCell<FsContext>,
    /// Credentials.
    pub credentials: RcuArc<Credentials>,
    /// The name (`comm`), NUL-padded.
    pub name: SpinLock<[u8; 16]>,
    /// `set_tid_address(2)`, `CLONE_CHILD_CLEARTID`.
    pub clear_child_tid: AtomicUsize,
    /// `set_robust_list(2)`.
    pub robust_list: AtomicUsize,
}

impl Task {
    /// A kernel thread (no address space, no descriptors, root's credentials), not yet started. `tid` zero makes an
    /// idle task, which is in no table; `None` takes the next free id.
    pub fn new_kernel(
        _name: &str,
        _thread: arch::Thread,
        _tid: Option<Pid>,
    ) -> abi::Result<Arc<Task>> {
        todo!()
    }
}
