//! Processes and threads: the pid table, fork and clone, exec, exit and wait, signals, credentials, futexes.
#![forbid(unsafe_code)]

pub mod clone;
pub mod credentials;
pub mod exec;
pub mod exit;
mod first;
pub mod futex;
pub mod group;
pub mod host_name;
mod inspect;
pub mod job;
pub mod kcmp;
pub mod limits;
pub mod pid;
pub mod pidfd;
#[expect(clippy::module_inception, reason = "a process is what the module is about")]
mod process;
mod release;
pub mod rseq;
mod rusage;
pub mod set_ids;
pub mod signal;
mod status;
mod task;
pub mod unshare;
mod user_account;
pub mod user_dispatch;
pub mod wait;

pub use credentials::{
    ALL_CAPABILITIES, Capability, Credentials, Gid, LAST_CAPABILITY, SecureBits, Uid, capable,
};
pub use first::{scale_to_memory, start_first};
pub use group::{ProcessGroup, Session};
pub use inspect::{InspectAs, may_inspect};
pub use limits::{Limit, Limits, Resource};
pub use pid::Pid;
pub use process::Process;
pub use release::release_memory;
pub use rusage::Rusage;
pub use status::ExitStatus;
pub use task::{Task, TaskFlags};
pub use user_account::UserAccount;
