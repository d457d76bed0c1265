//! Terminals (`tty(4)`, `pty(7)`): what stands between a line and the programs on it.
//!
//! - `terminal`: a terminal's state, and the path of bytes through its line discipline (crate `ldisc`).
//! - `driver`: what a terminal asks of the hardware or the other end of a pseudo-terminal.
//! - `file`: an open terminal: the try forms of read, write and poll.
//! - `job_control`: sessions, foreground groups, SIGTTIN and SIGTTOU; `hangup`: when the line goes away.
//! - `ioctl`, `modes`: `ioctl_tty(2)`.
//! - `serial`: ttyS0 to ttyS3; `pty`: pseudo-terminals; `console`: `/dev/console` and `/dev/tty`.
//!
//! Bytes from interrupts wait in a buffer of the port until the flip thread feeds them to the discipline, so the
//! discipline itself only ever runs in tasks. Locks: each terminal's state (`TTY`, sleeping) around the discipline; its
//! control fields (`TABLE`, spin); a pseudo-terminal's outbox (`PIPE`, spin); a port's receive buffer (`TTY_BUFFER`,
//! interrupts off). Signals are sent and queues woken when the state is free again.
#![forbid(unsafe_code)]

pub mod console;
mod driver;
mod file;
mod hangup;
mod ioctl;
mod job_control;
mod modes;
pub mod pty;
pub mod serial;
mod terminal;

pub use hangup::{session_leader_exits, vhangup};
pub use terminal::Terminal;

use abi::Result;

/// Registers the terminal devices and starts the flip thread. `console` is the device name that `/dev/console` stands for.
pub fn init(console: &str) -> Result<()> {
    serial::init()?;
    pty::init();
    console::init(console);
    Ok(())
}
