//! Devices: serial ports, ACPI tables, clocks, power.

pub mod acpi;
pub mod hpet;
pub mod power;
pub mod rtc;
pub mod serial;
