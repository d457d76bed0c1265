//! `SOL_TCP` options (`tcp(7)`). All are words that the calls read and set without a lock.
//!
//! Between two ends on one machine there are no segments to delay, to lose or to send again: what steers that (Nagle's algorithm,
//! `TCP_CORK`, acknowledgements, keep-alives, congestion control) is kept and told, and finds nothing to do.

use super::{State, TcpSocket};
use crate::net::options::{OptionValue, int_value};
use abi::{
    Errno, Result,
    net::{
        IPPROTO_TCP, TCP_CONGESTION, TCP_CORK, TCP_INFO, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL,
        TCP_LINGER2, TCP_MAXSEG, TCP_NODELAY, TCP_NOTSENT_LOWAT, TCP_QUICKACK, TCP_SYNCNT,
        TCP_USER_TIMEOUT, TCP_WINDOW_CLAMP,
    },
};
use core::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU32, Ordering},
};
use zerocopy::{FromZeros, Immutable, IntoBytes};

/// `SOL_TCP`.
pub const SOL_TCP: i32 = IPPROTO_TCP as i32;
/// The segment size of the loopback device (half of the first window, `tcp_bound_to_half_wnd`), and without a path.
const LOOPBACK_MSS: u32 = 32741;
const DEFAULT_MSS: u32 = 536;
/// Segment sizes that can be asked for.
const MSS_RANGE: RangeInclusive<u32> = 88..=32767;
/// What a segment carries at most over the loopback device.
const LOOPBACK_ADVERTISED: u32 = 65483;
const LOOPBACK_MTU: u32 = 65536;
/// The least window clamp (half of the least receive buffer).
const MIN_CLAMP: u32 = 1152;
/// How long `FIN_WAIT2` lasts, and the most that may be asked for (`TCP_FIN_TIMEOUT_MAX`).
const FIN_TIMEOUT: i32 = 60;
const FIN_TIMEOUT_MAX: i32 = 120;

/// Congestion control, by name.
const CONGESTION: [&[u8]; 2] = [b"cubic", b"reno"];
/// `TCP_CA_NAME_MAX`.
const CONGESTION_LEN: usize = 16;

/// The options of one socket: one word each, in the order of [`WORDS`].
pub struct TcpOptions {
    words: [AtomicU32; WORDS.len()],
    /// `TCP_MAXSEG`; 0: not asked for.
    mss: AtomicU32,
    /// `TCP_LINGER2` in seconds, -1 for not at all.
    linger: AtomicU32,
    /// `TCP_WINDOW_CLAMP`; 0: none.
    clamp: AtomicU32,
    /// The place in [`CONGESTION`].
    congestion: AtomicU32,
}

/// A word's option, what it is at first, and the values it takes.
struct Word {
    name: u32,
    default: u32,
    range: RangeInclusive<i32>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Switch,
    Number,
}

const fn switch(name: u32, default: u32) -> Word {
    Word { name, default, range: i32::MIN..=i32::MAX, kind: Kind::Switch }
}

const fn number(name: u32, default: u32, range: RangeInclusive<i32>) -> Word {
    Word { name, default, range, kind: Kind::Number }
}

const WORDS: [Word; 9] = [
    switch(TCP_NODELAY, 0),
    switch(TCP_CORK, 0),
    switch(TCP_QUICKACK, 1),
    number(TCP_KEEPIDLE, 7200, 1..=32767),
    number(TCP_KEEPINTVL, 75, 1..=32767),
    number(TCP_KEEPCNT, 9, 1..=127),
    number(TCP_SYNCNT, 6, 1..=127),
    number(TCP_USER_TIMEOUT, 0, 0..=i32::MAX),
    number(TCP_NOTSENT_LOWAT, 0, i32::MIN..=i32::MAX),
];

/// `struct tcp_info`, as of Linux 6.1.
#[repr(C)]
#[derive(FromZeros, IntoBytes, Immutable)]
struct TcpInfo {
    state: u8,
    ca_state: u8,
    retransmits: u8,
    probes: u8,
    backoff: u8,
    options: u8,
    window_scale: u8,
    limits: u8,
    rto: u32,
    ato: u32,
    snd_mss: u32,
    rcv_mss: u32,
    unacked: u32,
    sacked: u32,
    lost: u32,
    retrans: u32,
    fackets: u32,
    last: [u32; 4],
    pmtu: u32,
    rcv_ssthresh: u32,
    rtt: u32,
    rttvar: u32,
    snd_ssthresh: u32,
    snd_cwnd: u32,
    advmss: u32,
    reordering: u32,
    rcv_rtt: u32,
    rcv_space: u32,
    total_retrans: u32,
    pacing_rate: u64,
    max_pacing_rate: u64,
    bytes_acked: u64,
    bytes_received: u64,
    segs_out: u32,
    segs_in: u32,
    notsent_bytes: u32,
    min_rtt: u32,
    data_segs: [u32; 2],
    rates: [u64; 4],
    delivered: [u32; 2],
    bytes_sent: u64,
    bytes_retrans: u64,
    dsack_dups: u32,
    reord_seen: u32,
    rcv_ooopack: u32,
    snd_wnd: u32,
}

impl TcpOptions {
    /// All as they are at first.
    pub fn new() -> TcpOptions {
        TcpOptions {
            words: WORDS.map(|word| AtomicU32::new(word.default)),
            mss: AtomicU32::new(0),
            linger: AtomicU32::new(FIN_TIMEOUT.cast_unsigned()),
            clamp: AtomicU32::new(0),
            congestion: AtomicU32::new(0),
        }
    }

    /// A copy: what a connection has of its listener.
    pub fn inherited(&self) -> TcpOptions {
        let word = |word: &AtomicU32| AtomicU32::new(word.load(Ordering::Relaxed));
        TcpOptions {
            words: self.words.each_ref().map(word),
            mss: word(&self.mss),
            linger: word(&self.linger),
            clamp: word(&self.clamp),
            congestion: word(&self.congestion),
        }
    }
}

/// `setsockopt(2)`; `EINVAL`, `ENOENT` for a congestion control that is not there, `ENOPROTOOPT`.
pub(super) fn set(socket: &TcpSocket, name: u32, value: &[u8]) -> Result<()> {
    let options = &socket.tcp;
    if name == TCP_CONGESTION {
        let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
        if end == 0 {
            return Err(Errno::EINVAL);
        }
        let wanted = &value[..end.min(CONGESTION_LEN - 1)];
        let place = CONGESTION.iter().position(|name| *name == wanted).ok_or(Errno::ENOENT)?;
        options.congestion.store(place as u32, Ordering::Relaxed);
        return Ok(());
    }
    let int = int_value(value).ok_or(Errno::EINVAL)?;
    if let Some(place) = WORDS.iter().position(|word| word.name == name) {
        let word = &WORDS[place];
        if !word.range.contains(&int) {
            return Err(Errno::EINVAL);
        }
        let stored = match word.kind {
            Kind::Switch => u32::from(int != 0),
            Kind::Number => int.cast_unsigned(),
        };
        options.words[place].store(stored, Ordering::Relaxed);
        return Ok(());
    }
    let (word, stored) = match name {
        TCP_MAXSEG if int == 0 || MSS_RANGE.contains(&int.cast_unsigned()) => {
            (&options.mss, int.cast_unsigned())
        }
        TCP_MAXSEG => return Err(Errno::EINVAL),
        TCP_LINGER2 if int < 0 => (&options.linger, u32::MAX),
        TCP_LINGER2 if int > FIN_TIMEOUT_MAX => (&options.linger, FIN_TIMEOUT_MAX.cast_unsigned()),
        TCP_LINGER2 if int == 0 => (&options.linger, FIN_TIMEOUT.cast_unsigned()),
        TCP_LINGER2 => (&options.linger, int.cast_unsigned()),
        TCP_WINDOW_CLAMP if int == 0 => match socket.inner.lock().state {
            State::Closed => (&options.clamp, 0),
            _ => return Err(Errno::EINVAL),
        },
        TCP_WINDOW_CLAMP => (&options.clamp, int.cast_unsigned().max(MIN_CLAMP)),
        _ => return Err(Errno::ENOPROTOOPT),
    };
    word.store(stored, Ordering::Relaxed);
    Ok(())
}

/// `getsockopt(2)`; `ENOPROTOOPT`.
pub(super) fn get(socket: &TcpSocket, name: u32) -> Result<OptionValue> {
    let options = &socket.tcp;
    let load = |word: &AtomicU32| word.load(Ordering::Relaxed);
    if let Some(place) = WORDS.iter().position(|word| word.name == name) {
        return Ok(OptionValue::Int(load(&options.words[place]).cast_signed()));
    }
    Ok(match name {
        TCP_MAXSEG => OptionValue::Int(mss(socket).cast_signed()),
        TCP_LINGER2 => OptionValue::Int(load(&options.linger).cast_signed()),
        TCP_WINDOW_CLAMP => OptionValue::Int(load(&options.clamp).cast_signed()),
        TCP_CONGESTION => {
            let mut name = [0; CONGESTION_LEN];
            let chosen = CONGESTION[load(&options.congestion) as usize];
            name[..chosen.len()].copy_from_slice(chosen);
            OptionValue::Bytes(name.into())
        }
        TCP_INFO => OptionValue::Bytes(info(socket).as_bytes().into()),
        _ => return Err(Errno::ENOPROTOOPT),
    })
}

/// The segment size: the path's, or what was asked for while there is none.
fn mss(socket: &TcpSocket) -> u32 {
    let asked = socket.tcp.mss.load(Ordering::Relaxed);
    match socket.inner.lock().state {
        State::Closed | State::Listen if asked != 0 => asked,
        State::Closed | State::Listen => DEFAULT_MSS,
        _ if asked != 0 => asked.min(LOOPBACK_MSS),
        _ => LOOPBACK_MSS,
    }
}

/// What there is to tell of the connection; what needs segments is 0.
fn info(socket: &TcpSocket) -> TcpInfo {
    let mut info = TcpInfo::new_zeroed();
    let mss = mss(socket);
    let inner = socket.inner.lock();
    let peer = inner.peer.clone();
    info.state = inner.state as u8;
    info.bytes_received = inner.received;
    if let Some(listener) = &inner.listener {
        // As Linux has it: the queue's length and its bound.
        info.unacked = listener.ready() as u32;
        info.sacked = listener.backlog() as u32;
    }
    drop(inner);
    info.snd_mss = mss;
    info.rcv_mss = mss;
    info.advmss = LOOPBACK_ADVERTISED;
    info.pmtu = LOOPBACK_MTU;
    info.rcv_space = u32::try_from(socket.window()).unwrap_or(u32::MAX);
    if let Some(peer) = peer {
        let sent = peer.inner.lock().received;
        let unsent = socket.unsent(&peer);
        info.bytes_sent = sent - (unsent as u64).min(sent);
        info.bytes_acked = info.bytes_sent;
        info.notsent_bytes = u32::try_from(unsent).unwrap_or(u32::MAX);
        info.snd_wnd = u32::try_from(peer.window()).unwrap_or(u32::MAX);
    }
    info
}
