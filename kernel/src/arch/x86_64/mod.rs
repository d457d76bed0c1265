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
pub mod random;
pub mod section_watch;
pub mod segments;
pub mod smp;
mod start;
pub mod stop;
pub mod thread;
pub mod trap;
pub mod uaccess;

use crate::mm::{self, RegionUse};
use boot::RegionKind;

pub use thread::Thread;
pub use trap::TrapFrame;

/// The kernel's own page tables and the memory allocators; the loader's memory is free afterwards.
pub fn init_memory() {
    let info = boot::info();
    let limit = crate::params::get().mem.unwrap_or(usize::MAX);
    let regions = info.regions.iter().filter_map(move |region| {
        let range = region.range.clone();
        match region.kind {
            RegionKind::Usable | RegionKind::Loader if range.start < limit => {
                Some((range.start..range.end.min(limit), RegionUse::Free))
            }
            RegionKind::KernelAndModules | RegionKind::Firmware => Some((range, RegionUse::Keep)),
            _ => None,
        }
    });
    // SAFETY: this is the first CPU on its boot stack in the image, once; the map is the loader's,
    // and nothing of the loader's own is used any more.
    unsafe { mm::init_early(regions, info.image) };
}

/// Interrupt controllers and clocks, on the first CPU; needs the ACPI tables.
pub fn init_interrupts() {
    ioapic::mask_legacy();
    apic::init(true);
    ioapic::init();
    clock::calibrate();
    clock::init_timer();
}
