//! Who is told when the wall clock is set or steered: timers that are set to a wall-clock time.

use crate::sync::{SpinLock, class};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};

/// What happened to the wall clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WallChange {
    /// It was set to another time.
    Set,
    /// It runs at another rate from now on.
    Steered,
}

/// Somebody whose affairs follow the wall clock.
pub trait WallWatcher: Send + Sync {
    /// The clock has changed. Called by the task that changed it, with no lock held.
    fn wall_clock_changed(&self, change: WallChange);
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
pub(super) fn tell(change: WallChange) {
    let watchers: Vec<Arc<dyn WallWatcher>> =
        WATCHERS.lock().values().filter_map(Weak::upgrade).collect();
    for watcher in watchers {
        watcher.wall_clock_changed(change);
    }
}
