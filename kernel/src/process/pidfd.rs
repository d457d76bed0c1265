//! Descriptors that refer to a process (`pidfd_open(2)`): it becomes readable when the process ends, and never means another.

use super::{Process, Task};
use crate::{
    fs::{File, FileOps, OpenFlags, synthetic},
    mm::{UserAddr, user},
    sync::{PollEvents, PollTable},
};
use abi::{Errno, Result};
use alloc::{string::String, sync::Arc};
use core::fmt::{self, Write};

/// The operations of a pidfd.
pub struct PidFd {
    process: Arc<Process>,
}

impl FileOps for PidFd {
    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.register(&self.process.exit_event);
        if self.process.has_ended() {
            PollEvents::IN | PollEvents::RDNORM
        } else {
            PollEvents::empty()
        }
    }

    fn show_info(&self, out: &mut String) -> fmt::Result {
        // A process that was waited for has no number any more.
        let pid =
            if self.process.family.lock().reaped { -1 } else { self.process.pid.0.cast_signed() };
        writeln!(out, "Pid:\t{pid}\nNSpid:\t{pid}")
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// `O_NONBLOCK` under its name for pidfds.
pub const PIDFD_NONBLOCK: u32 = OpenFlags::NONBLOCK.bits();

/// A file that refers to `process`.
fn open_file(process: &Arc<Process>, flags: OpenFlags) -> Result<Arc<File>> {
    let ops = Arc::new(PidFd { process: Arc::clone(process) });
    File::anonymous("[pidfd]", OpenFlags::RDWR | flags, ops)
}

/// Installs a pidfd for `process` in the current task's table. It is closed on exec, always.
pub fn open(process: &Arc<Process>, flags: OpenFlags) -> Result<usize> {
    let file = open_file(process, flags)?;
    let current = crate::sched::current();
    let fd = current.files.borrow().install(file, true, 0)?;
    Ok(fd.0 as usize)
}

/// For `CLONE_PIDFD`: installs a pidfd for the new task's process in the parent's table and tells its number at `addr`.
pub(super) fn prepare(parent: &Task, child: &Arc<Task>, addr: UserAddr) -> Result<i32> {
    let file = open_file(&child.process, OpenFlags::empty())?;
    let files = parent.files.borrow();
    let fd = files.install(file, true, 0)?.0.cast_signed();
    user::write(addr, &fd).inspect_err(|_| {
        let _ = files.close(fd);
    })?;
    Ok(fd)
}

/// The process that a descriptor refers to; `EBADF` when it is closed or not a pidfd.
pub fn process_of(fd: i32) -> Result<Arc<Process>> {
    let current = crate::sched::current();
    let files = current.files.borrow();
    let file = files.get(fd)?;
    let pidfd = file.ops().as_any().downcast_ref::<PidFd>().ok_or(Errno::EBADF)?;
    Ok(Arc::clone(&pidfd.process))
}

/// The same for `pidfd_send_signal(2)`, which also takes a descriptor of `/proc/<pid>`.
pub fn process_to_signal(fd: i32) -> Result<Arc<Process>> {
    process_of(fd).or_else(|error| {
        let current = crate::sched::current();
        let files = current.files.borrow();
        let file = files.get(fd).map_err(|_| error)?;
        synthetic::process_of(&file)
    })
}

/// A process, and whether the descriptor is non-blocking (`waitid(2)` with `P_PIDFD`).
pub fn process_and_mode_of(fd: i32) -> Result<(Arc<Process>, bool)> {
    let process = process_of(fd)?;
    let current = crate::sched::current();
    let files = current.files.borrow();
    let nonblocking = files.get(fd)?.flags().contains(OpenFlags::NONBLOCK);
    Ok((process, nonblocking))
}
