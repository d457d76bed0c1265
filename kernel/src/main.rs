//! NOS: the boot order, as a list one can read.
#![no_std]
#![no_main]

extern crate alloc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
