//! Checks the lock order at run time in builds with debug assertions; costs nothing in others.
//!
//! Two stacks of held classes: spinning locks belong to the CPU (their holder cannot move), sleeping locks to the
//! task. A lock may be taken only above every rank held; locks that an interrupted task holds are not
//! counted against the interrupt handler, since no handler takes a lock that leaves interrupts on.

#[cfg(debug_assertions)]
pub use checked::*;
#[cfg(not(debug_assertions))]
pub use unchecked::*;

/// Who carries the lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    /// A spinning lock: this CPU.
    Cpu,
    /// A sleeping lock: the current task.
    Task,
}

#[cfg(not(debug_assertions))]
mod unchecked {
    use super::{super::LockClass, Holder};

    /// Checks that `class` may be taken now.
    #[inline(always)]
    pub fn check(_class: &'static LockClass, _holder: Holder) {}
    /// Records that `class` was taken.
    #[inline(always)]
    pub fn acquired(_class: &'static LockClass, _holder: Holder) {}
    /// Records that `class` was released.
    #[inline(always)]
    pub fn released(_class: &'static LockClass, _holder: Holder) {}
}

#[cfg(debug_assertions)]
mod checked {
    use super::{
        super::{LockClass, PerCpu, current, per_cpu},
        Holder,
    };
    use crate::arch::irq;
    use core::cell::UnsafeCell;

    const DEPTH: usize = 24;

    #[derive(Clone, Copy)]
    struct Entry {
        class: &'static LockClass,
        in_interrupt: bool,
    }

    struct Stack {
        entries: UnsafeCell<([Option<Entry>; DEPTH], usize)>,
    }

    // SAFETY: a stack is touched only by the CPU or the task that it belongs to, with interrupts off (`with`).
    unsafe impl Sync for Stack {}
    // SAFETY: as above; the entries are plain data.
    unsafe impl Send for Stack {}

    impl Stack {
        const fn new() -> Stack {
            Stack { entries: UnsafeCell::new(([None; DEPTH], 0)) }
        }

        /// Runs `f` on the held classes. Only for the stack of this CPU or of the current task.
        fn with<R>(&self, f: impl FnOnce(&mut [Option<Entry>; DEPTH], &mut usize) -> R) -> R {
            let state = irq::save_and_disable();
            // SAFETY: the stack belongs to this CPU or task, and interrupts are off, so nothing else runs here
            // until `f` returns; `f` does not come back into this module.
            let (entries, len) = unsafe { &mut *self.entries.get() };
            let result = f(entries, len);
            irq::restore(state);
            result
        }

        fn worst(&self, in_interrupt: bool) -> Option<&'static LockClass> {
            self.with(|entries, len| {
                entries[..*len]
                    .iter()
                    .flatten()
                    .filter(|held| held.in_interrupt == in_interrupt)
                    .map(|held| held.class)
                    .max_by_key(|class| class.rank)
            })
        }
    }

    /// The sleeping locks that a task holds.
    pub struct HeldByTask(Stack);

    impl Default for HeldByTask {
        fn default() -> Self {
            HeldByTask(Stack::new())
        }
    }

    static HELD: PerCpu<Stack> = per_cpu!(Stack::new());

    fn with_stack<R>(holder: Holder, f: impl FnOnce(&Stack) -> R) -> Option<R> {
        match holder {
            Holder::Cpu => Some(f(HELD.here_unguarded())),
            Holder::Task => current::try_current().map(|task| f(&task.sched.held_locks().0)),
        }
    }

    /// Checks that `class` may be taken now. Preemption is off for a CPU's lock.
    pub fn check(class: &'static LockClass, holder: Holder) {
        let in_interrupt = irq::in_interrupt();
        for side in [Holder::Cpu, Holder::Task] {
            let held = with_stack(side, |stack| stack.worst(in_interrupt)).flatten();
            let Some(held) = held else { continue };
            assert!(
                holder == Holder::Cpu || side == Holder::Task,
                "{} may sleep and is taken while {} spins",
                class.name,
                held.name
            );
            let allowed = held.rank < class.rank
                || (held.rank == class.rank && held.nests && core::ptr::eq(held, class));
            assert!(allowed, "lock order: {} is taken while {} is held", class.name, held.name);
        }
    }

    /// Records that `class` was taken.
    pub fn acquired(class: &'static LockClass, holder: Holder) {
        let in_interrupt = irq::in_interrupt();
        let _ = with_stack(holder, |stack| {
            stack.with(|entries, len| {
                entries[*len] = Some(Entry { class, in_interrupt });
                *len += 1;
            });
        });
    }

    /// Records that `class` was released.
    pub fn released(class: &'static LockClass, holder: Holder) {
        let _ = with_stack(holder, |stack| {
            stack.with(|entries, len| {
                let held = entries[..*len]
                    .iter()
                    .rposition(|entry| entry.is_some_and(|e| core::ptr::eq(e.class, class)));
                if let Some(index) = held {
                    entries.copy_within(index + 1..*len, index);
                    *len -= 1;
                }
            });
        });
    }
}
