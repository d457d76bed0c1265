//! The first serial port, for the one message that a failed boot leaves behind.

use core::fmt::{self, Write};

const COM1: u16 = 0x3f8;
const LINE_STATUS: u16 = COM1 + 5;
const TRANSMIT_EMPTY: u8 = 1 << 5;

struct Com1;

impl Write for Com1 {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: COM1's registers touch no memory; a missing port reads all ones and ends the
            // wait at once.
            unsafe {
                while inb(LINE_STATUS) & TRANSMIT_EMPTY == 0 {}
                outb(COM1, byte);
            }
        }
        Ok(())
    }
}

/// # Safety
/// Writing `value` to `port` must have no effect on memory.
unsafe fn outb(port: u16, value: u8) {
    // SAFETY: the caller vouches for the port.
    unsafe {
        core::arch::asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack));
    }
}

/// # Safety
/// Reading `port` must have no effect on memory.
unsafe fn inb(port: u16) -> u8 {
    let value;
    // SAFETY: the caller vouches for the port.
    unsafe {
        core::arch::asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack));
    }
    value
}

/// Says why the boot failed and stops the machine.
pub fn die(why: impl fmt::Display) -> ! {
    // Writing to the port cannot fail.
    let _ = write!(Com1, "loader: {why}\r\n");
    // SAFETY: port 0xf4 is QEMU's exit device or nothing; the CPU stays halted after it, so no
    // state has to survive.
    unsafe {
        outb(0xf4, 0x7f);
        loop {
            core::arch::asm!("cli; hlt");
        }
    }
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    die(info)
}
