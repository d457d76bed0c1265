//! Process groups and sessions (`setpgid(2)`, `setsid(2)`, `credentials(7)`).

use super::{Pid, Process};
use crate::tty::Terminal;
use alloc::{sync::Arc, vec::Vec};

/// A process group.
pub struct ProcessGroup {
    /// Its id.
    pub id: Pid,
}

/// A session.
pub struct Session {
    /// Its id: the leader's process id.
    pub id: Pid,
}

impl ProcessGroup {
    /// Its members.
    pub fn members(&self) -> Vec<Arc<Process>> {
        todo!()
    }
    /// The session it belongs to.
    pub fn session(&self) -> Arc<Session> {
        todo!()
    }
    /// Whether no member has a parent in another group of the same session.
    pub fn is_orphaned(&self) -> bool {
        todo!()
    }
}

impl Session {
    /// The controlling terminal.
    pub fn terminal(&self) -> Option<Arc<Terminal>> {
        todo!()
    }
    /// Gives it one or takes it away.
    pub fn set_terminal(&self, _terminal: Option<Arc<Terminal>>) {
        todo!()
    }
}
