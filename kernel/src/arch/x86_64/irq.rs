//! The interrupt flag, the preempt count, and interrupt handlers.
//!
//! The preempt count carries an inverted need-reschedule bit, as on Linux: leaving the outermost
//! section with work pending is one decrement that reaches zero.

/// The saved interrupt flag.
#[derive(Clone, Copy)]
#[must_use]
pub struct IrqState(pub bool);

/// Turns interrupts off on this CPU; returns what they were.
pub fn save_and_disable() -> IrqState {
    todo!()
}

/// Puts the flag back.
pub fn restore(_state: IrqState) {
    todo!()
}

/// Whether interrupts are on.
pub fn enabled() -> bool {
    todo!()
}

/// Enters a section in which this CPU keeps running this task.
pub fn preempt_disable() {
    todo!()
}

/// Leaves it; calls the scheduler when a reschedule became due meanwhile.
pub fn preempt_enable() {
    todo!()
}

/// Leaves it without ever calling the scheduler (the scheduler's own exit path).
pub fn preempt_enable_no_resched() {
    todo!()
}

/// The depth of preemption-off sections, interrupts included.
pub fn preempt_count() -> u32 {
    todo!()
}

/// Marks this CPU as due for a reschedule.
pub fn set_need_resched() {
    todo!()
}

/// Whether a reschedule is due on this CPU.
pub fn need_resched() -> bool {
    todo!()
}

/// Takes the mark away (the scheduler, when it picks).
pub fn clear_need_resched() {
    todo!()
}

/// Whether this runs in an interrupt handler (device, timer or IPI; not an exception of a task).
///
/// What the machine calls on its way through interrupts:
/// - entry of every device, timer and IPI handler: [`crate::sched::interrupt_enter`] (ends the idle state);
/// - the timer's interrupt: [`crate::time::timer_interrupt`];
/// - return to kernel mode with a preempt count of 0 and a reschedule due: [`crate::sched::preempt_schedule_irq`];
/// - `preempt_enable` that reaches 0 with a reschedule due and interrupts on: [`crate::sched::preempt_schedule`];
/// - return to user mode with [`super::thread::WorkFlags::RESCHED`] or need-resched: [`crate::sched::schedule`].
pub fn in_interrupt() -> bool {
    todo!()
}
