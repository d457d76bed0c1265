//! `/proc/sys/net`: limits of sockets (Linux's Documentation/networking/ip-sysctl.rst).

use super::{Value, fixed, set_number, variable};
use crate::net::{inet::settings, options::DEFAULT_BUFFER, socket};
use abi::{Errno, Result};
use alloc::{format, string::String};

/// The rows.
pub const VALUES: &[Value] = &[
    fixed("net/core/rmem_default", || format!("{DEFAULT_BUFFER}")),
    fixed("net/core/rmem_max", || format!("{DEFAULT_BUFFER}")),
    variable(
        "net/core/somaxconn",
        || format!("{}", socket::max_backlog()),
        |bytes| set_number(bytes, 0..=i32::MAX.cast_unsigned(), socket::set_max_backlog),
    ),
    fixed("net/core/wmem_default", || format!("{DEFAULT_BUFFER}")),
    fixed("net/core/wmem_max", || format!("{DEFAULT_BUFFER}")),
    variable("net/ipv4/ip_local_port_range", local_ports, set_local_ports),
    fixed("net/ipv4/ip_unprivileged_port_start", || format!("{}", settings::FIRST_UNPRIVILEGED)),
    fixed("net/ipv4/tcp_available_congestion_control", || String::from("reno cubic")),
    fixed("net/ipv4/tcp_congestion_control", || String::from("cubic")),
    fixed("net/ipv4/tcp_fin_timeout", || String::from("60")),
    fixed("net/ipv4/tcp_max_tw_buckets", || format!("{}", settings::MOST_TIME_WAIT)),
    fixed("net/ipv4/tcp_rmem", || buffer_sizes(settings::RECEIVE_BUFFER)),
    fixed("net/ipv4/tcp_tw_reuse", || String::from("2")),
    fixed("net/ipv4/tcp_wmem", || buffer_sizes(settings::SEND_BUFFER)),
];

fn buffer_sizes([least, first, largest]: [usize; 3]) -> String {
    format!("{least}\t{first}\t{largest}")
}

fn local_ports() -> String {
    let (first, last) = settings::local_ports();
    format!("{first}\t{last}")
}

fn set_local_ports(bytes: &[u8]) -> Result<()> {
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => settings::set_local_ports(first, last),
        _ => Err(Errno::EINVAL),
    }
}
