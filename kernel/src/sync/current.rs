//! The running task, and the one place where a CPU changes from one task to another.
//!
//! Ownership is the proof. Each CPU owns one counted reference on the task it runs; its raw form is the CPU's
//! current-task pointer. [`switch_to`] takes the reference on the next task and leaves the one on the previous in the
//! CPU's slot, where the incoming task finds it ([`take_previous`]). So a running task is alive, and what
//! [`Current`] points to is alive as long as the code that holds it runs. A task's [`OnCpu`] flag says that its stack and
//! registers are in use: it is set before the switch to it and cleared after the switch away from it, and a task
//! whose flag is set is never switched to.

use super::per_cpu::{PerCpu, per_cpu};
use crate::{
    arch::{cpu, irq, thread},
    process::Task,
};
use alloc::sync::Arc;
use core::{
    cell::UnsafeCell,
    mem::ManuallyDrop,
    ops::Deref,
    sync::atomic::{AtomicBool, Ordering},
};

/// The task that runs this code. Cheap: no count is touched.
pub struct Current(*const Task);

/// The running task.
#[inline]
pub fn current() -> Current {
    let task = cpu::current_task();
    debug_assert!(!task.is_null(), "no task runs here yet");
    Current(task)
}

/// The running task, or `None` before this CPU's scheduler was set up.
#[inline]
pub fn try_current() -> Option<Current> {
    let task = cpu::current_task();
    (!task.is_null()).then_some(Current(task))
}

impl Current {
    /// A counted reference.
    pub fn to_arc(&self) -> Arc<Task> {
        Arc::clone(&*self.as_arc())
    }
    /// The CPU's own reference, borrowed.
    pub fn as_arc(&self) -> impl Deref<Target = Arc<Task>> {
        // SAFETY: the pointer came from `Arc::into_raw` and the CPU that runs this code (wherever it moves)
        // keeps that count until the task is switched away from for ever, after which `self` is not used: it
        // cannot leave the task (it is not `Send`). `ManuallyDrop` leaves the count as it is.
        ManuallyDrop::new(unsafe { Arc::from_raw(self.0) })
    }
    /// Whether this is `task`.
    pub fn is(&self, task: &Task) -> bool {
        core::ptr::eq(self.0, task)
    }
}

impl Deref for Current {
    type Target = Task;
    #[inline]
    fn deref(&self) -> &Task {
        // SAFETY: the CPU's reference keeps the running task alive (see `as_arc`).
        unsafe { &*self.0 }
    }
}

/// Whether some CPU uses the task's stack and registers.
#[derive(Default)]
pub struct OnCpu(AtomicBool);

impl OnCpu {
    /// Whether it runs, or is still being switched away from. `Acquire`: what the task did last is visible when false.
    #[inline]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The reference on the task that a CPU just switched away from.
struct Slot(UnsafeCell<Option<Arc<Task>>>);

// SAFETY: only its own CPU touches a slot, with interrupts off.
unsafe impl Sync for Slot {}

static PREVIOUS: PerCpu<Slot> = per_cpu!(Slot(UnsafeCell::new(None)));

/// Makes `task` the task that this CPU runs, for the first time: the idle task around the boot stack.
pub fn install_first(task: Arc<Task>) {
    assert!(cpu::current_task().is_null(), "a task runs here already");
    task.sched.on_cpu().0.store(true, Ordering::Relaxed);
    // SAFETY: the count that `into_raw` keeps is this CPU's reference; `switch_to` passes it on.
    unsafe { cpu::set_current_task(Arc::into_raw(task)) };
}

/// Switches this CPU to `next`. Returns when the calling task is switched to again, perhaps on another CPU; then, as
/// in every incoming task, [`take_previous`] comes first. Interrupts are off and the preempt count is 1, before and after.
pub fn switch_to(next: Arc<Task>) {
    assert!(!irq::enabled(), "a switch needs interrupts off");
    assert!(!next.sched.on_cpu().0.swap(true, Ordering::Acquire), "the task runs already");
    let next = Arc::into_raw(next);
    let previous = cpu::current_task();
    // SAFETY: `previous` is the raw form of this CPU's reference, which moves into the slot, so it stays alive until
    // it is switched away from; `next` carries the new one. Interrupts are off, so the slot is ours, and it
    // is empty: the incoming task of the last switch took what was in it. `next` ran nowhere: its flag was clear, and it is
    // set now, so nobody else switches to it.
    unsafe {
        *PREVIOUS.here_unguarded().0.get() = Some(Arc::from_raw(previous));
        cpu::set_current_task(next);
        thread::switch(&(*previous).thread, &(*next).thread);
    }
}

/// The first thing after a switch: the task that ran before, which others may run from now on.
pub fn take_previous() -> Arc<Task> {
    assert!(!irq::enabled(), "a switch needs interrupts off");
    // SAFETY: interrupts are off and the slot is this CPU's.
    let previous = unsafe { (*PREVIOUS.here_unguarded().0.get()).take() };
    let previous = previous.expect("a switch leaves the previous task");
    previous.sched.on_cpu().0.store(false, Ordering::Release);
    previous
}
