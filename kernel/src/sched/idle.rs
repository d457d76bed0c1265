//! The idle task, the idle state, a CPU's start.
//!
//! An idle CPU has no tick and is no concern of RCU. The state begins with interrupts off, just before the CPU halts, and
//! ends at the entry of the interrupt that wakes it.

use super::{
    cpu_queue::{self, QUEUES},
    switch,
};
use crate::{
    arch::{self, clock, cpu, irq},
    process::{Pid, Task},
    sync::{Once, PerCpu, current, per_cpu, rcu},
};
use alloc::{format, sync::Arc};
use core::sync::atomic::{AtomicU64, Ordering};

/// One CPU's idle state.
struct Idle {
    task: Once<Arc<Task>>,
    /// How long it was halted so far, as [`Halted`] tells; one word, so that whoever looks on sees time that only grows.
    halted: AtomicU64,
}

/// Nanoseconds spent halted, and whether the CPU is halted now: twice the number, plus one if it is. Then the number is
/// what the monotonic clock has to be added to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Halted(u64);

impl Halted {
    fn is_now(self) -> bool {
        self.0 & 1 == 1
    }

    /// The time when the clock shows `now`.
    fn total(self, now: u64) -> u64 {
        let base = self.0.cast_signed() >> 1;
        if self.is_now() { base.wrapping_add_unsigned(now).cast_unsigned() } else { self.0 >> 1 }
    }

    fn begin(self, now: u64) -> Halted {
        Halted((self.0 >> 1).wrapping_sub(now) << 1 | 1)
    }

    fn end(self, now: u64) -> Halted {
        Halted(self.total(now) << 1)
    }
}

static IDLE: PerCpu<Idle> = per_cpu!(Idle { task: Once::new(), halted: AtomicU64::new(0) });

/// Makes what this CPU runs on its idle task and its run queue ready; the CPU can be placed on from now on. Once a CPU,
/// early: before it, [`current::current`] does not work.
pub fn init_this_cpu() {
    let cpu = cpu::id();
    let name = format!("swapper/{cpu}");
    let task = Task::new_kernel(&name, arch::Thread::running(), Some(Pid(0)))
        .expect("no memory for an idle task");
    task.sched.cpu.store(cpu, Ordering::Relaxed);
    current::install_first(task.clone());
    IDLE.on(cpu).task.call_once(|| task);
    let interrupts = irq::save_and_disable();
    rcu::leave_idle();
    irq::restore(interrupts);
    cpu_queue::prepare(cpu);
    QUEUES.on(cpu).online.store(true, Ordering::Release);
}

/// The idle task's life: the last call of a CPU's start.
pub fn idle_loop() -> ! {
    irq::restore(irq::IrqState(true));
    irq::preempt_enable_no_resched();
    let own = IDLE.on(cpu::id());
    let work = || irq::need_resched() || QUEUES.on(cpu::id()).runnable.load(Ordering::Relaxed) != 0;
    loop {
        // A page at a time, with interrupts on.
        if !work() && crate::mm::idle_work() {
            rcu::note_quiescent();
            continue;
        }
        let _ = irq::save_and_disable();
        if work() {
            irq::restore(irq::IrqState(true));
            switch::schedule();
            continue;
        }
        if rcu::needs_tick() {
            super::tick::restart();
        }
        let halted = Halted(own.halted.load(Ordering::Relaxed)).begin(clock::now_ns());
        own.halted.store(halted.0, Ordering::Release);
        rcu::enter_idle();
        cpu::idle_wait();
        // Interrupts are on: the one that woke us has been here, unless it was none of ours.
        let _ = irq::save_and_disable();
        interrupt_enter();
        irq::restore(irq::IrqState(true));
    }
}

/// The entry of every interrupt handler (not exceptions): ends the idle state of this CPU. Interrupts are off.
pub fn interrupt_enter() {
    let own = IDLE.here_unguarded();
    let halted = Halted(own.halted.load(Ordering::Relaxed));
    if halted.is_now() {
        rcu::leave_idle();
        own.halted.store(halted.end(clock::now_ns()).0, Ordering::Release);
    }
}

/// Nanoseconds that `cpu` was idle, up to now. Never less than it was before.
pub(super) fn idle_time(cpu: usize) -> u64 {
    let word = &IDLE.on(cpu).halted;
    loop {
        let halted = Halted(word.load(Ordering::Acquire));
        let total = halted.total(clock::now_ns());
        // If it is still halted, it was when the clock was read.
        if !halted.is_now() || word.load(Ordering::Acquire) == halted.0 {
            return total;
        }
    }
}

/// Whether this CPU is halted, or was when the interrupt that runs now came.
pub(super) fn runs_idle_task() -> bool {
    current::try_current().is_none_or(|task| is_idle_task(&task))
}

/// Whether `task` is an idle task.
pub(super) fn is_idle_task(task: &Task) -> bool {
    task.tid() == Pid(0)
}

/// The idle task of `cpu`, which has been set up.
pub(super) fn idle_task(cpu: usize) -> Arc<Task> {
    IDLE.on(cpu).task.get().expect("the CPU's scheduler was set up").clone()
}
