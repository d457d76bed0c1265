//! Who may look into whom (`ptrace(2)`, "Ptrace access mode checking"): `/proc/<pid>` links, `pidfd_getfd(2)`,
//! `process_vm_readv(2)`.

use super::{Capability, Task};
use crate::{sched, sync::rcu};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

/// Whether the current task may inspect `target`: threads of one process always; else the caller's ids are all of the
/// target's and the target is dumpable, or the caller has `CAP_SYS_PTRACE`.
pub fn may_inspect(target: &Task) -> bool {
    let current = sched::current();
    if Arc::ptr_eq(&current.process, &target.process) {
        return true;
    }
    let guard = rcu::read();
    let mine = current.credentials.get(&guard);
    let its = target.credentials.get(&guard);
    let same = [its.uid, its.euid, its.suid] == [mine.uid; 3]
        && [its.gid, its.egid, its.sgid] == [mine.gid; 3];
    let dumpable = target.process.dumpable.load(Relaxed) == 1;
    same && dumpable || mine.has(Capability::SysPtrace)
}
