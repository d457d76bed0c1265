//! What `/proc/sys/net` sets (Linux's Documentation/networking/ip-sysctl.rst).

use abi::{Errno, Result};
use core::sync::atomic::{AtomicU32, Ordering};

/// First and last port that are given to those who do not ask for one, in one word.
static LOCAL_PORTS: AtomicU32 = AtomicU32::new(32768 << 16 | 60999);

/// `net.ipv4.ip_local_port_range`.
pub fn local_ports() -> (u16, u16) {
    let word = LOCAL_PORTS.load(Ordering::Relaxed);
    ((word >> 16) as u16, word as u16)
}

/// Changes it; `EINVAL` for a range that is empty or begins at 0.
pub fn set_local_ports(first: u16, last: u16) -> Result<()> {
    if first == 0 || last < first {
        return Err(Errno::EINVAL);
    }
    LOCAL_PORTS.store(u32::from(first) << 16 | u32::from(last), Ordering::Relaxed);
    Ok(())
}

/// Least, first and largest size of a stream's buffer for sending (`net.ipv4.tcp_wmem`): a connection's has the largest, unless its size was
/// asked for. Linux goes to megabytes, which is for long paths; here the bytes between two programs are to stay in a processor's cache.
pub const SEND_BUFFER: [usize; 3] = [4096, 16384, 262_144];
/// The same for receiving (`net.ipv4.tcp_rmem`).
pub const RECEIVE_BUFFER: [usize; 3] = [4096, 131_072, 131_072];
/// The most connections that are kept in `TIME_WAIT` (`net.ipv4.tcp_max_tw_buckets`).
pub const MOST_TIME_WAIT: usize = 32768;
/// Ports below this need a privilege (`net.ipv4.ip_unprivileged_port_start`).
pub const FIRST_UNPRIVILEGED: u16 = 1024;
