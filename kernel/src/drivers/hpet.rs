//! The high-precision event timer, used only as a clock of known rate to measure others by.

use crate::{drivers::acpi, mm, sync::Once};

const CAPABILITIES: usize = 0;
const CONFIGURATION: usize = 0x10;
const COUNTER: usize = 0xf0;
/// Femtoseconds in a nanosecond.
const FEMTOS: u64 = 1_000_000;
/// The longest period that the specification allows.
const MAX_PERIOD: u64 = 100_000_000;

/// The running main counter.
pub struct Hpet {
    registers: usize,
    /// Femtoseconds a tick.
    period: u64,
}

static HPET: Once<Option<Hpet>> = Once::new();

/// The counter, started, if the machine has one.
pub fn counter() -> Option<&'static Hpet> {
    HPET.call_once(|| {
        let start = acpi::hpet()?.0;
        let registers = mm::map_device(start..start + 4096).ok()?.0;
        let hpet = Hpet { registers, period: 0 };
        let period = hpet.register(CAPABILITIES) >> 32;
        if period == 0 || period > MAX_PERIOD {
            return None;
        }
        // SAFETY: the register page is mapped; bit 0 starts the counter.
        unsafe { ((registers + CONFIGURATION) as *mut u64).write_volatile(1) };
        Some(Hpet { registers, period })
    })
    .as_ref()
}

impl Hpet {
    fn register(&self, offset: usize) -> u64 {
        // SAFETY: the register page is mapped, and these registers are read without effect.
        unsafe { ((self.registers + offset) as *const u64).read_volatile() }
    }

    /// The counter now. Its upper half may be missing: compare with [`Hpet::elapsed_ns`].
    pub fn read(&self) -> u32 {
        self.register(COUNTER) as u32
    }

    /// Nanoseconds since the counter read `start`, up to some minutes.
    pub fn elapsed_ns(&self, start: u32) -> u64 {
        u64::from(self.read().wrapping_sub(start)) * self.period / FEMTOS
    }
}
