//! The battery-backed clock (MC146818 and its kin), read once at boot when the loader told no date.

use crate::arch::io;

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;

fn register(number: u8) -> u8 {
    // SAFETY: the clock's index and data ports; bit 7 of the index keeps NMI enabled when clear.
    unsafe {
        io::outb(INDEX, number);
        io::inb(DATA)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Fields {
    second: u8,
    minute: u8,
    hour: u8,
    day: u8,
    month: u8,
    year: u8,
}

fn fields() -> Fields {
    const UPDATING: u8 = 1 << 7;
    while register(0x0a) & UPDATING != 0 {
        core::hint::spin_loop();
    }
    Fields {
        second: register(0),
        minute: register(2),
        hour: register(4),
        day: register(7),
        month: register(8),
        year: register(9),
    }
}

/// Seconds since 1970, taking the clock to show UTC in the years 2000 to 2099.
pub fn read() -> u64 {
    // An update between two registers shows as two readings that differ.
    let mut now = fields();
    loop {
        let again = fields();
        if again == now {
            break;
        }
        now = again;
    }
    let mode = register(0x0b);
    let (binary, hours24) = (mode & 1 << 2 != 0, mode & 1 << 1 != 0);
    let decode =
        |value: u8| u64::from(if binary { value } else { (value & 0xf) + (value >> 4) * 10 });
    let afternoon = !hours24 && now.hour & 0x80 != 0;
    let mut hour = decode(now.hour & 0x7f);
    if !hours24 {
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    let days = days_since_1970(2000 + decode(now.year), decode(now.month), decode(now.day));
    ((days * 24 + hour) * 60 + decode(now.minute)) * 60 + decode(now.second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, for years from 1970 on.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    // Count years from March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day.saturating_sub(1) - 719_468
}
