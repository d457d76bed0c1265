//! x86-64: the only place with assembly, model-specific registers, control registers and ports.
//!
//! The rest of the kernel calls what this module re-exports.

mod apic;
pub mod backtrace;
pub mod boot;
pub mod clock;
pub mod copy;
pub mod cpu;
mod entry;
mod extable;
mod features;
pub mod fpu;
mod gdt;
pub mod interrupt;
pub mod io;
mod ioapic;
mod ipi;
pub mod irq;
pub mod kernel_paging;
pub mod paging;
pub mod random;
pub mod smp;
mod start;
pub mod stop;
pub mod thread;
pub mod trap;
pub mod uaccess;

pub use thread::Thread;
pub use trap::TrapFrame;

/// The kernel's own page tables, with its own permissions; the loader's memory is free afterwards.
pub fn init_paging() {
    kernel_paging::init();
}

/// Interrupt controllers and clocks, on the first CPU; needs the ACPI tables.
pub fn init_interrupts() {
    apic::init(true);
    ioapic::init();
    clock::calibrate();
    clock::init_timer();
}
