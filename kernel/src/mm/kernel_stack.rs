//! Kernel stacks: pooled, with an unmapped guard page below.

use abi::Result;

/// Bytes in a kernel stack.
pub const STACK_SIZE: usize = 32 * 1024;

/// A kernel stack; goes back to the pool when dropped.
pub struct KernelStack(());

impl KernelStack {
    /// Takes one from the pool.
    pub fn new() -> Result<KernelStack> {
        todo!()
    }
    /// The address just above it, 16-byte aligned.
    pub fn top(&self) -> usize {
        todo!()
    }
}
