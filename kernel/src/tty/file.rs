//! An open terminal.

use super::{Terminal, job_control, terminal::Minimum};
use crate::{
    fs::{File, FileOps, IoSink, IoSource, OpenFlags},
    process::Capability,
    sync::{PollEvents, PollTable},
    time::Instant,
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

/// The operations of one open file on a terminal.
pub(super) struct TerminalFile {
    pub(super) terminal: Arc<Terminal>,
    /// The terminal's hang-ups when this was opened.
    hangups: u32,
    /// The open may make it the controlling terminal.
    may_control: bool,
    role: Role,
}

/// Under which name a terminal was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Its own, or `/dev/tty`.
    Terminal,
    /// `/dev/console`: a hang-up does not end it, for init must have its say afterwards.
    Console,
}

impl TerminalFile {
    /// Opens `terminal`; `EBUSY` when somebody has it for himself. Without `O_NOCTTY` it may become the controlling terminal of
    /// one that may read it.
    pub(super) fn open(
        terminal: Arc<Terminal>,
        flags: OpenFlags,
        role: Role,
    ) -> Result<Arc<TerminalFile>> {
        if terminal.exclusive.load(Ordering::Relaxed) && !job_control::capable(Capability::SysAdmin)
        {
            return Err(Errno::EBUSY);
        }
        terminal.open();
        let hangups = terminal.hangups();
        let may_control = flags.readable() && !flags.contains(OpenFlags::NOCTTY);
        Ok(Arc::new(TerminalFile { terminal, hangups, may_control, role }))
    }

    /// The end of an open: a session leader may get its controlling terminal by it.
    pub(super) fn opened(file: &File) {
        let Some(this) = file.ops().as_any().downcast_ref::<TerminalFile>() else { return };
        if this.may_control {
            this.terminal.acquire_on_open();
        }
    }

    /// Whether the line was hung up since this was opened.
    pub(super) fn is_dead(&self) -> bool {
        self.role != Role::Console && self.terminal.hangups() != self.hangups
    }
}

impl Drop for TerminalFile {
    fn drop(&mut self) {
        self.terminal.close();
    }
}

impl FileOps for TerminalFile {
    fn read(&self, file: &File, dst: &mut IoSink<'_>, _: &mut u64) -> Result<usize> {
        if self.is_dead() {
            return Ok(0);
        }
        self.terminal.check_read()?;
        let nonblocking = file.flags().contains(OpenFlags::NONBLOCK);
        let minimum = if nonblocking { Minimum::None } else { Minimum::Attributes };
        self.terminal.read(dst, minimum)
    }

    fn read_deadline(&self, _: &File, started: Instant) -> Option<Instant> {
        self.terminal.read_deadline(started)
    }

    fn read_late(&self, _: &File, dst: &mut IoSink<'_>) -> Result<usize> {
        match self.terminal.read(dst, Minimum::None) {
            Err(Errno::EAGAIN) => Ok(0),
            other => other,
        }
    }

    fn write(&self, _: &File, src: &mut IoSource<'_>, _: &mut u64) -> Result<usize> {
        if self.is_dead() {
            return Err(Errno::EIO);
        }
        if self.terminal.stops_background_output() {
            self.terminal.check_change()?;
        }
        self.terminal.write(src)
    }

    fn poll(&self, _: &File, table: &mut PollTable) -> PollEvents {
        table.register(self.terminal.read_queue());
        table.register(self.terminal.write_queue());
        let readable = PollEvents::IN | PollEvents::RDNORM;
        let writable = PollEvents::OUT | PollEvents::WRNORM;
        if self.is_dead() {
            return readable | writable | PollEvents::ERR | PollEvents::HUP;
        }
        let mut events = PollEvents::empty();
        if self.terminal.poll_readable() {
            events |= readable;
        }
        if self.terminal.poll_writable() {
            events |= writable;
        }
        events
    }

    fn ioctl(&self, file: &File, command: u32, argument: usize) -> Result<usize> {
        super::ioctl::terminal(self, file, command, argument)
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
