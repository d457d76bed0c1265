//! What describes the kernel and its devices.

use crate::{arch::boot, fs::mount, process::host_name, time::rtc_device, tty::console};
use abi::Result;
use alloc::string::String;
use core::fmt::Write;

/// `version`.
pub fn version(out: &mut String) -> Result<()> {
    let (system, release, version) = (host_name::SYSTEM, host_name::RELEASE, host_name::VERSION);
    let _ = writeln!(out, "{system} version {release} (nos@localhost) {version}");
    Ok(())
}

/// `cmdline`.
pub fn command_line(out: &mut String) -> Result<()> {
    let _ = writeln!(out, "{}", boot::info().command_line());
    Ok(())
}

/// `filesystems`.
pub fn filesystems(out: &mut String) -> Result<()> {
    for kind in mount::file_system_types() {
        let nodev = if kind.needs_device() { "" } else { "nodev" };
        let _ = writeln!(out, "{nodev}\t{}", kind.name());
    }
    Ok(())
}

/// `devices`: the major numbers.
pub fn devices(out: &mut String) -> Result<()> {
    out.push_str(
        "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n\
         128 ptm\n136 pts\n",
    );
    if rtc_device::is_there() {
        let _ = writeln!(out, "{} rtc", rtc_device::DEVICE.major);
    }
    out.push_str("\nBlock devices:\n");
    Ok(())
}

/// `partitions`: the heading appears only above a first row.
pub fn partitions(_: &mut String) -> Result<()> {
    Ok(())
}

/// `diskstats`: a row a disk.
pub fn diskstats(_: &mut String) -> Result<()> {
    Ok(())
}

/// `modules`: the kernel has none.
pub fn modules(_: &mut String) -> Result<()> {
    Ok(())
}

/// `consoles`: where kernel messages go.
pub fn consoles(out: &mut String) -> Result<()> {
    if let Some(terminal) = console::terminal() {
        let device = terminal.device();
        let _ = writeln!(
            out,
            "{:<21}-W- (EC  p  ) {:4}:{}",
            terminal.name(),
            device.major,
            device.minor
        );
    }
    Ok(())
}

/// `tty/drivers`: driver, nodes, major and minor numbers, type.
pub fn tty_drivers(out: &mut String) -> Result<()> {
    const ROWS: [(&str, &str, u32, &str, &str); 6] = [
        ("/dev/tty", "tty", 5, "0", "system:/dev/tty"),
        ("/dev/console", "console", 5, "1", "system:console"),
        ("/dev/ptmx", "ptmx", 5, "2", "system"),
        ("serial", "ttyS", 4, "64-67", "serial"),
        ("pty_slave", "pts", 136, "0-1048575", "pty:slave"),
        ("pty_master", "ptm", 128, "0-1048575", "pty:master"),
    ];
    for (driver, node, major, minors, kind) in ROWS {
        let _ = writeln!(out, "{driver:<20} /dev/{node:<8} {major:3} {minors:>7} {kind}");
    }
    Ok(())
}

/// `tty/ldiscs`.
pub fn tty_ldiscs(out: &mut String) -> Result<()> {
    out.push_str("n_tty       0\n");
    Ok(())
}
