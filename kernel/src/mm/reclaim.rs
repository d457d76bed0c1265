//! What is done when memory is short: caches shrink, CPUs give back the pages on their lists, and at last the OOM killer chooses.
//!
//! User allocations ([`obtain`]) never touch the reserve. The kernel's own ([`retry_kernel`]) may use it up, but they too let caches shrink
//! first when they may sleep.

use super::{VmEvent, address_space::lazy_free, heap, kernel_stack, node, node::Purpose, oom};
use crate::{
    arch::{cpu, irq},
    process::signal,
    sched,
    sync::{SpinLock, class, rcu},
    time,
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use core::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

/// A cache that can give memory back.
pub trait Shrinker: Send + Sync {
    /// How many pages it could free at best.
    fn reclaimable(&self) -> usize;
    /// Frees up to `target` pages; how many it did free. Called by tasks that may hold sleeping locks of any kind: it only tries for
    /// locks, never waits for one, and should not allocate.
    fn shrink(&self, target: usize) -> usize;
}

const MAX_SHRINKERS: usize = 16;

static SHRINKERS: SpinLock<ArrayVec<Arc<dyn Shrinker>, MAX_SHRINKERS>> =
    SpinLock::new(&class::TABLE, ArrayVec::new_const());

/// Somebody is shrinking caches; others need not.
static SHRINKING: AtomicBool = AtomicBool::new(false);

/// Adds a cache to those that shrink when memory is short. At start-up only.
pub fn register_shrinker(shrinker: Arc<dyn Shrinker>) {
    SHRINKERS.lock().push(shrinker);
}

/// Pages that caches could give back.
pub fn reclaimable() -> usize {
    shrinkers().iter().map(|shrinker| shrinker.reclaimable()).sum()
}

fn shrinkers() -> ArrayVec<Arc<dyn Shrinker>, MAX_SHRINKERS> {
    SHRINKERS.lock().clone()
}

/// Whether the running code may sleep.
fn may_sleep() -> bool {
    irq::preempt_count() == 0 && irq::enabled() && !cpu::current_task().is_null()
}

/// Lets caches give up to `target` pages back; how many pages came. `None` when somebody else is at it.
fn shrink_caches(target: usize) -> Option<usize> {
    if SHRINKING.swap(true, Ordering::Acquire) {
        return None;
    }
    let mut freed = lazy_free::shrink(target);
    for shrinker in shrinkers() {
        if freed < target {
            freed += shrinker.shrink(target - freed);
        }
    }
    on_every_cpu(&heap::drain_here);
    freed += heap::shrink();
    freed += kernel_stack::shrink();
    give_back_lists();
    SHRINKING.store(false, Ordering::Release);
    Some(freed)
}

/// Lets caches give some pages back, in the background; how many came. `None` when somebody else is at it.
pub(super) fn shrink_some() -> Option<usize> {
    shrink_caches(SHRINK_TARGET)
}

/// Has the CPUs and the stock of zeroed pages give back what they keep, so that blocks can merge. May sleep.
pub(super) fn give_back_lists() {
    on_every_cpu(&node::drain_here);
    node::drain_zeroed();
}

fn on_every_cpu(f: &(dyn Fn() + Sync)) {
    cpu::call_on(cpu::CpuMask(u64::MAX), f);
    f();
}

/// Pages to free at once.
const SHRINK_TARGET: usize = 256;
/// How often an allocation waits for memory before it fails.
const ROUNDS: usize = 20;
/// How long it waits each time.
const PAUSE: Duration = Duration::from_millis(20);

/// The part of memory that files in memory leave free: whoever fills them up is told so (`ENOSPC`) before others run out of it and the OOM killer
/// has to guess whose fault that is.
const FILES_LEAVE: usize = 32;

/// Whether files in memory may grow. May wait.
pub fn files_may_grow() -> bool {
    let enough = || node::free_pages() > node::reserve() + node::total() / FILES_LEAVE;
    enough() || make_room(&enough)
}

/// After an attempt to make room that came to nothing, the next is not made before.
static NEXT_ATTEMPT: AtomicU64 = AtomicU64::new(0);
/// So long after it.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(100);

#[cold]
fn make_room(enough: &dyn Fn() -> bool) -> bool {
    if !may_sleep() {
        return true;
    }
    if time::monotonic().0 < NEXT_ATTEMPT.load(Ordering::Relaxed) {
        return false;
    }
    shrink_caches(SHRINK_TARGET);
    if !enough() {
        // What was given up lately may only wait for its grace period.
        rcu::barrier();
    }
    let made = enough();
    if !made {
        NEXT_ATTEMPT.store(time::monotonic().after(ATTEMPT_PAUSE).0, Ordering::Relaxed);
    }
    made
}

/// A frame for user space: `attempt` is tried until it succeeds, memory cannot be had (`ENOMEM`), or this task is to die.
#[inline]
pub(super) fn obtain(attempt: impl Fn(Purpose) -> Option<u32>) -> Result<u32> {
    match attempt(Purpose::User) {
        Some(frame) => Ok(frame),
        None => obtain_slow(&attempt),
    }
}

#[cold]
fn obtain_slow(attempt: &dyn Fn(Purpose) -> Option<u32>) -> Result<u32> {
    if !may_sleep() {
        return Err(Errno::ENOMEM);
    }
    for round in 0..ROUNDS {
        VmEvent::Stall.count(1);
        let freed = shrink_caches(SHRINK_TARGET);
        if let Some(frame) = attempt(Purpose::User) {
            return Ok(frame);
        }
        let current = sched::current();
        if signal::fatal_pending(&current) {
            // The dying may use the reserve: it is what ends them.
            return attempt(Purpose::Kernel).ok_or(Errno::ENOMEM);
        }
        if freed.is_none() {
            pause();
        } else if freed == Some(0) {
            // What was given up lately may only wait for its grace period.
            if round == 0 {
                rcu::barrier();
            } else {
                oom::kill();
            }
            pause();
        }
        if let Some(frame) = attempt(Purpose::User) {
            return Ok(frame);
        }
    }
    Err(Errno::ENOMEM)
}

/// An allocation of the kernel's own that failed: tried again after caches have shrunk.
#[cold]
pub(super) fn retry_kernel<R>(attempt: impl Fn() -> Option<R>) -> Option<R> {
    if !may_sleep() {
        return None;
    }
    for _ in 0..ROUNDS {
        VmEvent::Stall.count(1);
        let freed = shrink_caches(SHRINK_TARGET);
        if let Some(result) = attempt() {
            return Some(result);
        }
        // Free memory in pieces too small for the request is no reason to kill anybody.
        if freed == Some(0) && node::free_pages() > node::reserve() {
            return None;
        }
        pause();
    }
    attempt()
}

/// Lets others run, those who were told to die above all.
fn pause() {
    sched::set_state(sched::TaskState::Uninterruptible);
    sched::schedule_until(Some(time::monotonic().after(PAUSE)));
}
