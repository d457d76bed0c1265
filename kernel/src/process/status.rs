//! How a process or thread ended, as `wait(2)` and `waitid(2)` encode it.

use super::signal::Signal;

/// The end of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitStatus {
    /// `_exit(2)` with the low eight bits of its argument.
    Exited(u8),
    /// Killed by a signal that dumps no core.
    Killed(Signal),
    /// Killed by a signal, core dumped.
    Dumped(Signal),
}

impl ExitStatus {
    /// The status word of `wait4(2)`.
    pub const fn wait_status(self) -> u32 {
        match self {
            ExitStatus::Exited(code) => (code as u32) << 8,
            ExitStatus::Killed(signal) => signal.0 as u32,
            ExitStatus::Dumped(signal) => signal.0 as u32 | 0x80,
        }
    }

    /// The reverse of [`ExitStatus::wait_status`].
    pub const fn from_wait_status(status: u32) -> ExitStatus {
        let low = (status & 0x7f) as u8;
        if low == 0 {
            ExitStatus::Exited((status >> 8) as u8)
        } else if status & 0x80 != 0 {
            ExitStatus::Dumped(Signal(low))
        } else {
            ExitStatus::Killed(Signal(low))
        }
    }

    /// `si_code` and `si_status` of the `SIGCHLD` and of `waitid(2)`.
    pub const fn child_code(self) -> (i32, i32) {
        match self {
            ExitStatus::Exited(code) => (CLD_EXITED, code as i32),
            ExitStatus::Killed(signal) => (CLD_KILLED, signal.0 as i32),
            ExitStatus::Dumped(signal) => (CLD_DUMPED, signal.0 as i32),
        }
    }
}

/// The child has exited.
pub const CLD_EXITED: i32 = 1;
/// The child was killed.
pub const CLD_KILLED: i32 = 2;
/// The child was killed and dumped core.
pub const CLD_DUMPED: i32 = 3;
/// The child stopped.
pub const CLD_STOPPED: i32 = 5;
/// The child continued.
pub const CLD_CONTINUED: i32 = 6;
