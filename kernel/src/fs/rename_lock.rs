//! Renames, one at a time, and the count by which walks learn of them.
//!
//! Lock: class `RENAME`, outside of the directories' locks: it keeps the tree's shape still while a rename between directories
//! finds out which is above which.

use crate::sync::{Mutex, MutexGuard, class};
use core::sync::atomic::{AtomicU32, Ordering, fence};

static LOCK: Mutex<()> = Mutex::new(&class::RENAME, ());

/// Nothing else is being renamed between directories.
pub struct RenameGuard {
    _lock: MutexGuard<'static, ()>,
}

/// Waits for its turn.
pub fn lock() -> RenameGuard {
    RenameGuard { _lock: LOCK.lock() }
}

/// How many moves of dentries have begun, and how many have ended.
static BEGUN: AtomicU32 = AtomicU32::new(0);
static ENDED: AtomicU32 = AtomicU32::new(0);

/// The moment in which dentries change their places: walks that overlap it look again. There may be several at once: the
/// directories' locks keep what they change apart.
pub struct Moving(());

impl Moving {
    /// Begins.
    pub fn begin() -> Moving {
        BEGUN.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Moving(())
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        ENDED.fetch_add(1, Ordering::Release);
    }
}

/// The state of things at the start of a walk.
#[derive(Clone, Copy)]
pub struct Still {
    begun: u32,
    ended: u32,
}

/// Looks, at the start of a walk.
///
/// `ENDED` is read first. If both are equal, then no move was under way when it was read, for the moves that had begun then
/// were at least as many; and the walk sees what all of them did, as every addition to `ENDED` is part of the same release
/// sequence.
pub fn read_begin() -> Still {
    let ended = ENDED.load(Ordering::Acquire);
    Still { begun: BEGUN.load(Ordering::Relaxed), ended }
}

/// Whether something moved since, or was moving then.
///
/// A walk that saw what a move did after its fence has a fence after that look, so its load sees the addition before the
/// move's fence.
pub fn read_retry(start: Still) -> bool {
    fence(Ordering::Acquire);
    start.begun != start.ended || BEGUN.load(Ordering::Relaxed) != start.begun
}
