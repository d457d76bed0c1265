//! The reclaim task (`kswapd0`): lets caches shrink in the background, before somebody finds no memory above the reserve and has to do it in the midst of
//! a page fault.
//!
//! It is called when a CPU's tick, or one that goes idle, sees less free memory than the *low* watermark, and works until there is more than the *high* one or nothing more comes. It
//! never kills anybody. An allocation cannot call it itself: it may hold any lock that comes before the allocator's.

use super::{VmEvent, node, reclaim};
use crate::{sched, sync::WaitQueue, time};
use abi::Result;
use alloc::boxed::Box;
use core::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// Somebody has called.
static CALLED: AtomicBool = AtomicBool::new(false);
static SLEEPER: WaitQueue = WaitQueue::new();

/// After an attempt that gave nothing the next is not made before.
const REST: Duration = Duration::from_secs(1);
/// How long it waits when another shrinks the caches.
const PAUSE: Duration = Duration::from_millis(20);

/// Free pages with which nobody need do anything, as on Linux half as many again as user space leaves alone.
fn enough() -> bool {
    node::free_in_nodes() >= node::high_watermark(node::reserve())
}

/// A look at free memory, from the tick and from CPUs that go idle. What the CPUs have on their lists does not count.
pub fn look() {
    if node::free_in_nodes() < node::low_watermark(node::reserve())
        && !CALLED.load(Ordering::Relaxed)
        && !CALLED.swap(true, Ordering::Relaxed)
    {
        SLEEPER.wake_all();
    }
}

/// Starts it.
pub fn start() -> Result<()> {
    sched::spawn_kthread("kswapd0", Box::new(run)).map(drop)
}

fn run() {
    loop {
        // Interruptible, so that it does not count as load; no signal reaches it.
        let _ = SLEEPER.wait_interruptible(|| CALLED.load(Ordering::Relaxed).then_some(()));
        VmEvent::Reclaim.count(1);
        while !enough() {
            match reclaim::shrink_some() {
                Some(0) => {
                    sleep(REST);
                    break;
                }
                Some(_) => {}
                None => sleep(PAUSE),
            }
        }
        CALLED.store(false, Ordering::Relaxed);
    }
}

fn sleep(time: Duration) {
    sched::set_state(sched::TaskState::Interruptible);
    sched::schedule_until(Some(time::monotonic().after(time)));
}
