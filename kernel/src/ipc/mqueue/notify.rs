//! `mq_notify(2)`: one process is told when a message comes to the empty queue and nobody waits for it.
//!
//! `SIGEV_THREAD` is built on a netlink socket in the C library. There are none here, so no descriptor that user space has is one: the
//! errors are those for descriptors of other kinds.

use super::queue_of;
use crate::{
    fs::{File, FileType},
    mm::{UserAddr, user},
    process::{
        Process,
        signal::{self, SigInfo, Signal},
    },
    sched,
};
use abi::{Errno, Result, mqueue::NOTIFY_COOKIE_LEN};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::Ordering::Relaxed;

/// What the process wants (`sigevent(3)`).
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// Nothing happens; the place is taken.
    Nothing,
    /// A signal with a value; no signal for number 0.
    Signal(Option<Signal>, u64),
}

/// Who is told, and how.
pub(super) struct Registration {
    process: Weak<Process>,
    /// Which program it runs: the next one does not expect the signal.
    program: u32,
    event: Event,
}

impl Registration {
    /// Whether the current process is the one.
    pub fn is_current(&self) -> bool {
        core::ptr::eq(self.process.as_ptr(), Arc::as_ptr(&sched::current().process))
    }

    /// As the queue's file shows it: `sigev_notify`, the signal, the process.
    pub fn shown(&self) -> (i32, u8, u32) {
        const SIGEV_SIGNAL: i32 = 0;
        const SIGEV_NONE: i32 = 1;
        let pid = self.process.upgrade().map_or(0, |process| process.pid.0);
        match self.event {
            Event::Signal(signal, _) => (SIGEV_SIGNAL, signal.map_or(0, |signal| signal.0), pid),
            Event::Nothing => (SIGEV_NONE, 0, pid),
        }
    }

    /// Tells the process. No lock is held.
    pub fn deliver(self) {
        let Event::Signal(Some(signal), value) = self.event else { return };
        let Some(process) = self.process.upgrade() else { return };
        if process.programs_run.load(Relaxed) == self.program {
            // A full queue loses the signal, on Linux too.
            let _ = signal::send_process(&process, SigInfo::message_queue(signal, value));
        }
    }
}

/// Registers the current process for `event`, or with `None` ends its registration. `EBUSY` when somebody is registered.
pub fn notify(file: &File, event: Option<Event>) -> Result<()> {
    let queue = queue_of(file)?;
    let mut state = queue.state.lock();
    let Some(event) = event else {
        let ended = state.registration.take_if(|registration| registration.is_current());
        if ended.is_some() {
            state.touch(false);
        }
        return Ok(());
    };
    if state.registration.is_some() {
        return Err(Errno::EBUSY);
    }
    let process = &sched::current().process;
    let program = process.programs_run.load(Relaxed);
    state.registration = Some(Registration { process: Arc::downgrade(process), program, event });
    state.touch(false);
    Ok(())
}

/// Why there can be no notification by netlink (see the module's text): `EFAULT`, `EBADF`, `ENOTSOCK`, `EINVAL`.
pub fn refuse_thread(cookie: UserAddr, fd: i32) -> Errno {
    let mut bytes = [0; NOTIFY_COOKIE_LEN];
    if let Err(errno) = user::copy_from_user(&mut bytes, cookie) {
        return errno;
    }
    match sched::current().files.borrow().get(fd) {
        Err(errno) => errno,
        Ok(file) if file.inode().file_type() != FileType::Socket => Errno::ENOTSOCK,
        Ok(_) => Errno::EINVAL,
    }
}
