//! `SOL_SOCKET` options (`socket(7)`), those that sockets of every family keep.
//!
//! All are words that the calls read and set without a lock.

use super::Socket;
use crate::{process::Capability, sched, sync::rcu, time::Duration};
use abi::{Errno, Result};
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// `SOL_SOCKET`.
pub const SOL_SOCKET: i32 = 1;

const SO_DEBUG: u32 = 1;
const SO_REUSEADDR: u32 = 2;
const SO_TYPE: u32 = 3;
const SO_ERROR: u32 = 4;
const SO_DONTROUTE: u32 = 5;
const SO_BROADCAST: u32 = 6;
const SO_SNDBUF: u32 = 7;
const SO_RCVBUF: u32 = 8;
const SO_KEEPALIVE: u32 = 9;
const SO_OOBINLINE: u32 = 10;
const SO_NO_CHECK: u32 = 11;
const SO_PRIORITY: u32 = 12;
const SO_LINGER: u32 = 13;
const SO_REUSEPORT: u32 = 15;
const SO_PASSCRED: u32 = 16;
const SO_PEERCRED: u32 = 17;
const SO_RCVLOWAT: u32 = 18;
const SO_SNDLOWAT: u32 = 19;
const SO_RCVTIMEO: u32 = 20;
const SO_SNDTIMEO: u32 = 21;
const SO_TIMESTAMP: u32 = 29;
const SO_ACCEPTCONN: u32 = 30;
const SO_SNDBUFFORCE: u32 = 32;
const SO_RCVBUFFORCE: u32 = 33;
const SO_MARK: u32 = 36;
const SO_PROTOCOL: u32 = 38;
const SO_DOMAIN: u32 = 39;

/// What a buffer's size is at first (`/proc/sys/net/core/wmem_default`), and what one may ask for (`wmem_max`).
pub const DEFAULT_BUFFER: usize = 212_992;
/// The least a send buffer can be.
const MIN_SEND_BUFFER: usize = 4608;
/// The least a receive buffer can be.
const MIN_RECEIVE_BUFFER: usize = 2304;
/// Time-outs of this and longer are none: they stand for ever in 32-bit ticks too.
const NO_TIMEOUT: u64 = 0;

bitflags::bitflags! {
    /// Options that are on or off.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Switches: u32 {
        const DEBUG = 1;
        const REUSE_ADDRESS = 2;
        const DONT_ROUTE = 4;
        const BROADCAST = 8;
        const KEEP_ALIVE = 0x10;
        const OUT_OF_BAND_INLINE = 0x20;
        const NO_CHECK = 0x40;
        const REUSE_PORT = 0x80;
        const PASS_CREDENTIALS = 0x100;
        const LINGER = 0x200;
        /// The size of the send buffer was asked for: nobody else changes it.
        const SEND_BUFFER_CHOSEN = 0x400;
    }
}

/// The options of one socket.
pub struct Options {
    switches: AtomicU32,
    /// Bytes that may be queued for sending and for receiving, bookkeeping included.
    pub send_buffer: AtomicUsize,
    pub receive_buffer: AtomicUsize,
    /// In nanoseconds; [`NO_TIMEOUT`] for none.
    receive_timeout: AtomicU64,
    send_timeout: AtomicU64,
    linger_seconds: AtomicU32,
    low_water: AtomicU32,
    priority: AtomicU32,
    mark: AtomicU32,
}

/// An option's value as `getsockopt(2)` copies it out, at most as many bytes as the caller has room for.
pub enum OptionValue {
    /// A C `int`.
    Int(i32),
    /// Anything else.
    Bytes(smallvec::SmallVec<[u8; 16]>),
}

impl Options {
    /// All as they are at first.
    pub fn new() -> Options {
        Options::with_buffers(DEFAULT_BUFFER, DEFAULT_BUFFER)
    }

    /// The same with buffers of other sizes.
    pub fn with_buffers(send: usize, receive: usize) -> Options {
        Options {
            switches: AtomicU32::new(0),
            send_buffer: AtomicUsize::new(send),
            receive_buffer: AtomicUsize::new(receive),
            receive_timeout: AtomicU64::new(NO_TIMEOUT),
            send_timeout: AtomicU64::new(NO_TIMEOUT),
            linger_seconds: AtomicU32::new(0),
            low_water: AtomicU32::new(1),
            priority: AtomicU32::new(0),
            mark: AtomicU32::new(0),
        }
    }

    /// A copy of them as they are now: what a connection has of its listener.
    pub fn inherited(&self) -> Options {
        let word = |word: &AtomicU32| AtomicU32::new(word.load(Ordering::Relaxed));
        let size = |size: &AtomicUsize| AtomicUsize::new(size.load(Ordering::Relaxed));
        let time = |time: &AtomicU64| AtomicU64::new(time.load(Ordering::Relaxed));
        Options {
            switches: word(&self.switches),
            send_buffer: size(&self.send_buffer),
            receive_buffer: size(&self.receive_buffer),
            receive_timeout: time(&self.receive_timeout),
            send_timeout: time(&self.send_timeout),
            linger_seconds: word(&self.linger_seconds),
            low_water: word(&self.low_water),
            priority: word(&self.priority),
            mark: word(&self.mark),
        }
    }

    /// How long a close waits for what was sent (`SO_LINGER`).
    pub fn linger(&self) -> Option<Duration> {
        let seconds = u64::from(self.linger_seconds.load(Ordering::Relaxed));
        self.is_on(Switches::LINGER).then(|| Duration::from_secs(seconds))
    }

    /// Whether a switch is on.
    pub fn is_on(&self, switch: Switches) -> bool {
        self.switches.load(Ordering::Relaxed) & switch.bits() != 0
    }

    /// Turns it on or off.
    pub fn switch(&self, switch: Switches, on: bool) {
        if on {
            self.switches.fetch_or(switch.bits(), Ordering::Relaxed);
        } else {
            self.switches.fetch_and(!switch.bits(), Ordering::Relaxed);
        }
    }

    /// How long a receiving call waits.
    pub fn receive_timeout(&self) -> Option<Duration> {
        timeout(&self.receive_timeout)
    }

    /// How long a sending call waits.
    pub fn send_timeout(&self) -> Option<Duration> {
        timeout(&self.send_timeout)
    }

    /// How many bytes `recv(2)` wants before it returns.
    pub fn low_water(&self) -> usize {
        self.low_water.load(Ordering::Relaxed) as usize
    }

    fn by_name(name: u32) -> Option<Switches> {
        Some(match name {
            SO_DEBUG => Switches::DEBUG,
            SO_REUSEADDR => Switches::REUSE_ADDRESS,
            SO_DONTROUTE => Switches::DONT_ROUTE,
            SO_BROADCAST => Switches::BROADCAST,
            SO_KEEPALIVE => Switches::KEEP_ALIVE,
            SO_OOBINLINE => Switches::OUT_OF_BAND_INLINE,
            SO_NO_CHECK => Switches::NO_CHECK,
            SO_REUSEPORT => Switches::REUSE_PORT,
            SO_PASSCRED => Switches::PASS_CREDENTIALS,
            _ => return None,
        })
    }

    /// `getsockopt(2)` at `SOL_SOCKET`; `ENOPROTOOPT`.
    pub fn get(&self, socket: &dyn Socket, name: u32) -> Result<OptionValue> {
        if let Some(switch) = Options::by_name(name) {
            return Ok(OptionValue::Int(i32::from(self.is_on(switch))));
        }
        let size = |bytes: &AtomicUsize| i32::try_from(bytes.load(Ordering::Relaxed));
        Ok(match name {
            SO_TYPE => OptionValue::Int(socket.kind() as i32),
            SO_DOMAIN => OptionValue::Int(i32::from(socket.family())),
            SO_PROTOCOL => OptionValue::Int(socket.protocol()),
            SO_ERROR => OptionValue::Int(socket.take_error().map_or(0, Errno::code)),
            SO_ACCEPTCONN => OptionValue::Int(i32::from(socket.is_listening())),
            SO_SNDBUF => OptionValue::Int(size(&self.send_buffer).unwrap_or(i32::MAX)),
            SO_RCVBUF => OptionValue::Int(size(&self.receive_buffer).unwrap_or(i32::MAX)),
            SO_RCVLOWAT => OptionValue::Int(self.low_water.load(Ordering::Relaxed).cast_signed()),
            SO_SNDLOWAT => OptionValue::Int(1),
            SO_TIMESTAMP => OptionValue::Int(0),
            SO_PRIORITY => OptionValue::Int(self.priority.load(Ordering::Relaxed).cast_signed()),
            SO_MARK => OptionValue::Int(self.mark.load(Ordering::Relaxed).cast_signed()),
            SO_LINGER => {
                let on = u32::from(self.is_on(Switches::LINGER));
                let seconds = self.linger_seconds.load(Ordering::Relaxed);
                let words = [on.to_ne_bytes(), seconds.to_ne_bytes()];
                OptionValue::Bytes(words.as_flattened().into())
            }
            SO_RCVTIMEO | SO_SNDTIMEO => {
                let nanos = if name == SO_RCVTIMEO {
                    self.receive_timeout.load(Ordering::Relaxed)
                } else {
                    self.send_timeout.load(Ordering::Relaxed)
                };
                let (sec, usec) = (nanos / 1_000_000_000, nanos % 1_000_000_000 / 1000);
                let words = [sec.to_ne_bytes(), usec.to_ne_bytes()];
                OptionValue::Bytes(words.as_flattened().into())
            }
            SO_PEERCRED => {
                let who = socket.peer_credentials();
                OptionValue::Bytes(zerocopy::IntoBytes::as_bytes(&who).into())
            }
            _ => return Err(Errno::ENOPROTOOPT),
        })
    }

    /// `setsockopt(2)` at `SOL_SOCKET`, with the option's value as user space has it; `EINVAL`, `EDOM`, `ENOPROTOOPT`.
    pub fn set(&self, name: u32, value: &[u8]) -> Result<()> {
        if matches!(name, SO_RCVTIMEO | SO_SNDTIMEO) {
            let nanos = parse_timeout(value)?;
            let word = if name == SO_RCVTIMEO { &self.receive_timeout } else { &self.send_timeout };
            word.store(nanos, Ordering::Relaxed);
            return Ok(());
        }
        let int = int_value(value).ok_or(Errno::EINVAL)?;
        if let Some(switch) = Options::by_name(name) {
            self.switch(switch, int != 0);
            return Ok(());
        }
        match name {
            SO_SNDBUF | SO_SNDBUFFORCE => {
                let bytes = buffer_size(int, name == SO_SNDBUFFORCE)?.max(MIN_SEND_BUFFER);
                self.send_buffer.store(bytes, Ordering::Relaxed);
                self.switch(Switches::SEND_BUFFER_CHOSEN, true);
            }
            SO_RCVBUF | SO_RCVBUFFORCE => {
                let bytes = buffer_size(int, name == SO_RCVBUFFORCE)?.max(MIN_RECEIVE_BUFFER);
                self.receive_buffer.store(bytes, Ordering::Relaxed);
            }
            SO_RCVLOWAT => {
                let bytes = u32::try_from(int).unwrap_or(i32::MAX.cast_unsigned()).max(1);
                self.low_water.store(bytes, Ordering::Relaxed);
            }
            SO_PRIORITY => match u32::try_from(int) {
                Ok(priority) if priority <= 6 || privileged(Capability::NetAdmin) => {
                    self.priority.store(priority, Ordering::Relaxed);
                }
                _ => return Err(Errno::EPERM),
            },
            SO_MARK if privileged(Capability::NetAdmin) => {
                self.mark.store(int.cast_unsigned(), Ordering::Relaxed);
            }
            SO_MARK => return Err(Errno::EPERM),
            SO_LINGER => {
                let second = value.get(4..8).and_then(|rest| rest.first_chunk::<4>());
                let seconds = u32::from_ne_bytes(*second.ok_or(Errno::EINVAL)?);
                self.linger_seconds.store(seconds, Ordering::Relaxed);
                self.switch(Switches::LINGER, int != 0);
            }
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }
}

/// An option's value that is a C `int`, if there are enough bytes for one.
pub fn int_value(value: &[u8]) -> Option<i32> {
    value.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))
}

/// Whether the current process has a capability.
pub fn privileged(capability: Capability) -> bool {
    sched::current().credentials.get(&rcu::read()).has(capability)
}

/// Twice what was asked for, as Linux gives: half of a buffer is taken to be bookkeeping.
fn buffer_size(asked: i32, force: bool) -> Result<usize> {
    if force && !privileged(Capability::NetAdmin) {
        return Err(Errno::EPERM);
    }
    // A negative size is a huge one.
    let asked = asked.cast_unsigned() as usize;
    let most = if force { i32::MAX as usize / 2 } else { DEFAULT_BUFFER };
    Ok(asked.min(most) * 2)
}

fn timeout(word: &AtomicU64) -> Option<Duration> {
    match word.load(Ordering::Relaxed) {
        NO_TIMEOUT => None,
        nanos => Some(Duration::from_nanos(nanos)),
    }
}

/// A `struct timeval` as a time-out in nanoseconds. A negative time has always passed.
fn parse_timeout(value: &[u8]) -> Result<u64> {
    let sec = value.first_chunk::<8>().ok_or(Errno::EINVAL)?;
    let usec = value.get(8..16).and_then(|rest| rest.first_chunk::<8>()).ok_or(Errno::EINVAL)?;
    let (sec, usec) = (i64::from_ne_bytes(*sec), i64::from_ne_bytes(*usec));
    let usec = u64::try_from(usec).ok().filter(|usec| *usec < 1_000_000).ok_or(Errno::EDOM)?;
    Ok(match u64::try_from(sec) {
        Ok(sec) => sec.saturating_mul(1_000_000_000).saturating_add(usec * 1000),
        Err(_) => 1,
    })
}
