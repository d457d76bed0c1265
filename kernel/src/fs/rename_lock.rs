//! Renames, one at a time, and the count by which walks learn of them.
//!
//! Lock: class `RENAME`, outside of the directories' locks: it keeps the tree's shape still while a rename between directories
//! finds out which is above which.

use crate::sync::{Mutex, MutexGuard, SpinLock, SpinLockGuard, class};
use core::sync::atomic::{AtomicU32, Ordering, fence};

static LOCK: Mutex<()> = Mutex::new(&class::RENAME, ());
static SEQUENCE: AtomicU32 = AtomicU32::new(0);

/// Nothing else is being renamed between directories.
pub struct RenameGuard {
    _lock: MutexGuard<'static, ()>,
}

/// Waits for its turn.
pub fn lock() -> RenameGuard {
    RenameGuard { _lock: LOCK.lock() }
}

/// The moment in which dentries change their places: walks that overlap it look again.
pub struct Moving {
    _alone: SpinLockGuard<'static, ()>,
}

static MOVING: SpinLock<()> = SpinLock::new(&class::DENTRY, ());

impl Moving {
    /// Begins.
    pub fn begin() -> Moving {
        let alone = MOVING.lock();
        SEQUENCE.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Moving { _alone: alone }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        fence(Ordering::SeqCst);
        SEQUENCE.fetch_add(1, Ordering::Release);
    }
}

/// The count at the start of a walk.
pub fn read_begin() -> u32 {
    SEQUENCE.load(Ordering::Acquire)
}

/// Whether something moved since, or was moving then.
pub fn read_retry(begin: u32) -> bool {
    fence(Ordering::Acquire);
    begin % 2 == 1 || SEQUENCE.load(Ordering::Relaxed) != begin
}
