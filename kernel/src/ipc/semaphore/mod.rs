//! System V semaphore sets (`semget(2)`, `semop(2)`, `semctl(2)`).
//!
//! | file | what it holds |
//! |---|---|
//! | `set` | a set, its queues, and doing operations on it: all of a call's or none |
//! | `operate` | `semtimedop(2)`: the fast way, and waiting |
//! | `undo` | `SEM_UNDO`: what is taken back when processes end |
//! | `control` | `semget(2)`, `semctl(2)`, `/proc/sysvipc/sem` |
//!
//! Lock: one `IPC_OBJECT` a set.

mod control;
mod operate;
mod set;
mod undo;

pub use control::{
    Count, get, get_all, info, load_value, remove, set_all, set_owner, set_value, show, stat,
};
pub use operate::{operate, read_operations};
pub use set::{MAX_VALUE, SemaphoreSet};
pub use undo::{UndoList, leave as leave_undo_list, share as share_undo_list};
