//! Processes and threads: the pid table, fork and clone, exec, exit and wait, signals, credentials, futexes.
#![forbid(unsafe_code)]

mod credentials;
mod current;
pub mod exit;
pub mod group;
pub mod limits;
pub mod pid;
#[expect(clippy::module_inception, reason = "a process is what the module is about")]
mod process;
pub mod signal;
mod task;

pub use credentials::{Capability, Credentials, Gid, Uid};
pub use current::Current;
pub use group::{ProcessGroup, Session};
pub use limits::{Limits, Resource};
pub use pid::Pid;
pub use process::Process;
pub use task::Task;
