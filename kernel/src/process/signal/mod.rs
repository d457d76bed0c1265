//! Signals (`signal(7)`).

mod restart;

pub use restart::{restart_with, with_temporary_mask};

use super::{Process, ProcessGroup, Task};
use abi::Result;
use alloc::sync::Arc;

/// Signal numbers, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Signal(pub u8);

macro_rules! signals {
    ($($name:ident = $number:literal;)*) => {
        impl Signal {
            $(pub const $name: Signal = Signal($number);)*
        }
    };
}

signals! {
    SIGHUP = 1; SIGINT = 2; SIGQUIT = 3; SIGILL = 4; SIGTRAP = 5; SIGABRT = 6; SIGBUS = 7; SIGFPE = 8;
    SIGKILL = 9; SIGUSR1 = 10; SIGSEGV = 11; SIGUSR2 = 12; SIGPIPE = 13; SIGALRM = 14; SIGTERM = 15;
    SIGSTKFLT = 16; SIGCHLD = 17; SIGCONT = 18; SIGSTOP = 19; SIGTSTP = 20; SIGTTIN = 21; SIGTTOU = 22;
    SIGURG = 23; SIGXCPU = 24; SIGXFSZ = 25; SIGVTALRM = 26; SIGPROF = 27; SIGWINCH = 28; SIGIO = 29;
    SIGPWR = 30; SIGSYS = 31;
}

/// A set of signals; bit n-1 is signal n (`sigset_t`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// Whether `signal` is in the set.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << (signal.0 - 1)) != 0
    }
}

/// What is sent: number, code and the union's content (`siginfo_t`).
#[derive(Clone, Copy, Debug)]
pub struct SigInfo {
    /// Which signal.
    pub signal: Signal,
    /// `si_code`.
    pub code: i32,
    /// `si_errno`.
    pub errno: i32,
    /// The rest of `siginfo_t` after the three leading words and padding: 112 bytes as user space sees them.
    pub payload: [u64; 14],
}

impl SigInfo {
    /// From the kernel itself (`SI_KERNEL`).
    pub fn kernel(_signal: Signal) -> SigInfo {
        todo!()
    }
    /// From a process (`SI_USER`, or `SI_TKILL`).
    pub fn from_current(_signal: Signal, _code: i32) -> SigInfo {
        todo!()
    }
    /// A fault at `addr`.
    pub fn fault(_signal: Signal, _code: i32, _addr: usize) -> SigInfo {
        todo!()
    }
}

/// A task's part: mask, thread-directed queue, alternate stack.
pub struct TaskSignals(());

/// A process's part: handlers, process-directed queue, stop and group-exit state, interval timers.
pub struct ProcessSignals(());

impl TaskSignals {
    /// The blocked set.
    pub fn blocked(&self) -> SignalSet {
        todo!()
    }
}

/// Whether a signal (not blocked, or a stop or exit order) ends the current task's interruptible sleep.
pub fn pending(_task: &Task) -> bool {
    todo!()
}

/// Whether a fatal signal ends a killable sleep.
pub fn fatal_pending(_task: &Task) -> bool {
    todo!()
}

/// Sends to a process; no permission check.
pub fn send_process(_process: &Arc<Process>, _info: SigInfo) -> Result<()> {
    todo!()
}

/// Sends to a thread; no permission check.
pub fn send_task(_task: &Arc<Task>, _info: SigInfo) -> Result<()> {
    todo!()
}

/// Sends to each process of a group; no permission check (terminals).
pub fn send_group(_group: &Arc<ProcessGroup>, _info: SigInfo) {
    todo!()
}

/// A synchronous fault of the current task: unblocks and delivers, or kills.
pub fn force(_info: SigInfo) {
    todo!()
}

/// Delivers pending signals before the return to user mode: sets up a handler's frame in the user registers, stops,
/// or ends the process. Called by the exit-to-user work loop with interrupts on.
pub fn deliver(_frame: &mut crate::arch::TrapFrame) {
    todo!()
}

/// How the current task treats a signal that its terminal is about to send (SIGTTIN, SIGTTOU).
pub fn is_ignored_or_blocked(_signal: Signal) -> bool {
    todo!()
}
