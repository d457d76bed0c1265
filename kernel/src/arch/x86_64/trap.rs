//! The registers of user mode as they lie on the kernel stack: one layout for system calls,
//! exceptions and interrupts (`struct pt_regs`).

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// User (or interrupted kernel) registers.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct TrapFrame {
    pub r15: usize,
    pub r14: usize,
    pub r13: usize,
    pub r12: usize,
    pub rbp: usize,
    pub rbx: usize,
    pub r11: usize,
    pub r10: usize,
    pub r9: usize,
    pub r8: usize,
    pub rax: usize,
    pub rcx: usize,
    pub rdx: usize,
    pub rsi: usize,
    pub rdi: usize,
    /// System call number, or -1 when the frame is not a system call's.
    pub orig_rax: usize,
    pub rip: usize,
    pub cs: usize,
    pub rflags: usize,
    pub rsp: usize,
    pub ss: usize,
}

impl TrapFrame {
    /// A frame that enters user mode at `entry` with stack pointer `stack` and all else zero.
    pub fn user(_entry: usize, _stack: usize) -> TrapFrame {
        todo!()
    }
    /// Whether the frame came from user mode.
    pub fn from_user(&self) -> bool {
        self.cs & 3 == 3
    }
    /// The six system call arguments.
    pub fn args(&self) -> [usize; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }
}
