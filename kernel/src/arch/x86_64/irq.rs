//! The interrupt flag and the preempt count.
//!
//! The preempt count counts the sections in which this CPU must go on with this task: one for each
//! section entered, [`HARDIRQ`] for each interrupt handler. Its top bit is the need-reschedule mark,
//! inverted as on Linux: set means that nothing is due. So leaving the outermost section with work
//! pending is one decrement that reaches zero.

use core::{arch::asm, sync::atomic::Ordering};

use super::{
    code_switch::preserving_registers, cpu, cpu::offset, section_watch, thread::WorkFlags,
};

/// Set: no reschedule is due.
const NOTHING_DUE: u32 = 1 << 31;
/// One interrupt handler.
const HARDIRQ: u32 = 1 << 16;
/// A CPU starts with preemption off; its idle task turns it on.
pub(super) const BOOT_COUNT: u32 = NOTHING_DUE | 1;

/// The saved interrupt flag.
#[derive(Clone, Copy)]
#[must_use]
pub struct IrqState(pub bool);

/// Turns interrupts off on this CPU; returns what they were.
#[inline]
pub fn save_and_disable() -> IrqState {
    let state = enabled();
    disable();
    IrqState(state)
}

/// Puts the flag back.
#[inline]
pub fn restore(state: IrqState) {
    if state.0 {
        enable();
    }
}

/// Whether interrupts are on.
#[inline]
pub fn enabled() -> bool {
    let flags: usize;
    // SAFETY: reads the flags through the stack.
    unsafe { asm!("pushfq; pop {}", out(reg) flags, options(preserves_flags)) };
    flags & 1 << 9 != 0
}

/// Turns interrupts off. A compiler barrier, as the section it opens must stay inside.
#[inline]
pub fn disable() {
    // SAFETY: masking interrupts breaks nothing.
    unsafe { asm!("cli", options(nostack)) };
    if section_watch::ON {
        section_watch::begin();
    }
}

/// Turns interrupts on.
#[inline]
pub fn enable() {
    if section_watch::ON {
        section_watch::end_if_preemptible();
    }
    // SAFETY: handlers are installed before the first call; they keep to irq-safe locks.
    unsafe { asm!("sti", options(nostack)) };
}

/// Enters a section in which this CPU keeps running this task.
#[inline]
pub fn preempt_disable() {
    // SAFETY: GS points to this CPU's block, and a single instruction cannot be split by an
    // interrupt. Not `nomem`: what follows must not move before it.
    unsafe { asm!("inc dword ptr gs:[{}]", const offset::PREEMPT_COUNT, options(nostack)) };
    if section_watch::ON {
        section_watch::begin();
    }
}

/// Leaves it; calls the scheduler when a reschedule became due meanwhile.
#[inline]
pub fn preempt_enable() {
    if section_watch::ON && preempt_count() == 1 && enabled() {
        section_watch::end();
    }
    // SAFETY: as in `preempt_disable`; the call preserves all registers.
    unsafe {
        asm!(
            "dec dword ptr gs:[{count}]",
            "jnz 2f",
            "call {preempt}",
            "2:",
            count = const offset::PREEMPT_COUNT,
            preempt = sym preempt_preserving_registers,
        );
    }
}

preserving_registers!(
    /// Calls [`preempt`]: the code around the many ends of sections need not save registers for the rare case.
    preempt_preserving_registers calls preempt
);

extern "C" fn preempt() {
    // With interrupts off the interrupt that made it due is still to come, or the section that
    // turned them off is to end first.
    if enabled() {
        crate::sched::preempt_schedule();
    }
}

/// Leaves it without ever calling the scheduler (the scheduler's own exit path).
#[inline]
pub fn preempt_enable_no_resched() {
    if section_watch::ON && preempt_count() == 1 && enabled() {
        section_watch::end();
    }
    // SAFETY: as in `preempt_disable`.
    unsafe { asm!("dec dword ptr gs:[{}]", const offset::PREEMPT_COUNT, options(nostack)) };
}

#[inline]
fn raw_count() -> u32 {
    let count: u32;
    // SAFETY: GS points to this CPU's block.
    unsafe {
        asm!("mov {:e}, gs:[{}]", out(reg) count, const offset::PREEMPT_COUNT, options(nostack, preserves_flags));
    }
    count
}

/// The depth of preemption-off sections, interrupts included.
#[inline]
pub fn preempt_count() -> u32 {
    raw_count() & !NOTHING_DUE
}

/// Whether this runs in an interrupt handler (device, timer or IPI; not an exception of a task).
#[inline]
pub fn in_interrupt() -> bool {
    preempt_count() >= HARDIRQ
}

/// Marks this CPU as due for a reschedule.
pub fn set_need_resched() {
    // SAFETY: GS points to this CPU's block; a single instruction.
    unsafe {
        asm!("and dword ptr gs:[{}], {}", const offset::PREEMPT_COUNT, const !NOTHING_DUE as i32, options(nostack));
    }
    super::thread::set_current_work(WorkFlags::RESCHED);
}

/// Whether a reschedule is due on this CPU.
#[inline]
pub fn need_resched() -> bool {
    raw_count() & NOTHING_DUE == 0
}

/// Takes the mark away (the scheduler, when it picks).
pub fn clear_need_resched() {
    // SAFETY: GS points to this CPU's block; a single instruction.
    unsafe {
        asm!("or dword ptr gs:[{}], {}", const offset::PREEMPT_COUNT, const NOTHING_DUE as i32, options(nostack));
    }
    super::thread::clear_current_work(WorkFlags::RESCHED);
}

/// Enters an interrupt handler.
#[inline]
pub(super) fn enter() {
    let local = cpu::local();
    local.interrupts.store(local.interrupts.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    // SAFETY: GS points to this CPU's block; a single instruction.
    unsafe {
        asm!("add dword ptr gs:[{}], {}", const offset::PREEMPT_COUNT, const HARDIRQ, options(nostack));
    }
}

/// Leaves it. Whether the interrupted kernel code is to be preempted is the caller's to ask.
#[inline]
pub(super) fn leave() {
    // SAFETY: GS points to this CPU's block; a single instruction.
    unsafe {
        asm!("sub dword ptr gs:[{}], {}", const offset::PREEMPT_COUNT, const HARDIRQ, options(nostack));
    }
}

/// Whether kernel code that an interrupt found with interrupts on is to give way now.
#[inline]
pub(super) fn preemption_due() -> bool {
    raw_count() == 0
}
