//! Moving processes between groups and sessions (`setpgid(2)`, `setsid(2)`).

use super::{Pid, Process, ProcessGroup, Session, TaskFlags, pid, process::TREE};
use crate::sched;
use abi::{Errno, Result};
use alloc::sync::Arc;

/// `setpgid(2)`: moves the process with id `target` to the group `pgid`, which it may found. Both are resolved (not zero).
pub fn set_group(target: Pid, pgid: Pid) -> Result<()> {
    let caller = Arc::clone(&sched::current().process);
    let _tree = TREE.lock();
    let process = match pid::find_process(target) {
        Some(process) => process,
        // A thread that is not a leader is no process.
        None if pid::find_task(target).is_some() => return Err(Errno::EINVAL),
        None => return Err(Errno::ESRCH),
    };
    check_target(&caller, &process)?;
    if process.is_session_leader() {
        return Err(Errno::EPERM);
    }
    if pgid == process.group_id() {
        return Ok(());
    }
    match pid::find_group(pgid) {
        Some(group) if group.session.id == caller.session_id() => process.set_group(&group),
        None if pgid == target => {
            let group = ProcessGroup::new(pgid, process.session());
            pid::group_begins(&group, false);
            process.set_group(&group);
        }
        _ => return Err(Errno::EPERM),
    }
    Ok(())
}

/// Only the caller and children of it that have not yet called `execve` can be moved.
fn check_target(caller: &Arc<Process>, process: &Arc<Process>) -> Result<()> {
    if Arc::ptr_eq(caller, process) {
        return Ok(());
    }
    if !process.parent().is_some_and(|parent| Arc::ptr_eq(&parent, caller)) {
        return Err(Errno::ESRCH);
    }
    if process.session_id() != caller.session_id() {
        return Err(Errno::EPERM);
    }
    let unchanged =
        process.leader().is_some_and(|leader| leader.flags().contains(TaskFlags::FORKED_NO_EXEC));
    if unchanged { Ok(()) } else { Err(Errno::EACCES) }
}

/// `setsid(2)`: the new session's id. `EPERM` when the caller leads a session or a group.
pub fn new_session() -> Result<Pid> {
    let process = Arc::clone(&sched::current().process);
    let _tree = TREE.lock();
    if process.is_session_leader() || pid::find_group(process.pid).is_some() {
        return Err(Errno::EPERM);
    }
    found_session(&process);
    Ok(process.pid)
}

/// Makes `process` the leader of a new session and group. Under the tree's lock.
pub(super) fn found_session(process: &Arc<Process>) {
    let group = ProcessGroup::new(process.pid, Session::new(process.pid));
    pid::group_begins(&group, true);
    process.set_group(&group);
}
