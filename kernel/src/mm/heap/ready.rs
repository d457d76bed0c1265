//! Making sure of an allocation before it is made: `Box` and `Arc` cannot be told that there is no memory.

use super::{ClassId, class_of};
use crate::{arch::cpu, sync::PreemptGuard};
use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;

/// Has memory for one object of this layout at hand, where the next allocation finds it as long as the result lives; `None` if there is none. May
/// wait where an allocation may. Only an interrupt handler that allocates from the same class could take it before: then the reserve has to serve.
#[inline]
pub fn ready_for(layout: &Layout) -> Option<PreemptGuard> {
    let pinned = PreemptGuard::new();
    if class_of(layout).is_some_and(|class| has_object(class, &pinned)) {
        return Some(pinned);
    }
    drop(pinned);
    fetch(layout)
}

/// Whether this CPU's magazine has an object.
#[inline]
fn has_object(class: ClassId, _pinned: &PreemptGuard) -> bool {
    let here = cpu::magazines();
    if here.busy.get() {
        return false;
    }
    // SAFETY: this CPU's magazines are only borrowed by what runs on it. No task but this one does, as preemption is off; what this may have
    // interrupted does not use them (the mark), and what interrupts this does so before or after the one load that the borrow is for.
    let magazines = unsafe { &*here.magazines.get() };
    !magazines[class.index()].is_empty()
}

/// Brings an object, or pages, to this CPU's lists by a trial.
#[cold]
fn fetch(layout: &Layout) -> Option<PreemptGuard> {
    if layout.size() == 0 {
        return Some(PreemptGuard::new());
    }
    // SAFETY: the layout is not empty.
    let trial = unsafe { alloc(*layout) };
    if trial.is_null() {
        return None;
    }
    // What this CPU frees now is what it allocates next.
    let pinned = PreemptGuard::new();
    // SAFETY: allocated just above with this layout.
    unsafe { dealloc(trial, *layout) };
    Some(pinned)
}
