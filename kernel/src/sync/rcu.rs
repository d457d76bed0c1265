//! Read-copy-update, by quiescent states: a reader turns preemption off and does nothing else.
//!
//! The algorithm is in `kernel/libs/rcu`, with its proof and its loom tests. Here is its place in the kernel: a CPU passes
//! a quiescent state at every context switch and idles in its idle task; the tick moves its callbacks on; a
//! thread for each CPU (`rcu/N`) runs those whose grace period is over. A CPU that a grace period waits for is
//! interrupted after a few ticks, which makes it switch; a stall is reported.

use super::{IrqSpinLock, PerCpu, PreemptGuard, WaitQueue, class, per_cpu};
use crate::{
    arch::cpu::{self, CpuMask, MAX_CPUS},
    sched,
    time::{self, Instant},
};
use abi::Result;
use alloc::{boxed::Box, collections::LinkedList, format, sync::Arc};
use core::{
    marker::PhantomData,
    ops::Deref,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};
use rcu::{GracePeriod, GracePeriods, Stages};

/// A read-side critical section.
#[must_use]
pub struct RcuGuard(PreemptGuard);

/// A callback, boxed.
type Callback = Box<dyn FnOnce() + Send>;

/// What one CPU has to do after grace periods.
struct Callbacks {
    stages: IrqSpinLock<Stages<Callback>>,
    /// Wakes the CPU's thread.
    runnable: WaitQueue,
    /// When the period that the CPU waits for began, on the monotonic clock.
    since: AtomicU64,
}

impl Callbacks {
    /// Moves callbacks on as far as grace periods allow; whether some may run.
    fn advance(&self, stages: &mut Stages<Callback>, now: Instant) -> bool {
        let before = stages.period();
        stages.advance(&PERIODS);
        if stages.period() != before {
            self.since.store(now.0, Ordering::Relaxed);
        }
        stages.is_done()
    }
}

static PERIODS: GracePeriods<MAX_CPUS> = GracePeriods::new();
static CALLBACKS: PerCpu<Callbacks> = per_cpu!(Callbacks {
    stages: IrqSpinLock::new(&class::RCU, Stages::new()),
    runnable: WaitQueue::new(),
    since: AtomicU64::new(0),
});

/// When CPUs that are late are interrupted.
const KICK_AFTER: u64 = 8_000_000;
/// How long who waits for callbacks sleeps before it looks again, at first and at most.
const SHORTEST_NAP: Duration = Duration::from_micros(50);
const LONGEST_NAP: Duration = Duration::from_millis(1);
/// When a stall is reported, and how often again.
const STALL_AFTER: u64 = 10_000_000_000;

/// Enters a read-side critical section. Do not sleep in it.
#[inline]
pub fn read() -> RcuGuard {
    RcuGuard(PreemptGuard::new())
}

/// Runs `f` after a grace period, outside interrupts.
pub fn call(f: Callback) {
    let pinned = PreemptGuard::new();
    CALLBACKS.here(&pinned).stages.lock().push(f);
}

/// Waits for a grace period. Sleeps.
pub fn synchronize() {
    let over = Arc::new((AtomicBool::new(false), WaitQueue::new()));
    let told = Arc::clone(&over);
    call(Box::new(move || {
        told.0.store(true, Ordering::Release);
        told.1.wake_all();
    }));
    over.1.wait(|| over.0.load(Ordering::Acquire).then_some(()));
}

/// Waits for every callback queued before. May sleep. It does not wait for ticks: with one CPU it takes two context switches, with more
/// as long as the others take to answer an interrupt.
pub fn barrier() {
    let left = Arc::new((AtomicUsize::new(cpu::online_count()), WaitQueue::new()));
    for cpu in 0..cpu::online_count() {
        let left = Arc::clone(&left);
        let callback = Box::new(move || {
            if left.0.fetch_sub(1, Ordering::Release) == 1 {
                left.1.wake_all();
            }
        });
        CALLBACKS.on(cpu).stages.lock().push(callback);
    }
    let is_over = || left.0.load(Ordering::Acquire) == 0;
    let mut nap = SHORTEST_NAP;
    while !is_over() {
        // One period that runs already, and one for what came since.
        for _ in 0..3 {
            hurry();
        }
        for cpu in 0..cpu::online_count() {
            let period = CALLBACKS.on(cpu).stages.lock().period();
            if let Some(period) = period {
                kick_holdouts(period);
            }
        }
        let deadline = time::monotonic().after(nap);
        left.1.wait_at_most(deadline, || is_over().then_some(()));
        nap = (2 * nap).min(LONGEST_NAP);
    }
}

/// Moves the callbacks of all CPUs on as a tick does. The caller is in no read-side section.
fn hurry() {
    for cpu in 0..cpu::online_count() {
        let pinned = PreemptGuard::new();
        // Who is in a section has preemption off, so nobody here is.
        note_quiescent();
        let callbacks = CALLBACKS.on(cpu);
        let runnable = callbacks.advance(&mut callbacks.stages.lock(), time::monotonic());
        drop(pinned);
        if runnable {
            callbacks.runnable.wake_all();
        }
    }
}

/// Interrupts the CPUs that a grace period waits for, which makes them switch.
fn kick_holdouts(period: GracePeriod) {
    for cpu in PERIODS.holdouts(period).filter(|&cpu| cpu < cpu::online_count()) {
        cpu::send_reschedule(cpu);
    }
}

/// This CPU is in no read-side section: at return to user mode (optional there, a plain store).
#[inline]
pub fn note_quiescent() {
    PERIODS.quiescent(cpu::id());
}

/// This CPU stops reading until [`leave_idle`]. Interrupts are off.
pub fn enter_idle() {
    PERIODS.enter_idle(cpu::id());
}

/// This CPU may read again. Also brings a CPU online. Interrupts are off.
pub fn leave_idle() {
    PERIODS.leave_idle(cpu::id());
}

/// Whether this CPU has callbacks that wait: it keeps its tick while it does.
pub fn needs_tick() -> bool {
    let callbacks = CALLBACKS.here_unguarded();
    callbacks.stages.lock().is_waiting()
}

/// Moves this CPU's callbacks on: every tick, with interrupts off.
pub fn tick(now: Instant) {
    let callbacks = CALLBACKS.here_unguarded();
    let mut stages = callbacks.stages.lock();
    if !stages.is_waiting() {
        return;
    }
    let runnable = callbacks.advance(&mut stages, now);
    let late = stages
        .period()
        .filter(|_| now.0.saturating_sub(callbacks.since.load(Ordering::Relaxed)) >= KICK_AFTER);
    drop(stages);
    if let Some(period) = late {
        kick_holdouts(period);
        report_stall(callbacks, now, PERIODS.holdouts(period));
    }
    if runnable {
        callbacks.runnable.wake_all();
    }
}

fn report_stall(callbacks: &Callbacks, now: Instant, holdouts: impl Iterator<Item = usize>) {
    let age = now.0.saturating_sub(callbacks.since.load(Ordering::Relaxed));
    if age < STALL_AFTER {
        return;
    }
    // Once in that time: the report counts as a new beginning.
    callbacks.since.store(now.0, Ordering::Relaxed);
    for cpu in holdouts {
        crate::sched::warn_stall(cpu, age);
    }
}

/// Starts the thread that runs the callbacks of `cpu`.
pub fn start_thread(cpu: usize) -> Result<()> {
    let body = move || {
        loop {
            let callbacks = CALLBACKS.on(cpu);
            // Interruptible, so that the idle thread does not count as load; no signal reaches it.
            let batch = callbacks.runnable.wait_interruptible(|| {
                let batch: LinkedList<Callback> = callbacks.stages.lock().take();
                (!batch.is_empty()).then_some(batch)
            });
            for callback in batch.into_iter().flatten() {
                callback();
            }
        }
    };
    let task = sched::spawn_kthread(&format!("rcu/{cpu}"), Box::new(body))?;
    // What exits faster than an equal share of the CPU can free would fill memory.
    sched::set_nice(&task, -20);
    sched::set_affinity(&task, CpuMask::of(cpu))
}

/// An `Arc` that readers follow under RCU without touching its count, and that writers replace.
pub struct RcuArc<T> {
    pointer: AtomicPtr<T>,
    value: PhantomData<Arc<T>>,
}

impl<T: Send + Sync + 'static> RcuArc<T> {
    /// Starts with `value`.
    pub fn new(value: Arc<T>) -> Self {
        Self { pointer: AtomicPtr::new(Arc::into_raw(value).cast_mut()), value: PhantomData }
    }
    /// Borrows under RCU.
    #[inline]
    pub fn get<'a>(&'a self, _guard: &'a RcuGuard) -> &'a T {
        // SAFETY: the pointer is of an `Arc` whose count this cell owned when it was loaded; `store` gives that
        // count up only after a grace period, which outlasts the section that `_guard` stands for.
        unsafe { &*self.pointer.load(Ordering::Acquire) }
    }
    /// Takes a counted reference.
    pub fn load(&self) -> Arc<T> {
        let _section = read();
        let pointer = self.pointer.load(Ordering::Acquire);
        // SAFETY: the cell's count is still there during this section (see `get`), so the count is not zero and
        // may be raised; the new count is the result's.
        unsafe {
            Arc::increment_strong_count(pointer);
            Arc::from_raw(pointer)
        }
    }
    /// Replaces it; the old one is released after a grace period.
    pub fn store(&self, value: Arc<T>) {
        let old = self.pointer.swap(Arc::into_raw(value).cast_mut(), Ordering::AcqRel);
        // SAFETY: the swap made the cell's old count ours alone.
        let old = unsafe { Arc::from_raw(old) };
        call(Box::new(move || drop(old)));
    }
}

impl<T> Drop for RcuArc<T> {
    fn drop(&mut self) {
        // SAFETY: nobody borrows the cell any more, so its count is ours. Sections that borrowed from it ended
        // before (`get` ties the borrow to the cell).
        drop(unsafe { Arc::from_raw(*self.pointer.get_mut()) });
    }
}

impl Deref for RcuGuard {
    type Target = PreemptGuard;
    fn deref(&self) -> &PreemptGuard {
        &self.0
    }
}
