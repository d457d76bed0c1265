//! CPU identity, the CPU-local block behind GS, and inter-processor interrupts.

use crate::process::Task;

/// The most CPUs that one kernel image can drive.
pub const MAX_CPUS: usize = 64;

/// The index of the CPU this runs on, from 0. Stable only while preemption is off.
pub fn id() -> usize {
    todo!()
}

/// How many CPUs are online.
pub fn online_count() -> usize {
    todo!()
}

/// The task this CPU runs, as installed by the scheduler. Null before the first.
pub fn current_task() -> *const Task {
    todo!()
}

/// Installs the task that [`current_task`] gives.
///
/// # Safety
/// `task` stays alive until another is installed. Only `sync::running` calls this, around a switch.
pub unsafe fn set_current_task(_task: *const Task) {
    todo!()
}

/// Asks `cpu` to run its scheduler (reschedule IPI): the handler calls
/// [`super::irq::set_need_resched`]; it also leaves `hlt`. Callable with interrupts off.
pub fn send_reschedule(_cpu: usize) {
    todo!()
}

/// Runs `f` on every CPU in `mask` other than this one and waits for them. Interrupts must be on.
pub fn call_on(_mask: CpuMask, _f: &(dyn Fn() + Sync)) {
    todo!()
}

/// Stops until the next interrupt; enters with interrupts off and returns with them on.
pub fn idle_wait() {
    todo!()
}

/// A set of CPUs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CpuMask(pub u64);

impl CpuMask {
    /// The set of one.
    pub const fn of(cpu: usize) -> CpuMask {
        CpuMask(1 << cpu)
    }
    /// Whether `cpu` is in the set.
    pub const fn contains(self, cpu: usize) -> bool {
        self.0 & (1 << cpu) != 0
    }
}
