//! The system as a whole: names, memory figures, random bytes, the kernel log, switching off.

use super::table::calls;
use crate::{
    drivers::power,
    klog,
    mm::{MemoryStats, PAGE_SIZE, UserAddr, user},
    process::{Capability, capable, clone, host_name},
    random, sched, syslog, time,
};
use abi::{Errno, Result, general};
use alloc::vec::Vec;
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    uname => uname;
    sethostname => sethostname;
    setdomainname => setdomainname;
    sysinfo => sysinfo;
    getrandom => getrandom;
    syslog => syslog_call;
    vhangup => vhangup;
    reboot => reboot;
}

fn vhangup(_: &[usize; 6]) -> Result<usize> {
    if !capable(Capability::SysTtyConfig) {
        return Err(Errno::EPERM);
    }
    crate::tty::vhangup().map(|()| 0)
}

fn uname(args: &[usize; 6]) -> Result<usize> {
    let (host, domain) = host_name::names();
    let fields: [&[u8]; 6] = [
        host_name::SYSTEM.as_bytes(),
        &host,
        host_name::RELEASE.as_bytes(),
        host_name::VERSION.as_bytes(),
        host_name::MACHINE.as_bytes(),
        &domain,
    ];
    let mut buffer = [[0u8; 65]; 6];
    for (field, text) in buffer.iter_mut().zip(fields) {
        let len = text.len().min(field.len() - 1);
        field[..len].copy_from_slice(&text[..len]);
    }
    user::copy_to_user(UserAddr(args[0]), buffer.as_flattened())?;
    Ok(0)
}

/// Reads a host or domain name of at most 64 bytes.
fn read_name(args: &[usize; 6]) -> Result<Vec<u8>> {
    if !capable(Capability::SysAdmin) {
        return Err(Errno::EPERM);
    }
    let len = usize::try_from(args[1] as u32 as i32).ok().filter(|&len| len <= host_name::LIMIT);
    user::read_array(UserAddr(args[0]), len.ok_or(Errno::EINVAL)?)
}

fn sethostname(args: &[usize; 6]) -> Result<usize> {
    host_name::set_host(&read_name(args)?);
    Ok(0)
}

fn setdomainname(args: &[usize; 6]) -> Result<usize> {
    host_name::set_domain(&read_name(args)?);
    Ok(0)
}

/// `struct sysinfo`.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
struct Sysinfo {
    uptime: u64,
    loads: [u64; 3],
    total_ram: u64,
    free_ram: u64,
    shared_ram: u64,
    buffer_ram: u64,
    total_swap: u64,
    free_swap: u64,
    processes: u16,
    pad: u16,
    pad2: u32,
    total_high: u64,
    free_high: u64,
    unit: u32,
    tail: u32,
}

fn sysinfo(args: &[usize; 6]) -> Result<usize> {
    let memory = MemoryStats::now();
    let bytes = |pages: usize| (pages * PAGE_SIZE) as u64;
    let info = Sysinfo {
        // Rounded up, as on Linux.
        uptime: time::monotonic().0.div_ceil(1_000_000_000),
        // From 11 fraction bits to 16.
        loads: sched::load_averages().map(|load| load << 5),
        total_ram: bytes(memory.total),
        free_ram: bytes(memory.free),
        shared_ram: bytes(memory.used.shmem),
        processes: u16::try_from(clone::thread_count()).unwrap_or(u16::MAX),
        unit: 1,
        ..Sysinfo::default()
    };
    user::write(UserAddr(args[0]), &info)?;
    Ok(0)
}

fn getrandom(args: &[usize; 6]) -> Result<usize> {
    let &[addr, len, flags, ..] = args;
    let flags = flags as u32;
    let known = general::GRND_NONBLOCK | general::GRND_RANDOM | general::GRND_INSECURE;
    let both = general::GRND_RANDOM | general::GRND_INSECURE;
    if flags & !known != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    // The generator is seeded before the first program starts, so nothing ever waits.
    let len = len.min(i32::MAX as usize);
    let mut done = 0;
    let mut chunk = [0; 256];
    while done < len {
        let part = &mut chunk[..(len - done).min(256)];
        random::fill(part);
        let copied = user::copy_to_user_partial(UserAddr(addr).add(done), part);
        done += copied;
        if copied < part.len() {
            break;
        }
        // Large requests give way to signals.
        if done % PAGE_SIZE == 0 && crate::process::signal::pending(&sched::current()) {
            break;
        }
    }
    if done == 0 && len != 0 { Err(Errno::EFAULT) } else { Ok(done) }
}

/// `syslog(2)`: the kernel log, by records that carry their level and time.
fn syslog_call(args: &[usize; 6]) -> Result<usize> {
    let &[action, addr, len, ..] = args;
    let len = args_len(len);
    if !matches!(action, 3 | 10) && !capable(Capability::Syslog) && !capable(Capability::SysAdmin) {
        return Err(Errno::EPERM);
    }
    match action {
        // Open and close do nothing.
        0 | 1 => Ok(0),
        // Read, read all, read all and clear.
        2..=4 if addr == 0 => Err(Errno::EINVAL),
        2 => syslog::read(UserAddr(addr), len?),
        3 => syslog::read_all(UserAddr(addr), len?),
        4 => {
            let done = syslog::read_all(UserAddr(addr), len?)?;
            syslog::clear();
            Ok(done)
        }
        5 => {
            syslog::clear();
            Ok(0)
        }
        6 => {
            klog::set_console_level(1);
            Ok(0)
        }
        7 => {
            klog::set_console_level(7);
            Ok(0)
        }
        8 => {
            let level = len?;
            if !(1..=8).contains(&level) {
                return Err(Errno::EINVAL);
            }
            klog::set_console_level(level as u8);
            Ok(0)
        }
        9 => Ok(syslog::unread()),
        10 => Ok(syslog::BUFFER_SIZE),
        _ => Err(Errno::EINVAL),
    }
}

fn args_len(len: usize) -> Result<usize> {
    usize::try_from(len as u32 as i32).map_err(|_| Errno::EINVAL)
}

fn reboot(args: &[usize; 6]) -> Result<usize> {
    const MAGIC1: u32 = 0xfee1_dead;
    const MAGIC2: [u32; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];
    const RESTART: u32 = 0x0123_4567;
    const RESTART2: u32 = 0xa1b2_c3d4;
    const HALT: u32 = 0xcdef_0123;
    const CAD_ON: u32 = 0x89ab_cdef;
    const CAD_OFF: u32 = 0;
    const POWER_OFF: u32 = 0x4321_fedc;
    if !capable(Capability::SysBoot) {
        return Err(Errno::EPERM);
    }
    if args[0] as u32 != MAGIC1 || !MAGIC2.contains(&(args[1] as u32)) {
        return Err(Errno::EINVAL);
    }
    match args[2] as u32 {
        RESTART | RESTART2 => {
            pr_info!("reboot: Restarting system");
            power::restart()
        }
        HALT => {
            pr_info!("reboot: System halted");
            power::halt()
        }
        POWER_OFF => {
            pr_info!("reboot: Power down");
            power::power_off()
        }
        // There is no keyboard whose Ctrl-Alt-Del could matter: both settings hold.
        CAD_ON | CAD_OFF => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}
