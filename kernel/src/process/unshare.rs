//! `unshare(2)` for what threads and processes share without namespaces: descriptors, directories, semaphore adjustments.

use super::clone::CloneFlags;
use crate::{ipc::semaphore, sched};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// Gives the current task its own copies. `EINVAL` for flags that are no such thing, for namespaces, and for what threads
/// of one process cannot stop sharing.
pub fn unshare(flags: CloneFlags) -> Result<()> {
    let current = sched::current();
    let threads = CloneFlags::THREAD | CloneFlags::SIGHAND | CloneFlags::VM;
    let known = threads | CloneFlags::FS | CloneFlags::FILES | CloneFlags::SYSVSEM;
    let alone = current.process.signals.thread_count() == 1;
    if !known.contains(flags) || flags.intersects(threads) && !alone {
        return Err(Errno::EINVAL);
    }
    let memory_is_shared = || current.mm.load().is_some_and(|mm| Arc::strong_count(&mm) > 2);
    if flags.contains(CloneFlags::VM) && memory_is_shared() {
        return Err(Errno::EINVAL);
    }
    // First all that can fail.
    let files =
        if flags.contains(CloneFlags::FILES) && Arc::strong_count(&current.files.borrow()) > 1 {
            Some(current.files.borrow().fork()?)
        } else {
            None
        };
    if flags.contains(CloneFlags::FS) && Arc::strong_count(&current.fs.borrow()) > 1 {
        let own = current.fs.borrow().fork();
        drop(current.fs.replace(Some(own)));
    }
    if flags.contains(CloneFlags::SYSVSEM) {
        semaphore::leave_undo_list(&current);
    }
    if let Some(files) = files {
        drop(current.files.replace(Some(files)));
    }
    Ok(())
}
