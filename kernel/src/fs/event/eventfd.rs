//! `eventfd(2)`: a 64-bit counter to add to, read and wait for.
//!
//! The counter is one atomic; reads and writes are a compare-and-exchange each.

use super::{put_counter, take_counter};
use crate::{
    fs::{File, FileOps, IoSink, IoSource, OpenFlags},
    sync::{PollEvents, PollTable, WaitQueue},
};
use abi::{Errno, Result};
use alloc::{string::String, sync::Arc};
use core::{
    fmt::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
};

/// The largest value that writes can reach; one more is left for the kernel's own signals.
const MAX: u64 = u64::MAX - 1;

struct EventFd {
    count: AtomicU64,
    semaphore: bool,
    readable: Arc<WaitQueue>,
    writable: Arc<WaitQueue>,
}

impl FileOps for EventFd {
    fn read(&self, _file: &File, dst: &mut IoSink<'_>, _offset: &mut u64) -> Result<usize> {
        if dst.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let taken =
            self.count.try_update(Ordering::AcqRel, Ordering::Acquire, |count| match count {
                0 => None,
                _ if self.semaphore => Some(count - 1),
                _ => Some(0),
            });
        let count = taken.map_err(|_| Errno::EAGAIN)?;
        if !self.writable.is_empty() {
            self.writable.wake_events(PollEvents::OUT | PollEvents::WRNORM);
        }
        put_counter(dst, if self.semaphore { 1 } else { count })
    }

    fn write(&self, _file: &File, src: &mut IoSource<'_>, _offset: &mut u64) -> Result<usize> {
        // A write that must wait is tried again from its start.
        let start = src.clone();
        let value = take_counter(src)?;
        if value == u64::MAX {
            return Err(Errno::EINVAL);
        }
        self.count
            .try_update(Ordering::AcqRel, Ordering::Acquire, |count| {
                count.checked_add(value).filter(|sum| *sum <= MAX)
            })
            .map_err(|_| {
                *src = start;
                Errno::EAGAIN
            })?;
        if !self.readable.is_empty() {
            self.readable.wake_events(PollEvents::IN | PollEvents::RDNORM);
        }
        Ok(8)
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.register(&self.readable);
        table.register(&self.writable);
        let count = self.count.load(Ordering::Acquire);
        let mut events = PollEvents::empty();
        if count > 0 {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        if count < MAX {
            events |= PollEvents::OUT | PollEvents::WRNORM;
        }
        if count == u64::MAX {
            events |= PollEvents::ERR;
        }
        events
    }

    fn show_info(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "eventfd-count: {:16x}", self.count.load(Ordering::Relaxed))?;
        writeln!(out, "eventfd-semaphore: {}", i32::from(self.semaphore))
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// Makes an event file with `count` in it. `semaphore`: reads take one at a time.
pub fn new_eventfd(count: u32, semaphore: bool, status: OpenFlags) -> Result<Arc<File>> {
    let event = EventFd {
        count: AtomicU64::new(u64::from(count)),
        semaphore,
        readable: Arc::new(WaitQueue::new()),
        writable: Arc::new(WaitQueue::new()),
    };
    File::anonymous("[eventfd]", OpenFlags::RDWR | status, Arc::new(event))
}
