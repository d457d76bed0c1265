//! Process ids and the table from ids to tasks, processes, groups and sessions, read under RCU.
//!
//! What has the same number shares one table entry ([`PidEntry`]), an immutable record that writers replace as a whole: a
//! reader follows pointers and takes no lock and no count. Writers take the table's spin lock, a leaf lock. Ids are handed
//! out in cyclic order up to [`limit`]. The tree is in `kernel/libs/pid_table`.

use super::{Process, ProcessGroup, Session, Task};
use crate::sync::{Lazy, RcuDomain, SpinLock, class, rcu};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use pid_table::{PidTable, PidWriter, Reserve};

/// A process, thread, group or session id. Zero is the idle task's and means "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pid(pub u32);

/// One more than the highest id there can be.
pub const PID_MAX: u32 = 4_194_304;

/// Below this, ids are handed out once only: after the first wrap the search starts here.
const RESERVED_PIDS: u32 = 300;

/// What `kernel.pid_max` may be set to.
pub const LIMITS: RangeInclusive<u32> = RESERVED_PIDS + 1..=PID_MAX;

/// One more than the highest id that is handed out (`kernel.pid_max`).
static LIMIT: AtomicU32 = AtomicU32::new(PID_MAX);

/// Reads `kernel.pid_max`.
pub fn limit() -> u32 {
    LIMIT.load(Relaxed)
}

/// Sets it; in [`LIMITS`].
pub fn set_limit(limit: u32) {
    LIMIT.store(limit, Relaxed);
}

/// The first process's id.
pub const INIT: Pid = Pid(1);

/// All that goes by one number.
#[derive(Clone, Default)]
pub(super) struct PidEntry {
    /// The thread.
    pub task: Option<Arc<Task>>,
    /// The process (a zombie too).
    pub process: Option<Arc<Process>>,
    /// The process group.
    pub group: Option<Arc<ProcessGroup>>,
    /// The session.
    pub session: Option<Arc<Session>>,
}

impl PidEntry {
    /// A process's first thread.
    pub(super) fn process(leader: &Arc<Task>) -> PidEntry {
        let process = Some(Arc::clone(&leader.process));
        PidEntry { task: Some(Arc::clone(leader)), process, ..PidEntry::default() }
    }

    /// Another thread.
    pub(super) fn thread(task: &Arc<Task>) -> PidEntry {
        PidEntry { task: Some(Arc::clone(task)), ..PidEntry::default() }
    }

    fn is_empty(&self) -> bool {
        self.task.is_none()
            && self.process.is_none()
            && self.group.is_none()
            && self.session.is_none()
    }
}

/// Reader's and writer's side.
struct Table {
    entries: Arc<PidTable<PidEntry, RcuDomain>>,
    writer: SpinLock<PidWriter<PidEntry, RcuDomain>>,
}

static TABLE: Lazy<Table> = Lazy::new(|| {
    let (entries, writer) = pid_table::new();
    Table { entries, writer: SpinLock::new(&class::TABLE, writer) }
});

/// An id that nobody sees yet; given back unless published.
pub(super) struct ReservedPid(Option<Pid>);

/// Reserves the next free id; `EAGAIN` when there is none.
pub(super) fn reserve() -> Result<ReservedPid> {
    let mut writer = TABLE.writer.lock();
    // 1 is kept for the first user process, whatever kernel threads come before it.
    let min = if writer.last() > RESERVED_PIDS { RESERVED_PIDS } else { INIT.0 + 1 };
    let id = writer.reserve(Reserve { min, max: limit() }).ok_or(Errno::EAGAIN)?;
    Ok(ReservedPid(Some(Pid(id))))
}

/// Reserves `pid` (`set_tid` of `clone3(2)`, the first process); `EEXIST` when it is taken, `EINVAL` when it cannot be.
pub(super) fn reserve_exact(pid: Pid) -> Result<ReservedPid> {
    if pid.0 == 0 || pid.0 >= limit() {
        return Err(Errno::EINVAL);
    }
    if TABLE.writer.lock().reserve_exact(pid.0) {
        Ok(ReservedPid(Some(pid)))
    } else {
        Err(Errno::EEXIST)
    }
}

impl ReservedPid {
    /// The id.
    pub(super) fn pid(&self) -> Pid {
        self.0.unwrap_or(Pid(0))
    }

    /// Lets everybody see it.
    pub(super) fn publish(mut self, entry: PidEntry) {
        if let Some(pid) = self.0.take() {
            TABLE.writer.lock().set(pid.0, Some(Arc::new(entry)));
        }
    }
}

impl Drop for ReservedPid {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            TABLE.writer.lock().release(pid.0);
        }
    }
}

/// Changes the entry of `pid`; the id is free again when nothing is left of it.
fn update(pid: Pid, change: impl FnOnce(&mut PidEntry)) {
    let mut writer = TABLE.writer.lock();
    let Some(mut entry) = writer.get(pid.0).cloned() else { return };
    change(&mut entry);
    if entry.is_empty() {
        writer.release(pid.0);
    } else {
        writer.set(pid.0, Some(Arc::new(entry)));
    }
}

/// A thread is gone.
pub(super) fn task_ended(tid: Pid) {
    update(tid, |entry| entry.task = None);
}

/// A process has been reaped.
pub(super) fn process_ended(pid: Pid) {
    update(pid, |entry| (entry.task, entry.process) = (None, None));
}

/// `execve` in a thread that was not the leader: `task` goes by the process's id now, its old id is free.
pub(super) fn replace_leader(old_tid: Pid, task: &Arc<Task>) {
    update(task.process.pid, |entry| entry.task = Some(Arc::clone(task)));
    task_ended(old_tid);
}

/// Enters a new group, and its session when that is new too. The id is that of a process, so it has an entry.
pub(super) fn group_begins(group: &Arc<ProcessGroup>, new_session: bool) {
    group.session.groups.fetch_add(1, Relaxed);
    update(group.id, |entry| {
        entry.group = Some(Arc::clone(group));
        if new_session {
            entry.session = Some(Arc::clone(&group.session));
        }
    });
}

/// The last member has left; the session ends with its last group. Under the tree's lock.
pub(super) fn group_ended(group: &Arc<ProcessGroup>) {
    if group.id == Pid(0) {
        return;
    }
    update(group.id, |entry| entry.group = None);
    if group.session.groups.fetch_sub(1, Relaxed) == 1 {
        update(group.session.id, |entry| entry.session = None);
    }
}

/// The task with thread id `tid`.
pub fn find_task(tid: Pid) -> Option<Arc<Task>> {
    let guard = rcu::read();
    TABLE.entries.get(tid.0, &guard)?.task.clone()
}

/// The process with id `pid` (a zombie too).
pub fn find_process(pid: Pid) -> Option<Arc<Process>> {
    let guard = rcu::read();
    TABLE.entries.get(pid.0, &guard)?.process.clone()
}

/// The process group with id `pgid`.
pub fn find_group(pgid: Pid) -> Option<Arc<ProcessGroup>> {
    let guard = rcu::read();
    TABLE.entries.get(pgid.0, &guard)?.group.clone()
}

/// All processes in pid order, from `from` on, at most `max` (`/proc`, `kill(-1)`).
pub fn processes_from(from: Pid, max: usize) -> Vec<Arc<Process>> {
    let mut found = Vec::new();
    let mut next = from.0;
    let guard = rcu::read();
    while found.len() < max {
        let Some((id, entry)) = TABLE.entries.next(next, &guard) else { break };
        found.extend(entry.process.clone());
        next = id + 1;
    }
    found
}

/// The id handed out last (`/proc/loadavg`).
pub fn last_pid() -> Pid {
    Pid(TABLE.writer.lock().last())
}
