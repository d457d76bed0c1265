//! `/dev/kmsg`: the kernel log, a record a read; what is written is logged.
//!
//! Logging happens anywhere, with any lock held, so it wakes nobody: while readers wait, a timer looks for new records.

use super::MEM_MAJOR;
use crate::{
    fs::{
        DeviceId, File, FileOps, Inode, IoSink, IoSource, OpenFlags,
        inode::{DeviceDriver, register_char_device},
    },
    klog,
    sync::{Lazy, PollEvents, PollTable, SpinLock, WaitQueue, class},
    time::{self, Duration, Instant, Timer, TimerCallback},
};
use abi::{Errno, Result};
use alloc::{format, string::String, sync::Arc};
use core::sync::atomic::{AtomicU64, Ordering};

pub const MINOR: u32 = 11;

/// How long a new record may go unnoticed by a reader that waits.
const DELAY: Duration = Duration::from_millis(50);
/// The longest record written (`LOG_LINE_MAX`).
const WRITE_MAX: usize = 1024 - 32;

/// Wakes waiting readers when there are new records.
struct Watch {
    queue: Arc<WaitQueue>,
    /// The end of the log when last looked at.
    seen: AtomicU64,
}

static WATCH: Lazy<Arc<Watch>> =
    Lazy::new(|| Arc::new(Watch { queue: Arc::new(WaitQueue::new()), seen: AtomicU64::new(0) }));
static TIMER: Lazy<Timer> = Lazy::new(|| {
    let watch: Arc<dyn TimerCallback> = Arc::<Watch>::clone(&WATCH);
    Timer::new(watch)
});

impl TimerCallback for Watch {
    fn expired(&self, now: Instant) -> Option<Instant> {
        let (_, end) = klog::bounds();
        if self.seen.swap(end, Ordering::Relaxed) != end {
            self.queue.wake_all();
        }
        (!self.queue.is_empty()).then(|| now.after(DELAY))
    }
}

struct Driver;

impl DeviceDriver for Driver {
    fn open(&self, _: &Arc<Inode>, _: DeviceId, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        let (first, _) = klog::bounds();
        Ok(Arc::new(Kmsg { next: SpinLock::new(&class::TABLE, first) }))
    }
}

pub fn init() {
    register_char_device(MEM_MAJOR, MINOR..MINOR + 1, Arc::new(Driver));
}

/// An open `/dev/kmsg`: the number of the record to read next.
struct Kmsg {
    next: SpinLock<u64>,
}

impl FileOps for Kmsg {
    fn read(&self, _: &File, dst: &mut IoSink<'_>, _: &mut u64) -> Result<usize> {
        let wanted = *self.next.lock();
        let Some((record, text)) = klog::read(wanted) else { return Err(Errno::EAGAIN) };
        if record.sequence != wanted {
            // Records were overwritten before they were read.
            *self.next.lock() = record.sequence;
            return Err(Errno::EPIPE);
        }
        let priority = u32::from(record.facility) << 3 | u32::from(record.level & 7);
        let mut line =
            format!("{priority},{},{},-;", record.sequence, record.time / 1000).into_bytes();
        for byte in &text {
            match byte {
                b' '..=b'~' if *byte != b'\\' => line.push(*byte),
                byte => line.extend(format!("\\x{byte:02x}").into_bytes()),
            }
        }
        line.push(b'\n');
        if line.len() > dst.remaining() {
            return Err(Errno::EINVAL);
        }
        let n = dst.write(&line)?;
        *self.next.lock() = record.sequence + 1;
        Ok(n)
    }

    fn write(&self, _: &File, src: &mut IoSource<'_>, _: &mut u64) -> Result<usize> {
        let len = src.remaining();
        if len > WRITE_MAX {
            return Err(Errno::EINVAL);
        }
        let mut text = alloc::vec![0; len];
        let n = src.read(&mut text)?;
        text.truncate(n);
        // "<priority>message"; without it, a user's message of the default level.
        let (mut facility, mut level, mut message) = (1, 4, &text[..]);
        if let Some((priority, rest)) = split_priority(&text) {
            (facility, level, message) = ((priority >> 3) as u8, (priority & 7) as u8, rest);
            if facility == 0 {
                facility = 1;
            }
        }
        klog::log_text(level, facility, message.strip_suffix(b"\n").unwrap_or(message));
        Ok(len)
    }

    fn poll(&self, _: &File, table: &mut PollTable) -> PollEvents {
        table.register(&WATCH.queue);
        let writable = PollEvents::OUT | PollEvents::WRNORM;
        let (first, end) = klog::bounds();
        let next = *self.next.lock();
        if next < first {
            return writable
                | PollEvents::IN
                | PollEvents::RDNORM
                | PollEvents::ERR
                | PollEvents::PRI;
        }
        if next < end {
            return writable | PollEvents::IN | PollEvents::RDNORM;
        }
        TIMER.arm(time::monotonic().after(DELAY));
        writable
    }

    fn seekable(&self) -> bool {
        true
    }

    fn seek(&self, _: &File, offset: i64, whence: u32) -> Result<u64> {
        if offset != 0 {
            return Err(Errno::ESPIPE);
        }
        let (first, end) = klog::bounds();
        *self.next.lock() = match whence {
            0 => first,
            2 => end,
            _ => return Err(Errno::EINVAL),
        };
        Ok(0)
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

fn split_priority(text: &[u8]) -> Option<(u32, &[u8])> {
    let rest = text.strip_prefix(b"<")?;
    let end = rest.iter().position(|c| *c == b'>')?;
    let digits = String::from_utf8(rest[..end].to_vec()).ok()?;
    Some((digits.parse().ok().filter(|p| *p < 1024)?, &rest[end + 1..]))
}
