//! Pipes and FIFOs (`pipe(7)`, `fifo(7)`).
//!
//! A pipe is a [`Ring`] of page references behind one mutex (class `PIPE`; it is held across user copies, which may
//! fault), with a wait queue for either side. A side is woken only when the state it waits for begins: readers when the
//! ring stops being empty, writers when it stops being full, so a busy stream takes no wake-ups.
//!
//! Splicing between pipes and files is in [`super::splice`].

mod fifo;
mod ring;

pub use fifo::{FifoSlot, open_fifo};
pub use ring::Buffer;
use ring::Ring;

use super::{File, FileOps, IoSink, IoSource, OpenFlags, anonymous};
use crate::{
    mm::{self, PAGE_SIZE, UserAddr},
    process::{
        Capability,
        signal::{self, SigInfo, Signal},
    },
    sched,
    sync::{Mutex, MutexGuard, PollEvents, PollTable, WaitQueue, class},
};
use abi::{Errno, Result, ioctl::FIONREAD};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Pages in a new pipe.
const DEFAULT_SLOTS: usize = 16;
/// The most bytes that an unprivileged process may ask for (`/proc/sys/fs/pipe-max-size`).
pub static MAX_SIZE: AtomicUsize = AtomicUsize::new(1 << 20);

/// What both ends of a pipe share.
pub struct Pipe {
    state: Mutex<State>,
    readable: Arc<WaitQueue>,
    writable: Arc<WaitQueue>,
    /// Somebody polled: edge-triggered users are told of every write, not only of the first into an empty ring.
    polled: AtomicBool,
}

/// The part of a pipe behind its mutex.
pub struct State {
    /// The bytes.
    pub ring: Ring,
    readers: usize,
    writers: usize,
    /// How often an end was opened: lets a FIFO's open see a partner that came and went.
    readers_opened: u64,
    writers_opened: u64,
}

impl State {
    /// Whether a write would fail with `EPIPE`.
    pub fn no_readers(&self) -> bool {
        self.readers == 0
    }

    /// Whether an empty ring means end of file.
    pub fn no_writers(&self) -> bool {
        self.writers == 0
    }
}

impl Pipe {
    fn new() -> Result<Arc<Pipe>> {
        let state = State {
            ring: Ring::new(DEFAULT_SLOTS)?,
            readers: 0,
            writers: 0,
            readers_opened: 0,
            writers_opened: 0,
        };
        Ok(Arc::new(Pipe {
            state: Mutex::new(&class::PIPE, state),
            readable: Arc::new(WaitQueue::new()),
            writable: Arc::new(WaitQueue::new()),
            polled: AtomicBool::new(false),
        }))
    }

    /// Takes the mutex.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Announces bytes to readers.
    pub fn wake_readers(&self) {
        if !self.readable.is_empty() {
            self.readable.wake_events(PollEvents::IN | PollEvents::RDNORM);
        }
    }

    /// Announces room to writers.
    pub fn wake_writers(&self) {
        if !self.writable.is_empty() {
            self.writable.wake_events(PollEvents::OUT | PollEvents::WRNORM);
        }
    }

    /// Bytes that the ring has room for.
    fn size(&self) -> usize {
        self.lock().ring.slots() * PAGE_SIZE
    }

    fn resize(&self, bytes: usize) -> Result<usize> {
        let slots = bytes.max(1).div_ceil(PAGE_SIZE).checked_next_power_of_two();
        let slots = slots.filter(|slots| slots * PAGE_SIZE <= 1 << 31).ok_or(Errno::EINVAL)?;
        let mut state = self.lock();
        let privileged = || sched::current().credentials.load().has(Capability::SysResource);
        if slots > state.ring.slots()
            && slots * PAGE_SIZE > MAX_SIZE.load(Ordering::Relaxed)
            && !privileged()
        {
            return Err(Errno::EPERM);
        }
        state.ring.resize(slots)?;
        drop(state);
        self.wake_writers();
        Ok(slots * PAGE_SIZE)
    }
}

/// One open end of a pipe (both, for a FIFO opened `O_RDWR`).
pub struct PipeEnd {
    pipe: Arc<Pipe>,
    reads: bool,
    writes: bool,
    /// `writers_opened` when a FIFO's reader was opened without a writer: until one came, its `poll` does not report a hang-up.
    writers_seen: u64,
}

impl PipeEnd {
    /// An end, counted among the readers or writers of `pipe` until its file is released.
    fn open(pipe: &Arc<Pipe>, state: &mut State, flags: OpenFlags) -> PipeEnd {
        let (reads, writes) = (flags.readable(), flags.writable());
        if reads {
            state.readers += 1;
            state.readers_opened += 1;
        }
        if writes {
            state.writers += 1;
            state.writers_opened += 1;
        }
        let writers_seen = if state.writers == 0 { state.writers_opened } else { u64::MAX };
        PipeEnd { pipe: pipe.clone(), reads, writes, writers_seen }
    }

    /// The pipe.
    pub fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    fn close(&self) {
        let mut state = self.pipe.lock();
        state.readers -= usize::from(self.reads);
        state.writers -= usize::from(self.writes);
        drop(state);
        // The other side may wait for the end of file or the broken pipe that this makes.
        self.pipe.readable.wake_all();
        self.pipe.writable.wake_all();
    }
}

impl FileOps for PipeEnd {
    fn read(&self, _file: &File, dst: &mut IoSink<'_>, _offset: &mut u64) -> Result<usize> {
        if dst.remaining() == 0 {
            return Ok(0);
        }
        let mut state = self.pipe.lock();
        if state.ring.is_empty() {
            return if state.no_writers() { Ok(0) } else { Err(Errno::EAGAIN) };
        }
        let was_full = state.ring.is_full();
        let result = state.ring.read(dst);
        let wake = was_full && !state.ring.is_full();
        drop(state);
        if wake {
            self.pipe.wake_writers();
        }
        result
    }

    fn write(&self, file: &File, src: &mut IoSource<'_>, _offset: &mut u64) -> Result<usize> {
        if src.remaining() == 0 {
            return Ok(0);
        }
        let packet = file.flags().contains(OpenFlags::DIRECT);
        let mut state = self.pipe.lock();
        if state.no_readers() {
            drop(state);
            return Err(broken_pipe());
        }
        let was_empty = state.ring.is_empty();
        let result = state.ring.write(src, packet);
        let wake = (was_empty || self.pipe.polled.load(Ordering::Relaxed)) && result.is_ok();
        drop(state);
        if wake {
            self.pipe.wake_readers();
        }
        result
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        if self.reads {
            table.register(&self.pipe.readable);
        }
        if self.writes {
            table.register(&self.pipe.writable);
        }
        self.pipe.polled.store(true, Ordering::Relaxed);
        let state = self.pipe.lock();
        let mut events = PollEvents::empty();
        if self.reads {
            if !state.ring.is_empty() {
                events |= PollEvents::IN | PollEvents::RDNORM;
            }
            if state.no_writers() && state.writers_opened != self.writers_seen {
                events |= PollEvents::HUP;
            }
        }
        if self.writes {
            if !state.ring.is_full() {
                events |= PollEvents::OUT | PollEvents::WRNORM;
            }
            if state.no_readers() {
                events |= PollEvents::ERR;
            }
        }
        events
    }

    fn ioctl(&self, _file: &File, command: u32, argument: usize) -> Result<usize> {
        match command {
            FIONREAD => {
                let bytes = i32::try_from(self.pipe.lock().ring.bytes()).unwrap_or(i32::MAX);
                mm::user::write(UserAddr(argument), &bytes)?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn release(&self, _file: &File) {
        self.close();
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// Raises `SIGPIPE` at the current task; the error that the write returns.
pub fn broken_pipe() -> Errno {
    let current = sched::current();
    // A full queue loses the signal on Linux too; the error still tells.
    let _ = signal::send_task(&current.to_arc(), SigInfo::from_current(Signal::SIGPIPE, 0));
    Errno::EPIPE
}

/// Makes a pipe (`pipe2(2)`): the read end and the write end. `flags`: `O_NONBLOCK`, `O_DIRECT`.
pub fn new_pipe(flags: OpenFlags) -> Result<(Arc<File>, Arc<File>)> {
    let pipe = Pipe::new()?;
    let status = flags & (OpenFlags::NONBLOCK | OpenFlags::DIRECT);
    // Both ends are the same inode.
    let path = anonymous::new_path("pipe");
    path.inode().fifo().attach(&pipe);
    let open = |access: OpenFlags| {
        let end = PipeEnd::open(&pipe, &mut pipe.lock(), access);
        File::new(path.clone(), access | status, Arc::new(end))
    };
    Ok((open(OpenFlags::empty())?, open(OpenFlags::WRONLY)?))
}

/// The pipe behind an open file, if it is one.
pub fn of_file(file: &File) -> Option<&PipeEnd> {
    file.ops().as_any().downcast_ref::<PipeEnd>()
}

/// `F_GETPIPE_SZ`; `EBADF` when `file` is no pipe.
pub fn size(file: &File) -> Result<usize> {
    Ok(of_file(file).ok_or(Errno::EBADF)?.pipe.size())
}

/// `F_SETPIPE_SZ`: the size reached, a power of two in pages; `EBUSY` when more is in use, `EPERM` over the limit.
pub fn set_size(file: &File, bytes: usize) -> Result<usize> {
    of_file(file).ok_or(Errno::EBADF)?.pipe.resize(bytes)
}
