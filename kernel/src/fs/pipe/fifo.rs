//! Opening a FIFO (`fifo(7)`): the pipe lives as long as somebody has it open; an open waits for a partner.

use super::{Pipe, PipeEnd, State};
use crate::{
    fs::{FileOps, OpenFlags},
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, Ordering};

/// The pipe of a FIFO's inode, while it is open.
pub struct FifoSlot {
    pipe: SpinLock<Weak<Pipe>>,
    /// It is a pipe's inode, reached through `/proc`: an open waits for nobody.
    nameless: AtomicBool,
}

impl FifoSlot {
    /// Nobody has it open.
    pub const fn new() -> FifoSlot {
        FifoSlot {
            pipe: SpinLock::new(&class::TABLE, Weak::new()),
            nameless: AtomicBool::new(false),
        }
    }

    /// Makes it the pipe's: opening the inode anew (`/proc/<pid>/fd/N`) opens another end of `pipe`.
    pub(super) fn attach(&self, pipe: &Arc<Pipe>) {
        *self.pipe.lock() = Arc::downgrade(pipe);
        self.nameless.store(true, Ordering::Relaxed);
    }

    fn pipe(&self) -> Result<Arc<Pipe>> {
        if let Some(pipe) = self.pipe.lock().upgrade() {
            return Ok(pipe);
        }
        let fresh = Pipe::new()?;
        let mut slot = self.pipe.lock();
        // Somebody else may have opened it meanwhile.
        Ok(slot.upgrade().unwrap_or_else(|| {
            *slot = Arc::downgrade(&fresh);
            fresh.clone()
        }))
    }
}

/// Opens the FIFO whose inode has `slot`: a reader waits for a writer and a writer for a reader, unless
/// `O_NONBLOCK` (a writer then gets `ENXIO`) or `O_RDWR`.
pub fn open_fifo(slot: &FifoSlot, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
    let pipe = slot.pipe()?;
    let mut state = pipe.lock();
    let nonblocking = flags.contains(OpenFlags::NONBLOCK);
    let named = !slot.nameless.load(Ordering::Relaxed);
    let (reads, writes) = (flags.readable(), flags.writable());
    if named && writes && !reads && nonblocking && state.no_readers() {
        return Err(Errno::ENXIO);
    }
    let end = PipeEnd::open(&pipe, &mut state, flags);
    let wait_for_writer = named && reads && !writes && state.no_writers() && !nonblocking;
    let wait_for_reader = named && writes && !reads && state.no_readers();
    let (readers, writers) = (state.readers_opened, state.writers_opened);
    drop(state);
    // A partner may already wait in its own open.
    pipe.readable.wake_all();
    pipe.writable.wake_all();

    let partner = |came: &dyn Fn(&State) -> bool| came(&pipe.lock()).then_some(());
    let waited = if wait_for_writer {
        pipe.readable.wait_interruptible(|| partner(&|state| state.writers_opened != writers))
    } else if wait_for_reader {
        pipe.writable.wait_interruptible(|| partner(&|state| state.readers_opened != readers))
    } else {
        Ok(())
    };
    match waited {
        Ok(()) => Ok(Arc::new(end)),
        Err(errno) => {
            end.close();
            Err(errno)
        }
    }
}
