//! Job control: which session a terminal controls, which of its process groups is in the foreground, and what happens to
//! the others when they touch the terminal (POSIX.1, chapter 11; `credentials(7)`).

use super::Terminal;
use crate::{
    process::{
        Capability, Pid, Process, ProcessGroup, Session, pid,
        signal::{self, SigInfo, Signal},
    },
    sched,
};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// Who a terminal belongs to.
#[derive(Default)]
pub(super) struct Control {
    /// The session whose controlling terminal it is.
    pub session: Option<Arc<Session>>,
    /// The group that gets its signals and may read.
    pub foreground: Option<Arc<ProcessGroup>>,
}

/// The current process.
pub(super) fn current_process() -> Arc<Process> {
    Arc::clone(&sched::current().process)
}

/// Whether the current process has `capability`.
pub(super) fn capable(capability: Capability) -> bool {
    sched::current().credentials.load().has(capability)
}

fn is_leader(process: &Process, session: &Session) -> bool {
    process.pid == session.id
}

impl Terminal {
    /// Whether it is the current process's controlling terminal.
    pub(super) fn is_controlling(&self) -> bool {
        let terminal = current_process().terminal();
        terminal.is_some_and(|terminal| core::ptr::eq(&*terminal, self))
    }

    /// Sends a signal to the foreground group.
    pub(super) fn signal_foreground(&self, signal: Signal) {
        let group = self.control.lock().foreground.clone();
        if let Some(group) = group {
            signal::send_group(&group, SigInfo::kernel(signal));
        }
    }

    /// Before a read: a background process gets SIGTTIN, or `EIO` when that would be in vain.
    pub(super) fn check_read(&self) -> Result<()> {
        self.check_access(Signal::SIGTTIN)
    }

    /// Before a change of the terminal, or a write with `TOSTOP`: a background process gets SIGTTOU, unless it
    /// ignores or blocks that.
    pub(super) fn check_change(&self) -> Result<()> {
        self.check_access(Signal::SIGTTOU)
    }

    fn check_access(&self, signal: Signal) -> Result<()> {
        if !self.is_controlling() {
            return Ok(());
        }
        let group = current_process().group();
        match &self.control.lock().foreground {
            Some(foreground) if foreground.id != group.id => {}
            _ => return Ok(()),
        }
        if signal::is_ignored_or_blocked(signal) {
            return if signal == Signal::SIGTTIN { Err(Errno::EIO) } else { Ok(()) };
        }
        if group.is_orphaned() {
            return Err(Errno::EIO);
        }
        signal::send_group(&group, SigInfo::kernel(signal));
        Err(Errno::ERESTARTSYS)
    }

    /// At open without `O_NOCTTY`: a session leader without a terminal gets this one, if nobody else has it.
    pub(super) fn acquire_on_open(self: &Arc<Self>) {
        let process = current_process();
        let session = process.session();
        if is_leader(&process, &session) && session.terminal().is_none() {
            let free = self.control.lock().session.is_none();
            if free {
                self.give_to(&session, process.group());
            }
        }
    }

    fn give_to(self: &Arc<Self>, session: &Arc<Session>, group: Arc<ProcessGroup>) {
        let old = {
            let mut control = self.control.lock();
            core::mem::replace(
                &mut *control,
                Control { session: Some(Arc::clone(session)), foreground: Some(group) },
            )
        };
        drop(old);
        session.set_terminal(Some(Arc::clone(self)));
    }

    /// Takes the terminal from its session.
    pub(super) fn release_session(&self) {
        let Control { session, foreground } = core::mem::take(&mut *self.control.lock());
        if let Some(session) = session {
            let has_this =
                session.terminal().is_some_and(|terminal| core::ptr::eq(&*terminal, self));
            if has_this {
                session.set_terminal(None);
            }
        }
        drop(foreground);
    }

    /// `TIOCSCTTY`. `readable`: the file may be read.
    pub(super) fn set_controlling(self: &Arc<Self>, steal: bool, readable: bool) -> Result<()> {
        let process = current_process();
        let session = process.session();
        let owner = self.control.lock().session.clone();
        let leader = is_leader(&process, &session);
        if leader && owner.as_ref().is_some_and(|owner| owner.id == session.id) {
            return Ok(());
        }
        if !leader || session.terminal().is_some() {
            return Err(Errno::EPERM);
        }
        if owner.is_some() {
            if !steal || !capable(Capability::SysAdmin) {
                return Err(Errno::EPERM);
            }
            self.release_session();
        }
        if !readable && !capable(Capability::SysAdmin) {
            return Err(Errno::EPERM);
        }
        self.give_to(&session, process.group());
        Ok(())
    }

    /// `TIOCNOTTY`: the session's leader gives the terminal up for all of it.
    pub(super) fn give_up(&self) -> Result<()> {
        if !self.is_controlling() {
            return Err(Errno::ENOTTY);
        }
        let process = current_process();
        if is_leader(&process, &process.session()) {
            self.signal_foreground(Signal::SIGHUP);
            self.signal_foreground(Signal::SIGCONT);
            self.release_session();
        } else {
            process.leave_terminal();
        }
        Ok(())
    }

    /// `TIOCSPGRP`.
    pub(super) fn set_foreground(&self, pgid: i32) -> Result<()> {
        let pgid = u32::try_from(pgid).map_err(|_| Errno::EINVAL)?;
        let session = current_process().session();
        let owner = self.control.lock().session.as_ref().map(|owner| owner.id);
        if !self.is_controlling() || owner != Some(session.id) {
            return Err(Errno::ENOTTY);
        }
        let Some(group) = pid::find_group(Pid(pgid)) else {
            // An id in use, but not by a group, is a group of another session.
            let in_use = pid::find_task(Pid(pgid)).is_some();
            return Err(if in_use { Errno::EPERM } else { Errno::ESRCH });
        };
        if group.session().id != session.id {
            return Err(Errno::EPERM);
        }
        let old = self.control.lock().foreground.replace(group);
        drop(old);
        Ok(())
    }

    /// `TIOCGSID`: the session's id; `ENOTTY` when it controls none.
    pub(super) fn session_id(&self) -> Result<Pid> {
        self.control.lock().session.as_ref().map(|session| session.id).ok_or(Errno::ENOTTY)
    }
}
