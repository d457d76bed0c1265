//! Process groups and sessions (`setpgid(2)`, `setsid(2)`, `credentials(7)`).
//!
//! A group lives as long as it has members; then its id is free again. Locks: membership changes under the
//! process tree's lock; the list itself has a lock that is safe in interrupts, so that a terminal can signal a group
//! from one.

use super::{Pid, Process, pid};
use crate::{
    sync::{IrqSpinLock, Lazy, SpinLock, class},
    tty::Terminal,
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A process group.
pub struct ProcessGroup {
    /// Its id.
    pub id: Pid,
    /// The session it belongs to, for ever.
    pub session: Arc<Session>,
    members: IrqSpinLock<Vec<Arc<Process>>>,
}

/// A session.
pub struct Session {
    /// Its id: the leader's process id.
    pub id: Pid,
    terminal: SpinLock<ControllingTerminal>,
    /// How many groups it has; it ends with the last.
    pub(super) groups: AtomicUsize,
}

/// A session's terminal, or what is left of it.
#[derive(Default)]
struct ControllingTerminal {
    terminal: Option<Arc<Terminal>>,
    lost_foreground: Option<Arc<ProcessGroup>>,
}

/// Group and session 0, of kernel threads.
static KERNEL: Lazy<Arc<ProcessGroup>> =
    Lazy::new(|| ProcessGroup::new(Pid(0), Session::new(Pid(0))));

impl ProcessGroup {
    /// An empty group; in no table yet.
    pub(super) fn new(id: Pid, session: Arc<Session>) -> Arc<ProcessGroup> {
        let members = IrqSpinLock::new(&class::TABLE, Vec::new());
        Arc::new(ProcessGroup { id, session, members })
    }

    /// The group of kernel threads.
    pub(super) fn kernel() -> Arc<ProcessGroup> {
        Arc::clone(&KERNEL)
    }

    /// Its members.
    pub fn members(&self) -> Vec<Arc<Process>> {
        self.members.lock().clone()
    }

    /// The session it belongs to.
    pub fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }

    /// Whether no member has a parent in another group of the same session. Takes no lock of the tree: a member that
    /// moves meanwhile is judged by one side or the other, as on Linux.
    pub fn is_orphaned(&self) -> bool {
        self.is_orphaned_without(None)
    }

    /// The same, as if `ignored` had exited.
    pub(super) fn is_orphaned_without(&self, ignored: Option<&Arc<Process>>) -> bool {
        !self.members().iter().any(|member| {
            let gone = ignored.is_some_and(|process| Arc::ptr_eq(process, member));
            !gone && !member.has_ended() && self.has_control_over(member)
        })
    }

    /// Whether `member`'s parent is in another group of the same session.
    fn has_control_over(&self, member: &Process) -> bool {
        member.parent().is_some_and(|parent| {
            parent.pid != Pid(1)
                && parent.group_id() != self.id
                && parent.session_id() == self.session.id
        })
    }

    /// Enters `process`. Under the tree's lock.
    pub(super) fn add(&self, process: &Arc<Process>) {
        let mut members = self.members.lock();
        process.group_slot.store(members.len(), Relaxed);
        members.push(Arc::clone(process));
    }

    /// Takes `process` out; gives the id back when it was the last. Under the tree's lock.
    pub(super) fn remove(self: &Arc<Self>, process: &Arc<Process>) {
        let mut members = self.members.lock();
        let slot = process.group_slot.load(Relaxed);
        if members.get(slot).is_some_and(|member| Arc::ptr_eq(member, process)) {
            members.swap_remove(slot);
            if let Some(moved) = members.get(slot) {
                moved.group_slot.store(slot, Relaxed);
            }
        }
        let empty = members.is_empty();
        drop(members);
        if empty {
            pid::group_ended(self);
        }
    }
}

impl Session {
    /// A session without a terminal.
    pub(super) fn new(id: Pid) -> Arc<Session> {
        Arc::new(Session {
            id,
            terminal: SpinLock::new(&class::TABLE, ControllingTerminal::default()),
            groups: AtomicUsize::new(0),
        })
    }

    /// The controlling terminal.
    pub fn terminal(&self) -> Option<Arc<Terminal>> {
        self.terminal.lock().terminal.clone()
    }

    /// Gives it one or takes it away.
    pub fn set_terminal(&self, terminal: Option<Arc<Terminal>>) {
        let new = ControllingTerminal { terminal, lost_foreground: None };
        drop(core::mem::replace(&mut *self.terminal.lock(), new));
    }

    /// Takes the terminal away while its leader lives on (a hang-up): the foreground group is kept, to be signalled when
    /// the leader exits.
    pub fn lose_terminal(&self, foreground: Option<Arc<ProcessGroup>>) {
        let new = ControllingTerminal { terminal: None, lost_foreground: foreground };
        drop(core::mem::replace(&mut *self.terminal.lock(), new));
    }

    /// The foreground group of the terminal that [`Session::lose_terminal`] took away; once.
    pub fn take_lost_foreground(&self) -> Option<Arc<ProcessGroup>> {
        self.terminal.lock().lost_foreground.take()
    }
}
