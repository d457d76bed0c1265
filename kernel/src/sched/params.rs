//! Policy, nice, affinity (`sched(7)`): what they are and how they change. Permissions are the system calls' business.

use super::{
    cpu_queue::{QUEUES, enqueue_on, lock_queue_of, reschedule_cpu},
    deadline::{self, DeadlineParams},
    task::{DEADLINE_PRIORITY, TaskSched},
    tick::{RR_TICKS, TICK},
    wake::choose_cpu,
};
use crate::{
    arch::{
        clock,
        cpu::{self, CpuMask},
    },
    process::{Task, futex},
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use lists::End;

/// A scheduling policy, by its number in `SCHED_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Policy {
    /// `SCHED_OTHER`.
    Normal = 0,
    /// `SCHED_FIFO`.
    Fifo = 1,
    /// `SCHED_RR`.
    RoundRobin = 2,
    /// `SCHED_BATCH`.
    Batch = 3,
    /// `SCHED_IDLE`.
    Idle = 5,
    /// `SCHED_DEADLINE`.
    Deadline = 6,
}

impl Policy {
    /// The policy with this number.
    pub fn from_number(number: u32) -> Option<Policy> {
        Some(match number {
            0 => Policy::Normal,
            1 => Policy::Fifo,
            2 => Policy::RoundRobin,
            3 => Policy::Batch,
            5 => Policy::Idle,
            6 => Policy::Deadline,
            _ => return None,
        })
    }
    /// Whether it has priorities 1 to 99 and runs before those that have none.
    pub fn is_real_time(self) -> bool {
        matches!(self, Policy::Fifo | Policy::RoundRobin)
    }
}

/// How a task is scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SchedParams {
    /// The policy.
    pub policy: Policy,
    /// 1 to 99 for the real-time policies, else 0.
    pub priority: u8,
    /// -20 to 19.
    pub nice: i32,
    /// For `SCHED_DEADLINE`.
    pub deadline: DeadlineParams,
    /// Children start with the default policy (`SCHED_RESET_ON_FORK`).
    pub reset_on_fork: bool,
}

/// How `task` is scheduled.
pub fn scheduling(task: &Task) -> SchedParams {
    SchedParams {
        policy: task.sched.policy(),
        priority: task.sched.real_time_priority(),
        nice: task.sched.nice(),
        deadline: task.sched.deadline.params(),
        reset_on_fork: task.sched.reset_on_fork.load(Relaxed),
    }
}

/// Whether `task` may have children: what it runs by deadlines is not theirs (`SCHED_DEADLINE`, without `SCHED_RESET_ON_FORK`).
pub fn may_fork(task: &Task) -> bool {
    !task.sched.has_policy(Policy::Deadline) || task.sched.reset_on_fork.load(Relaxed)
}

/// Nanoseconds of `task`'s slice (`sched_rr_get_interval(2)`); 0: it has none.
pub fn slice_of(task: &Task) -> u64 {
    match task.sched.policy() {
        Policy::Fifo | Policy::Deadline => 0,
        Policy::RoundRobin => u64::from(RR_TICKS) * TICK,
        _ => TICK,
    }
}

/// Changes how `task` is scheduled. `EBUSY`, `ENOMEM` and `ESRCH` for `SCHED_DEADLINE`; may sleep for that.
pub fn set_scheduling(task: &Arc<Task>, params: SchedParams) -> Result<()> {
    let has_deadlines = params.policy == Policy::Deadline;
    loop {
        if has_deadlines {
            deadline::prepare(&task.sched)?;
        }
        match change(task, |sched| apply(sched, &params)) {
            Err(Errno::EAGAIN) => {}
            outcome => {
                outcome?;
                break;
            }
        }
    }
    futex::priority_changed(task);
    Ok(())
}

/// Makes a task that is on no queue one with these parameters, all or nothing.
fn apply(sched: &TaskSched, params: &SchedParams) -> Result<()> {
    let priority = match params.policy {
        Policy::Deadline => DEADLINE_PRIORITY,
        policy if policy.is_real_time() => params.priority,
        _ => 0,
    };
    if params.policy == Policy::Deadline {
        deadline::admit(sched, params.deadline)?;
        sched.deadline.set_params(params.deadline);
        if !sched.has_policy(Policy::Deadline) {
            sched.deadline.begin(clock::now_ns());
        }
    } else {
        deadline::leave(sched);
    }
    sched.policy.store(params.policy as u8, Relaxed);
    sched.priority.store(priority, Relaxed);
    sched.nice.store(params.nice.clamp(-20, 19), Relaxed);
    sched.weigh();
    sched.reset_on_fork.store(params.reset_on_fork, Relaxed);
    Ok(())
}

/// Changes the priority that `task` inherits from those who wait for its locks; whether it runs at another now. Callable
/// with preemption off.
pub fn set_inherited_priority(task: &Arc<Task>, priority: u8) -> bool {
    if task.sched.inherited.load(Relaxed) == priority {
        return false;
    }
    let before = task.sched.urgency();
    change(task, |sched| sched.inherited.store(priority, Relaxed));
    task.sched.urgency() != before
}

/// Changes how a task is scheduled while it is on no queue.
fn change<R>(task: &Arc<Task>, change: impl FnOnce(&TaskSched) -> R) -> R {
    let sched = &task.sched;
    let _exclusive = sched.wake_lock.lock();
    let (_, mut queue) = lock_queue_of(sched);
    let now = clock::now_ns();
    let running = queue.runs(sched);
    if running && super::current().is(task) {
        queue.settle(task, now);
    }
    let queued = queue.tasks.remove(task);
    let outcome = change(sched);
    let look = running || queued.is_some();
    if let Some(queued) = queued {
        queue.tasks.insert(queued, End::Back);
    }
    if running {
        queue.running_changed(task);
    }
    drop(queue);
    if deadline::stop_throttling(sched) {
        // It left its queue, perhaps not yet its CPU, which waits for nobody.
        while sched.on_cpu().get() {
            cpu::relax();
        }
        enqueue_on(choose_cpu(task), task.clone(), 0);
    }
    if look {
        reschedule_cpu(sched.cpu());
    }
    outcome
}

/// Changes the nice value (`setpriority(2)`).
pub fn set_nice(task: &Arc<Task>, nice: i32) {
    // Nothing is asked for that the task does not have.
    let _ = set_scheduling(task, SchedParams { nice, ..scheduling(task) });
}

/// The CPUs that tasks can run on.
pub fn online_mask() -> CpuMask {
    let mut mask = CpuMask(0);
    for cpu in 0..cpu::online_count() {
        if QUEUES.on(cpu).online.load(Acquire) {
            mask.0 |= CpuMask::of(cpu).0;
        }
    }
    mask
}

/// Changes the affinity; `EINVAL` when no online CPU is in it. A task that runs or waits on a CPU that is not in it moves.
pub fn set_affinity(task: &Arc<Task>, mask: CpuMask) -> Result<()> {
    if mask.0 & online_mask().0 == 0 {
        return Err(Errno::EINVAL);
    }
    let sched = &task.sched;
    let _exclusive = sched.wake_lock.lock();
    let (of_cpu, mut queue) = lock_queue_of(sched);
    sched.affinity.store(mask.0, Relaxed);
    let cpu = sched.cpu();
    if mask.contains(cpu) {
        return Ok(());
    }
    let running = queue.runs(sched);
    let queued = queue.tasks.remove(task);
    if let Some(queued) = &queued {
        queue.tasks.displace(queued);
        queue.end_wait(queued, clock::now_ns());
        of_cpu.count_runnable(-1);
    }
    drop(queue);
    if let Some(queued) = queued {
        // Its old CPU may still be switching away from it, which waits for nobody.
        while sched.on_cpu().get() {
            cpu::relax();
        }
        enqueue_on(choose_cpu(task), queued, 0);
    } else if running {
        reschedule_cpu(cpu);
    }
    Ok(())
}
