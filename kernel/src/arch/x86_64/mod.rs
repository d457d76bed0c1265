//! x86-64: the only place with assembly, model-specific registers, control registers and ports.
//!
//! The rest of the kernel calls what this module re-exports.

mod apic;
pub mod backtrace;
pub mod boot;
pub mod clock;
pub mod code_switch;
pub mod copy;
pub mod cpu;
pub mod cpuinfo;
mod entry;
mod extable;
pub mod features;
pub mod fpu;
mod gdt;
pub mod interrupt;
pub mod io;
mod ioapic;
mod ipi;
pub mod irq;
pub mod paging;
pub mod pcid;
pub mod random;
pub mod section_watch;
pub mod segments;
pub mod smp;
mod start;
pub mod stop;
pub mod thread;
pub mod trap;
pub mod uaccess;

use crate::{
    drivers::acpi,
    mm::{self, RegionUse},
};
use boot::RegionKind;
use core::ops::Range;

pub use thread::Thread;
pub use trap::TrapFrame;

/// Goes over to the kernel's own page tables.
pub fn map_memory() {
    // SAFETY: this is the first CPU on its boot stack in the image, once; the map is the loader's.
    unsafe { mm::map_early(regions(), boot::info().image) };
}

/// The memory allocators, which need the ACPI tables; the loader's memory is free afterwards.
pub fn init_memory() {
    // SAFETY: this is the first CPU, once; the map is the loader's, and nothing of the loader's own is used any more.
    unsafe { mm::init_early(regions(), boot::info().image, acpi::topology()) };
}

/// Memory, as the loader told of it.
fn regions() -> impl Iterator<Item = (Range<usize>, RegionUse)> + Clone {
    let limit = crate::params::get().mem.unwrap_or(usize::MAX);
    boot::info().regions.iter().filter_map(move |region| {
        let range = region.range.clone();
        match region.kind {
            RegionKind::Usable | RegionKind::Loader if range.start < limit => {
                Some((range.start..range.end.min(limit), RegionUse::Free))
            }
            RegionKind::KernelAndModules | RegionKind::Firmware => Some((range, RegionUse::Keep)),
            _ => None,
        }
    })
}

/// Tries the ways to copy to and from user memory, on one CPU.
pub fn choose_user_copy_routine() {
    uaccess::calibrate();
}

/// Interrupt controllers and clocks, on the first CPU; needs the ACPI tables.
pub fn init_interrupts() {
    ioapic::mask_legacy();
    apic::init(true);
    smp::place_first();
    ioapic::init();
    clock::calibrate();
    clock::init_timer();
}
