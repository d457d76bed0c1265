//! NOS: the boot order, as a list one can read.
#![no_std]
#![no_main]
#![expect(
    dead_code,
    unused_imports,
    reason = "the interface between subsystems lands before its users"
)]

extern crate alloc;

mod arch;
mod drivers;
mod fs;
mod mm;
mod process;
mod sched;
mod sync;
mod syscall;
mod time;
mod tty;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[global_allocator]
static HEAP: mm::heap::KernelHeap = mm::heap::KernelHeap;
