//! FPU, SSE and AVX state: saved at a switch only if the task used it, restored on return to user
//! mode only if the registers do not already hold it.

use abi::Result;

/// A task's extended state.
pub struct FpuState(());

impl FpuState {
    /// The state a fresh program starts with.
    pub fn new() -> Result<FpuState> {
        todo!()
    }
    /// A copy of the current task's state, for fork.
    pub fn clone_current() -> Result<FpuState> {
        todo!()
    }
    /// Forgets the current task's state, for exec.
    pub fn reset_current() {
        todo!()
    }
    /// Bytes that the state takes on a signal frame (XSAVE layout and magic words included).
    pub fn signal_frame_size() -> usize {
        todo!()
    }
    /// Writes the current task's state to the signal frame at `addr` (64-byte aligned).
    pub fn save_to_signal_frame(_addr: crate::mm::UserAddr) -> Result<()> {
        todo!()
    }
    /// Reads it back on `rt_sigreturn`; null resets the state.
    pub fn restore_from_signal_frame(_addr: crate::mm::UserAddr) -> Result<()> {
        todo!()
    }
}
