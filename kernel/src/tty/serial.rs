//! Serial terminals, ttyS0 to ttyS3, over the 16550 driver.
//!
//! A port's interrupt puts what came into the port's receive buffer and sends what waits in its transmit buffer; the
//! flip thread feeds the first to the line discipline and wakes the writers that the second held up. A byte
//! that finds the receive buffer full is lost, as on an overrun of the hardware.

use super::{
    Terminal,
    driver::{Driver, SerialPort},
    file::{Role, TerminalFile},
};
use crate::{
    drivers::serial::{self as uart, Receiver},
    fs::{
        DeviceId, File, FileOps, Inode, OpenFlags,
        inode::{DeviceDriver, register_char_device},
    },
    sched,
    sync::{IrqSpinLock, Once, WaitQueue, class},
};
use abi::{Errno, Result};
use alloc::{boxed::Box, format, sync::Arc, vec::Vec};
use arrayvec::ArrayVec;
use core::sync::atomic::{AtomicBool, Ordering};
use ldisc::termios::{Control, Termios};

/// Major number of serial terminals.
pub const MAJOR: u32 = 4;
/// Minor number of ttyS0.
pub const FIRST_MINOR: u32 = 64;

const PORTS: usize = 4;
const BUFFER: usize = 4096;
const DEFAULT_SPEED: u32 = 115_200;
const IO_PORTS: [u16; PORTS] = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
const INTERRUPTS: [u32; PORTS] = [4, 3, 4, 3];

type Buffer = IrqSpinLock<ArrayVec<u8, BUFFER>>;

/// One port: its buffers, and its terminal once there is one.
struct Line {
    index: usize,
    received: Buffer,
    unsent: Buffer,
    /// Writers wait for the transmit buffer.
    drained: AtomicBool,
    terminal: Once<Arc<Terminal>>,
}

static LINES: [Line; PORTS] = [Line::new(0), Line::new(1), Line::new(2), Line::new(3)];

/// There is work for the flip thread.
static PENDING: AtomicBool = AtomicBool::new(false);
static FLIP: WaitQueue = WaitQueue::new();

/// The terminal called `name`.
pub(super) fn find(name: &str) -> Option<Arc<Terminal>> {
    terminals().into_iter().find(|terminal| terminal.name() == name)
}

/// All there are.
pub fn terminals() -> Vec<Arc<Terminal>> {
    LINES.iter().filter_map(|line| line.terminal.get()).cloned().collect()
}

/// Makes a terminal of every port that the machine has, and starts the flip thread.
pub(super) fn init() -> Result<()> {
    sched::spawn_kthread("kttyflip", Box::new(flip))?;
    for line in &LINES {
        if let Some(port) = uart::get(line.index) {
            line.terminal.call_once(|| line.make_terminal());
            port.open(line)?;
        }
    }
    let minors = FIRST_MINOR..FIRST_MINOR + PORTS as u32;
    register_char_device(MAJOR, minors, Arc::new(SerialTerminals));
    Ok(())
}

/// The flip thread.
fn flip() {
    loop {
        FLIP.wait(|| PENDING.swap(false, Ordering::AcqRel).then_some(()));
        LINES.iter().for_each(Line::flip);
    }
}

fn ask_for_flip() {
    PENDING.store(true, Ordering::Release);
    FLIP.wake_one();
}

impl Line {
    const fn new(index: usize) -> Line {
        Line {
            index,
            received: IrqSpinLock::new(&class::TTY_BUFFER, ArrayVec::new_const()),
            unsent: IrqSpinLock::new(&class::TTY_BUFFER, ArrayVec::new_const()),
            drained: AtomicBool::new(false),
            terminal: Once::new(),
        }
    }

    fn make_terminal(&'static self) -> Arc<Terminal> {
        let control = Control::CS8 | Control::CREAD | Control::HUPCL | Control::CLOCAL;
        let mut termios = Termios { control, ..Termios::default() };
        termios.set_speed(DEFAULT_SPEED);
        let device = DeviceId { major: MAJOR, minor: FIRST_MINOR + self.index as u32 };
        let driver = Arc::new(LineDriver { line: self });
        Terminal::new(&format!("ttyS{}", self.index), device, driver, termios)
    }

    /// Feeds what was received to the terminal, and wakes its writers.
    fn flip(&self) {
        let Some(terminal) = self.terminal.get() else { return };
        loop {
            // In small pieces, so that the copy is on the stack.
            let mut piece = ArrayVec::<u8, 256>::new();
            {
                let mut received = self.received.lock();
                let n = received.len().min(piece.capacity());
                piece.extend(received.drain(..n));
            }
            if piece.is_empty() {
                break;
            }
            terminal.receive(&piece);
        }
        if self.drained.swap(false, Ordering::AcqRel) {
            // Echo that waited goes before programs' output.
            terminal.update(|_, _| ());
            terminal.wake_writers();
        }
    }

    /// Gives the port what it takes from the transmit buffer.
    fn pump(&self, unsent: &mut ArrayVec<u8, BUFFER>) {
        if let Some(port) = uart::get(self.index)
            && !unsent.is_empty()
        {
            let sent = port.try_write(unsent);
            unsent.drain(..sent);
        }
    }
}

impl Receiver for Line {
    fn received(&self, bytes: &[u8]) {
        {
            let mut received = self.received.lock();
            let room = received.remaining_capacity().min(bytes.len());
            received.extend(bytes[..room].iter().copied());
        }
        ask_for_flip();
    }

    fn writable(&self) {
        let empty = {
            let mut unsent = self.unsent.lock();
            self.pump(&mut unsent);
            unsent.is_empty()
        };
        if empty {
            self.drained.store(true, Ordering::Release);
            ask_for_flip();
        }
    }
}

/// A port as its terminal's driver.
struct LineDriver {
    line: &'static Line,
}

impl Driver for LineDriver {
    fn room(&self) -> usize {
        self.line.unsent.lock().remaining_capacity()
    }

    fn write(&self, bytes: &[u8]) -> usize {
        let mut unsent = self.line.unsent.lock();
        let n = unsent.remaining_capacity().min(bytes.len());
        unsent.extend(bytes[..n].iter().copied());
        self.line.pump(&mut unsent);
        n
    }

    fn unsent(&self) -> usize {
        self.line.unsent.lock().len()
    }

    fn flush(&self) {
        self.line.unsent.lock().clear();
    }

    fn send_urgent(&self, c: u8) {
        let mut unsent = self.line.unsent.lock();
        if unsent.is_full() {
            unsent.pop();
        }
        unsent.insert(0, c);
        self.line.pump(&mut unsent);
    }

    fn set_attributes(&self, new: &mut Termios, old: &Termios) {
        let speed = new.output_speed;
        if speed != 0
            && speed != old.output_speed
            && let Some(port) = uart::get(self.line.index)
        {
            port.set_speed(speed);
        }
    }

    fn serial_port(&self) -> Option<SerialPort> {
        Some(SerialPort {
            line: self.line.index as u32,
            port: IO_PORTS[self.line.index],
            irq: INTERRUPTS[self.line.index],
        })
    }
}

struct SerialTerminals;

impl DeviceDriver for SerialTerminals {
    fn open(&self, _: &Arc<Inode>, device: DeviceId, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
        let index = device.minor.checked_sub(FIRST_MINOR).ok_or(Errno::ENXIO)?;
        let line = LINES.get(index as usize).ok_or(Errno::ENXIO)?;
        let terminal = line.terminal.get().ok_or(Errno::EIO)?;
        Ok(TerminalFile::open(Arc::clone(terminal), flags, Role::Terminal)?)
    }

    fn opened(&self, file: &Arc<File>) -> Result<()> {
        TerminalFile::opened(file);
        Ok(())
    }
}
