//! One CPU's queue, who runs there, and the clock of its accounting.

use super::{
    params::Policy,
    task::{TaskSched, bump},
};
use crate::{
    arch::{clock, cpu, irq},
    process::Task,
    sync::{IrqSpinLock, IrqSpinLockGuard, PerCpu, class, per_cpu},
};
use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Relaxed, Release},
};
use lists::End;
use runqueue::{Band, NICE_0_WEIGHT, RunQueue, WAKE_UP_GRANULARITY};

/// What a CPU runs, as its queue knows it. A copy: the task itself is the CPU's.
#[derive(Clone, Copy)]
pub(super) struct Running {
    /// The task's address, to tell it from others; never followed.
    task: usize,
    pub band: Band,
    policy: Policy,
    weight: u64,
    /// Virtual time when it was last charged.
    virtual_time: u64,
    /// When it was last charged, in monotonic nanoseconds.
    since: u64,
}

impl Running {
    fn virtual_now(&self, now: u64) -> u64 {
        let ran = now.saturating_sub(self.since);
        self.virtual_time + ran.saturating_mul(NICE_0_WEIGHT) / self.weight.max(1)
    }
}

/// Under the queue's lock.
pub(super) struct Queue {
    pub tasks: RunQueue<Task>,
    /// `None`: the idle task.
    pub running: Option<Running>,
    /// The running task used up its slice: it queues behind its equals.
    pub slice_used: bool,
}

/// One CPU's.
pub(super) struct CpuQueue {
    pub queue: IrqSpinLock<Queue>,
    /// Runnable tasks, the running one included (the idle task not). Read by others to choose.
    pub runnable: AtomicUsize,
    /// Tasks that went to uninterruptible sleep here, less those that woke here: the sum over CPUs is the load they are.
    pub uninterruptible: AtomicI64,
    /// A reschedule interrupt is on its way.
    pub kicked: AtomicBool,
    /// Whether this CPU has a scheduler.
    pub online: AtomicBool,
    pub switches: AtomicU64,
}

pub(super) static QUEUES: PerCpu<CpuQueue> = per_cpu!(CpuQueue {
    queue: IrqSpinLock::new(
        &class::RUN_QUEUE,
        Queue { tasks: RunQueue::new(), running: None, slice_used: false },
    ),
    runnable: AtomicUsize::new(0),
    uninterruptible: AtomicI64::new(0),
    kicked: AtomicBool::new(false),
    online: AtomicBool::new(false),
    switches: AtomicU64::new(0),
});

impl Queue {
    /// Takes in a runnable task that is on no queue; this is the queue of `cpu`. Whether it should run at once.
    pub fn admit(&mut self, cpu: usize, task: Arc<Task>, slept: u64, now: u64) -> bool {
        self.advance_clock(now);
        task.sched.cpu.store(cpu, Relaxed);
        self.tasks.place(&task, slept);
        task.sched.queued_at.store(now, Relaxed);
        task.sched.on_queue.store(true, Release);
        QUEUES.on(cpu).runnable.fetch_add(1, Relaxed);
        let preempts = self.preempts(&task, now);
        self.tasks.insert(task, End::Back);
        preempts
    }

    /// Charges the running task, which is the current one here.
    pub fn settle(&mut self, task: &Task, now: u64) {
        let Some(running) = &mut self.running else { return };
        let ran = now.saturating_sub(running.since);
        running.since = now;
        bump(&task.sched.runtime, ran);
        super::load::charge(task, ran);
        if running.band == Band::Fair {
            task.sched.fair.charge(ran, running.weight);
            running.virtual_time = task.sched.fair.virtual_time();
        }
        self.advance_clock(now);
    }

    /// The virtual clock follows.
    pub fn advance_clock(&mut self, now: u64) {
        let running = self.running.filter(|running| running.band == Band::Fair);
        self.tasks.advance_clock(running.map(|running| running.virtual_now(now)));
    }

    /// Notes who runs from now on.
    pub fn set_running(&mut self, task: &Task, now: u64) {
        self.slice_used = false;
        self.running = Some(Running {
            task: core::ptr::from_ref(task).addr(),
            band: task.sched.band(),
            policy: task.sched.policy(),
            weight: task.sched.weight(),
            virtual_time: task.sched.fair.virtual_time(),
            since: now,
        });
    }

    /// The running task's parameters changed.
    pub fn running_changed(&mut self, task: &Task) {
        if let Some(running) = &mut self.running {
            running.band = task.sched.band();
            running.policy = task.sched.policy();
            running.weight = task.sched.weight();
        }
    }

    /// Whether `task` is what runs here.
    pub fn runs(&self, task: &TaskSched) -> bool {
        let start = core::ptr::from_ref(task).addr();
        self.running.is_some_and(|running| start.wrapping_sub(running.task) < size_of::<Task>())
    }

    /// Whether `task`, just queued here, should take the CPU at once.
    pub fn preempts(&self, task: &Task, now: u64) -> bool {
        let Some(running) = &self.running else { return true };
        match (task.sched.band(), running.band) {
            (Band::RealTime(new), Band::RealTime(old)) => new > old,
            (Band::RealTime(_), Band::Fair) => true,
            (Band::Fair, Band::RealTime(_)) => false,
            (Band::Fair, Band::Fair) => match (task.sched.policy(), running.policy) {
                (Policy::Idle, _) => false,
                (_, Policy::Idle) => true,
                (Policy::Batch, _) => false,
                _ => {
                    let new = task.sched.fair.virtual_time();
                    new + WAKE_UP_GRANULARITY < running.virtual_now(now)
                }
            },
        }
    }
}

/// The queue of the CPU that `task` belongs to, locked.
pub(super) fn lock_queue_of(
    task: &TaskSched,
) -> (&'static CpuQueue, IrqSpinLockGuard<'static, Queue>) {
    loop {
        let cpu = task.cpu();
        let of_cpu = QUEUES.on(cpu);
        let queue = of_cpu.queue.lock();
        if task.cpu() == cpu {
            return (of_cpu, queue);
        }
    }
}

/// Puts a runnable task that is on no queue on that of `cpu`, and has the CPU look if the task should run at once.
/// `slept`: since when it was off the queues, in nanoseconds.
pub(super) fn enqueue_on(cpu: usize, task: Arc<Task>, slept: u64) {
    let now = clock::now_ns();
    let mut queue = QUEUES.on(cpu).queue.lock();
    let preempts = queue.admit(cpu, task, slept, now);
    drop(queue);
    if preempts {
        reschedule_cpu(cpu);
    }
}

/// Has `cpu` look at its queue. Called with preemption off.
pub(super) fn reschedule_cpu(cpu: usize) {
    if cpu == cpu::id() {
        irq::set_need_resched();
    } else if !QUEUES.on(cpu).kicked.swap(true, AcqRel) {
        cpu::send_reschedule(cpu);
    }
}

/// Nanoseconds that a task has run, up to now, also when it runs at this moment.
pub(super) fn runtime_now(task: &TaskSched) -> u64 {
    let (_, mut queue) = lock_queue_of(task);
    let now = clock::now_ns();
    let current = super::current();
    if core::ptr::eq(&current.sched, task) {
        queue.settle(&current, now);
        return task.runtime.load(Relaxed);
    }
    // Only its own CPU charges it: what that will charge is added to what it has.
    let running = queue.running.filter(|_| queue.runs(task));
    let uncharged = running.map_or(0, |running| now.saturating_sub(running.since));
    task.runtime.load(Relaxed) + uncharged
}
