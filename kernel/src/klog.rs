//! The kernel log: a ring of records, and the consoles that show them.
//!
//! A message is stored first and printed afterwards, so that a console in trouble loses nothing.
//! Any context may log. `KERNEL_LOG` guards the ring; a panic breaks into it.
#![forbid(unsafe_code)]

use arrayvec::{ArrayString, ArrayVec};
use core::{
    fmt::{self, Write},
    sync::atomic::{AtomicBool, AtomicU8, Ordering},
};

use crate::{
    arch::clock,
    drivers::serial::{self, SerialPort},
    params,
    sync::{IrqSpinLock, Once, class},
};

/// How important a message is, as in `syslog(2)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// An error.
    Error = 3,
    /// A warning.
    Warning = 4,
    /// A normal event.
    Info = 6,
}

/// Logs an error.
#[macro_export]
macro_rules! pr_err {
    ($($text:tt)*) => { $crate::klog::log($crate::klog::Level::Error, format_args!($($text)*)) };
}

/// Logs a warning.
#[macro_export]
macro_rules! pr_warn {
    ($($text:tt)*) => { $crate::klog::log($crate::klog::Level::Warning, format_args!($($text)*)) };
}

/// Logs a normal event.
#[macro_export]
macro_rules! pr_info {
    ($($text:tt)*) => { $crate::klog::log($crate::klog::Level::Info, format_args!($($text)*)) };
}

/// The longest message kept.
pub const MESSAGE_MAX: usize = 480;
/// Bytes of text kept: as much as Linux keeps by default on small machines.
const RING: usize = 128 * 1024;
const RECORDS: usize = 2048;
/// Linux's default: everything but debugging.
const DEFAULT_CONSOLE_LEVEL: u8 = 7;

/// A message's place and circumstances.
#[derive(Clone, Copy)]
pub struct Record {
    /// Its number, from 0 since boot.
    pub sequence: u64,
    /// When, in nanoseconds since boot.
    pub time: u64,
    /// How important.
    pub level: u8,
    /// The facility in the sense of `syslog(3)`: 0 is the kernel, 1 user space.
    pub facility: u8,
    start: usize,
    len: usize,
}

struct Log {
    text: [u8; RING],
    records: [Record; RECORDS],
    /// Sequence numbers of the oldest record and of the one after the newest.
    first: u64,
    next: u64,
    /// Where the next text goes; counts on for ever, modulo the ring.
    write: usize,
}

const NONE: Record = Record { sequence: 0, time: 0, level: 0, facility: 0, start: 0, len: 0 };

static LOG: IrqSpinLock<Log> = IrqSpinLock::new(
    &class::KERNEL_LOG,
    Log { text: [0; RING], records: [NONE; RECORDS], first: 0, next: 0, write: 0 },
);
static CONSOLE_LEVEL: AtomicU8 = AtomicU8::new(DEFAULT_CONSOLE_LEVEL);
static CONSOLES: Once<ArrayVec<&'static SerialPort, 4>> = Once::new();
/// A panic is being printed: nothing waits for a lock any more.
static FORCED: AtomicBool = AtomicBool::new(false);

impl Log {
    fn push(&mut self, level: u8, facility: u8, text: &[u8]) {
        let (start, end) = (self.write, self.write + text.len());
        // What the new text overwrites is gone, and so are records beyond their number.
        while self.first < self.next {
            let oldest = self.record(self.first);
            let overwritten = oldest.start + RING < end;
            if !overwritten && self.next - self.first < RECORDS as u64 {
                break;
            }
            self.first += 1;
        }
        for (offset, &byte) in text.iter().enumerate() {
            self.text[(start + offset) % RING] = byte;
        }
        self.records[self.next as usize % RECORDS] = Record {
            sequence: self.next,
            time: clock::now_ns(),
            level,
            facility,
            start,
            len: text.len(),
        };
        self.next += 1;
        self.write = end;
    }

    fn record(&self, sequence: u64) -> Record {
        self.records[sequence as usize % RECORDS]
    }
}

/// Chooses the consoles and the level that the command line asks for.
pub fn init() {
    let params = params::get();
    if let Some(level) = params.log_level {
        CONSOLE_LEVEL.store(level, Ordering::Relaxed);
    }
    CONSOLES.call_once(|| {
        let mut consoles = ArrayVec::new();
        for name in &params.consoles {
            // "ttyS0,115200n8": the speed is what it is anyway.
            let name = name.split(',').next().unwrap_or(name);
            let port = name.strip_prefix("ttyS").and_then(|n| n.parse().ok()).and_then(serial::get);
            if let Some(port) = port {
                let _ = consoles.try_push(port);
            }
        }
        if params.consoles.is_empty() {
            consoles.extend(serial::get(0));
        }
        consoles
    });
}

/// Logs a message of the kernel; the `pr_…!` macros call it.
pub fn log(level: Level, message: fmt::Arguments<'_>) {
    let mut text = ArrayString::<MESSAGE_MAX>::new();
    // A longer message is cut.
    let _ = text.write_fmt(message);
    log_text(level as u8, 0, text.trim_end_matches('\n').as_bytes());
}

/// Logs a message that user space wrote to `/dev/kmsg`.
pub fn log_text(level: u8, facility: u8, text: &[u8]) {
    let text = &text[..text.len().min(MESSAGE_MAX)];
    let forced = FORCED.load(Ordering::Relaxed);
    if forced {
        if let Some(mut log) = LOG.try_lock() {
            log.push(level, facility, text);
        }
    } else {
        LOG.lock().push(level, facility, text);
    }
    if level < CONSOLE_LEVEL.load(Ordering::Relaxed) {
        print(text, forced);
    }
}

fn print(text: &[u8], forced: bool) {
    let Some(consoles) = CONSOLES.get() else { return };
    let now = clock::now_ns() / 1000;
    let mut line = ArrayVec::<u8, { MESSAGE_MAX + 64 }>::new();
    let mut time = ArrayString::<32>::new();
    let _ = write!(time, "[{:5}.{:06}] ", now / 1_000_000, now % 1_000_000);
    let _ = line.try_extend_from_slice(time.as_bytes());
    let _ = line.try_extend_from_slice(text);
    let _ = line.try_extend_from_slice(b"\r\n");
    for console in consoles {
        console.write_polled(&line, forced);
    }
}

/// From now on messages go out whatever locks are held: for the panic.
pub fn force() {
    FORCED.store(true, Ordering::Relaxed);
    CONSOLE_LEVEL.store(u8::MAX, Ordering::Relaxed);
}

/// Sequence numbers of the oldest record kept and of the next to come.
pub fn bounds() -> (u64, u64) {
    let log = LOG.lock();
    (log.first, log.next)
}

/// The first record with number `sequence` or higher and its text, or `None` when there is none yet.
/// (`/dev/kmsg`, `syslog(2)`)
pub fn read(sequence: u64) -> Option<(Record, ArrayVec<u8, MESSAGE_MAX>)> {
    let log = LOG.lock();
    let sequence = sequence.max(log.first);
    if sequence >= log.next {
        return None;
    }
    let record = log.record(sequence);
    let text = (0..record.len).map(|offset| log.text[(record.start + offset) % RING]).collect();
    Some((record, text))
}

/// The level below which messages are printed.
pub fn console_level() -> u8 {
    CONSOLE_LEVEL.load(Ordering::Relaxed)
}

/// Sets it (`syslog(2)`, `SYSLOG_ACTION_CONSOLE_LEVEL`).
pub fn set_console_level(level: u8) {
    CONSOLE_LEVEL.store(level, Ordering::Relaxed);
}
