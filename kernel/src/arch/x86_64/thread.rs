//! What a thread is to the machine: its kernel stack, its saved stack pointer, segment bases and
//! extended state; the switch between two of them.

use super::{fpu::FpuState, trap::TrapFrame};
use crate::mm::KernelStack;

/// Machine state of one thread.
pub struct Thread(());

impl Thread {
    /// A kernel thread that will run `entry`.
    pub fn kernel(_stack: KernelStack, _entry: alloc::boxed::Box<dyn FnOnce() + Send>) -> Thread {
        todo!()
    }
    /// A user thread that will return to user mode with `frame`.
    pub fn user(
        _stack: KernelStack,
        _frame: TrapFrame,
        _fpu: FpuState,
        _fs_base: usize,
        _gs_base: usize,
    ) -> Thread {
        todo!()
    }
    /// The context that this CPU is running on right now (its boot stack), to become its idle task.
    /// Its saved state is filled by the first [`switch`] away from it.
    pub fn running() -> Thread {
        todo!()
    }
    /// FS base (thread pointer) of the current thread or a stopped one.
    pub fn fs_base(&self) -> usize {
        todo!()
    }
    /// GS base of user mode.
    pub fn gs_base(&self) -> usize {
        todo!()
    }
    /// Sets the FS base of the current thread, at once.
    pub fn set_fs_base(&self, _base: usize) {
        todo!()
    }
    /// Sets the user GS base of the current thread.
    pub fn set_gs_base(&self, _base: usize) {
        todo!()
    }
    /// Work to do before the next return to user mode (see [`WorkFlags`]); callable from any CPU,
    /// kicks the CPU that runs the thread in user mode when `kick` says so.
    pub fn set_work(&self, _flags: WorkFlags) {
        todo!()
    }
    /// Takes flags away.
    pub fn clear_work(&self, _flags: WorkFlags) {
        todo!()
    }
    /// The flags now.
    pub fn work(&self) -> WorkFlags {
        todo!()
    }
}

/// Switches this CPU from `prev` to `next`: callee-saved registers, stack, `rsp0`, FS and GS bases, FPU ownership. Returns
/// when somebody switches back to `prev`, perhaps on another CPU. A thread that never ran first calls
/// `sched::finish_switch()` (interrupts are off and the preempt count is 1; both end inside), then its entry.
///
/// # Safety
/// Interrupts are off and the preempt count is 1. `prev` is the running thread. `next` runs nowhere and both stay
/// alive until they are switched away from. Only `sync::running` calls this.
pub unsafe fn switch(_prev: &Thread, _next: &Thread) {
    todo!()
}

/// The current thread's user registers, at the top of its kernel stack.
pub fn with_user_frame<R>(_f: impl FnOnce(&mut TrapFrame) -> R) -> R {
    todo!()
}

bitflags::bitflags! {
    /// Why the return to user mode must take the slow path.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct WorkFlags: u32 {
        /// A signal may be deliverable, or the task is to stop or die.
        const SIGNAL = 1;
        /// A reschedule is due (mirrors the CPU's preempt count bit).
        const RESCHED = 2;
        /// The FPU registers do not hold this task's state.
        const FPU_RESTORE = 4;
        /// Callbacks queued to run in the task's own context.
        const TASK_WORK = 8;
        /// System calls are traced or filtered.
        const SYSCALL_TRACE = 16;
    }
}
