//! `/proc/sys` (`proc_sys(5)`): one row a value. What can be written takes effect; what Linux lets one write and nothing here
//! reads is not there.

mod ipc;
mod net;
mod vm;

use crate::{
    fs::{
        Inode,
        synthetic::{Attributes, StaticDir, SyntheticFs},
    },
    klog, params,
    process::{clone, host_name, limits, pid},
    random,
    sched::{self, stats},
    sync::lock_stat,
};
use abi::{Errno, Result};
use alloc::{boxed::Box, format, string::String, sync::Arc, vec::Vec};
use core::ops::RangeInclusive;

type Show = fn() -> String;
type Store = fn(&[u8]) -> Result<()>;

struct Value {
    path: &'static str,
    mode: u16,
    show: Show,
    store: Option<Store>,
}

const fn fixed(path: &'static str, show: Show) -> Value {
    Value { path, mode: 0o444, show, store: None }
}

const fn variable(path: &'static str, show: Show, store: Store) -> Value {
    Value { path, mode: 0o644, show, store: Some(store) }
}

const VALUES: &[Value] = &[
    fixed("fs/file-max", || String::from("9223372036854775807")),
    fixed("fs/nr_open", || format!("{}", limits::NR_OPEN)),
    fixed("fs/overflowgid", overflow_id),
    fixed("fs/overflowuid", overflow_id),
    fixed("fs/pipe-max-size", || String::from("1048576")),
    fixed("fs/protected_hardlinks", || String::from("0")),
    fixed("fs/protected_symlinks", || String::from("0")),
    fixed("kernel/cap_last_cap", || String::from("40")),
    variable("kernel/domainname", domain_name, |name| set_name(name, host_name::set_domain)),
    variable("kernel/hostname", node_name, |name| set_name(name, host_name::set_host)),
    variable("kernel/lock_stat", || format!("{}", u8::from(lock_stat::is_on())), set_lock_stat),
    fixed("kernel/ngroups_max", || String::from("65536")),
    fixed("kernel/osrelease", || String::from(host_name::RELEASE)),
    fixed("kernel/ostype", || String::from(host_name::SYSTEM)),
    fixed("kernel/overflowgid", overflow_id),
    fixed("kernel/overflowuid", overflow_id),
    fixed("kernel/panic", || format!("{}", params::get().panic)),
    variable(
        "kernel/pid_max",
        || format!("{}", pid::limit()),
        |bytes| set_number(bytes, pid::LIMITS, pid::set_limit),
    ),
    variable("kernel/printk", printk, set_printk),
    fixed("kernel/random/boot_id", boot_id),
    fixed("kernel/random/entropy_avail", || format!("{}", random::POOL_BITS)),
    fixed("kernel/random/poolsize", || format!("{}", random::POOL_BITS)),
    fixed("kernel/random/uuid", || uuid(fresh_uuid())),
    fixed("kernel/randomize_va_space", || {
        String::from(if params::get().no_randomize { "0" } else { "2" })
    }),
    variable(
        "kernel/sched_rt_period_us",
        || format!("{}", sched::real_time_bandwidth().period),
        |bytes| {
            let period = integer(bytes)?;
            sched::change_real_time_bandwidth(|bandwidth| bandwidth.period = period)
        },
    ),
    variable(
        "kernel/sched_rt_runtime_us",
        || format!("{}", sched::real_time_bandwidth().runtime),
        |bytes| {
            let runtime = integer(bytes)?;
            sched::change_real_time_bandwidth(|bandwidth| bandwidth.runtime = runtime)
        },
    ),
    variable(
        "kernel/sched_schedstats",
        || format!("{}", u8::from(stats::events_are_counted())),
        |bytes| set_number(bytes, 0..=1, |on| stats::count_events(on != 0)),
    ),
    variable(
        "kernel/threads-max",
        || format!("{}", clone::thread_limit()),
        |bytes| set_number(bytes, 1..=pid::PID_MAX, clone::set_thread_limit),
    ),
    fixed("kernel/version", || String::from(host_name::VERSION)),
];

fn node_name() -> String {
    String::from_utf8_lossy(&host_name::names().0).into_owned()
}

fn domain_name() -> String {
    String::from_utf8_lossy(&host_name::names().1).into_owned()
}

/// As with the other strings of Linux's table, what is beyond the limit is cut.
fn set_name(bytes: &[u8], set: fn(&[u8])) -> Result<()> {
    set(line(bytes));
    Ok(())
}

/// A decimal number in `range`; `EINVAL`.
fn number(bytes: &[u8], range: RangeInclusive<u32>) -> Result<u32> {
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    let number = text.trim().parse().ok().filter(|number| range.contains(number));
    number.ok_or(Errno::EINVAL)
}

/// A decimal number with or without a sign; `EINVAL`.
fn integer(bytes: &[u8]) -> Result<i32> {
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    text.trim().parse().map_err(|_| Errno::EINVAL)
}

fn set_number(bytes: &[u8], range: RangeInclusive<u32>, set: fn(u32)) -> Result<()> {
    set(number(bytes, range)?);
    Ok(())
}

fn set_lock_stat(bytes: &[u8]) -> Result<()> {
    lock_stat::turn(number(bytes, 0..=1)? != 0)
}

/// A written value without its newline.
fn line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|c| matches!(c, b'\n' | 0)).unwrap_or(bytes.len());
    &bytes[..end]
}

fn overflow_id() -> String {
    String::from("65534")
}

fn printk() -> String {
    format!("{}\t4\t1\t7", klog::console_level())
}

fn set_printk(bytes: &[u8]) -> Result<()> {
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    let level: u8 =
        text.split_whitespace().next().and_then(|word| word.parse().ok()).ok_or(Errno::EINVAL)?;
    klog::set_console_level(level);
    Ok(())
}

fn fresh_uuid() -> [u8; 16] {
    let mut bytes = [0; 16];
    random::fill(&mut bytes);
    // Version 4, variant 1 (RFC 9562).
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

fn uuid(b: [u8; 16]) -> String {
    let mut out = String::new();
    for (i, byte) in b.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

/// The same for as long as the system runs.
fn boot_id() -> String {
    static ID: crate::sync::Once<[u8; 16]> = crate::sync::Once::new();
    uuid(*ID.call_once(fresh_uuid))
}

/// Builds the tree.
pub fn build(fs: &Arc<SyntheticFs>) -> Arc<Inode> {
    let mut dirs: Vec<(&'static str, Arc<Inode>, Arc<StaticDir>)> = Vec::new();
    let (root, root_dir) = fs.dir(Attributes::root(0o555), Vec::new());
    dirs.push(("", root.clone(), root_dir));
    for value in VALUES.iter().chain(vm::VALUES).chain(ipc::VALUES).chain(net::VALUES) {
        let (parent, name) = value.path.rsplit_once('/').unwrap_or(("", value.path));
        let dir = directory(fs, &mut dirs, parent);
        dir.add(name.as_bytes(), node(fs, value));
    }
    root
}

/// The directory at `path`, made with its parents if need be.
fn directory(
    fs: &Arc<SyntheticFs>,
    dirs: &mut Vec<(&'static str, Arc<Inode>, Arc<StaticDir>)>,
    path: &'static str,
) -> Arc<StaticDir> {
    if let Some((.., dir)) = dirs.iter().find(|(have, ..)| *have == path) {
        return Arc::clone(dir);
    }
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = directory(fs, dirs, parent);
    let (inode, dir) = fs.dir(Attributes::root(0o555), Vec::new());
    parent.add(name.as_bytes(), Arc::clone(&inode));
    dirs.push((path, inode, Arc::clone(&dir)));
    dir
}

fn node(fs: &Arc<SyntheticFs>, value: &'static Value) -> Arc<Inode> {
    let show = value.show;
    let text = move |out: &mut String| {
        out.push_str(&show());
        out.push('\n');
        Ok(())
    };
    let store = value.store.map(|store| Box::new(store) as Box<_>);
    fs.setting(Attributes::root(value.mode), Box::new(text), store)
}
