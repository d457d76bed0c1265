//! The line discipline of terminals: Linux's `N_TTY`, as a value without locks, tasks or devices.
//!
//! A terminal's driver hands received bytes to [`LineDiscipline::receive`]; what that asks of the rest of the
//! kernel (signals, wake-ups, flow control) comes back as [`Events`], to be carried out when the caller's lock is
//! free. Echo collects in the discipline and goes out through [`LineDiscipline::flush_echo`]; programs'
//! output is processed by [`LineDiscipline::write`]; programs' input comes from [`LineDiscipline::read`].
//!
//! - [`termios`]: the attributes and their ABI form.
//! - `input`: received bytes: editing, signals, flow control.
//! - `echo`: what editing shows on the screen.
//! - `output`: output post-processing and the cursor's column.
//! - `ring`: the 4096 bytes that programs have not read yet.
//!
//! Waiting (`VTIME`, blocking reads), job control and drivers are the kernel's side. As on Linux, `IMAXBEL`,
//! `XCASE`, `FLUSHO` and `PENDIN` are accepted and do nothing.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod echo;
mod input;
mod output;
mod ring;
pub mod termios;

#[cfg(test)]
mod tests;

pub use echo::ECHO_LIMIT;
pub use ring::SIZE as BUFFER_SIZE;

use alloc::collections::VecDeque;
use bitflags::bitflags;
use ring::Ring;
use termios::{Cc, Local, Termios};

/// Where processed output goes: a driver's transmit buffer.
pub trait Sink {
    /// Bytes that it takes now.
    fn room(&self) -> usize;
    /// Takes `bytes`, which are no more than [`Sink::room`].
    fn push(&mut self, bytes: &[u8]);
}

bitflags! {
    /// What received bytes ask of the rest of the kernel.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Events: u32 {
        /// SIGINT to the foreground group.
        const INTERRUPT = 1;
        /// SIGQUIT to the foreground group.
        const QUIT = 2;
        /// SIGTSTP to the foreground group.
        const SUSPEND = 4;
        /// There is something to read.
        const READABLE = 8;
        /// Unsent output is to be dropped.
        const FLUSH_OUTPUT = 16;
        /// Unread input was dropped.
        const FLUSHED_INPUT = 32;
        /// Output is to stop.
        const STOPPED = 64;
        /// Output may go on.
        const STARTED = 128;
    }
}

/// How a byte arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// With a parity or framing error.
    Damaged,
    /// As a break condition.
    Break,
}

/// The state of one terminal's line discipline.
pub struct LineDiscipline {
    termios: Termios,
    ring: Ring,
    /// Bytes that need more than storing and echoing; unused in raw mode.
    special: [bool; 256],
    /// No byte needs any processing.
    raw: bool,
    /// Where the cursor is.
    column: usize,
    /// Where the cursor was when the line being edited began.
    canon_column: usize,
    /// The next byte is literal.
    lnext: bool,
    /// Inside an `ECHOPRT` erasure.
    erasing: bool,
    /// Echo on its way to the driver.
    echo: VecDeque<u8>,
    /// Output is stopped by the STOP character.
    stopped: bool,
    /// Output is stopped by `TCXONC`: only that starts it again.
    held: bool,
}

impl LineDiscipline {
    /// A discipline with nothing in its buffers.
    pub fn new(termios: Termios) -> LineDiscipline {
        let mut new = LineDiscipline {
            termios,
            ring: Ring::new(),
            special: [false; 256],
            raw: false,
            column: 0,
            canon_column: 0,
            lnext: false,
            erasing: false,
            echo: VecDeque::new(),
            stopped: false,
            held: false,
        };
        new.find_special();
        new
    }

    /// The attributes.
    pub fn termios(&self) -> &Termios {
        &self.termios
    }

    /// Changes the attributes. Going to canonical mode, what was received so far becomes readable as it is;
    /// leaving it, a half-edited line becomes readable. Returns what changed for others.
    pub fn set_termios(&mut self, new: Termios) -> Events {
        let old = core::mem::replace(&mut self.termios, new);
        let mode = Local::ICANON | Local::EXTPROC;
        if (old.local ^ new.local).intersects(mode) {
            self.ring.change_mode(self.is_canonical());
            self.erasing = false;
            self.lnext = false;
        }
        self.find_special();
        let mut events = Events::READABLE;
        let ixon = termios::Input::IXON;
        if old.input.contains(ixon) && !new.input.contains(ixon) && !self.held {
            events |= self.start();
        }
        events
    }

    /// Whether lines are edited and read as lines.
    pub fn is_canonical(&self) -> bool {
        self.local(Local::ICANON)
    }

    /// Whether reads are by lines: canonical, and not edited at the other end.
    fn reads_lines(&self) -> bool {
        self.is_canonical() && !self.local(Local::EXTPROC)
    }

    fn local(&self, flag: Local) -> bool {
        self.termios.local.contains(flag)
    }

    fn char(&self, slot: Cc) -> u8 {
        self.termios.char(slot)
    }

    /// Whether `c` is the control character in a slot that is on.
    fn is(&self, c: u8, slot: Cc) -> bool {
        c != termios::DISABLED && c == self.char(slot)
    }

    /// Takes bytes for a program: a line or part of one in canonical mode, what there is otherwise. `None` when there
    /// is nothing; `Some(0)` is an end of file.
    pub fn read(&mut self, dst: &mut [u8]) -> Option<usize> {
        if self.reads_lines() {
            self.ring.read_line(dst).map(|(n, _)| n)
        } else {
            self.read_raw(dst)
        }
    }

    /// As [`LineDiscipline::read`], but tells whether the line ended with these bytes: a read that did not get all it wanted
    /// goes on only when the line did not end.
    pub fn read_part(&mut self, dst: &mut [u8]) -> Option<(usize, bool)> {
        if self.reads_lines() {
            self.ring.read_line(dst)
        } else {
            let n = self.read_raw(dst)?;
            Some((n, self.ring.is_empty()))
        }
    }

    /// A read that is full may stand just before an end-of-file mark, which would end the next read at once: drops it.
    pub fn skip_eof(&mut self) {
        if self.reads_lines() {
            self.ring.skip_eof();
        }
    }

    fn read_raw(&mut self, dst: &mut [u8]) -> Option<usize> {
        if self.ring.is_empty() {
            return None;
        }
        // With EXTPROC, an end-of-file character alone is an end of file.
        let lone_eof = self.local(Local::EXTPROC | Local::ICANON)
            && self.ring.len() == 1
            && self.is(self.ring.front(), Cc::Eof);
        let n = self.ring.read(dst);
        Some(if lone_eof { 0 } else { n })
    }

    /// Whether a read finds at least `minimum` bytes (in canonical mode: a line or part of a finished one).
    pub fn readable(&self, minimum: usize) -> bool {
        if self.reads_lines() { self.ring.has_line() } else { self.ring.len() >= minimum.max(1) }
    }

    /// Bytes that a read could get (`FIONREAD`).
    pub fn available(&self) -> usize {
        if self.reads_lines() { self.ring.line_bytes() } else { self.ring.len() }
    }

    /// Bytes held, finished lines or not.
    pub fn buffered(&self) -> usize {
        self.ring.len()
    }

    /// Whether so little room is left that the other end should pause (`IXOFF`, modem lines).
    pub fn nearly_full(&self) -> bool {
        let blocked_by_reader = !self.reads_lines() || self.ring.has_line();
        blocked_by_reader && self.ring.room() < 128
    }

    /// Whether the buffer emptied enough for the other end to go on.
    pub fn nearly_empty(&self) -> bool {
        self.available() <= 128
    }

    /// Drops input that was not read (`TCIFLUSH`).
    pub fn flush_input(&mut self) {
        self.ring.clear();
        self.erasing = false;
        self.lnext = false;
    }

    /// Whether output is stopped, by STOP or by [`LineDiscipline::hold`].
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Stops output until [`LineDiscipline::release`] (`TCOOFF`).
    pub fn hold(&mut self) -> Events {
        if self.held {
            return Events::empty();
        }
        self.held = true;
        if core::mem::replace(&mut self.stopped, true) { Events::empty() } else { Events::STOPPED }
    }

    /// Ends [`LineDiscipline::hold`] (`TCOON`).
    pub fn release(&mut self) -> Events {
        if core::mem::take(&mut self.held) { self.start() } else { Events::empty() }
    }

    fn start(&mut self) -> Events {
        if self.stopped && !self.held {
            self.stopped = false;
            Events::STARTED
        } else {
            Events::empty()
        }
    }

    fn stop(&mut self) -> Events {
        if core::mem::replace(&mut self.stopped, true) { Events::empty() } else { Events::STOPPED }
    }
}
