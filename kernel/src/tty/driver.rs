//! What a terminal asks of the thing at the other end of its line.

use ldisc::{Sink, termios::Termios};

bitflags::bitflags! {
    /// Changes that a pseudo-terminal's master sees in packet mode (`TIOCPKT_*`).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct PacketStatus: u8 {
        /// Input was flushed.
        const FLUSH_READ = 1;
        /// Output was flushed.
        const FLUSH_WRITE = 2;
        /// Output was stopped.
        const STOP = 4;
        /// Output was started.
        const START = 8;
        /// The flow control characters are not ^S and ^Q.
        const NO_STOP = 16;
        /// They are again.
        const DO_STOP = 32;
        /// Attributes changed with `EXTPROC` set.
        const IOCTL = 64;
    }
}

/// The device side of a terminal. Nothing here sleeps; calls come with the terminal's state locked.
pub trait Driver: Send + Sync {
    /// Bytes that [`Driver::write`] takes now.
    fn room(&self) -> usize;
    /// Takes processed output: how many bytes.
    fn write(&self, bytes: &[u8]) -> usize;
    /// Bytes taken that have not left yet (`TIOCOUTQ`).
    fn unsent(&self) -> usize {
        0
    }
    /// Drops bytes that have not left yet.
    fn flush(&self) {}
    /// Sends one byte before anything else (`TCIOFF`, `IXOFF`).
    fn send_urgent(&self, c: u8) {
        let _ = self.write(&[c]);
    }
    /// Fits the attributes to what the line can do, and makes it do that.
    fn set_attributes(&self, new: &mut Termios, old: &Termios) {
        let _ = (new, old);
    }
    /// Tells the master of a pseudo-terminal.
    fn announce(&self, status: PacketStatus) {
        let _ = status;
    }
    /// The reader made room for input that had to wait.
    fn input_drained(&self) {}
    /// The first file was opened (true) or the last closed (false).
    fn opened(&self, open: bool) {
        let _ = open;
    }
    /// Whether it is a pseudo-terminal: it has no modem lines and outlives the exit of its session's leader.
    fn is_pty(&self) -> bool {
        false
    }
    /// The line's number and base port, for serial lines (`TIOCGSERIAL`).
    fn serial_port(&self) -> Option<SerialPort> {
        None
    }
}

/// What `TIOCGSERIAL` shows.
#[derive(Clone, Copy, Debug)]
pub struct SerialPort {
    /// Number of the line.
    pub line: u32,
    /// First I/O port.
    pub port: u16,
    /// Interrupt line.
    pub irq: u32,
}

/// A driver as the line discipline sees it.
pub struct DriverSink<'a>(pub &'a dyn Driver);

impl Sink for DriverSink<'_> {
    fn room(&self) -> usize {
        self.0.room()
    }
    fn push(&mut self, bytes: &[u8]) {
        let taken = self.0.write(bytes);
        debug_assert_eq!(taken, bytes.len(), "a driver took less than its room");
    }
}
