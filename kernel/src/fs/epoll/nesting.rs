//! Epoll instances that watch epoll instances: no cycles, and no more than five levels.

use super::of_file;
use crate::{
    fs::File,
    sync::{Mutex, class},
};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// The most levels of instances that watch instances (`EP_MAX_NESTS` and one).
const MAX_DEPTH: usize = 5;

/// One addition of an instance to another at a time, so that two cannot close a cycle together.
static NESTING: Mutex<()> = Mutex::new(&class::EPOLL_NESTING, ());

/// Runs `add` if `inner` may be watched by `outer`; `ELOOP` when not.
pub(super) fn with_nesting_checked(
    outer: &Arc<File>,
    inner: &Arc<File>,
    add: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let _guard = NESTING.lock();
    if depth_below(outer, inner)? + 1 >= MAX_DEPTH {
        return Err(Errno::ELOOP);
    }
    add()
}

/// Levels of instances below `file`, itself included; `ELOOP` when `outer` is among them. The recursion is bounded: every instance
/// below was checked when it was added.
fn depth_below(outer: &Arc<File>, file: &Arc<File>) -> Result<usize> {
    if Arc::ptr_eq(outer, file) {
        return Err(Errno::ELOOP);
    }
    let Ok(instance) = of_file(file) else { return Ok(0) };
    let mut deepest = 0;
    for watched in instance.watched() {
        if let Some(watched) = watched.upgrade() {
            deepest = deepest.max(depth_below(outer, &watched)?);
        }
    }
    Ok(deepest + 1)
}
