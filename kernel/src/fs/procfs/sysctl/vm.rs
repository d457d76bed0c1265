//! `/proc/sys/vm`.

use super::{Value, fixed, integer, number, set_number, variable};
use crate::{
    fs::procfs::system::kibibytes,
    mm::{self, MemoryStats, overcommit},
};
use abi::{Errno, Result};
use alloc::{format, string::String};

pub const VALUES: &[Value] = &[
    variable(
        "vm/admin_reserve_kbytes",
        || format!("{}", overcommit::admin_reserve()),
        |bytes| long(bytes).map(overcommit::set_admin_reserve),
    ),
    variable(
        "vm/max_map_count",
        || format!("{}", mm::max_map_count()),
        |bytes| set_number(bytes, 0..=i32::MAX.cast_unsigned(), mm::set_max_map_count),
    ),
    fixed("vm/min_free_kbytes", || format!("{}", min_free_kbytes())),
    fixed("vm/mmap_min_addr", || String::from("65536")),
    variable(
        "vm/overcommit_kbytes",
        || format!("{}", overcommit::limit_kibibytes()),
        |bytes| long(bytes).map(overcommit::set_limit_kibibytes),
    ),
    variable("vm/overcommit_memory", || format!("{}", overcommit::mode() as u8), set_overcommit),
    variable(
        "vm/overcommit_ratio",
        || format!("{}", overcommit::ratio()),
        |bytes| integer(bytes).map(overcommit::set_ratio),
    ),
    fixed("vm/swappiness", || String::from("60")),
    variable(
        "vm/user_reserve_kbytes",
        || format!("{}", overcommit::user_reserve()),
        |bytes| long(bytes).map(overcommit::set_user_reserve),
    ),
];

fn set_overcommit(bytes: &[u8]) -> Result<()> {
    overcommit::set_mode(match number(bytes, 0..=2)? {
        0 => overcommit::Mode::Guess,
        1 => overcommit::Mode::Always,
        _ => overcommit::Mode::Never,
    });
    Ok(())
}

/// A decimal number without a sign; `EINVAL`.
fn long(bytes: &[u8]) -> Result<u64> {
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    text.trim().parse().map_err(|_| Errno::EINVAL)
}

/// Linux's rule: the square root of 16 times the memory in KiB.
fn min_free_kbytes() -> usize {
    (kibibytes(MemoryStats::now().total) * 16).isqrt().clamp(128, 262_144)
}
