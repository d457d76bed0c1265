//! A task as the scheduler sees it.

use super::{deadline::DeadlineTask, params::Policy};
#[cfg(debug_assertions)]
use crate::sync::lock_order::HeldByTask;
use crate::{
    arch::{cpu::CpuMask, irq},
    process::Task,
    sync::{IrqSpinLock, Once, class, current::OnCpu},
    time::Timer,
};
use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    Ordering::Relaxed,
};
use runqueue::{Band, DeadlineState, Entity, FairState, IDLE_WEIGHT, weight_of_nice};

/// The priority of a task under `SCHED_DEADLINE`: before all others.
pub(super) const DEADLINE_PRIORITY: u8 = 100;

/// A task as the scheduler sees it; lives in [`Task`].
pub struct TaskSched {
    /// See [`TaskState`]; the one word of the wake-up protocol.
    pub(super) state: AtomicU32,
    /// Who may wake it or change how it is scheduled.
    pub(super) wake_lock: IrqSpinLock<()>,
    /// Whether it is runnable as its CPU's queue counts. Changes under that queue's lock.
    pub(super) on_queue: AtomicBool,
    /// The CPU whose queue it is on, or was last. Changes under that queue's lock, or the wake lock while it sleeps.
    pub(super) cpu: AtomicUsize,
    pub(super) links: lists::Links<Task>,
    pub(super) fair: FairState,
    on_cpu: OnCpu,
    #[cfg(debug_assertions)]
    held_locks: HeldByTask,

    // How it is scheduled: written under the wake lock and the queue's lock, never while it is queued.
    pub(super) policy: AtomicU8,
    pub(super) priority: AtomicU8,
    /// The real-time priority of the most urgent task that waits for a lock of this one; 0: none does.
    pub(super) inherited: AtomicU8,
    pub(super) nice: AtomicI32,
    /// What policy and nice value come to.
    weight: AtomicU64,
    pub(super) reset_on_fork: AtomicBool,
    pub(super) affinity: AtomicU64,

    /// Under `SCHED_DEADLINE`; its priority is [`DEADLINE_PRIORITY`] then.
    pub(super) deadline: DeadlineTask,

    /// `ioprio_set(2)`; 0: none was set.
    io_priority: AtomicU16,

    // What it used. Written by the CPU that runs it.
    pub(super) runtime: AtomicU64,
    pub(super) user_samples: AtomicU64,
    pub(super) system_samples: AtomicU64,
    /// Where its last tick found it.
    pub(super) in_user_mode: AtomicBool,
    reported_user: AtomicU64,
    reported_system: AtomicU64,
    pub(super) voluntary: AtomicU64,
    pub(super) involuntary: AtomicU64,
    /// When it left its queue, in monotonic nanoseconds.
    pub(super) left_at: AtomicU64,
    /// Since when it waits on its queue.
    pub(super) queued_at: AtomicU64,
    /// Nanoseconds that it waited on queues before it got a CPU, and how often it got one. Changes under its queue's lock, and so
    /// do the next two.
    pub(super) waited: AtomicU64,
    pub(super) arrivals: AtomicU64,
    /// How often it got to another CPU's queue.
    pub(super) migrations: AtomicU64,
    /// Until when it has been charged, in monotonic nanoseconds.
    pub(super) charged_at: AtomicU64,
    /// When it last woke another task, since it last slept; 0: it has not.
    pub(super) woke_at: AtomicU64,
    /// How sure it is that it sleeps soon after waking another task.
    pub(super) hand_over_score: AtomicU8,
    /// What is left of its slice under `SCHED_RR`, in ticks.
    pub(super) slice_left: AtomicU32,

    /// Wakes it from sleeps with a deadline; made by the first.
    pub(super) sleep_timer: Once<(Timer, alloc::sync::Arc<super::sleep::Alarm>)>,
}

/// Whether and how a task sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum TaskState {
    /// Running or runnable.
    Running = 0,
    /// Sleeping; a signal wakes it (`S`).
    Interruptible = 1,
    /// Sleeping; only its event wakes it (`D`).
    Uninterruptible = 2,
    /// Sleeping; its event or a fatal signal wakes it (`D`).
    Killable = 4,
    /// Stopped by job control (`T`).
    Stopped = 8,
    /// Stopped by its tracer (`t`).
    Traced = 16,
    /// Exited, not yet waited for (`Z`).
    Zombie = 32,
    /// Gone (`X`).
    Dead = 64,
}

impl TaskState {
    fn from_bits(bits: u32) -> TaskState {
        match bits {
            0 => TaskState::Running,
            1 => TaskState::Interruptible,
            2 => TaskState::Uninterruptible,
            4 => TaskState::Killable,
            8 => TaskState::Stopped,
            16 => TaskState::Traced,
            32 => TaskState::Zombie,
            _ => TaskState::Dead,
        }
    }
    /// Whether tasks in this state count as load, as on Linux.
    pub(super) fn is_load(self) -> bool {
        matches!(self, TaskState::Uninterruptible | TaskState::Killable)
    }
}

impl TaskSched {
    /// A new task's, with policy, priority and affinity from `parent` (`None`: defaults), as
    /// `sched_setscheduler(2)` says for fork.
    pub fn new(parent: Option<&TaskSched>) -> TaskSched {
        let mut policy = parent.map_or(Policy::Normal, TaskSched::policy);
        let mut priority = parent.map_or(0, |parent| parent.priority.load(Relaxed));
        let mut nice = parent.map_or(0, TaskSched::nice);
        if parent.is_some_and(|parent| parent.reset_on_fork.load(Relaxed)) {
            if policy.is_real_time() || policy == Policy::Deadline {
                (policy, priority, nice) = (Policy::Normal, 0, 0);
            }
            nice = nice.max(0);
        }
        let affinity = parent.map_or(u64::MAX, |parent| parent.affinity.load(Relaxed));
        TaskSched {
            state: AtomicU32::new(TaskState::Running as u32),
            wake_lock: IrqSpinLock::new(&class::TASK_WAKE, ()),
            on_queue: AtomicBool::new(false),
            cpu: AtomicUsize::new(parent.map_or(0, TaskSched::cpu)),
            links: lists::Links::new(),
            fair: FairState::new(),
            on_cpu: OnCpu::default(),
            #[cfg(debug_assertions)]
            held_locks: HeldByTask::default(),
            policy: AtomicU8::new(policy as u8),
            priority: AtomicU8::new(priority),
            inherited: AtomicU8::new(0),
            nice: AtomicI32::new(nice),
            weight: AtomicU64::new(weight_of(policy, nice)),
            reset_on_fork: AtomicBool::new(false),
            affinity: AtomicU64::new(affinity),
            deadline: DeadlineTask::default(),
            io_priority: AtomicU16::new(parent.map_or(0, TaskSched::io_priority)),
            runtime: AtomicU64::new(0),
            user_samples: AtomicU64::new(0),
            system_samples: AtomicU64::new(0),
            in_user_mode: AtomicBool::new(false),
            reported_user: AtomicU64::new(0),
            reported_system: AtomicU64::new(0),
            voluntary: AtomicU64::new(0),
            involuntary: AtomicU64::new(0),
            left_at: AtomicU64::new(0),
            queued_at: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            arrivals: AtomicU64::new(0),
            migrations: AtomicU64::new(0),
            charged_at: AtomicU64::new(0),
            woke_at: AtomicU64::new(0),
            hand_over_score: AtomicU8::new(0),
            slice_left: AtomicU32::new(0),
            sleep_timer: Once::new(),
        }
    }
    /// Its state now.
    pub fn state(&self) -> TaskState {
        TaskState::from_bits(self.state.load(Ordering::Acquire))
    }
    /// It comes to the queue of `cpu`, whose lock is held.
    pub(super) fn move_to(&self, cpu: usize) {
        if self.cpu.load(Relaxed) != cpu {
            self.migrations.store(self.migrations.load(Relaxed) + 1, Relaxed);
            self.cpu.store(cpu, Relaxed);
        }
    }
    /// The CPU that it runs on or last ran on.
    pub fn cpu(&self) -> usize {
        self.cpu.load(Relaxed)
    }
    /// The nice value, -20 to 19.
    pub fn nice(&self) -> i32 {
        self.nice.load(Relaxed)
    }
    /// The policy.
    pub fn policy(&self) -> Policy {
        Policy::from_number(u32::from(self.policy.load(Relaxed))).unwrap_or(Policy::Normal)
    }
    /// The real-time priority, 1 to 99; 0 for the other policies.
    pub fn real_time_priority(&self) -> u8 {
        match self.priority.load(Relaxed) {
            DEADLINE_PRIORITY => 0,
            priority => priority,
        }
    }
    /// The real-time priority that it runs at, its own or an inherited one; 0: none.
    pub fn urgency(&self) -> u8 {
        self.rank().min(DEADLINE_PRIORITY - 1)
    }
    /// The same, above all others under `SCHED_DEADLINE`.
    fn rank(&self) -> u8 {
        self.priority.load(Relaxed).max(self.inherited.load(Relaxed))
    }
    /// Whether it runs at an inherited priority.
    pub(super) fn inherits_priority(&self) -> bool {
        self.inherited.load(Relaxed) > self.priority.load(Relaxed)
    }
    /// Priority as `/proc/<pid>/stat` shows it: 0 to 39 by nice, -2 to -100 real-time, -101 with deadlines.
    pub fn shown_priority(&self) -> i32 {
        match self.band() {
            Band::Deadline(_) => -101,
            Band::RealTime(priority) => -1 - i32::from(priority),
            Band::Fair => 20 + self.nice(),
        }
    }
    /// The I/O priority, class and level as `ioprio_set(2)` has them; 0: none was set.
    pub fn io_priority(&self) -> u16 {
        self.io_priority.load(Relaxed)
    }
    /// Sets it.
    pub fn set_io_priority(&self, priority: u16) {
        self.io_priority.store(priority, Relaxed);
    }
    /// The CPUs it may run on.
    pub fn affinity(&self) -> CpuMask {
        CpuMask(self.affinity.load(Relaxed))
    }
    /// Nanoseconds on a CPU, in user mode and in the kernel. The sum is exact, the split is sampled by the tick and never
    /// goes back.
    pub fn cpu_times(&self) -> (u64, u64) {
        let total = self.exact_runtime();
        let (user, system) = (self.user_samples.load(Relaxed), self.system_samples.load(Relaxed));
        let user_share = match (user, system) {
            (_, 0) => total,
            (0, _) => 0,
            _ => {
                let share = u128::from(total) * u128::from(user) / u128::from(user + system);
                u64::try_from(share).unwrap_or(total)
            }
        };
        let user = self.reported_user.fetch_max(user_share, Relaxed).max(user_share).min(total);
        let system = total - user;
        (user, self.reported_system.fetch_max(system, Relaxed).max(system))
    }
    /// Nanoseconds on a CPU up to now, also of a task that runs at this moment.
    pub fn exact_runtime(&self) -> u64 {
        super::cpu_queue::runtime_now(self)
    }
    /// Voluntary and involuntary context switches.
    pub fn switches(&self) -> (u64, u64) {
        (self.voluntary.load(Relaxed), self.involuntary.load(Relaxed))
    }
    /// Its place in a run queue.
    pub fn links(&self) -> &lists::Links<Task> {
        &self.links
    }
    /// Whether a CPU uses its stack.
    pub fn on_cpu(&self) -> &OnCpu {
        &self.on_cpu
    }
    /// The sleeping locks that it holds (lock order checks).
    #[cfg(debug_assertions)]
    pub fn held_locks(&self) -> &HeldByTask {
        &self.held_locks
    }

    pub(super) fn band(&self) -> Band {
        match self.rank() {
            0 => Band::Fair,
            DEADLINE_PRIORITY => Band::Deadline(self.deadline.state().deadline()),
            priority => Band::RealTime(priority),
        }
    }
    pub(super) fn weight(&self) -> u64 {
        self.weight.load(Relaxed)
    }
    /// Policy or nice value changed.
    pub(super) fn weigh(&self) {
        self.weight.store(weight_of(self.policy(), self.nice()), Relaxed);
    }
    /// Whether that is its policy.
    pub(super) fn has_policy(&self, policy: Policy) -> bool {
        self.policy.load(Relaxed) == policy as u8
    }
    /// Whether its time counts as that of nice tasks.
    pub(super) fn is_nice(&self) -> bool {
        self.nice() > 0 || self.has_policy(Policy::Idle)
    }
    pub(super) fn may_run_on(&self, cpu: usize) -> bool {
        self.affinity().contains(cpu)
    }
}

fn weight_of(policy: Policy, nice: i32) -> u64 {
    if policy == Policy::Idle { IDLE_WEIGHT } else { weight_of_nice(nice) }
}

impl Entity for Task {
    fn band(&self) -> Band {
        self.sched.band()
    }
    fn fair(&self) -> &FairState {
        &self.sched.fair
    }
    fn deadline(&self) -> &DeadlineState {
        self.sched.deadline.state()
    }
}

/// Adds to a counter that only this CPU writes: no locked instruction.
pub(super) fn bump(counter: &AtomicU64, by: u64) {
    debug_assert!(!irq::enabled() || irq::preempt_count() > 0);
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}
