//! System V shared memory (`shmget(2)`, `shmat(2)`, `shmdt(2)`, `shmctl(2)`).
//!
//! | file | what it holds |
//! |---|---|
//! | `segment` | a segment: its pages, its attachments, its end |
//! | `attach` | `shmget(2)`, `shmat(2)`, `shmdt(2)` |
//! | `control` | `shmctl(2)`, `/proc/sysvipc/shm` |
//!
//! Locks: one `IPC_OBJECT` a segment. Attachments are mappings: they come and go with an address space locked, so `IPC_TABLE`, which
//! a last detach takes, comes after that.

mod attach;
mod control;
mod segment;

pub use attach::{AttachFlags, attach, detach, get};
pub use control::{in_use, limits, lock_in_memory, remove, set_owner, show, stat, unlock};
pub use segment::{Segment, destroy_orphans, maker_exits};
