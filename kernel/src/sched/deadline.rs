//! `SCHED_DEADLINE` (sched(7)): the earliest deadline first, a constant bandwidth server around every task, admission control.
//!
//! A task asks for `runtime` in every `period`, to be had within `deadline` from the period's beginning. One that used its runtime up is *throttled*:
//! off the queues until a timer begins its next period. One that wakes has a new deadline if its old one is past, or if what is left of its
//! runtime would be more than its share until then. What all tasks ask for together is at most what `kernel.sched_rt_runtime_us` leaves them on all CPUs.
//!
//! Locks: `ADMISSION`, inside of all of the scheduler's, so that a task is admitted and changes its policy in one step. `throttled` changes under the wake lock, or the queue's where the task runs.

use super::{
    bandwidth::{RealTimeBandwidth, real_time_bandwidth},
    cpu_queue::{QUEUES, enqueue_on},
    params::{Policy, online_mask},
    task::{TaskSched, TaskState},
};
use crate::{
    arch::cpu,
    process::Task,
    sync::{IrqSpinLock, Once, class},
    time::{Instant, Timer, TimerCallback},
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::{
    cmp::Reverse,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
};
use runqueue::{Band, DeadlineState};

/// What a task asks for, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct DeadlineParams {
    /// For so long
    pub runtime: u64,
    /// within so long from the beginning
    pub deadline: u64,
    /// of every such time.
    pub period: u64,
}

/// The longest and the shortest period, as Linux has them (`kernel.sched_deadline_period_max_us` and `…_min_us`).
const LONGEST_PERIOD: u64 = (1 << 22) * 1000;
const SHORTEST_PERIOD: u64 = 100_000;
/// Bandwidths are in 2^20ths of a CPU; less runtime than this would be none.
const BANDWIDTH_SHIFT: u32 = 20;
const LEAST_RUNTIME: u64 = 1 << 10;

impl DeadlineParams {
    /// Checks what user space gave; a period of 0 is the deadline. `EINVAL`.
    pub fn new(runtime: u64, deadline: u64, period: u64) -> Result<DeadlineParams> {
        let period = if period == 0 { deadline } else { period };
        let in_order = runtime <= deadline && deadline <= period;
        let fits = (SHORTEST_PERIOD..=LONGEST_PERIOD).contains(&period);
        if runtime < LEAST_RUNTIME || !in_order || !fits {
            return Err(Errno::EINVAL);
        }
        Ok(DeadlineParams { runtime, deadline, period })
    }

    fn bandwidth(self) -> u64 {
        ((self.runtime << BANDWIDTH_SHIFT) / self.period).max(1)
    }
}

/// A task's part of it.
#[derive(Default)]
pub(super) struct DeadlineTask {
    runtime: AtomicU64,
    relative: AtomicU64,
    period: AtomicU64,
    /// The bandwidth that it was admitted with; 0: none. Changes under `ADMISSION`.
    admitted: AtomicU64,
    /// What is left of its runtime; it is charged by the CPU that runs it.
    left: AtomicI64,
    /// It waits for its next period.
    throttled: AtomicBool,
    state: DeadlineState,
    /// Begins that. Made when it is admitted.
    timer: Once<(Timer, Arc<NextPeriod>)>,
}

impl DeadlineTask {
    pub fn params(&self) -> DeadlineParams {
        DeadlineParams {
            runtime: self.runtime.load(Relaxed),
            deadline: self.relative.load(Relaxed),
            period: self.period.load(Relaxed),
        }
    }
    /// Changes what it asks for. It is not queued.
    pub fn set_params(&self, params: DeadlineParams) {
        self.runtime.store(params.runtime, Relaxed);
        self.relative.store(params.deadline, Relaxed);
        self.period.store(params.period, Relaxed);
    }
    pub fn state(&self) -> &DeadlineState {
        &self.state
    }
    /// A period begins now.
    pub fn begin(&self, now: u64) {
        let params = self.params();
        self.state.set_deadline(now + params.deadline);
        self.left.store(params.runtime.cast_signed(), Relaxed);
    }
    pub fn charge(&self, ran: u64) {
        self.left.store(self.left.load(Relaxed).saturating_sub_unsigned(ran), Relaxed);
    }
    pub fn is_used_up(&self) -> bool {
        self.left.load(Relaxed) <= 0
    }
    /// It wants no more of this period (`sched_yield(2)`).
    pub fn give_up(&self) {
        self.left.store(self.left.load(Relaxed).min(0), Relaxed);
    }
    fn next_period(&self) -> u64 {
        let params = self.params();
        self.state.deadline().saturating_sub(params.deadline).saturating_add(params.period)
    }
    /// As many periods later as what it ran too long takes.
    fn refill(&self, now: u64) {
        let params = self.params();
        let overrun = self.left.load(Relaxed).min(0).unsigned_abs();
        let periods = overrun / params.runtime.max(1) + 1;
        let left = params.runtime.saturating_mul(periods) - overrun;
        self.left.store(left.cast_signed(), Relaxed);
        self.state.set_deadline(self.state.deadline() + params.period.saturating_mul(periods));
        if self.state.deadline() < now {
            self.begin(now);
        }
    }
    /// It wakes: until when it has to wait, if it has to.
    fn wakes(&self, now: u64) -> Option<u64> {
        let params = self.params();
        let (deadline, next) = (self.state.deadline(), self.next_period());
        let spent = self.is_used_up() || (params.deadline < params.period && deadline < now);
        if spent && now < next {
            self.give_up();
            return Some(next);
        }
        let until = u128::from(deadline.saturating_sub(now));
        let left = u128::from(self.left.load(Relaxed).max(0).unsigned_abs());
        let too_much = left * u128::from(params.deadline) > until * u128::from(params.runtime);
        if spent || too_much {
            self.begin(now);
        }
        None
    }
}

/// What the admitted tasks have.
struct Admission {
    bandwidth: u64,
    tasks: usize,
    /// For so many there is room on every queue.
    room: usize,
}

static ADMISSION: IrqSpinLock<Admission> =
    IrqSpinLock::new(&class::ADMISSION, Admission { bandwidth: 0, tasks: 0, room: 0 });

/// What there is for them; `None`: they are not limited.
fn limit(bandwidth: RealTimeBandwidth) -> Option<u64> {
    let runtime = u64::try_from(bandwidth.runtime).ok()?;
    let period = u64::from(bandwidth.period.cast_unsigned()).max(1);
    Some((runtime << BANDWIDTH_SHIFT) / period * cpu::online_count() as u64)
}

/// `EBUSY` if the admitted tasks have more than that.
pub(super) fn check_limit(bandwidth: RealTimeBandwidth) -> Result<()> {
    let admitted = ADMISSION.lock().bandwidth;
    if limit(bandwidth).is_some_and(|limit| limit < admitted) { Err(Errno::EBUSY) } else { Ok(()) }
}

/// Whether tasks are admitted only while there is bandwidth, and may not be tied to some of the CPUs.
pub fn is_limited() -> bool {
    limit(real_time_bandwidth()).is_some()
}

/// Whether `task` may run on all CPUs, as those with deadlines have to.
pub fn runs_everywhere(task: &Task) -> bool {
    let online = online_mask().0;
    task.sched.affinity().0 & online == online
}

/// Makes what one more task needs. May sleep; `ENOMEM`.
pub(super) fn prepare(task: &TaskSched) -> Result<()> {
    task.deadline.timer.call_once(|| {
        let next = Arc::new(NextPeriod(IrqSpinLock::new(&class::NEXT_PERIOD, None)));
        (Timer::new(next.clone()), next)
    });
    let admission = ADMISSION.lock();
    let (tasks, room) = (admission.tasks, admission.room);
    drop(admission);
    if tasks < room {
        return Ok(());
    }
    let wanted = (tasks + 1).next_power_of_two().max(16);
    for cpu in 0..cpu::online_count() {
        let mut room = Vec::new();
        room.try_reserve_exact(wanted).map_err(|_| Errno::ENOMEM)?;
        let mut queue = QUEUES.on(cpu).queue.lock();
        let old = queue.tasks.deadlines.grow(room);
        drop(queue);
        drop(old);
    }
    let mut admission = ADMISSION.lock();
    admission.room = admission.room.max(wanted);
    Ok(())
}

/// Admits a task, for other parameters if it is admitted already. `EBUSY` if there is not so much bandwidth left, `ESRCH` if it has exited, `EAGAIN`
/// if others took the room that was made for it.
pub(super) fn admit(task: &TaskSched, params: DeadlineParams) -> Result<()> {
    let mut admission = ADMISSION.lock();
    let (old, new) = (task.deadline.admitted.load(Relaxed), params.bandwidth());
    let total = admission.bandwidth - old + new;
    if new != old && limit(real_time_bandwidth()).is_some_and(|limit| total > limit) {
        return Err(Errno::EBUSY);
    }
    if task.state() == TaskState::Dead {
        return Err(Errno::ESRCH);
    }
    if old == 0 {
        if admission.tasks == admission.room {
            return Err(Errno::EAGAIN);
        }
        admission.tasks += 1;
    }
    admission.bandwidth = total;
    task.deadline.admitted.store(new, Relaxed);
    Ok(())
}

/// The task has no deadlines any more.
pub(super) fn leave(task: &TaskSched) {
    if task.deadline.admitted.load(Relaxed) != 0 {
        let mut admission = ADMISSION.lock();
        let admitted = task.deadline.admitted.swap(0, Relaxed);
        admission.bandwidth -= admitted;
        admission.tasks -= usize::from(admitted != 0);
    }
}

/// Ends a task's throttling.
struct NextPeriod(IrqSpinLock<Option<Arc<Task>>>);

impl TimerCallback for NextPeriod {
    fn expired(&self, now: Instant) -> Option<Instant> {
        let task = self.0.lock().take();
        if let Some(task) = task {
            let _exclusive = task.sched.wake_lock.lock();
            if task.sched.deadline.throttled.swap(false, Relaxed) {
                task.sched.deadline.refill(now.0);
                enqueue_on(choose_cpu(&task), task.clone(), 0);
            }
        }
        None
    }
}

/// The running task used its runtime up and leaves its queue.
pub(super) fn begin_throttling(task: &TaskSched) {
    task.deadline.throttled.store(true, Relaxed);
}

/// It has left its CPU, where the caller runs now.
pub(super) fn throttle(task: Arc<Task>) {
    let _exclusive = task.sched.wake_lock.lock();
    if task.sched.deadline.throttled.load(Relaxed) {
        wait_until(&task, task.sched.deadline.next_period());
    }
}

/// A task that wakes, with its wake lock held; whether it has to wait for its next period.
pub(super) fn throttle_woken(task: &Arc<Task>, now: u64) -> bool {
    let until = task.sched.deadline.wakes(now);
    if let Some(until) = until {
        begin_throttling(&task.sched);
        wait_until(task, until);
    }
    until.is_some()
}

fn wait_until(task: &Arc<Task>, until: u64) {
    if let Some((timer, next)) = task.sched.deadline.timer.get() {
        *next.0.lock() = Some(Arc::clone(task));
        timer.arm(Instant(until));
    }
}

/// The task's policy changed, its wake lock is held: whether it was throttled, and is to be queued now that it is not.
pub(super) fn stop_throttling(task: &TaskSched) -> bool {
    let was_throttled =
        !task.has_policy(Policy::Deadline) && task.deadline.throttled.swap(false, Relaxed);
    if was_throttled && let Some((timer, next)) = task.deadline.timer.get() {
        timer.cancel();
        drop(next.0.lock().take());
    }
    was_throttled
}

/// Where a task with a deadline runs soonest: on an idle CPU, else on one whose task is of a lower class, else where the latest deadline runs; among
/// equals where it was last.
pub(super) fn choose_cpu(task: &Task) -> usize {
    let last = task.sched.cpu();
    let count = cpu::online_count();
    let cpus = (0..count).map(|step| (last + step) % count);
    let ease = |cpu: &usize| {
        let running = QUEUES.on(*cpu).queue.lock().running;
        match running.map(|running| running.band) {
            None => (0, Reverse(0)),
            Some(Band::Fair) => (1, Reverse(0)),
            Some(Band::RealTime(_)) => (2, Reverse(0)),
            Some(Band::Deadline(deadline)) => (3, Reverse(deadline)),
        }
    };
    cpus.filter(|&cpu| task.sched.may_run_on(cpu)).min_by_key(ease).unwrap_or(last)
}
