//! Kernel threads.

use super::wake::start;
use crate::{arch::Thread, mm::KernelStack, process::Task};
use abi::Result;
use alloc::{boxed::Box, sync::Arc};

/// Starts a kernel thread. When `body` returns, the thread ends as processes do, and its id is free again.
pub fn spawn_kthread(name: &str, body: Box<dyn FnOnce() + Send>) -> Result<Arc<Task>> {
    let thread = Thread::kernel(KernelStack::new()?, body);
    let task = Task::new_kernel(name, thread, None)?;
    start(task.clone());
    Ok(task)
}
