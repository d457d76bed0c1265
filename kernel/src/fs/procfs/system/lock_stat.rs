//! `lock_stat`: locks by class, in Linux's format (Documentation/locking/lockstat.rst) without the places in the code that waited.

use crate::sync::lock_stat::{self, Access, ClassReport, TimesSum};
use abi::Result;
use alloc::{format, string::String};
use core::fmt::Write;

const WIDTH: usize = 40 + 1 + 12 * 15;

/// Microseconds with two digits, rounded.
fn micros(nanos: u64) -> String {
    let hundredths = nanos.saturating_add(5) / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn columns(count: u64, times: &TimesSum) -> String {
    let average = times.total.checked_div(times.count).unwrap_or(0);
    let mut text = format!("{count:>14}");
    for time in [times.least, times.most, times.total, average] {
        let _ = write!(text, " {:>14}", micros(time));
    }
    text
}

/// The table.
pub fn show(out: &mut String) -> Result<()> {
    let rule = "-".repeat(WIDTH);
    let _ = write!(out, "lock_stat version 0.4\n{rule}\n{:>40}", "class name");
    for name in [
        "con-bounces",
        "contentions",
        "waittime-min",
        "waittime-max",
        "waittime-total",
        "waittime-avg",
        "acq-bounces",
        "acquisitions",
        "holdtime-min",
        "holdtime-max",
        "holdtime-total",
        "holdtime-avg",
    ] {
        let _ = write!(out, " {name:>14}");
    }
    let _ = writeln!(out, "\n{rule}\n");
    let report = lock_stat::report();
    let has_readers =
        |name: &str| report.iter().any(|line| line.name == name && line.access == Access::Shared);
    for line in &report {
        let ClassReport {
            name, waits, moved_waits, acquisitions, moved_acquisitions, holds, ..
        } = line;
        let name = match line.access {
            Access::Shared => format!("{name}-R"),
            Access::Exclusive if has_readers(name) => format!("{name}-W"),
            Access::Exclusive => String::from(*name),
        };
        let waits = columns(waits.count, waits);
        let holds = columns(*acquisitions, holds);
        let _ =
            writeln!(out, "{name:>40}:{moved_waits:>14} {waits} {moved_acquisitions:>14} {holds}");
    }
    Ok(())
}

/// Writing `0` clears it; anything else does nothing.
pub fn store(bytes: &[u8]) -> Result<()> {
    if bytes.first() == Some(&b'0') {
        lock_stat::clear();
    }
    Ok(())
}
