//! Stopping the other CPUs for a panic, by an interrupt that cannot be masked; each leaves its
//! registers behind.

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    TrapFrame, apic, clock, cpu,
    cpu::{CpuMask, MAX_CPUS},
};

/// How long the CPUs have to answer.
const TIMEOUT_NS: u64 = 200_000_000;

/// Registers that a stopped CPU left.
struct Stopped {
    done: AtomicBool,
    frame: UnsafeCell<TrapFrame>,
}

// SAFETY: a CPU writes its own element once, before it sets `done`; others read it only after.
unsafe impl Sync for Stopped {}

static ASKED: AtomicBool = AtomicBool::new(false);
static STOPPED: [Stopped; MAX_CPUS] =
    [const { Stopped { done: AtomicBool::new(false), frame: UnsafeCell::new(TrapFrame::ZERO) } };
        MAX_CPUS];

/// The CPUs that are to stop.
pub fn others() -> CpuMask {
    cpu::online().without(cpu::id())
}

/// Stops all other CPUs for good and waits a moment for them.
pub fn stop_others() {
    ASKED.store(true, Ordering::SeqCst);
    for cpu in others().iter() {
        apic::send_nmi(cpu);
    }
    let until = clock::now_ns() + TIMEOUT_NS;
    while clock::now_ns() < until && !others().iter().all(|cpu| registers(cpu).is_some()) {
        core::hint::spin_loop();
    }
}

/// The registers of a CPU that has stopped.
pub fn registers(cpu: usize) -> Option<&'static TrapFrame> {
    let stopped = &STOPPED[cpu];
    // SAFETY: once `done` is set the CPU never writes its registers again.
    stopped.done.load(Ordering::Acquire).then(|| unsafe { &*stopped.frame.get() })
}

/// The interrupt: stops here if that is what it is for.
pub(super) fn stop_if_asked(frame: &TrapFrame) {
    if !ASKED.load(Ordering::Acquire) {
        crate::pr_warn!("unexpected non-maskable interrupt on CPU {}", cpu::id());
        return;
    }
    let mine = &STOPPED[cpu::id()];
    if !mine.done.load(Ordering::Relaxed) {
        // SAFETY: only this CPU writes its element, and only this once.
        unsafe { *mine.frame.get() = *frame };
        mine.done.store(true, Ordering::Release);
    }
    cpu::halt_forever();
}
