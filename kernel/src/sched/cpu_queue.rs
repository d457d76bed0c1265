//! One CPU's queue, who runs there, and the clock of its accounting.

use super::{
    bandwidth,
    params::Policy,
    task::{TaskSched, bump},
};
use crate::{
    arch::{clock, cpu, irq},
    process::Task,
    sync::{IrqSpinLock, IrqSpinLockGuard, Once, PerCpu, class, per_cpu},
    time::{Instant, Timer, TimerCallback},
};
use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Relaxed, Release},
};
use lists::End;
use runqueue::{Band, RunQueue, WAKE_UP_GRANULARITY, virtual_time_of};

/// How long a task has the CPU before another of its class takes it for having been woken, unless an interrupt woke that: a task
/// that wakes others again and again would give them the CPU each time. Setting a timer and taking its interrupt has to be little
/// beside it, and takes a virtual machine some ten microseconds.
const TURN: u64 = 750_000;

/// So many calls that find nothing, after a task was woken, end the turn.
const VAIN_CALLS: u8 = 4;

/// What a task that was just queued may ask of the running one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claim {
    /// It waits until it is picked.
    None,
    /// The CPU at the end of the running task's turn, which is then.
    EndOfTurn(u64),
    /// The CPU at once.
    Now,
}

/// What a CPU runs, as its queue knows it. A copy: the task itself is the CPU's.
#[derive(Clone, Copy)]
pub(super) struct Running {
    /// The task's address, to tell it from others; never followed.
    task: usize,
    pub band: Band,
    /// Under `SCHED_IDLE`.
    is_idle: bool,
    /// Its time counts as that of nice tasks.
    is_nice: bool,
    weight: u64,
    /// Virtual time when it was last charged.
    virtual_time: u64,
    /// When it was last charged, in monotonic nanoseconds.
    since: u64,
    /// When it got the CPU.
    began: u64,
    /// A task that was woken since waits for the end of its turn.
    contested: bool,
    /// How many calls found nothing since then.
    vain_calls: u8,
}

impl Running {
    fn virtual_now(&self, now: u64) -> u64 {
        let ran = now.saturating_sub(self.since);
        self.virtual_time + virtual_time_of(ran, self.weight)
    }
}

/// Under the queue's lock.
pub(super) struct Queue {
    pub tasks: RunQueue<Task>,
    /// `None`: the idle task.
    pub running: Option<Running>,
    /// The running task used up its slice: it queues behind its equals.
    pub slice_used: bool,
    /// Since when a tick has found real-time tasks running and others waiting, and none of those got the CPU. 0: it is not so.
    starved_since: u64,
    /// Until when the others go before real-time tasks. 0: they do not.
    rest_until: u64,
    /// Nanoseconds that tasks waited here, and how often one got the CPU.
    pub waited: u64,
    pub arrivals: u64,
}

/// One CPU's.
pub(super) struct CpuQueue {
    pub queue: IrqSpinLock<Queue>,
    /// Runnable tasks, the running one included (the idle task not). Changes under the queue's lock; read by others to choose.
    pub runnable: AtomicUsize,
    /// Tasks that went to uninterruptible sleep here, less those that woke here: the sum over CPUs is the load they are.
    pub uninterruptible: AtomicI64,
    /// A reschedule interrupt is on its way.
    pub kicked: AtomicBool,
    /// Whether this CPU has a scheduler.
    pub online: AtomicBool,
    pub switches: AtomicU64,
    /// Marks the end of the running task's turn when others wait for that.
    turn: Once<Timer>,
}

pub(super) static QUEUES: PerCpu<CpuQueue> = per_cpu!(CpuQueue {
    queue: IrqSpinLock::new(
        &class::RUN_QUEUE,
        Queue {
            tasks: RunQueue::new(),
            running: None,
            slice_used: false,
            starved_since: 0,
            rest_until: 0,
            waited: 0,
            arrivals: 0,
        },
    ),
    runnable: AtomicUsize::new(0),
    uninterruptible: AtomicI64::new(0),
    kicked: AtomicBool::new(false),
    online: AtomicBool::new(false),
    switches: AtomicU64::new(0),
    turn: Once::new(),
});

impl CpuQueue {
    /// Tasks come to the queue, or leave it. Its lock is held: others only read, so this is no locked instruction.
    pub fn count_runnable(&self, change: isize) {
        let count = self.runnable.load(Relaxed).wrapping_add_signed(change);
        self.runnable.store(count, Relaxed);
    }
}

impl Queue {
    /// Takes in a runnable task that is on no queue; this is the queue of `cpu`. What it may ask of the running task.
    pub fn admit(&mut self, cpu: usize, task: Arc<Task>, slept: u64, now: u64) -> Claim {
        self.advance_clock(now);
        task.sched.move_to(cpu);
        self.tasks.place(&task, slept);
        task.sched.queued_at.store(now, Relaxed);
        task.sched.on_queue.store(true, Release);
        QUEUES.on(cpu).count_runnable(1);
        let claim = self.claim_of(&task, now);
        self.tasks.insert(task, End::Back);
        claim
    }

    /// Charges the running task, which is the current one here.
    pub fn settle(&mut self, task: &Task, now: u64) {
        let Some(running) = &mut self.running else { return };
        let ran = now.saturating_sub(running.since);
        running.since = now;
        bump(&task.sched.runtime, ran);
        task.sched.charged_at.store(now, Relaxed);
        super::load::charge(task, running.is_nice, ran);
        match running.band {
            Band::Fair => {
                task.sched.fair.charge(ran, running.weight);
                running.virtual_time = task.sched.fair.virtual_time();
            }
            Band::Deadline(_) => task.sched.deadline.charge(ran),
            Band::RealTime(_) => {}
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
        let band = task.sched.band();
        if band == Band::Fair {
            self.starved_since = 0;
        }
        self.running = Some(Running {
            task: core::ptr::from_ref(task).addr(),
            band,
            is_idle: task.sched.has_policy(Policy::Idle),
            is_nice: task.sched.is_nice(),
            weight: task.sched.weight(),
            virtual_time: task.sched.fair.virtual_time(),
            since: now,
            began: now,
            contested: false,
            vain_calls: 0,
        });
    }

    /// Takes the task that runs next.
    pub fn pick(&mut self, now: u64) -> Option<Arc<Task>> {
        if self.is_rest(now)
            && self.tasks.deadlines.is_empty()
            && let Some(task) = self.tasks.pick_fair()
        {
            return Some(task);
        }
        self.tasks.pick()
    }

    fn is_rest(&self, now: u64) -> bool {
        now < self.rest_until
    }

    /// The tick's look at tasks that real-time tasks keep from running; whether another should run now.
    pub fn watch_rest(&mut self, now: u64) -> bool {
        let urgent = self.running.is_some_and(|running| matches!(running.band, Band::RealTime(_)));
        if self.rest_until != 0 {
            let over = now >= self.rest_until;
            if over {
                self.rest_until = 0;
            }
            return over && self.tasks.best_real_time().is_some();
        }
        if !urgent || !self.tasks.has_fair() {
            self.starved_since = 0;
            return false;
        }
        if self.starved_since == 0 {
            self.starved_since = now;
        }
        let Some((runtime, rest)) = bandwidth::real_time_bandwidth().split() else { return false };
        let due = now - self.starved_since >= runtime;
        if due {
            self.starved_since = 0;
            self.rest_until = now + rest;
        }
        due
    }

    /// A task that waited here gets the CPU.
    pub fn arrive(&mut self, task: &Task, now: u64) {
        self.end_wait(task, now);
        self.arrivals += 1;
        bump(&task.sched.arrivals, 1);
        task.sched.charged_at.store(now, Relaxed);
    }

    /// A task waits here no longer.
    pub fn end_wait(&mut self, task: &Task, now: u64) {
        let waited = now.saturating_sub(task.sched.queued_at.load(Relaxed));
        self.waited += waited;
        bump(&task.sched.waited, waited);
    }

    /// The running task's parameters changed.
    pub fn running_changed(&mut self, task: &Task) {
        if let Some(running) = &mut self.running {
            running.band = task.sched.band();
            running.is_idle = task.sched.has_policy(Policy::Idle);
            running.is_nice = task.sched.is_nice();
            running.weight = task.sched.weight();
        }
    }

    /// Whether `task` is what runs here.
    pub fn runs(&self, task: &TaskSched) -> bool {
        let start = core::ptr::from_ref(task).addr();
        self.running.is_some_and(|running| start.wrapping_sub(running.task) < size_of::<Task>())
    }

    fn claim_of(&self, task: &Task, now: u64) -> Claim {
        let Some(running) = &self.running else { return Claim::Now };
        if self.is_rest(now) {
            match (task.sched.band(), running.band) {
                (Band::Fair, Band::RealTime(_)) => return Claim::Now,
                (Band::RealTime(_), Band::Fair) => return Claim::None,
                _ => {}
            }
        }
        if !Self::precedes(task, running, now) {
            return Claim::None;
        }
        let turn_ends = running.began + TURN;
        let equals =
            running.band == Band::Fair && task.sched.band() == Band::Fair && !running.is_idle;
        if equals && now < turn_ends && !irq::in_interrupt() {
            Claim::EndOfTurn(turn_ends)
        } else {
            Claim::Now
        }
    }

    /// Whether a woken task comes before the running one.
    fn precedes(task: &Task, running: &Running, now: u64) -> bool {
        match (task.sched.band(), running.band) {
            (Band::Deadline(new), Band::Deadline(old)) => new < old,
            (Band::Deadline(_), _) => true,
            (_, Band::Deadline(_)) => false,
            (Band::RealTime(new), Band::RealTime(old)) => new > old,
            (Band::RealTime(_), Band::Fair) => true,
            (Band::Fair, Band::RealTime(_)) => false,
            (Band::Fair, Band::Fair) if task.sched.has_policy(Policy::Idle) => false,
            (Band::Fair, Band::Fair) if running.is_idle => true,
            (Band::Fair, Band::Fair) if task.sched.has_policy(Policy::Batch) => false,
            (Band::Fair, Band::Fair) => {
                let new = task.sched.fair.virtual_time();
                new + WAKE_UP_GRANULARITY < running.virtual_now(now)
            }
        }
    }

    /// Notes that a task waits for the end of the running one's turn; whether none did before.
    fn contest(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| {
            running.vain_calls = 0;
            !core::mem::replace(&mut running.contested, true)
        })
    }

    /// Notes a call of the running task that found nothing; whether that ends its turn.
    fn note_vain_call(&mut self) -> bool {
        self.running.as_mut().filter(|running| running.contested).is_some_and(|running| {
            running.vain_calls = running.vain_calls.saturating_add(1);
            running.vain_calls >= VAIN_CALLS
        })
    }
}

/// Takes the CPU from a task whose turn is over.
struct TurnOver {
    cpu: usize,
}

impl TimerCallback for TurnOver {
    fn expired(&self, now: Instant) -> Option<Instant> {
        let running = QUEUES.on(self.cpu).queue.lock().running;
        let contested = running.filter(|running| running.contested)?;
        let end = contested.began + TURN;
        if now.0 < end {
            // Set for an earlier task's turn.
            return Some(Instant(end));
        }
        reschedule_cpu(self.cpu);
        None
    }
}

/// Sets up what `cpu` needs to run tasks, before it does.
pub(super) fn prepare(cpu: usize) {
    QUEUES.on(cpu).turn.call_once(|| Timer::new(Arc::new(TurnOver { cpu })));
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
    let of_cpu = QUEUES.on(cpu);
    let mut queue = of_cpu.queue.lock();
    let claim = queue.admit(cpu, task, slept, now);
    let first = matches!(claim, Claim::EndOfTurn(_)) && queue.contest();
    drop(queue);
    match (claim, of_cpu.turn.get()) {
        (Claim::None, _) => {}
        (Claim::EndOfTurn(end), Some(timer)) => {
            if first {
                timer.arm(Instant(end));
            }
        }
        (Claim::Now | Claim::EndOfTurn(_), _) => reschedule_cpu(cpu),
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

/// The current task looked for what others bring about, and it was not there. If it does so again and again while one that it woke waits
/// for the CPU, it polls for that one's work, and its turn is over.
pub fn found_nothing() {
    let task = super::current();
    if QUEUES.on(task.sched.cpu()).runnable.load(Relaxed) < 2 {
        // Nobody waits. A guess without the lock: it may be another CPU's by now.
        return;
    }
    let (_, mut queue) = lock_queue_of(&task.sched);
    if queue.note_vain_call() {
        irq::set_need_resched();
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
