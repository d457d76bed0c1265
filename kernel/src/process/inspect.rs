//! Who may look into whom (`ptrace(2)`, "Ptrace access mode checking"): `/proc/<pid>`, `pidfd_getfd(2)`.

use super::{Capability, Task};
use crate::{sched, sync::rcu};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

/// With which of its ids the caller asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InspectAs {
    /// Through a file system (`PTRACE_MODE_FSCREDS`).
    FileSystemIds,
    /// By a system call of its own (`PTRACE_MODE_REALCREDS`).
    RealIds,
}

/// Whether the current task may inspect `target`: threads of one process always; else the caller's ids are all of the
/// target's, the target is dumpable and has no capability that the caller lacks, or the caller has `CAP_SYS_PTRACE`.
pub fn may_inspect(target: &Task, ids: InspectAs) -> bool {
    let current = sched::current();
    if Arc::ptr_eq(&current.process, &target.process) {
        return true;
    }
    let guard = rcu::read();
    let mine = current.credentials.get(&guard);
    let its = target.credentials.get(&guard);
    let (uid, gid) = match ids {
        InspectAs::FileSystemIds => (mine.fsuid, mine.fsgid),
        InspectAs::RealIds => (mine.uid, mine.gid),
    };
    let same =
        [its.uid, its.euid, its.suid] == [uid; 3] && [its.gid, its.egid, its.sgid] == [gid; 3];
    let dumpable = target.process.dumpable.load(Relaxed) == 1;
    let covers = its.cap_permitted & !mine.cap_permitted == 0;
    same && dumpable && covers || mine.has(Capability::SysPtrace)
}
