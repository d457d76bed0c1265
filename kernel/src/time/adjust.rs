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
const STA_FLL: i32 = 0x8;
const STA_UNSYNC: i32 = 0x40;
const STA_FREQHOLD: i32 = 0x80;
const STA_NANO: i32 = 0x2000;
const STA_MODE: i32 = 0x4000;
/// Status bits that user space cannot set.
const STA_READ_ONLY: i32 = 0xff00;
const TIME_OK: i32 = 0;
const TIME_ERROR: i32 = 5;
/// The largest time constant of the loop.
const MAX_CONSTANT: i64 = 10;
/// The largest frequency offset: 500 ppm, in units of 2^-16 ppm.
const MAX_FREQUENCY: i64 = 500 << 16;
/// Microseconds a tick of a hundredth of a second: nominal and how far from it is allowed.
const NOMINAL_TICK: i64 = 10_000;

/// What `adjtimex` keeps beside the clock itself.
struct Discipline {
    /// Nanoseconds a second, times 2^32.
    freq: i64,
    tick: i64,
    maxerror: i64,
    esterror: i64,
    status: i32,
    constant: i64,
    /// The second of the wall clock at which the loop was last told an offset.
    told_at: i64,
}

static DISCIPLINE: SpinLock<Discipline> = SpinLock::new(
    &class::TABLE,
    Discipline {
        freq: 0,
        tick: NOMINAL_TICK,
        maxerror: ERROR_LIMIT,
        esterror: ERROR_LIMIT,
        status: STA_UNSYNC,
        constant: 2,
        told_at: 0,
    },
);

/// The largest error that is told, in microseconds (`NTP_PHASE_LIMIT`).
const ERROR_LIMIT: i64 = 16_000_000;
/// The largest offset that the loop takes, in nanoseconds.
const MAX_PHASE: i64 = 500_000_000;
/// In shorter intervals than the first, the loop does not follow the frequency alone; in longer ones than the second, it always does.
const FREQUENCY_LOCK_SECONDS: (i64, i64) = (256, 2048);

impl Discipline {
    /// As after the clock was set: what was known of its error holds no more.
    fn clear(&mut self) {
        self.status |= STA_UNSYNC;
        self.maxerror = ERROR_LIMIT;
        self.esterror = ERROR_LIMIT;
        slew::set_phase(0);
    }

    fn set_status(&mut self, status: i32) {
        if self.status & STA_PLL != 0 && status & STA_PLL == 0 {
            self.status = STA_UNSYNC;
        }
        if self.status & STA_PLL == 0 && status & STA_PLL != 0 {
            self.told_at = realtime().tv_sec;
        }
        self.status = self.status & STA_READ_ONLY | status & !STA_READ_ONLY;
    }

    /// `ADJ_OFFSET`: the loop of RFC 1589, as Linux has it. Without `STA_PLL` nothing happens.
    fn take_offset(&mut self, offset: i64) {
        if self.status & STA_PLL == 0 {
            return;
        }
        let micros = self.status & STA_NANO == 0;
        let limit = if micros { MAX_PHASE / 1000 } else { MAX_PHASE };
        let offset = offset.clamp(-limit, limit) * if micros { 1000 } else { 1 };
        let now = realtime().tv_sec;
        let hold = self.status & STA_FREQHOLD != 0;
        let seconds = if hold { 0 } else { now.saturating_sub(self.told_at).max(0) };
        self.told_at = now;
        let by_frequency = self.frequency_lock(offset, seconds);
        // The phase says less about the frequency the longer ago the last one is.
        let seconds = seconds.min(1 << (3 + self.constant));
        let shift = 32 - 2 * (4 + self.constant);
        let product = i128::from(offset) * i128::from(seconds);
        let by_phase = if shift >= 0 { product << shift } else { product >> -shift };
        let limit = MAX_FREQUENCY * FREQUENCY_SCALE;
        let freq = i128::from(self.freq) + i128::from(by_frequency) + by_phase;
        self.freq = freq.clamp(i128::from(-limit), i128::from(limit)) as i64;
        slew::set_phase(offset);
    }

    /// What an offset after so many seconds says about the frequency alone.
    fn frequency_lock(&mut self, offset: i64, seconds: i64) -> i64 {
        self.status &= !STA_MODE;
        let (least, always) = FREQUENCY_LOCK_SECONDS;
        if seconds < least || self.status & STA_FLL == 0 && seconds <= always {
            return 0;
        }
        self.status |= STA_MODE;
        (offset << 30) / seconds
    }

    /// The frequency in units of 2^-16 millionths, rounded.
    fn shown_frequency(&self) -> i64 {
        let half = self.freq.signum() * (FREQUENCY_SCALE / 2);
        (self.freq + half) / FREQUENCY_SCALE
    }
}

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
    DISCIPLINE.lock().clear();
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

/// `adjtimex(2)`; the clock's state. The caller has checked the privilege for any mode but reading.
pub fn adjust(timex: &mut Timex) -> Result<i32> {
    let modes = timex.modes;
    let mut slewed = None;
    if modes & mode::ADJTIME != 0 {
        if modes & mode::OFFSET == 0 {
            return Err(Errno::EINVAL);
        }
        slewed = Some(slew_by((modes & mode::OFFSET_READONLY == 0).then_some(timex.offset)));
    } else {
        check(timex)?;
        apply(timex)?;
    }
    let discipline = DISCIPLINE.lock();
    let time = realtime();
    let nanoseconds = discipline.status & STA_NANO != 0;
    let phase = slew::phase_left() / if nanoseconds { 1 } else { 1000 };
    *timex = Timex {
        modes,
        offset: slewed.unwrap_or(phase),
        freq: discipline.shown_frequency(),
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
    if modes & mode::TICK != 0 && !tick_ok {
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
        DISCIPLINE.lock().clear();
        was_set();
    }
    let mut discipline = DISCIPLINE.lock();
    if modes & mode::STATUS != 0 {
        discipline.set_status(timex.status);
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
        let finer = if discipline.status & STA_NANO != 0 { 0 } else { 4 };
        discipline.constant = (timex.constant.clamp(0, MAX_CONSTANT) + finer).min(MAX_CONSTANT);
        slew::set_time_constant(u32::try_from(discipline.constant).unwrap_or(0));
    }
    if modes & mode::FREQUENCY != 0 {
        discipline.freq = timex.freq.clamp(-MAX_FREQUENCY, MAX_FREQUENCY) * FREQUENCY_SCALE;
    }
    if modes & mode::OFFSET != 0 {
        discipline.take_offset(timex.offset);
    }
    if modes & mode::TICK != 0 {
        discipline.tick = timex.tick;
    }
    let tai =
        (modes & mode::TAI != 0 && (0..=1000).contains(&timex.constant)).then_some(timex.constant);
    // Parts per 2^32: the tick is in ten-thousandths.
    let rate = i128::from(discipline.freq / SECOND)
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
