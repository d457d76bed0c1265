//! The scheduler: per-CPU run queues with 256 priority levels, wake-up placement, balancing.

use crate::{
    arch::cpu::CpuMask,
    process::{Current, Task},
    time::Instant,
};
use abi::Result;
use alloc::{boxed::Box, sync::Arc};

/// A task as the scheduler sees it; lives in [`Task`].
pub struct TaskSched {
    links: lists::Links<Task>,
    on_cpu: crate::sync::current::OnCpu,
    held_locks: crate::sync::lock_order::HeldByTask,
}

/// Whether and how a task sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskState {
    /// Running or runnable.
    Running,
    /// Sleeping; a signal wakes it (`S`).
    Interruptible,
    /// Sleeping; only its event wakes it (`D`).
    Uninterruptible,
    /// Sleeping; its event or a fatal signal wakes it (`D`).
    Killable,
    /// Stopped by job control (`T`).
    Stopped,
    /// Stopped by its tracer (`t`).
    Traced,
    /// Exited, not yet waited for (`Z`).
    Zombie,
    /// Gone (`X`).
    Dead,
}

impl TaskSched {
    /// Its place in a run queue.
    pub fn links(&self) -> &lists::Links<Task> {
        &self.links
    }
    /// Whether a CPU uses its stack.
    pub fn on_cpu(&self) -> &crate::sync::current::OnCpu {
        &self.on_cpu
    }
    /// The sleeping locks that it holds (lock order checks).
    pub fn held_locks(&self) -> &crate::sync::lock_order::HeldByTask {
        &self.held_locks
    }
    /// A new task's, with policy, priority and affinity from `parent` (`None`: defaults).
    pub fn new(_parent: Option<&TaskSched>) -> TaskSched {
        todo!()
    }
    /// Its state now.
    pub fn state(&self) -> TaskState {
        todo!()
    }
    /// The CPU that it runs on or last ran on.
    pub fn cpu(&self) -> usize {
        todo!()
    }
    /// The nice value, -20 to 19.
    pub fn nice(&self) -> i32 {
        todo!()
    }
    /// The CPUs it may run on.
    pub fn affinity(&self) -> CpuMask {
        todo!()
    }
    /// Nanoseconds on a CPU, in user mode and in the kernel.
    pub fn cpu_times(&self) -> (u64, u64) {
        todo!()
    }
    /// Voluntary and involuntary context switches.
    pub fn switches(&self) -> (u64, u64) {
        todo!()
    }
}

/// The task that runs here.
pub fn current() -> Current {
    crate::sync::current::current()
}

/// Puts a new task on a run queue for the first time.
pub fn start(_task: Arc<Task>) {
    todo!()
}

/// Gives up the CPU: sleeps if the task's state says so, else stays runnable.
pub fn schedule() {
    todo!()
}

/// Makes what this CPU runs on its idle task and its run queue ready; the CPU can be placed on from now on. Once a CPU,
/// early: before it, [`current`] does not work.
pub fn init_this_cpu() {
    todo!()
}

/// The idle task's life: the last call of a CPU's start.
pub fn idle_loop() -> ! {
    todo!()
}

/// The incoming task's half of a switch. A new thread calls it first, with interrupts off and a preempt count of 1; it turns
/// interrupts on and leaves the section.
pub fn finish_switch() {
    todo!()
}

/// A reschedule is due and the preempt count reached 0 with interrupts on: switch, without sleeping.
pub fn preempt_schedule() {
    todo!()
}

/// The same from the return of an interrupt to kernel mode; enters and leaves with interrupts off.
pub fn preempt_schedule_irq() {
    todo!()
}

/// The entry of every interrupt handler (not exceptions): ends the idle state of this CPU.
pub fn interrupt_enter() {
    todo!()
}

/// Sets the current task's state before a test of the condition it waits for, with a full barrier.
pub fn set_state(_state: TaskState) {
    todo!()
}

/// Sleeps in the state set until woken or `deadline`; false when the deadline passed.
pub fn schedule_until(_deadline: Option<Instant>) -> bool {
    todo!()
}

/// Wakes a task that sleeps in one of the states that `event` reaches; whether it was asleep. Callable from interrupts.
pub fn wake(_task: &Arc<Task>, _event: WakeEvent) -> bool {
    todo!()
}

/// What kind of event wakes a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WakeEvent {
    /// What it waits for: ends every sleep but a stop.
    Normal,
    /// A signal: ends an interruptible sleep.
    Signal,
    /// A fatal signal: ends interruptible and killable sleeps, and stops.
    Kill,
    /// SIGCONT: ends a stop.
    Continue,
}

/// `sched_yield(2)`.
pub fn yield_now() {
    todo!()
}

/// The last thing a task does; its resources but the kernel stack are released. Preemption is turned off inside.
pub fn exit_current() -> ! {
    todo!()
}

/// Starts a kernel thread.
pub fn spawn_kthread(_name: &str, _body: Box<dyn FnOnce() + Send>) -> Result<Arc<Task>> {
    todo!()
}

/// Changes the nice value (`setpriority(2)`).
pub fn set_nice(_task: &Arc<Task>, _nice: i32) {
    todo!()
}

/// Changes the affinity; `EINVAL` when no online CPU is in it.
pub fn set_affinity(_task: &Arc<Task>, _mask: CpuMask) -> Result<()> {
    todo!()
}

/// Load averages over 1, 5 and 15 minutes, in fixed point with 11 fraction bits, as in `/proc/loadavg`.
pub fn load_averages() -> [u64; 3] {
    todo!()
}

/// Runnable tasks in the system.
pub fn runnable_count() -> usize {
    todo!()
}

/// Tells that `cpu` kept a grace period waiting for `age` nanoseconds.
pub fn warn_stall(_cpu: usize, _age: u64) {
    todo!()
}
