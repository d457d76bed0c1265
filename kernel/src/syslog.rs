//! `syslog(2)`: reading the kernel log as text, each line with its level and time.
#![forbid(unsafe_code)]

use crate::{
    klog,
    mm::{UserAddr, user},
    sync::{IrqSpinLock, class},
};
use abi::Result;
use alloc::{format, vec::Vec};

/// What the log is said to hold (`SYSLOG_ACTION_SIZE_BUFFER`).
pub const BUFFER_SIZE: usize = 128 * 1024;

/// Where readers are: the next record of the consuming read, and the first that "read all" shows.
struct Readers {
    next: u64,
    cleared: u64,
}

static READERS: IrqSpinLock<Readers> =
    IrqSpinLock::new(&class::TABLE, Readers { next: 0, cleared: 0 });

/// How a record is shown.
fn line(record: &klog::Record, text: &[u8]) -> Vec<u8> {
    let micros = record.time / 1000;
    let priority = u32::from(record.facility) << 3 | u32::from(record.level);
    let mut line =
        format!("<{priority}>[{:5}.{:06}] ", micros / 1_000_000, micros % 1_000_000).into_bytes();
    line.extend_from_slice(text);
    line.push(b'\n');
    line
}

/// Takes the oldest unread lines, as many as fit (`SYSLOG_ACTION_READ`). Nothing new: 0 bytes.
pub fn read(addr: UserAddr, len: usize) -> Result<usize> {
    let mut done = 0;
    loop {
        let next = READERS.lock().next;
        let Some((record, text)) = klog::read(next) else { break };
        let line = line(&record, &text);
        if done + line.len() > len {
            break;
        }
        user::copy_to_user(addr.add(done), &line)?;
        done += line.len();
        READERS.lock().next = record.sequence + 1;
    }
    Ok(done)
}

/// Shows the newest lines since the last clear, as many as fit (`SYSLOG_ACTION_READ_ALL`).
pub fn read_all(addr: UserAddr, len: usize) -> Result<usize> {
    let (first, end) = klog::bounds();
    let mut from = READERS.lock().cleared.max(first);
    let size = |from: u64| {
        let mut total = 0;
        let mut next = from;
        while next < end
            && let Some((record, text)) = klog::read(next)
        {
            total += line(&record, &text).len();
            next = record.sequence + 1;
        }
        total
    };
    let mut total = size(from);
    while total > len
        && let Some((record, text)) = klog::read(from)
    {
        total -= line(&record, &text).len().min(total);
        from = record.sequence + 1;
    }
    let mut done = 0;
    while from < end
        && let Some((record, text)) = klog::read(from)
    {
        let line = line(&record, &text);
        if done + line.len() > len {
            break;
        }
        user::copy_to_user(addr.add(done), &line)?;
        done += line.len();
        from = record.sequence + 1;
    }
    Ok(done)
}

/// Hides what has been logged so far from [`read_all`] (`SYSLOG_ACTION_CLEAR`).
pub fn clear() {
    let (_, end) = klog::bounds();
    READERS.lock().cleared = end;
}

/// Bytes that [`read`] has to give (`SYSLOG_ACTION_SIZE_UNREAD`).
pub fn unread() -> usize {
    let (_, end) = klog::bounds();
    let mut next = READERS.lock().next;
    let mut total = 0;
    while next < end
        && let Some((record, text)) = klog::read(next)
    {
        total += line(&record, &text).len();
        next = record.sequence + 1;
    }
    total
}
