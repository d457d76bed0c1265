//! Page faults.

use crate::arch::TrapFrame;

bitflags::bitflags! {
    /// The error code that the CPU pushes.
    #[derive(Clone, Copy, Debug)]
    pub struct FaultCode: u64 {
        /// A protection violation, not a missing page.
        const PRESENT = 1;
        /// A write.
        const WRITE = 2;
        /// From user mode.
        const USER = 4;
        /// A reserved bit was set in a table.
        const RESERVED = 8;
        /// An instruction fetch.
        const FETCH = 16;
    }
}

/// How a fault was dealt with.
#[derive(Debug)]
pub enum FaultOutcome {
    /// The access can be tried again.
    Retry,
    /// The access is wrong: signal number and `si_code` (SIGSEGV or SIGBUS); in the kernel, a fix-up.
    Signal(u32, i32),
    /// No memory; the task has been chosen to die, or tries again.
    OutOfMemory,
}

/// Handles a fault at `addr` (CR2). Called with interrupts as they were at the fault.
pub fn handle(_addr: usize, _code: FaultCode, _frame: &TrapFrame) -> FaultOutcome {
    todo!()
}
