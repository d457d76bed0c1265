//! The heap's checks in builds with debug assertions: see `slab::guard`.

use super::{CLASSES, ClassId};
use crate::arch::{
    backtrace::{self, Symbolized},
    cpu,
};
use core::alloc::Layout;
use slab::guard::{Damage, Guarded, Owner};

/// Marks an object that is handed out; it is passed through.
#[inline(never)]
pub fn note_allocation(object: *mut u8, class: ClassId, layout: &Layout) -> *mut u8 {
    if !object.is_null() {
        let mut guarded = guarded(object, class);
        if let Err(damage) = guarded.allocate(layout.size(), this_owner()) {
            complain(object, class, layout, guarded, damage);
        }
    }
    object
}

/// Checks and poisons an object that comes back.
#[inline(never)]
pub fn note_free(object: *mut u8, class: ClassId, layout: &Layout) {
    let mut guarded = guarded(object, class);
    if let Err(damage) = guarded.free(layout.size(), this_owner()) {
        complain(object, class, layout, guarded, damage);
    }
}

fn guarded(object: *mut u8, class: ClassId) -> Guarded {
    // SAFETY: an object of this class, which its user has just got or just given up; classes are chosen with room for the trailer.
    unsafe { Guarded::new(object, CLASSES.slab(class).size()) }
}

fn this_owner() -> Owner {
    let mut callers = [0; 4];
    backtrace::callers(backtrace::frame_pointer(), &mut callers);
    let thread = if cpu::current_task().is_null() { 0 } else { crate::sched::current().tid().0 };
    Owner { callers, thread, cpu: cpu::id() as u32 }
}

#[cold]
fn complain(
    object: *mut u8,
    class: ClassId,
    layout: &Layout,
    mut guarded: Guarded,
    damage: Damage,
) -> ! {
    let (allocated, freed) = guarded.owners();
    for (what, owner) in [("allocated", allocated), ("freed", freed)] {
        pr_err!("heap: last {what} by thread {} on CPU {}:", owner.thread, owner.cpu);
        for caller in owner.callers.into_iter().filter(|&caller| caller != 0) {
            pr_err!("heap:   {}", Symbolized(caller));
        }
    }
    panic!(
        "heap: object {object:p} of {} bytes (class {}): {damage:?}",
        layout.size(),
        CLASSES.slab(class).size()
    )
}
