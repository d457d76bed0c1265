//! Policy, nice, affinity (`sched(7)`): what they are and how they change. Permissions are the system calls' business.

use super::{
    cpu_queue::{QUEUES, enqueue_on, lock_queue_of, reschedule_cpu},
    task::TaskSched,
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
            _ => return None,
        })
    }
    /// Whether it has priorities 1 to 99 and runs before all others.
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
    /// Children start with the default policy (`SCHED_RESET_ON_FORK`).
    pub reset_on_fork: bool,
}

/// How `task` is scheduled.
pub fn scheduling(task: &Task) -> SchedParams {
    SchedParams {
        policy: task.sched.policy(),
        priority: task.sched.real_time_priority(),
        nice: task.sched.nice(),
        reset_on_fork: task.sched.reset_on_fork.load(Relaxed),
    }
}

/// Nanoseconds of `task`'s slice (`sched_rr_get_interval(2)`); 0: it has none.
pub fn slice_of(task: &Task) -> u64 {
    match task.sched.policy() {
        Policy::Fifo => 0,
        Policy::RoundRobin => u64::from(RR_TICKS) * TICK,
        _ => TICK,
    }
}

/// Changes how `task` is scheduled.
pub fn set_scheduling(task: &Arc<Task>, params: SchedParams) {
    change(task, |sched| {
        let real_time = params.policy.is_real_time();
        sched.policy.store(params.policy as u8, Relaxed);
        sched.priority.store(if real_time { params.priority } else { 0 }, Relaxed);
        sched.nice.store(params.nice.clamp(-20, 19), Relaxed);
        sched.weigh();
        sched.reset_on_fork.store(params.reset_on_fork, Relaxed);
    });
    futex::priority_changed(task);
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
fn change(task: &Arc<Task>, change: impl FnOnce(&TaskSched)) {
    let sched = &task.sched;
    let _exclusive = sched.wake_lock.lock();
    let (_, mut queue) = lock_queue_of(sched);
    let now = clock::now_ns();
    let running = queue.runs(sched);
    if running && super::current().is(task) {
        queue.settle(task, now);
    }
    let queued = queue.tasks.remove(task);
    change(sched);
    let look = running || queued.is_some();
    if let Some(queued) = queued {
        queue.tasks.insert(queued, End::Back);
    }
    if running {
        queue.running_changed(task);
    }
    drop(queue);
    if look {
        reschedule_cpu(sched.cpu());
    }
}

/// Changes the nice value (`setpriority(2)`).
pub fn set_nice(task: &Arc<Task>, nice: i32) {
    set_scheduling(task, SchedParams { nice, ..scheduling(task) });
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
            core::hint::spin_loop();
        }
        enqueue_on(choose_cpu(task), queued, 0);
    } else if running {
        reschedule_cpu(cpu);
    }
    Ok(())
}
