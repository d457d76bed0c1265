//! The rows of `/proc/net/tcp`, `/proc/net/udp` (`proc_pid_net(5)`) and `/proc/net/snmp`.

use super::{
    counters::{Counter, total},
    tcp::{self, Holder, State, Tuple},
    udp,
};
use abi::Errno;
use alloc::string::String;
use core::{
    fmt::{self, Write},
    net::SocketAddrV4,
};

/// How long a row of `/proc/net/tcp` is, and one of `/proc/net/udp`.
const TCP_WIDTH: usize = 149;
const UDP_WIDTH: usize = 127;
/// What Linux shows for addresses of the kernel.
const NO_POINTER: &str = "0000000000000000";
/// The timer of what is in `TIME_WAIT`.
const TIMER_TIME_WAIT: u32 = 3;

/// Ends a row at its width.
fn end_row(out: &mut String, start: usize, width: usize) {
    let written = out.len() - start;
    out.extend(core::iter::repeat_n(' ', width.saturating_sub(written)));
    out.push('\n');
}

/// An address as the words lie in memory, and a port.
struct Hex(SocketAddrV4);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = u32::from_ne_bytes(self.0.ip().octets());
        write!(f, "{word:08X}:{:04X}", self.0.port())
    }
}

/// Listeners first, then connections.
pub fn tcp(out: &mut String) -> fmt::Result {
    let mut number = 0;
    let mut result = Ok(());
    let mut row = |out: &mut String, write: &dyn Fn(&mut String, usize) -> fmt::Result| {
        let start = out.len();
        result = result.and(write(out, number));
        end_row(out, start, TCP_WIDTH);
        number += 1;
    };
    let live = |out: &mut String, number: usize, tuple: Tuple, socket: &tcp::TcpSocket| {
        let it = socket.summary();
        write!(
            out,
            "{number:4}: {} {} {:02X} {:08X}:{:08X} 00:00000000 00000000 {:5} {:8} {} 1 {NO_POINTER} 20 4 30 10 -1",
            Hex(tuple.local),
            Hex(tuple.remote),
            it.state as u8,
            it.unsent,
            it.unread,
            it.user.0,
            0,
            it.inode,
        )
    };
    tcp::for_each_listener(|socket| {
        let local = socket.summary().local;
        let tuple = Tuple { local, remote: super::address::NOWHERE };
        row(out, &|out, number| live(out, number, tuple, socket));
    })
    .map_err(no_memory)?;
    tcp::for_each(|tuple, holder| match holder {
        Holder::Socket(socket) => row(out, &|out, number| live(out, number, tuple, socket)),
        Holder::TimeWait(waiting) => {
            let left = waiting.deadline().left();
            if left.is_zero() {
                return;
            }
            // In hundredths of a second.
            let ticks = left.as_millis() / 10;
            row(out, &|out, number| {
                write!(
                    out,
                    "{number:4}: {} {} {:02X} 00000000:00000000 {TIMER_TIME_WAIT:02X}:{ticks:08X} 00000000 {:5} {:8} 0 3 {NO_POINTER}",
                    Hex(tuple.local),
                    Hex(tuple.remote),
                    waiting.state() as u8,
                    0,
                    0,
                )
            });
        }
    })
    .map_err(no_memory)?;
    result
}

/// The only reason why there is no row.
fn no_memory(_: Errno) -> fmt::Error {
    fmt::Error
}

/// The bound sockets.
pub fn udp(out: &mut String) -> fmt::Result {
    let mut result = Ok(());
    udp::for_each(|socket| {
        let it = socket.summary();
        let start = out.len();
        result = result.and(write!(
            out,
            "{:5}: {} {} {:02X} {:08X}:{:08X} 00:00000000 00000000 {:5} {:8} {} 2 {NO_POINTER} {}",
            it.local.port(),
            Hex(it.local),
            Hex(it.remote),
            if it.connected { State::Established } else { State::Closed } as u8,
            0,
            it.charged,
            it.user.0,
            0,
            it.inode,
            it.drops,
        ));
        end_row(out, start, UDP_WIDTH);
    })
    .map_err(no_memory)?;
    result
}

/// What is counted, by Linux's names.
pub fn snmp(out: &mut String) -> fmt::Result {
    let mut established = 0u64;
    tcp::for_each(|_, holder| {
        if let Holder::Socket(socket) = holder {
            established += u64::from(socket.summary().state.can_send());
        }
    })
    .map_err(no_memory)?;
    writeln!(out, "Tcp: ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab")?;
    writeln!(
        out,
        "Tcp: {} {} {} {} {established}",
        total(Counter::TcpActiveOpens),
        total(Counter::TcpPassiveOpens),
        total(Counter::TcpAttemptFails),
        total(Counter::TcpEstablishedResets),
    )?;
    writeln!(out, "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors")?;
    writeln!(
        out,
        "Udp: {} {} {} {} {}",
        total(Counter::UdpIn),
        total(Counter::UdpNoPorts),
        total(Counter::UdpInErrors),
        total(Counter::UdpOut),
        total(Counter::UdpReceiveBufferErrors),
    )
}
