//! POSIX message queues (`mq_overview(7)`).
//!
//! | file | what it holds |
//! |---|---|
//! | `queue` | a queue: messages by priority, who waits, handing over |
//! | `transfer` | `mq_timedsend(2)`, `mq_timedreceive(2)` |
//! | `notify` | `mq_notify(2)` |
//! | `filesystem` | the file system that the names are in, and a queue as a file |
//! | `open` | `mq_open(2)`, `mq_unlink(2)`, `mq_getsetattr(2)` |
//!
//! Lock: one `IPC_OBJECT` a queue. Names are the VFS's affair: a queue is an inode of a file system that can be mounted.

mod filesystem;
mod notify;
mod open;
mod queue;
mod transfer;

pub use filesystem::init;
pub use notify::{Event, notify, refuse_thread};
pub use open::{attributes, check_attributes, open, unlink};
pub use queue::{HARD_MESSAGES, HARD_SIZE, Limits};
pub use transfer::{check_priority, receive, send};

use crate::fs::File;
use abi::{Errno, Result};
use filesystem::FILE_SYSTEM;
use queue::Queue;

/// The limits.
pub fn limits() -> &'static Limits {
    &FILE_SYSTEM.0.directory().limits
}

/// The queue behind a descriptor; `EBADF` when there is none.
fn queue_of(file: &File) -> Result<&Queue> {
    file.ops().as_any().downcast_ref::<Queue>().ok_or(Errno::EBADF)
}
