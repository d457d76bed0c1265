//! Objects that lie on remote lists: a CPU takes its own back when it refills the class. If it does not ask for the class again, an idle CPU does it.

use super::{ClassId, HEAPS, collect_remote};
use crate::{
    arch::cpu,
    time::{self, Instant},
};
use core::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

/// Something was put on a remote list since they were last looked at.
static RETURNED: AtomicBool = AtomicBool::new(false);
/// When they may be looked at again, on the monotonic clock.
static NEXT_LOOK: AtomicU64 = AtomicU64::new(0);
/// How long after the last time.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Notes that something was put on a remote list.
pub(super) fn note() {
    // Most often it is known already, and nothing that CPUs share is written.
    if !RETURNED.load(Ordering::Relaxed) {
        RETURNED.store(true, Ordering::Relaxed);
    }
}

/// Puts what lies on remote lists into its slabs; whether there was any. What comes while it looks is found the next time, after something more has come.
pub fn collect_returned() -> bool {
    if !RETURNED.load(Ordering::Relaxed) {
        return false;
    }
    let now = time::monotonic();
    if now < Instant(NEXT_LOOK.load(Ordering::Relaxed)) {
        return false;
    }
    NEXT_LOOK.store(now.after(LOOK_EVERY).0, Ordering::Relaxed);
    RETURNED.swap(false, Ordering::SeqCst);
    for heap in HEAPS.iter().take(cpu::online_count()) {
        for class in ClassId::all() {
            if !heap.remote[class.index()].is_empty() {
                collect_remote(heap, &mut heap.slabs.lock(), class);
            }
        }
    }
    true
}
