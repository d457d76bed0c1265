//! The battery-backed clock (MC146818 and its kin): its time, its alarm, and the interrupts of both. The file `/dev/rtc0` is in
//! `time/rtc_device.rs`; at boot the time is read when the loader told no date.
//!
//! Lock: `CLOCK_CHIP`, around each use of the registers, which are reached through an index.

use crate::{
    arch::{interrupt, io},
    sync::{IrqSpinLock, Once, class},
};
use abi::{Errno, Result};

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;
/// The interrupt line.
const LINE: u8 = 8;

mod register {
    pub const SECOND: u8 = 0;
    pub const SECOND_ALARM: u8 = 1;
    pub const MINUTE: u8 = 2;
    pub const MINUTE_ALARM: u8 = 3;
    pub const HOUR: u8 = 4;
    pub const HOUR_ALARM: u8 = 5;
    pub const DAY: u8 = 7;
    pub const MONTH: u8 = 8;
    pub const YEAR: u8 = 9;
    pub const A: u8 = 10;
    pub const B: u8 = 11;
    pub const C: u8 = 12;
    pub const D: u8 = 13;
}

/// Register A: the time is about to change.
const UPDATING: u8 = 1 << 7;
/// Register B: the time stands still, to be set.
const SETTING: u8 = 1 << 7;
/// Register B: periodic, alarm and update interrupts.
const INTERRUPTS: u8 = 0x70;
/// Register B: numbers are binary, not decimal digits.
const BINARY: u8 = 1 << 2;
/// Register B: hours go to 24.
const HOURS_24: u8 = 1 << 1;
/// Register D: the battery is good.
const VALID: u8 = 1 << 7;
/// An hour's mark for the afternoon, when they go to 12.
const AFTERNOON: u8 = 1 << 7;

/// The first and the last year of the two digits that the chip has.
const YEARS: core::ops::RangeInclusive<u64> = 2000..=2099;

/// The chip's events, by their bits in registers B (to be told) and C (what happened).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// Every second.
    Update = 1 << 4,
    /// The time of the alarm.
    Alarm = 1 << 5,
}

/// A time of day.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    pub second: u64,
    pub minute: u64,
    pub hour: u64,
}

/// A date: the year in full, months and days from 1.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Date {
    pub year: u64,
    pub month: u64,
    pub day: u64,
}

/// The right to use the registers.
struct Registers;

static CHIP: IrqSpinLock<Registers> = IrqSpinLock::new(&class::CLOCK_CHIP, Registers);
/// Who is told of events, with interrupts off.
static LISTENER: Once<fn(Event)> = Once::new();

/// How the chip writes numbers.
#[derive(Clone, Copy)]
struct Mode(u8);

impl Mode {
    fn decode(self, value: u8) -> u64 {
        u64::from(if self.0 & BINARY != 0 { value } else { (value & 0xf) + (value >> 4) * 10 })
    }
    fn encode(self, value: u64) -> u8 {
        let value = value as u8;
        if self.0 & BINARY != 0 { value } else { ((value / 10) << 4) | (value % 10) }
    }
    fn decode_hour(self, value: u8) -> u64 {
        if self.0 & HOURS_24 != 0 {
            return self.decode(value);
        }
        self.decode(value & !AFTERNOON) % 12 + if value & AFTERNOON != 0 { 12 } else { 0 }
    }
    fn encode_hour(self, hour: u64) -> u8 {
        if self.0 & HOURS_24 != 0 {
            return self.encode(hour);
        }
        let mark = if hour >= 12 { AFTERNOON } else { 0 };
        self.encode((hour + 11) % 12 + 1) | mark
    }
}

impl Registers {
    fn read(&mut self, number: u8) -> u8 {
        // SAFETY: the clock's index and data ports, which the lock gives to one at a time; bit 7 of the index keeps NMI enabled when clear.
        unsafe {
            io::outb(INDEX, number);
            io::inb(DATA)
        }
    }
    fn write(&mut self, number: u8, value: u8) {
        // SAFETY: as in `read`. What the chip's interrupts lead to has a handler before one is turned on.
        unsafe {
            io::outb(INDEX, number);
            io::outb(DATA, value);
        }
    }
    fn mode(&mut self) -> Mode {
        Mode(self.read(register::B))
    }
    fn fields(&mut self) -> [u8; 6] {
        use register::{DAY, HOUR, MINUTE, MONTH, SECOND, YEAR};
        while self.read(register::A) & UPDATING != 0 {
            core::hint::spin_loop();
        }
        [SECOND, MINUTE, HOUR, DAY, MONTH, YEAR].map(|number| self.read(number))
    }
    fn now(&mut self) -> (Date, Time) {
        // An update between two registers shows as two readings that differ.
        let mut fields = self.fields();
        loop {
            let again = self.fields();
            if again == fields {
                break;
            }
            fields = again;
        }
        let mode = self.mode();
        let [second, minute, hour, day, month, year] = fields;
        let date = Date {
            year: YEARS.start() + mode.decode(year),
            month: mode.decode(month),
            day: mode.decode(day),
        };
        let hour = mode.decode_hour(hour);
        (date, Time { second: mode.decode(second), minute: mode.decode(minute), hour })
    }
}

/// Seconds since 1970, taking the clock to show UTC in the years 2000 to 2099.
pub fn read() -> u64 {
    let (date, time) = now();
    let days = days_since_1970(date.year, date.month, date.day);
    ((days * 24 + time.hour) * 60 + time.minute) * 60 + time.second
}

/// What the clock shows.
pub fn now() -> (Date, Time) {
    CHIP.lock().now()
}

/// Sets the clock. `ERANGE` for a year that it cannot show.
pub fn set(date: Date, time: Time) -> Result<()> {
    if !YEARS.contains(&date.year) {
        return Err(Errno::ERANGE);
    }
    let mut chip = CHIP.lock();
    let mode = chip.mode();
    chip.write(register::B, mode.0 | SETTING);
    chip.write(register::SECOND, mode.encode(time.second));
    chip.write(register::MINUTE, mode.encode(time.minute));
    chip.write(register::HOUR, mode.encode_hour(time.hour));
    chip.write(register::DAY, mode.encode(date.day));
    chip.write(register::MONTH, mode.encode(date.month));
    chip.write(register::YEAR, mode.encode(date.year - YEARS.start()));
    chip.write(register::B, mode.0);
    Ok(())
}

/// The time of day of the alarm.
pub fn alarm() -> Time {
    let mut chip = CHIP.lock();
    let mode = chip.mode();
    let second = chip.read(register::SECOND_ALARM);
    let minute = chip.read(register::MINUTE_ALARM);
    let hour = chip.read(register::HOUR_ALARM);
    Time { second: mode.decode(second), minute: mode.decode(minute), hour: mode.decode_hour(hour) }
}

/// Sets the alarm.
pub fn set_alarm(time: Time) {
    let mut chip = CHIP.lock();
    let mode = chip.mode();
    chip.write(register::SECOND_ALARM, mode.encode(time.second));
    chip.write(register::MINUTE_ALARM, mode.encode(time.minute));
    chip.write(register::HOUR_ALARM, mode.encode_hour(time.hour));
}

/// Says whether `event` is to interrupt.
pub fn tell(event: Event, wanted: bool) {
    let mut chip = CHIP.lock();
    let mode = chip.mode().0;
    chip.write(register::B, if wanted { mode | event as u8 } else { mode & !(event as u8) });
}

/// Has `listener` told of events, in the interrupt. Once. `ENODEV` where there is no such clock.
pub fn listen(listener: fn(Event)) -> Result<()> {
    let mut chip = CHIP.lock();
    let valid = chip.read(register::D);
    // Nobody drives the bus: all bits are set.
    if valid & VALID == 0 || valid == u8::MAX {
        return Err(Errno::ENODEV);
    }
    // The firmware may have left some on.
    let mode = chip.mode().0;
    chip.write(register::B, mode & !INTERRUPTS);
    chip.read(register::C);
    drop(chip);
    LISTENER.call_once(|| listener);
    interrupt::request_isa(LINE, interrupt)
}

fn interrupt() {
    // Reading what happened takes the interrupt back.
    let (happened, wanted) = {
        let mut chip = CHIP.lock();
        (chip.read(register::C), chip.mode().0)
    };
    for event in [Event::Update, Event::Alarm] {
        if happened & wanted & event as u8 != 0
            && let Some(listener) = LISTENER.get()
        {
            listener(event);
        }
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, for years from 1970 on.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    // Count years from March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day.saturating_sub(1) - 719_468
}
