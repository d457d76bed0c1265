//! Per-CPU high-resolution timers: setting, cancelling and expiry do not grow with their number (`kernel/libs/timerwheel`).
//!
//! A timer is armed on the CPU that arms it, and stays there until it is armed anew elsewhere. Its callback runs on that
//! CPU, in the timer's interrupt, with no lock held. The interrupt is programmed for the first timer or the tick, whichever
//! comes first; a CPU whose first timer was set by another is asked to look.

use super::Instant;
use crate::{
    arch::{clock, cpu, irq},
    sched,
    sync::{IrqSpinLock, IrqSpinLockGuard, PerCpu, class, per_cpu},
};
use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool, AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use lists::Node;
use timerwheel::{Expires, Wheel};

/// What a timer does when it expires: in interrupt context, so it only marks, wakes and re-arms.
pub trait TimerCallback: Send + Sync {
    /// Called with interrupts off. A returned instant re-arms the timer.
    fn expired(&self, now: Instant) -> Option<Instant>;
}

/// A timer. Dropping it cancels it.
pub struct Timer(Arc<Node<Armable>>);

/// What a timer is in a wheel. Its fields change under the lock of the base that `cpu` names.
struct Armable {
    cpu: AtomicUsize,
    /// In nanoseconds; meaningful while armed.
    deadline: AtomicU64,
    /// Counts arms and cancels: a callback's wish to be armed again yields to a newer order.
    orders: AtomicU64,
    callback: Arc<dyn TimerCallback>,
}

impl Expires for Armable {
    fn expires(&self) -> u64 {
        self.deadline.load(Relaxed)
    }
}

/// One CPU's timers.
struct Timers {
    wheel: Wheel<Armable>,
    /// When the next interrupt is due; `u64::MAX`: none is programmed.
    programmed: u64,
    /// When the tick is due, if it runs.
    tick: Option<u64>,
}

struct Base {
    timers: IrqSpinLock<Timers>,
    /// The address of the timer whose callback runs here; 0: none.
    running: AtomicUsize,
    /// Another CPU set an earlier timer: program it.
    look: AtomicBool,
    /// Whether `Timers::tick` is set, to look without the lock.
    ticking: AtomicBool,
}

static BASES: PerCpu<Base> = per_cpu!(Base {
    timers: IrqSpinLock::new(
        &class::TIMER,
        Timers { wheel: Wheel::new(), programmed: u64::MAX, tick: None },
    ),
    running: AtomicUsize::new(0),
    look: AtomicBool::new(false),
    ticking: AtomicBool::new(false),
});

impl Timers {
    /// Programs this CPU's interrupt for what comes first.
    fn program(&mut self) {
        let first = self.wheel.next_expiry().unwrap_or(u64::MAX);
        let first = first.min(self.tick.unwrap_or(u64::MAX));
        if first != self.programmed {
            self.programmed = first;
            clock::set_timer((first != u64::MAX).then_some(first));
        }
    }
}

/// The base that holds `timer`, locked.
fn lock_base(timer: &Armable) -> (usize, &'static Base, IrqSpinLockGuard<'static, Timers>) {
    loop {
        let cpu = timer.cpu.load(Relaxed);
        let base = BASES.on(cpu);
        let timers = base.timers.lock();
        if timer.cpu.load(Relaxed) == cpu {
            return (cpu, base, timers);
        }
    }
}

impl Timer {
    /// An unarmed timer.
    pub fn new(callback: Arc<dyn TimerCallback>) -> Timer {
        Timer(Arc::new(Node::new(Armable {
            cpu: AtomicUsize::new(cpu::id()),
            deadline: AtomicU64::new(0),
            orders: AtomicU64::new(0),
            callback,
        })))
    }
    /// Arms (or moves) it.
    pub fn arm(&self, deadline: Instant) {
        let address = self.address();
        loop {
            let (cpu, base, mut timers) = lock_base(&self.0);
            timers.wheel.remove(&self.0);
            let here = cpu::id();
            if cpu != here && base.running.load(Relaxed) != address {
                // Interrupts are off, so this is still our CPU in the next round. Another who arms it may come between.
                self.0.cpu.store(here, Relaxed);
                continue;
            }
            self.0.orders.fetch_add(1, Relaxed);
            self.0.deadline.store(deadline.0, Relaxed);
            // It is in no wheel: only the base that it names may hold it, and it was taken out.
            let _ = timers.wheel.insert(self.0.clone());
            if deadline.0 < timers.programmed {
                if cpu == here {
                    timers.program();
                } else {
                    base.look.store(true, Release);
                    cpu::send_reschedule(cpu);
                }
            }
            return;
        }
    }
    /// Disarms it, and waits for a callback that runs on another CPU; whether it was armed.
    pub fn cancel(&self) -> bool {
        let mut was_armed = false;
        loop {
            let (cpu, base, mut timers) = lock_base(&self.0);
            self.0.orders.fetch_add(1, Relaxed);
            was_armed |= timers.wheel.remove(&self.0).is_some();
            let here = cpu::id();
            drop(timers);
            if cpu == here || base.running.load(Acquire) != self.address() {
                return was_armed;
            }
            while base.running.load(Acquire) == self.address() {
                cpu::relax();
            }
        }
    }
    /// When it expires, if armed.
    pub fn deadline(&self) -> Option<Instant> {
        let (_, _, timers) = lock_base(&self.0);
        timers.wheel.contains(&self.0).then(|| Instant(self.0.deadline.load(Relaxed)))
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Runs what has expired by `now` on this CPU. Interrupts are off.
fn expire(base: &Base, now: Instant) {
    let mut timers = base.timers.lock();
    while let Some(timer) = timers.wheel.pop_expired(now.0) {
        let orders = timer.orders.load(Relaxed);
        base.running.store(Arc::as_ptr(&timer).addr(), Release);
        drop(timers);
        let again = timer.callback.expired(now);
        timers = base.timers.lock();
        base.running.store(0, Release);
        if let Some(again) = again
            && timer.orders.load(Relaxed) == orders
        {
            timer.deadline.store(again.0, Relaxed);
            // It was taken out above, and nobody armed it since.
            let _ = timers.wheel.insert(timer);
        }
    }
}

/// This CPU's timer interrupt, with interrupts off, after the controller was told (EOI). `from_user`: it interrupted user mode.
pub fn timer_interrupt(from_user: bool) {
    let base = BASES.here_unguarded();
    let now = super::monotonic();
    let due = {
        let mut timers = base.timers.lock();
        timers.programmed = u64::MAX;
        // A tick that is due is dealt with here: timers that callbacks arm must not program it again.
        timers.tick.take_if(|tick| *tick <= now.0).is_some()
    };
    expire(base, now);
    let goes_on = due && sched::tick(now, from_user);
    let mut timers = base.timers.lock();
    if due {
        timers.tick = goes_on.then_some(now.0 + sched::TICK);
        base.ticking.store(goes_on, Relaxed);
    }
    timers.program();
}

/// Starts this CPU's tick, unless it runs. Interrupts are off.
pub fn start_tick(first: Instant) {
    debug_assert!(!irq::enabled());
    let base = BASES.here_unguarded();
    if base.ticking.load(Relaxed) {
        return;
    }
    let mut timers = base.timers.lock();
    timers.tick = Some(first.0);
    base.ticking.store(true, Relaxed);
    if first.0 < timers.programmed {
        timers.program();
    }
}

/// Programs a timer that another CPU set here. The scheduler calls it whenever it runs.
#[inline]
pub fn check_reprogram() {
    let base = BASES.here_unguarded();
    if base.look.load(Relaxed) && base.look.swap(false, AcqRel) {
        base.timers.lock().program();
    }
}
