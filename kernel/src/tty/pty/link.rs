//! The line of a pseudo-terminal: what the slave wrote and the master has not read, packet mode, and which end is open.

use crate::{
    sync::{PollEvents, SpinLock, WaitQueue, class},
    tty::driver::{Driver, PacketStatus},
};
use abi::{Errno, Result};
use alloc::{collections::VecDeque, sync::Arc};
use core::sync::atomic::{AtomicBool, Ordering};
use ldisc::termios::{Cc, Control, Input, Local, Termios};

/// Bytes on their way to the master, at most.
const CAPACITY: usize = 16 * 1024;

/// The slave's driver.
pub struct Link {
    outbox: SpinLock<Outbox>,
    /// The master's readers.
    pub read_queue: Arc<WaitQueue>,
    /// The master's writers.
    pub write_queue: Arc<WaitQueue>,
    /// The slave cannot be opened yet (`unlockpt(3)`).
    locked: AtomicBool,
    master_closed: AtomicBool,
}

struct Outbox {
    bytes: VecDeque<u8>,
    packet: bool,
    status: PacketStatus,
    /// The slave was open and is no more.
    slave_closed: bool,
}

impl Link {
    /// A line with a locked slave. `ENOMEM`.
    pub fn new() -> Result<Arc<Link>> {
        let mut bytes = VecDeque::new();
        bytes.try_reserve_exact(CAPACITY).map_err(|_| Errno::ENOMEM)?;
        let outbox =
            Outbox { bytes, packet: false, status: PacketStatus::empty(), slave_closed: false };
        Ok(Arc::new(Link {
            outbox: SpinLock::new(&class::PIPE, outbox),
            read_queue: Arc::new(WaitQueue::new()),
            write_queue: Arc::new(WaitQueue::new()),
            locked: AtomicBool::new(true),
            master_closed: AtomicBool::new(false),
        }))
    }

    /// Whether the slave cannot be opened yet.
    pub fn is_locked(&self) -> bool {
        self.locked.load(Ordering::Relaxed)
    }

    /// `TIOCSPTLCK`.
    pub fn set_locked(&self, on: bool) {
        self.locked.store(on, Ordering::Relaxed);
    }

    /// Whether the master is gone for good.
    pub fn master_is_closed(&self) -> bool {
        self.master_closed.load(Ordering::Acquire)
    }

    /// The master goes.
    pub fn close_master(&self) {
        self.master_closed.store(true, Ordering::Release);
        self.outbox.lock().bytes.clear();
    }

    /// Whether packet mode is on.
    pub fn packet_mode(&self) -> bool {
        self.outbox.lock().packet
    }

    /// `TIOCPKT`.
    pub fn set_packet_mode(&self, on: bool) {
        let mut outbox = self.outbox.lock();
        outbox.status = PacketStatus::empty();
        outbox.packet = on;
    }

    /// Bytes for the master (`FIONREAD`).
    pub fn available(&self) -> usize {
        self.outbox.lock().bytes.len()
    }

    /// Drops what the master has not read (`TCIFLUSH` on the master).
    pub fn discard(&self) {
        self.outbox.lock().bytes.clear();
    }

    /// Takes up to `dst.len()` bytes for the master. `EAGAIN` when there are none, `EIO` when the slave is closed
    /// besides. In packet mode the first byte tells what follows.
    pub fn take(&self, dst: &mut [u8]) -> Result<usize> {
        let mut outbox = self.outbox.lock();
        if outbox.packet && !outbox.status.is_empty() {
            let status = core::mem::take(&mut outbox.status);
            if let Some(first) = dst.first_mut() {
                *first = status.bits();
            }
            return Ok(1);
        }
        if outbox.bytes.is_empty() {
            return Err(if outbox.slave_closed { Errno::EIO } else { Errno::EAGAIN });
        }
        let header = usize::from(outbox.packet);
        if outbox.packet {
            dst[0] = 0;
        }
        let n = outbox.bytes.len().min(dst.len() - header);
        for (to, from) in dst[header..].iter_mut().zip(outbox.bytes.drain(..n)) {
            *to = from;
        }
        Ok(header + n)
    }

    /// What `poll(2)` says of reading from the master.
    pub fn poll(&self) -> PollEvents {
        let outbox = self.outbox.lock();
        let mut events = PollEvents::empty();
        if !outbox.bytes.is_empty() {
            events |= PollEvents::IN | PollEvents::RDNORM;
        }
        if outbox.packet && !outbox.status.is_empty() {
            events |= PollEvents::PRI | PollEvents::IN | PollEvents::RDNORM;
        }
        if outbox.slave_closed {
            events |= PollEvents::HUP;
        }
        events
    }

    fn wake_reader(&self) {
        self.read_queue.wake_all();
    }
}

impl Driver for Link {
    fn room(&self) -> usize {
        if self.master_is_closed() {
            return 0;
        }
        CAPACITY - self.outbox.lock().bytes.len()
    }

    fn write(&self, bytes: &[u8]) -> usize {
        let n = {
            let mut outbox = self.outbox.lock();
            let n = bytes.len().min(CAPACITY - outbox.bytes.len());
            outbox.bytes.extend(&bytes[..n]);
            n
        };
        self.wake_reader();
        n
    }

    fn flush(&self) {
        self.discard();
        self.announce(PacketStatus::FLUSH_WRITE);
    }

    fn set_attributes(&self, new: &mut Termios, old: &Termios) {
        let standard = |t: &Termios| {
            t.input.contains(Input::IXON) && t.char(Cc::Stop) == 0o23 && t.char(Cc::Start) == 0o21
        };
        match (standard(old), standard(new)) {
            (true, false) => self.announce(PacketStatus::NO_STOP),
            (false, true) => self.announce(PacketStatus::DO_STOP),
            _ => {}
        }
        if new.local.contains(Local::EXTPROC) || old.local.contains(Local::EXTPROC) {
            self.announce(PacketStatus::IOCTL);
        }
        new.control.remove(Control::CSIZE | Control::PARENB);
        new.control.insert(Control::CS8 | Control::CREAD);
    }

    fn announce(&self, status: PacketStatus) {
        {
            let mut outbox = self.outbox.lock();
            if !outbox.packet {
                return;
            }
            let opposite = match status {
                PacketStatus::START => PacketStatus::STOP,
                PacketStatus::STOP => PacketStatus::START,
                PacketStatus::DO_STOP => PacketStatus::NO_STOP,
                PacketStatus::NO_STOP => PacketStatus::DO_STOP,
                _ => PacketStatus::empty(),
            };
            outbox.status.remove(opposite);
            outbox.status.insert(status);
        }
        self.wake_reader();
    }

    fn input_drained(&self) {
        self.write_queue.wake_events(PollEvents::OUT | PollEvents::WRNORM);
    }

    fn opened(&self, open: bool) {
        self.outbox.lock().slave_closed = !open;
        self.wake_reader();
        self.write_queue.wake_all();
    }

    fn is_pty(&self) -> bool {
        true
    }
}
