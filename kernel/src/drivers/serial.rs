//! Serial ports: 16550A and its kin at the four places where PCs have them.
//!
//! Reception is by interrupt; received bytes go to the port's receiver. Sending never waits:
//! [`SerialPort::try_write`] fills the FIFO and, when it is full, has the port interrupt once it is
//! empty, upon which the receiver is told. The kernel log and the panic use
//! [`SerialPort::write_polled`], which waits for the port and takes no lock when it must not.
//!
//! Lock: `SERIAL`, one a port, around its registers.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::{
    arch::{interrupt, io},
    sync::{IrqSpinLock, Once, class},
};

mod register {
    pub const DATA: u16 = 0;
    pub const INTERRUPT_ENABLE: u16 = 1;
    pub const INTERRUPT_ID: u16 = 2;
    pub const FIFO_CONTROL: u16 = 2;
    pub const LINE_CONTROL: u16 = 3;
    pub const MODEM_CONTROL: u16 = 4;
    pub const LINE_STATUS: u16 = 5;
    pub const SCRATCH: u16 = 7;
}

const RECEIVED: u8 = 1 << 0;
const TRANSMIT_EMPTY: u8 = 1 << 5;
const ENABLE_RECEIVE: u8 = 1 << 0;
const ENABLE_TRANSMIT: u8 = 1 << 1;
const FIFO_DEPTH: usize = 16;
/// Rate of the chip's clock over 16.
const BASE_RATE: u32 = 115_200;

/// Who uses a port.
pub trait Receiver: Sync {
    /// Bytes arrived. Called with interrupts off.
    fn received(&self, bytes: &[u8]);
    /// The port can take bytes again after [`SerialPort::try_write`] took fewer than it was given.
    /// Called with interrupts off.
    fn writable(&self);
}

/// A serial port.
pub struct SerialPort {
    base: u16,
    line: u8,
    index: usize,
    present: AtomicBool,
    registers: IrqSpinLock<Registers>,
    receiver: Once<&'static dyn Receiver>,
}

/// What is under the lock besides the chip.
struct Registers {
    interrupts: u8,
}

static PORTS: [SerialPort; 4] =
    [port(0, 0x3f8, 4), port(1, 0x2f8, 3), port(2, 0x3e8, 4), port(3, 0x2e8, 3)];

const fn port(index: usize, base: u16, line: u8) -> SerialPort {
    SerialPort {
        base,
        line,
        index,
        present: AtomicBool::new(false),
        registers: IrqSpinLock::new(&class::SERIAL, Registers { interrupts: 0 }),
        receiver: Once::new(),
    }
}

/// Port `index` (0 for `ttyS0`), if the machine has it.
pub fn get(index: usize) -> Option<&'static SerialPort> {
    PORTS.get(index).filter(|port| port.present.load(Ordering::Relaxed))
}

/// Finds the ports and sets them to 115200 baud, 8 bits, no parity. Before the first message.
pub fn init() {
    for port in &PORTS {
        port.probe();
    }
}

fn interrupt_of(first: usize, second: usize) {
    PORTS[first].interrupt();
    PORTS[second].interrupt();
}

impl SerialPort {
    /// Sets who gets the bytes, and turns the port's interrupts on. Once a port.
    pub fn open(&self, receiver: &'static dyn Receiver) -> abi::Result<()> {
        // Two ports share each line.
        let handler: interrupt::Handler = if self.index.is_multiple_of(2) {
            || interrupt_of(0, 2)
        } else {
            || interrupt_of(1, 3)
        };
        self.receiver.call_once(|| receiver);
        interrupt::request_isa(self.line, handler)?;
        let mut registers = self.registers.lock();
        registers.interrupts = ENABLE_RECEIVE;
        self.write(register::INTERRUPT_ENABLE, registers.interrupts);
        Ok(())
    }

    /// Sends what the port takes at once; how many bytes that was. When fewer than given, the
    /// receiver's `writable` is called once there is room.
    pub fn try_write(&self, bytes: &[u8]) -> usize {
        let mut registers = self.registers.lock();
        let mut sent = 0;
        while sent < bytes.len() {
            if self.read(register::LINE_STATUS) & TRANSMIT_EMPTY == 0 {
                if registers.interrupts & ENABLE_TRANSMIT == 0 {
                    registers.interrupts |= ENABLE_TRANSMIT;
                    self.write(register::INTERRUPT_ENABLE, registers.interrupts);
                }
                break;
            }
            // An empty FIFO takes its depth without being asked again.
            let end = bytes.len().min(sent + FIFO_DEPTH);
            for &byte in &bytes[sent..end] {
                self.write(register::DATA, byte);
            }
            sent = end;
        }
        sent
    }

    /// Sends all bytes, waiting for the port. `force` breaks into a lock that somebody holds who
    /// will never give it back: for the panic.
    pub fn write_polled(&self, bytes: &[u8], force: bool) {
        let guard = if force { self.registers.try_lock() } else { Some(self.registers.lock()) };
        for chunk in bytes.chunks(FIFO_DEPTH) {
            while self.read(register::LINE_STATUS) & TRANSMIT_EMPTY == 0 {
                core::hint::spin_loop();
            }
            for &byte in chunk {
                self.write(register::DATA, byte);
            }
        }
        drop(guard);
    }

    /// Sets the line's speed, as `tcsetattr(3)` asks; 0 hangs up and is not for here.
    pub fn set_speed(&self, baud: u32) {
        let divisor = (BASE_RATE / baud.max(2)).clamp(1, 0xffff);
        let _registers = self.registers.lock();
        self.set_divisor(divisor as u16);
    }

    fn set_divisor(&self, divisor: u16) {
        const DIVISOR_ACCESS: u8 = 0x80;
        const EIGHT_BITS: u8 = 3;
        self.write(register::LINE_CONTROL, DIVISOR_ACCESS | EIGHT_BITS);
        self.write(register::DATA, divisor as u8);
        self.write(register::INTERRUPT_ENABLE, (divisor >> 8) as u8);
        self.write(register::LINE_CONTROL, EIGHT_BITS);
    }

    fn probe(&self) {
        // A chip remembers what is written to its scratch register; an empty place does not.
        self.write(register::SCRATCH, 0x5a);
        if self.read(register::SCRATCH) != 0x5a {
            return;
        }
        self.write(register::INTERRUPT_ENABLE, 0);
        self.set_divisor(1);
        self.write(register::INTERRUPT_ENABLE, 0);
        // FIFOs on and empty, an interrupt at one byte: a terminal's bytes come singly.
        self.write(register::FIFO_CONTROL, 0x07);
        // Data terminal ready, request to send, and the gate of the interrupt line.
        self.write(register::MODEM_CONTROL, 0x0b);
        self.present.store(true, Ordering::Relaxed);
    }

    fn interrupt(&self) {
        const NO_INTERRUPT: u8 = 1;
        let Some(receiver) = self.receiver.get() else { return };
        let mut writable = false;
        // Edge-triggered lines must be left quiet: go on until the chip has no more to say.
        while self.read(register::INTERRUPT_ID) & NO_INTERRUPT == 0 {
            let mut buffer = [0; 64];
            let mut count = 0;
            {
                let mut registers = self.registers.lock();
                let mut status = self.read(register::LINE_STATUS);
                while status & RECEIVED != 0 && count < buffer.len() {
                    buffer[count] = self.read(register::DATA);
                    count += 1;
                    status = self.read(register::LINE_STATUS);
                }
                if registers.interrupts & ENABLE_TRANSMIT != 0 && status & TRANSMIT_EMPTY != 0 {
                    registers.interrupts &= !ENABLE_TRANSMIT;
                    self.write(register::INTERRUPT_ENABLE, registers.interrupts);
                    writable = true;
                }
            }
            if count > 0 {
                receiver.received(&buffer[..count]);
            }
        }
        if writable {
            receiver.writable();
        }
    }

    fn read(&self, register: u16) -> u8 {
        // SAFETY: the port's own registers; reading them touches no memory.
        unsafe { io::inb(self.base + register) }
    }

    fn write(&self, register: u16, value: u8) {
        // SAFETY: the port's own registers; the interrupts they cause have handlers.
        unsafe { io::outb(self.base + register, value) };
    }
}
