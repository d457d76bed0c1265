//! The files at the top of `/proc` that are about the whole system.
//!
//! - `memory`: `meminfo`, `vmstat`, `buddyinfo`, `zoneinfo`, `swaps`.
//! - `slab`: `slabinfo`.
//! - `cpu`: `cpuinfo`, `stat`, `schedstat`, `loadavg`, `uptime`, `interrupts`, `softirqs`.
//! - `lock_stat`: statistics of locks.
//! - `kernel`: `version`, `cmdline`, `filesystems`, `devices`, and what describes devices there are none of.

mod cpu;
mod kernel;
mod lock_stat;
mod memory;
mod slab;

pub use memory::kibibytes;

use crate::{
    fs::{
        Inode,
        synthetic::{Attributes, SyntheticFs},
    },
    ipc::{message, semaphore, shm},
};
use abi::Result;
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

type Show = fn(&mut String) -> Result<()>;

const TEXTS: &[(&str, u16, Show)] = &[
    ("buddyinfo", 0o444, memory::buddyinfo),
    ("cmdline", 0o444, kernel::command_line),
    ("consoles", 0o444, kernel::consoles),
    ("cpuinfo", 0o444, cpu::cpuinfo),
    ("devices", 0o444, kernel::devices),
    ("diskstats", 0o444, kernel::diskstats),
    ("filesystems", 0o444, kernel::filesystems),
    ("interrupts", 0o444, cpu::interrupts),
    ("loadavg", 0o444, cpu::loadavg),
    ("meminfo", 0o444, memory::meminfo),
    ("modules", 0o444, kernel::modules),
    ("partitions", 0o444, kernel::partitions),
    ("schedstat", 0o444, cpu::schedstat),
    ("slabinfo", 0o400, slab::slabinfo),
    ("stat", 0o444, cpu::stat),
    ("swaps", 0o444, memory::swaps),
    ("uptime", 0o444, cpu::uptime),
    ("version", 0o444, kernel::version),
    ("vmstat", 0o444, memory::vmstat),
    ("zoneinfo", 0o444, memory::zoneinfo),
];

/// The fixed entries of `/proc`, but links.
pub fn entries(fs: &Arc<SyntheticFs>) -> Vec<(&'static str, Arc<Inode>)> {
    let mut entries: Vec<_> = TEXTS
        .iter()
        .map(|(name, mode, show)| (*name, fs.text(Attributes::root(*mode), show)))
        .collect();
    let (show, store) = (Box::new(lock_stat::show), Box::new(lock_stat::store));
    let locks = fs.writable_text(Attributes::root(0o600), Some(show), store);
    entries.push(("lock_stat", locks));
    let tty = [
        ("drivers", fs.text(Attributes::root(0o444), kernel::tty_drivers)),
        ("ldiscs", fs.text(Attributes::root(0o444), kernel::tty_ldiscs)),
    ];
    entries.push(("tty", fs.dir(Attributes::root(0o555), tty.into()).0));
    entries
}

/// `/proc/sysvipc` (`sysvipc(7)`).
pub fn sysvipc(fs: &Arc<SyntheticFs>) -> Arc<Inode> {
    let text = |show: fn(&mut String)| {
        fs.text(Attributes::root(0o444), move |out| {
            show(out);
            Ok(())
        })
    };
    let entries =
        [("msg", text(message::show)), ("sem", text(semaphore::show)), ("shm", text(shm::show))];
    fs.dir(Attributes::root(0o555), entries.into()).0
}
