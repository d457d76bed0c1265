//! Devices: serial ports, ACPI tables, power.
