//! New tasks: fork, vfork, clone and clone3.

use crate::sync::WaitQueue;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// By which a parent that called `vfork(2)` learns that its memory is its own again.
pub(super) struct VforkWait {
    done: AtomicBool,
    queue: WaitQueue,
}

impl VforkWait {
    pub(super) fn new() -> VforkWait {
        VforkWait { done: AtomicBool::new(false), queue: WaitQueue::new() }
    }

    /// The child has called `execve` or is gone.
    pub(super) fn complete(&self) {
        self.done.store(true, SeqCst);
        self.queue.wake_all();
    }

    /// Sleeps until then; only a fatal signal ends it early.
    pub(super) fn wait(&self) -> abi::Result<()> {
        self.queue.wait_killable(|| self.done.load(SeqCst).then_some(()))
    }
}
