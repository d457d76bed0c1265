//! Who is told when the wall clock is set: timers that are set to a wall-clock time.

use crate::sync::{SpinLock, class};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};

/// Somebody whose affairs follow the wall clock.
pub trait WallWatcher: Send + Sync {
    /// The clock was set. Called by the task that did it, with no lock held.
    fn wall_clock_was_set(&self);
}

static WATCHERS: SpinLock<BTreeMap<usize, Weak<dyn WallWatcher>>> =
    SpinLock::new(&class::TABLE, BTreeMap::new());

/// Has `watcher` told from now on, until [`unwatch`] or its end.
pub fn watch<T: WallWatcher + 'static>(watcher: &Arc<T>) {
    let weak: Weak<dyn WallWatcher> = Arc::<T>::downgrade(watcher);
    WATCHERS.lock().insert(Arc::as_ptr(watcher).addr(), weak);
}

/// No longer.
pub fn unwatch<T: WallWatcher>(watcher: &T) {
    WATCHERS.lock().remove(&core::ptr::from_ref(watcher).addr());
}

/// Tells everybody.
pub(super) fn tell() {
    let watchers: Vec<Arc<dyn WallWatcher>> =
        WATCHERS.lock().values().filter_map(Weak::upgrade).collect();
    for watcher in watchers {
        watcher.wall_clock_was_set();
    }
}
