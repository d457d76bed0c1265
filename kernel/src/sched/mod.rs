//! The scheduler: per-CPU run queues with 256 priority levels, wake-up placement, balancing.
//!
//! | file | what it holds |
//! |---|---|
//! | [`task`] | a task as the scheduler sees it: state, policy, time used |
//! | [`cpu_queue`] | one CPU's queue, who runs there, and the clock of its accounting |
//! | [`switch`] | giving up the CPU: `schedule`, preemption, the two halves of a switch, exit |
//! | [`wake`] | state and waking: the protocol that loses no wake-up; where a woken task goes |
//! | [`balance`] | stealing by CPUs that have nothing to do, and evening out by the tick |
//! | [`idle`] | the idle task, the idle state, a CPU's start |
//! | [`tick`] | what the timer's tick does: slices, samples, balancing, RCU |
//! | [`bandwidth`] | how much of a CPU real-time tasks may have |
//! | [`deadline`] | `SCHED_DEADLINE`: admission, periods, throttling |
//! | [`params`] | policy, nice, affinity |
//! | [`sleep`] | sleeping with a deadline |
//! | [`load`] | load averages and CPU statistics |
//! | [`stats`] | what `/proc/schedstat` and its kin show |
//! | [`kthread`] | kernel threads |
//!
//! Locks: a task's wake lock (`TASK_WAKE`: who may wake it or change how it is scheduled), then one run queue (`RUN_QUEUE`). No
//! code holds two run queues. The states of the protocol are described in docs/scheduler.md.
#![forbid(unsafe_code)]

mod balance;
mod bandwidth;
mod cpu_queue;
mod deadline;
mod idle;
mod kthread;
mod load;
mod params;
mod sleep;
pub mod stats;
mod switch;
mod task;
mod tick;
mod wake;

pub use crate::sync::current::current;
pub use bandwidth::{change_real_time_bandwidth, real_time_bandwidth};
pub use cpu_queue::found_nothing;
pub use deadline::{DeadlineParams, is_limited as deadlines_are_limited, runs_everywhere};
pub use idle::{idle_loop, init_this_cpu, interrupt_enter};
pub use kthread::spawn_kthread;
pub use load::{CpuTimes, context_switches, cpu_times, load_averages, runnable_count, warn_stall};
pub use params::{
    Policy, SchedParams, may_fork, online_mask, scheduling, set_affinity, set_inherited_priority,
    set_nice, set_scheduling, slice_of,
};
pub use sleep::schedule_until;
pub use switch::{
    exit_current, finish_switch, preempt_schedule, preempt_schedule_irq, schedule, yield_now,
};
pub use task::{TaskSched, TaskState};
pub use tick::{TICK, tick};
pub use wake::{WakeEvent, set_state, start, wake};
