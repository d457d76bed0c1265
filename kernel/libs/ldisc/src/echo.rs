//! Echo: what input editing shows on the screen.
//!
//! Bytes are processed (columns counted, `OPOST` applied) as they are queued; the queue goes to the driver before
//! any later program output, so the order on the screen is the order of events. When nobody takes the echo it is
//! dropped beyond [`ECHO_LIMIT`] rather than held for ever.

use crate::{
    LineDiscipline, Sink,
    output::is_control,
    termios::{Local, Output},
};

/// Most bytes of echo that wait for the driver.
pub const ECHO_LIMIT: usize = 4096;

/// The queue as a sink.
struct Queue<'a>(&'a mut alloc::collections::VecDeque<u8>);

impl Sink for Queue<'_> {
    fn room(&self) -> usize {
        ECHO_LIMIT.saturating_sub(self.0.len())
    }
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }
}

impl LineDiscipline {
    /// Moves waiting echo to the driver, unless output is stopped. Whether all of it went.
    pub fn flush_echo(&mut self, out: &mut dyn Sink) -> bool {
        if self.stopped {
            return self.echo.is_empty();
        }
        while !self.echo.is_empty() {
            let (front, _) = self.echo.as_slices();
            let n = front.len().min(out.room());
            if n == 0 {
                return false;
            }
            out.push(&front[..n]);
            self.echo.drain(..n);
        }
        true
    }

    /// Drops waiting echo.
    pub fn drop_echo(&mut self) {
        self.echo.clear();
    }

    /// Queues a byte as program output would show it.
    pub(crate) fn echo_raw(&mut self, c: u8) {
        let mut echo = core::mem::take(&mut self.echo);
        let mut queue = Queue(&mut echo);
        if self.termios.output.contains(Output::OPOST) {
            self.put_processed(c, &mut queue);
        } else if queue.room() > 0 {
            queue.push(&[c]);
        }
        self.echo = echo;
    }

    /// Queues bytes that only move the cursor the way the caller accounts for.
    fn echo_bare(&mut self, bytes: &[u8]) {
        let mut queue = Queue(&mut self.echo);
        if queue.room() >= bytes.len() {
            queue.push(bytes);
        }
    }

    /// Queues an input byte; a control character as `^X` with `ECHOCTL`.
    pub(crate) fn echo_char(&mut self, c: u8) {
        if self.local(Local::ECHOCTL) && is_control(c) && c != b'\t' {
            self.echo_bare(&[b'^', c ^ 0o100]);
            self.column += 2;
        } else {
            self.echo_raw(c);
        }
    }

    /// Ends an `ECHOPRT` erasure.
    pub(crate) fn finish_erasing(&mut self) {
        if core::mem::take(&mut self.erasing) {
            self.echo_raw(b'/');
        }
    }

    /// Wipes one column.
    pub(crate) fn echo_wipe(&mut self) {
        for c in *b"\x08 \x08" {
            self.echo_raw(c);
        }
    }

    /// Goes back over a tab. `columns` were used since the last tab, or since the line began.
    pub(crate) fn echo_untab(&mut self, columns: usize, after_tab: bool) {
        let from = if after_tab { columns } else { columns + self.canon_column };
        for _ in 0..8 - (from & 7) {
            self.echo_bare(b"\x08");
            self.column = self.column.saturating_sub(1);
        }
    }

    pub(crate) fn echo_move_back(&mut self) {
        self.column = self.column.saturating_sub(1);
    }

    /// Remembers where the line being edited begins.
    pub(crate) fn echo_line_start(&mut self) {
        if self.ring.edited() == 0 {
            self.canon_column = self.column;
        }
    }
}
