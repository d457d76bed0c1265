//! Hang-ups: the line goes away under the programs that have it open (`vhangup(2)`, a closed master), or the session's
//! leader exits.
//!
//! Files opened before a hang-up read as at their end, and fail with `EIO` otherwise.

use super::{
    Terminal,
    job_control::{Control, current_process},
};
use crate::process::{
    Session, pid,
    signal::{self, SigInfo, Signal},
};
use abi::Result;
use alloc::sync::Arc;

/// Why the line is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    /// It was lost: the session's leader is told.
    Lost,
    /// The session's leader exits: the foreground group is told.
    LeaderExits,
}

impl Terminal {
    /// Hangs up.
    pub(super) fn hang_up(&self, cause: Cause) {
        self.cut();
        let Control { session, foreground } = core::mem::take(&mut *self.control.lock());
        if let Some(session) = session {
            session.lose_terminal(foreground.clone());
            if let Some(leader) = pid::find_process(session.id) {
                for signal in [Signal::SIGHUP, Signal::SIGCONT] {
                    // A leader that is on its way out takes no signals any more.
                    let _ = signal::send_process(&leader, SigInfo::kernel(signal));
                }
            }
        }
        if let (Cause::LeaderExits, Some(foreground)) = (cause, foreground) {
            signal::send_group(&foreground, SigInfo::kernel(Signal::SIGHUP));
        }
    }
}

/// The leader of `session` exits: the session loses its terminal, the foreground group gets SIGHUP.
pub fn session_leader_exits(session: &Arc<Session>) {
    match session.terminal() {
        Some(terminal) if !terminal.driver().is_pty() => terminal.hang_up(Cause::LeaderExits),
        Some(terminal) => {
            terminal.signal_foreground(Signal::SIGHUP);
            terminal.release_session();
        }
        None => {
            // The terminal was lost before: those that were in its foreground learn now.
            if let Some(group) = session.take_lost_foreground() {
                for signal in [Signal::SIGHUP, Signal::SIGCONT] {
                    signal::send_group(&group, SigInfo::kernel(signal));
                }
            }
        }
    }
}

/// `vhangup(2)`: hangs up the current process's terminal. The caller checked for the capability.
pub fn vhangup() -> Result<()> {
    if let Some(terminal) = current_process().terminal() {
        terminal.hang_up(Cause::Lost);
    }
    Ok(())
}
