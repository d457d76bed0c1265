//! Setting and steering the wall clock: `settimeofday(2)`, `clock_settime(2)`, `adjtimex(2)`.

use super::{
    Timespec,
    clock::{SECOND, tai_offset, update},
    monotonic, realtime,
    sleep::wall_clock_was_set,
    slew, wall_watch,
};
use crate::sync::{SpinLock, class};
use abi::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct timex`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Timex {
    pub modes: u32,
    pad0: u32,
    pub offset: i64,
    pub freq: i64,
    pub maxerror: i64,
    pub esterror: i64,
    pub status: i32,
    pad1: i32,
    pub constant: i64,
    pub precision: i64,
    pub tolerance: i64,
    pub time_sec: i64,
    pub time_usec: i64,
    pub tick: i64,
    pub ppsfreq: i64,
    pub jitter: i64,
    pub shift: i32,
    pad2: i32,
    pub stabil: i64,
    pub jitcnt: i64,
    pub calcnt: i64,
    pub errcnt: i64,
    pub stbcnt: i64,
    pub tai: i32,
    reserved: [i32; 11],
}

impl Timex {
    /// Whether it asks and changes nothing.
    pub fn only_reads(&self) -> bool {
        let asks_slew = self.modes & mode::ADJTIME != 0 && self.modes & mode::OFFSET_READONLY != 0;
        self.modes == 0 || asks_slew
    }
}

mod mode {
    pub const OFFSET: u32 = 0x1;
    pub const FREQUENCY: u32 = 0x2;
    pub const MAXERROR: u32 = 0x4;
    pub const ESTERROR: u32 = 0x8;
    pub const STATUS: u32 = 0x10;
    pub const TIMECONST: u32 = 0x20;
    pub const TAI: u32 = 0x80;
    pub const SETOFFSET: u32 = 0x100;
    pub const MICRO: u32 = 0x1000;
    pub const NANO: u32 = 0x2000;
    pub const TICK: u32 = 0x4000;
    pub const ADJTIME: u32 = 0x8000;
    pub const OFFSET_READONLY: u32 = 0x2000;
}

/// Linux's clock counts in parts of a nanosecond: a frequency that overflows there is refused, smaller ones are cut.
const FREQUENCY_SCALE: i64 = 1000 << 16;

const STA_PLL: i32 = 0x1;
const STA_UNSYNC: i32 = 0x40;
const STA_NANO: i32 = 0x2000;
/// Status bits that user space cannot set.
const STA_READ_ONLY: i32 = 0xff00;
const TIME_OK: i32 = 0;
const TIME_ERROR: i32 = 5;
/// The largest frequency offset: 500 ppm, in units of 2^-16 ppm.
const MAX_FREQUENCY: i64 = 500 << 16;
/// Microseconds a tick of a hundredth of a second: nominal and how far from it is allowed.
const NOMINAL_TICK: i64 = 10_000;

/// What `adjtimex` keeps beside the clock itself.
struct Discipline {
    freq: i64,
    tick: i64,
    maxerror: i64,
    esterror: i64,
    status: i32,
    constant: i64,
}

static DISCIPLINE: SpinLock<Discipline> = SpinLock::new(
    &class::TABLE,
    Discipline {
        freq: 0,
        tick: NOMINAL_TICK,
        maxerror: 16_000_000,
        esterror: 16_000_000,
        status: STA_UNSYNC,
        constant: 2,
    },
);

/// Sets the wall clock. `EINVAL` when out of range or before boot, as on Linux.
pub fn set_realtime(wall: Timespec) -> Result<()> {
    if wall.tv_sec < 0 || !(0..SECOND).contains(&wall.tv_nsec) || wall.tv_sec > i64::MAX / SECOND {
        return Err(Errno::EINVAL);
    }
    let now = monotonic().0;
    if wall.to_nanos() < i128::from(now) {
        return Err(Errno::EINVAL);
    }
    update(|clocks| clocks.set_wall_offset(wall.to_nanos() - i128::from(now)));
    // A clock that is set is right.
    slew::set_slew(0);
    was_set();
    Ok(())
}

/// What a clock that was just set means for those who wait for it.
fn was_set() {
    wall_clock_was_set();
    wall_watch::tell();
}

/// `adjtime(3)`: slews from now on by `micros` (`None`: asks only); the microseconds that were left to slew.
fn slew_by(micros: Option<i64>) -> i64 {
    let left = match micros {
        None => slew::slew_left(),
        Some(micros) => slew::set_slew(micros.saturating_mul(1000)),
    };
    left / 1000
}

/// `adjtimex(2)`; the clock's state. The caller has checked the privilege for any mode but reading. The loop that
/// `ADJ_OFFSET` with `STA_PLL` feeds is not there: `EINVAL`.
pub fn adjust(timex: &mut Timex) -> Result<i32> {
    let modes = timex.modes;
    let mut offset = 0;
    if modes & mode::ADJTIME != 0 {
        if modes & mode::OFFSET == 0 {
            return Err(Errno::EINVAL);
        }
        offset = slew_by((modes & mode::OFFSET_READONLY == 0).then_some(timex.offset));
    } else {
        check(timex)?;
        apply(timex)?;
    }
    let discipline = DISCIPLINE.lock();
    let time = realtime();
    let nanoseconds = discipline.status & STA_NANO != 0;
    *timex = Timex {
        modes,
        offset,
        freq: discipline.freq,
        maxerror: discipline.maxerror,
        esterror: discipline.esterror,
        status: discipline.status,
        constant: discipline.constant,
        precision: 1,
        tolerance: MAX_FREQUENCY,
        time_sec: time.tv_sec,
        time_usec: if nanoseconds { time.tv_nsec } else { time.tv_nsec / 1000 },
        tick: discipline.tick,
        tai: i32::try_from(tai_offset()).unwrap_or(0),
        ..Timex::default()
    };
    Ok(if discipline.status & STA_UNSYNC != 0 { TIME_ERROR } else { TIME_OK })
}

fn check(timex: &Timex) -> Result<()> {
    let modes = timex.modes;
    let tick_ok = (NOMINAL_TICK * 9 / 10..=NOMINAL_TICK * 11 / 10).contains(&timex.tick);
    // Without the loop Linux ignores the offset, too.
    let status = if modes & mode::STATUS != 0 { timex.status } else { DISCIPLINE.lock().status };
    if modes & mode::OFFSET != 0 && status & STA_PLL != 0 || (modes & mode::TICK != 0 && !tick_ok) {
        return Err(Errno::EINVAL);
    }
    if modes & mode::FREQUENCY != 0 && timex.freq.checked_mul(FREQUENCY_SCALE).is_none() {
        return Err(Errno::EINVAL);
    }
    if modes & mode::SETOFFSET != 0 {
        let fraction = if modes & mode::NANO != 0 { SECOND } else { 1_000_000 };
        if !(0..fraction).contains(&timex.time_usec) {
            return Err(Errno::EINVAL);
        }
    }
    Ok(())
}

fn apply(timex: &Timex) -> Result<()> {
    let modes = timex.modes;
    if modes & mode::SETOFFSET != 0 {
        let fraction =
            if modes & mode::NANO != 0 { timex.time_usec } else { timex.time_usec * 1000 };
        let offset = i128::from(timex.time_sec) * i128::from(SECOND) + i128::from(fraction);
        let now = monotonic().0;
        update(|clocks| {
            let wall = i128::from(now) + clocks.wall_offset() + offset;
            if wall < 0 || wall > i128::from(i64::MAX) {
                return Err(Errno::EINVAL);
            }
            clocks.set_wall_offset(wall - i128::from(now));
            Ok(())
        })?;
        slew::set_slew(0);
        was_set();
    }
    let mut discipline = DISCIPLINE.lock();
    if modes & mode::STATUS != 0 {
        let kept = discipline.status & STA_READ_ONLY;
        discipline.status = kept | (timex.status & !STA_READ_ONLY);
    }
    if modes & mode::NANO != 0 {
        discipline.status |= STA_NANO;
    }
    if modes & mode::MICRO != 0 {
        discipline.status &= !STA_NANO;
    }
    if modes & mode::MAXERROR != 0 {
        discipline.maxerror = timex.maxerror;
    }
    if modes & mode::ESTERROR != 0 {
        discipline.esterror = timex.esterror;
    }
    if modes & mode::TIMECONST != 0 {
        discipline.constant = timex.constant.clamp(0, 10);
    }
    if modes & mode::FREQUENCY != 0 {
        discipline.freq = timex.freq.clamp(-MAX_FREQUENCY, MAX_FREQUENCY);
    }
    if modes & mode::TICK != 0 {
        discipline.tick = timex.tick;
    }
    let tai =
        (modes & mode::TAI != 0 && (0..=1000).contains(&timex.constant)).then_some(timex.constant);
    // Parts per 2^32: the frequency is in 2^-16 millionths, the tick in ten-thousandths.
    let rate = (i128::from(discipline.freq) << 16) / 1_000_000
        + (i128::from(discipline.tick - NOMINAL_TICK) << 32) / i128::from(NOMINAL_TICK);
    let rate = i64::try_from(rate).unwrap_or(0);
    slew::set_rate(rate);
    let moved = update(|clocks| {
        let old = clocks.tai_offset;
        clocks.tai_offset = tai.unwrap_or(old);
        clocks.tai_offset != old
    });
    drop(discipline);
    if moved {
        was_set();
    }
    Ok(())
}
