//! Calling a function on other CPUs.
//!
//! Each CPU has one slot for the call that it has under way: the function, and the CPUs that have not
//! finished. The caller sets its bit in each target's `calls` and interrupts those whose `calls` was
//! empty; a target takes all bits at once and runs one slot after the other. The caller waits with
//! interrupts on, so two CPUs may call each other. No lock.

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    apic,
    cpu::{self, CpuMask, MAX_CPUS},
    irq,
    trap::vector,
};

type Function = &'static (dyn Fn() + Sync);

#[repr(align(64))]
struct Slot {
    function: UnsafeCell<Option<Function>>,
    /// The targets that have not run it yet.
    waiting_for: AtomicU64,
}

// SAFETY: the owner writes `function` only while `waiting_for` is 0; targets read it only while their
// bit is set, which they see after the write (release and acquire on `calls`).
unsafe impl Sync for Slot {}

static SLOTS: [Slot; MAX_CPUS] =
    [const { Slot { function: UnsafeCell::new(None), waiting_for: AtomicU64::new(0) } }; MAX_CPUS];

/// Runs `f` on every online CPU in `mask` other than this one and waits for them. Interrupts must be
/// on, or the CPUs could wait for each other.
pub(super) fn call_on(mask: CpuMask, f: &(dyn Fn() + Sync)) {
    debug_assert!(irq::enabled());
    irq::preempt_disable();
    let me = cpu::id();
    let targets = CpuMask(mask.0 & cpu::online().0).without(me);
    if targets.0 != 0 {
        let slot = &SLOTS[me];
        // SAFETY: the reference is taken back (by the wait below) before `f` ends its life. The
        // slot is this CPU's, and its last call is over.
        unsafe {
            *slot.function.get() = Some(core::mem::transmute::<&(dyn Fn() + Sync), Function>(f));
        }
        slot.waiting_for.store(targets.0, Ordering::Relaxed);
        for target in targets.iter() {
            let before = cpu::local_of(target).calls.fetch_or(1 << me, Ordering::AcqRel);
            if before == 0 {
                apic::send_ipi(target, vector::CALL);
            }
        }
        while slot.waiting_for.load(Ordering::Acquire) != 0 {
            cpu::relax();
        }
    }
    irq::preempt_enable();
}

/// The interrupt's handler: runs what other CPUs asked for.
pub(super) fn run_calls() {
    let me = cpu::id();
    let mut callers = cpu::local().calls.swap(0, Ordering::AcqRel);
    while callers != 0 {
        let caller = callers.trailing_zeros() as usize;
        callers &= callers - 1;
        let slot = &SLOTS[caller];
        // SAFETY: the caller set our bit after it wrote the function, and waits until we clear ours.
        if let Some(function) = unsafe { *slot.function.get() } {
            function();
        }
        slot.waiting_for.fetch_and(!(1 << me), Ordering::Release);
    }
}
