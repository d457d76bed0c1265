//! Turning the machine off, resetting it, and QEMU's way to end with a status.

use super::acpi;
use crate::arch::{clock, cpu, io, section_watch};

/// QEMU's `isa-debug-exit`: a write of n ends it with status 2n + 1. Elsewhere the port is nobody's.
const DEBUG_EXIT: u16 = 0xf4;
/// What the exit status is after a panic: 2 × 0x7f + 1 = 255.
const PANIC_STATUS: u8 = 0x7f;

/// Turns the machine off (ACPI S5), or stops it where that is not possible.
pub fn power_off() -> ! {
    section_watch::report();
    const SLEEP_ENABLE: u16 = 1 << 13;
    let power = acpi::power();
    if let Some(types) = power.off_type {
        for (port, sleep_type) in power.pm1_control.into_iter().zip(types) {
            if port != 0 {
                // SAFETY: the FADT says that this port is the power management control; the
                // machine ends here.
                unsafe { io::outw(port, u16::from(sleep_type) << 10 | SLEEP_ENABLE) };
            }
        }
        clock::delay_us(10_000);
    }
    // Machines without ACPI tables that emulators know.
    for (port, value) in [(0x604, 0x2000), (0xb004, 0x2000)] {
        // SAFETY: the machine is to end; nothing depends on the ports.
        unsafe { io::outw(port, value) };
    }
    cpu::halt_forever()
}

/// Resets the machine: by ACPI's register, the chip set's, the keyboard controller's.
pub fn restart() -> ! {
    if let Some((port, value)) = acpi::power().reset_port {
        // SAFETY: the FADT says that this resets the machine.
        unsafe { io::outb(port, value) };
        clock::delay_us(10_000);
    }
    // SAFETY: the machine is to end; nothing depends on the ports.
    unsafe {
        io::outb(0xcf9, 2);
        io::outb(0xcf9, 6);
        clock::delay_us(10_000);
        io::outb(0x64, 0xfe);
    }
    clock::delay_us(10_000);
    cpu::halt_forever()
}

/// Stops the machine with its power on (`reboot(2)`, `RB_HALT_SYSTEM`).
pub fn halt() -> ! {
    cpu::halt_forever()
}

/// Ends an emulator that offers it with the status that means a panic; returns where there is none.
pub fn exit_after_panic() {
    // SAFETY: QEMU ends here, or the port is nobody's.
    unsafe { io::outb(DEBUG_EXIT, PANIC_STATUS) };
}
