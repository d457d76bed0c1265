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

struct NoHeap;

// SAFETY: never returns memory, so there is nothing to get wrong. Replaced by `mm::heap`.
unsafe impl core::alloc::GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: core::alloc::Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: core::alloc::Layout) {}
}

#[global_allocator]
static HEAP: NoHeap = NoHeap;
