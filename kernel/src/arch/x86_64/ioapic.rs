//! The I/O APICs: routing of interrupt lines to vectors. The old interrupt controllers are masked.

use super::{cpu, io, irq};
use crate::{
    drivers::acpi,
    mm,
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use arrayvec::ArrayVec;
use core::sync::atomic::Ordering;

const VERSION: u32 = 1;
const REDIRECTION: u32 = 0x10;
const MASKED: u32 = 1 << 16;
const LEVEL: u32 = 1 << 15;
const ACTIVE_LOW: u32 = 1 << 13;

/// One controller: where its registers are and which lines it has.
struct Controller {
    registers: usize,
    first_line: u32,
    lines: u32,
}

static CONTROLLERS: SpinLock<ArrayVec<Controller, 8>> =
    SpinLock::new(&class::SERIAL, ArrayVec::new_const());

impl Controller {
    fn read(&self, register: u32) -> u32 {
        // SAFETY: `init` mapped the registers: an index at 0, a data window at 16.
        unsafe {
            (self.registers as *mut u32).write_volatile(register);
            ((self.registers + 16) as *const u32).read_volatile()
        }
    }

    fn write(&self, register: u32, value: u32) {
        // SAFETY: as in `read`.
        unsafe {
            (self.registers as *mut u32).write_volatile(register);
            ((self.registers + 16) as *mut u32).write_volatile(value);
        }
    }
}

/// Masks every line of every controller.
pub(super) fn init() {
    let mut controllers = CONTROLLERS.lock();
    for found in &acpi::madt().io_apics {
        let range = found.address.0..found.address.0 + 32;
        let Ok(registers) = mm::map_device(range) else { continue };
        let mut controller =
            Controller { registers: registers.0, first_line: found.first_line, lines: 0 };
        controller.lines = (controller.read(VERSION) >> 16 & 0xff) + 1;
        for line in 0..controller.lines {
            controller.write(REDIRECTION + line * 2, MASKED);
        }
        // More controllers than this leave their lines masked.
        let _ = controllers.try_push(controller);
    }
}

/// Moves the two 8259s off the exception vectors and masks all their lines. Before the local APIC stops
/// listening to them: a request that they have raised by then must still be seen to go away.
pub(super) fn mask_legacy() {
    // SAFETY: the 8259s' ports, in the order of their initialisation; where there are none the
    // writes go nowhere.
    unsafe {
        for (port, value) in [
            (0x20, 0x11),
            (0xa0, 0x11),
            (0x21, 0x20),
            (0xa1, 0x28),
            (0x21, 4),
            (0xa1, 2),
            (0x21, 1),
            (0xa1, 1),
            (0x21, 0xff),
            (0xa1, 0xff),
        ] {
            io::outb(port, value);
        }
    }
}

/// Sends an ISA line to `vector` on the first CPU. `ENODEV` when no controller has it.
pub(super) fn route_isa(line: u8, vector: u8) -> Result<()> {
    let given = acpi::madt().overrides.iter().find(|entry| entry.isa_line == line);
    let (global, level, active_low) = match given {
        Some(entry) => (entry.global_line, entry.level, entry.active_low),
        None => (u32::from(line), false, false),
    };
    let target = cpu::local_of(0).apic_id.load(Ordering::Relaxed);
    let state = irq::save_and_disable();
    let controllers = CONTROLLERS.lock();
    let result = controllers
        .iter()
        .find(|c| (c.first_line..c.first_line + c.lines).contains(&global))
        .map(|controller| {
            let register = REDIRECTION + (global - controller.first_line) * 2;
            let mut low = u32::from(vector);
            if level {
                low |= LEVEL;
            }
            if active_low {
                low |= ACTIVE_LOW;
            }
            controller.write(register + 1, target << 24);
            controller.write(register, low);
        })
        .ok_or(Errno::ENODEV);
    drop(controllers);
    irq::restore(state);
    result
}
