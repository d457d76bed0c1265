//! System V IPC (`sysvipc(7)`) and POSIX message queues (`mq_overview(7)`).
//!
//! | file | what it holds |
//! |---|---|
//! | [`namespace`] | the tables and limits that belong together |
//! | [`ids`] | identifiers: look-up under RCU, keys, sequence numbers |
//! | `permissions` | owner, creator, mode, and what they allow |
//! | `waiter` | a task that waits for what another task decides and hands over |
//! | [`semaphore`], [`message`], [`shm`] | the three kinds of System V objects |
//! | [`mqueue`] | POSIX message queues and their file system |
//!
//! Locks: `IPC_TABLE` (a kind's table: making and removing, and a segment's last detach), then one `IPC_OBJECT` (a semaphore
//! set, queue or segment). Operations on objects take only the latter: they find the object under RCU. docs/ipc.md tells more.
#![forbid(unsafe_code)]

pub mod ids;
pub mod message;
pub mod mqueue;
pub mod namespace;
mod permissions;
pub mod semaphore;
pub mod shm;
mod waiter;

pub use ids::Stat;
pub use permissions::Permissions;

use crate::{process::Task, sync::TaskCell};
use alloc::sync::Arc;
use core::sync::atomic::AtomicBool;
use semaphore::UndoList;

/// What a task has to do with System V IPC.
pub struct TaskIpc {
    /// What is taken back at its end (`SEM_UNDO`); made when it is first needed, shared by `CLONE_SYSVSEM`.
    undo: TaskCell<UndoList>,
    /// Whether it made shared memory segments: they learn of its end (`shm_rmid_forced`).
    made_segments: AtomicBool,
}

impl TaskIpc {
    /// A new task's; `undo` is what it shares with its parent.
    pub fn new(undo: Option<Arc<UndoList>>) -> TaskIpc {
        TaskIpc { undo: TaskCell::new(undo), made_segments: AtomicBool::new(false) }
    }
    /// Tells lists of adjustments apart (`kcmp(2)`); 0 is none.
    pub fn undo_address(&self) -> usize {
        self.undo.load().map_or(0, |list| Arc::as_ptr(&list).addr())
    }
}

/// Makes the file system of message queues known. Boot calls it once.
pub fn init() {
    mqueue::init();
}

/// The current task ends: its semaphore operations are taken back unless others share the list, its segments are nobody's.
pub fn exit(task: &Task) {
    semaphore::leave_undo_list(task);
    shm::maker_exits(task);
}

/// Seconds since 1970, as the objects' time stamps have them.
fn now() -> i64 {
    crate::time::realtime().tv_sec
}
