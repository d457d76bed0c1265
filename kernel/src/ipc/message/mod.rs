//! System V message queues (`msgget(2)`, `msgsnd(2)`, `msgrcv(2)`, `msgctl(2)`).
//!
//! | file | what it holds |
//! |---|---|
//! | `queue` | a queue, who waits for messages and for room, and handing over |
//! | `transfer` | `msgsnd(2)`, `msgrcv(2)` |
//! | `control` | `msgget(2)`, `msgctl(2)`, `/proc/sysvipc/msg` |
//!
//! Lock: one `IPC_OBJECT` a queue.

mod control;
mod queue;
mod transfer;

pub use control::{get, info, remove, set_owner, show, stat};
pub use queue::MessageQueue;
pub use transfer::{ReceiveFlags, receive, send};
