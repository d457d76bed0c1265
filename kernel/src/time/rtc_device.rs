//! `/dev/rtc0` (`rtc(4)`): the battery-backed clock as a file. One has it open at a time.
//!
//! A read waits for an interrupt and tells how many came and of which kinds. Updates and the alarm are the chip's; the periodic ones
//! are a timer's, as on Linux, whose frequencies need not be powers of two therefore.

use super::{Duration, Instant, Timer, TimerCallback, monotonic};
use crate::{
    drivers::rtc::{self, Date, Event, Time},
    fs::{
        DeviceId, File, FileOps, Inode, IoSink, OpenFlags,
        inode::{DeviceDriver, register_char_device},
    },
    mm::{UserAddr, user},
    process::{Capability, capable},
    sync::{Lazy, PollEvents, PollTable, WaitQueue},
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// The clock's device number.
pub const DEVICE: DeviceId = DeviceId { major: 254, minor: 0 };

/// The highest frequency that needs no capability, and the highest.
const FREE_FREQUENCY: u32 = 64;
const MAX_FREQUENCY: u32 = 8192;

/// The commands of `ioctl(2)`.
mod command {
    pub const AIE_ON: u32 = 0x7001;
    pub const AIE_OFF: u32 = 0x7002;
    pub const UIE_ON: u32 = 0x7003;
    pub const UIE_OFF: u32 = 0x7004;
    pub const PIE_ON: u32 = 0x7005;
    pub const PIE_OFF: u32 = 0x7006;
    pub const ALM_SET: u32 = 0x4024_7007;
    pub const ALM_READ: u32 = 0x8024_7008;
    pub const RD_TIME: u32 = 0x8024_7009;
    pub const SET_TIME: u32 = 0x4024_700a;
    pub const IRQP_READ: u32 = 0x8008_700b;
    pub const IRQP_SET: u32 = 0x4008_700c;
}

/// What a read tells in its low byte: the kinds of interrupts, and that there was one.
const PERIODIC: u64 = 0x40;
const ALARM: u64 = 0x20;
const UPDATE: u64 = 0x10;
const ANY: u64 = 0x80;

/// The clock's interrupts, as they are waited for.
struct Clock {
    is_open: AtomicBool,
    /// The number of interrupts that nobody has read of, times 256, and their kinds.
    unread: AtomicU64,
    readable: Arc<WaitQueue>,
    /// Of periodic interrupts, in a second; at first what the chip starts with.
    frequency: AtomicU32,
    /// When the next periodic interrupt is due, on the monotonic clock.
    due: AtomicU64,
}

static CLOCK: Lazy<Arc<Clock>> = Lazy::new(|| {
    Arc::new(Clock {
        is_open: AtomicBool::new(false),
        unread: AtomicU64::new(0),
        readable: Arc::new(WaitQueue::new()),
        frequency: AtomicU32::new(1024),
        due: AtomicU64::new(0),
    })
});

impl Clock {
    fn interrupted(&self, count: u64, kind: u64) {
        let more = |unread: u64| (unread.wrapping_add(count << 8)) | kind | ANY;
        self.unread.update(AcqRel, Acquire, more);
        self.readable.wake_events(PollEvents::IN | PollEvents::RDNORM);
    }

    fn period(&self) -> u64 {
        1_000_000_000 / u64::from(self.frequency.load(Relaxed))
    }

    fn start(&self, timer: &Timer) {
        let first = monotonic().after(Duration::from_nanos(self.period()));
        self.due.store(first.0, Relaxed);
        timer.arm(first);
    }
}

impl TimerCallback for Clock {
    fn expired(&self, now: Instant) -> Option<Instant> {
        let (due, period) = (self.due.load(Relaxed), self.period());
        let count = now.0.saturating_sub(due) / period + 1;
        self.interrupted(count, PERIODIC);
        self.due.store(due + count * period, Relaxed);
        Some(Instant(due + count * period))
    }
}

/// The chip has something to tell.
fn chip_event(event: Event) {
    match event {
        Event::Update => CLOCK.interrupted(1, UPDATE),
        Event::Alarm => {
            // It is meant for once, and the chip would give it every day.
            rtc::tell(Event::Alarm, false);
            CLOCK.interrupted(1, ALARM);
        }
    }
}

static FOUND: AtomicBool = AtomicBool::new(false);

struct Driver;

impl DeviceDriver for Driver {
    fn open(&self, _: &Arc<Inode>, _: DeviceId, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        if CLOCK.is_open.swap(true, AcqRel) {
            return Err(Errno::EBUSY);
        }
        CLOCK.unread.store(0, Relaxed);
        Ok(Arc::new(OpenClock { periodic: Timer::new(CLOCK.clone()) }))
    }
}

/// Finds the clock, if there is one.
pub fn init() {
    // Made before the first interrupt, which allocates nothing.
    Lazy::force(&CLOCK);
    if rtc::listen(chip_event).is_ok() {
        register_char_device(DEVICE.major, 0..1, Arc::new(Driver));
        FOUND.store(true, Relaxed);
    }
}

/// Whether there is one.
pub fn is_there() -> bool {
    FOUND.load(Relaxed)
}

/// The clock, open. Closing it ends all interrupts but the alarm's.
struct OpenClock {
    periodic: Timer,
}

impl Drop for OpenClock {
    fn drop(&mut self) {
        self.periodic.cancel();
        rtc::tell(Event::Update, false);
        CLOCK.is_open.store(false, Release);
    }
}

impl FileOps for OpenClock {
    fn read(&self, _: &File, dst: &mut IoSink<'_>, _: &mut u64) -> Result<usize> {
        // An `unsigned int`, or an `unsigned long`.
        let room = dst.remaining();
        if room != 4 && room < 8 {
            return Err(Errno::EINVAL);
        }
        match CLOCK.unread.swap(0, AcqRel) {
            0 => Err(Errno::EAGAIN),
            unread if room == 4 => dst.write(&(unread as u32).to_le_bytes()),
            unread => dst.write(&unread.to_le_bytes()),
        }
    }

    fn poll(&self, _: &File, table: &mut PollTable) -> PollEvents {
        table.register(&CLOCK.readable);
        match CLOCK.unread.load(Acquire) {
            0 => PollEvents::empty(),
            _ => PollEvents::IN | PollEvents::RDNORM,
        }
    }

    fn ioctl(&self, _: &File, command: u32, argument: usize) -> Result<usize> {
        let address = UserAddr(argument);
        match command {
            command::RD_TIME => user::write(address, &to_user(rtc::now()))?,
            command::SET_TIME => {
                if !capable(Capability::SysTime) {
                    return Err(Errno::EACCES);
                }
                let (date, time) = from_user(&user::read(address)?)?;
                rtc::set(date, time)?;
            }
            command::ALM_READ => user::write(address, &to_user(next_alarm()))?,
            command::ALM_SET => {
                let time = time_of(&user::read(address)?)?;
                rtc::tell(Event::Alarm, false);
                rtc::set_alarm(time);
            }
            command::AIE_ON => rtc::tell(Event::Alarm, true),
            command::AIE_OFF => rtc::tell(Event::Alarm, false),
            command::UIE_ON => rtc::tell(Event::Update, true),
            command::UIE_OFF => rtc::tell(Event::Update, false),
            command::PIE_ON => {
                check_frequency(CLOCK.frequency.load(Relaxed))?;
                CLOCK.start(&self.periodic);
            }
            command::PIE_OFF => drop(self.periodic.cancel()),
            command::IRQP_READ => {
                user::write(address, &u64::from(CLOCK.frequency.load(Relaxed)))?;
            }
            command::IRQP_SET => {
                let frequency = u32::try_from(argument).unwrap_or(u32::MAX);
                check_frequency(frequency)?;
                if !(1..=MAX_FREQUENCY).contains(&frequency) {
                    return Err(Errno::EINVAL);
                }
                CLOCK.frequency.store(frequency, Relaxed);
                if self.periodic.cancel() {
                    CLOCK.start(&self.periodic);
                }
            }
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

fn check_frequency(frequency: u32) -> Result<()> {
    if frequency > FREE_FREQUENCY && !capable(Capability::SysResource) {
        return Err(Errno::EACCES);
    }
    Ok(())
}

/// `struct rtc_time`: second, minute, hour, day, month from 0, year from 1900; day of the week, of the year and summer time, which
/// the clock does not know.
type UserTime = [i32; 9];

fn to_user((date, time): (Date, Time)) -> UserTime {
    let [second, minute, hour] = [time.second, time.minute, time.hour].map(|field| field as i32);
    let (day, month) = (date.day as i32, date.month as i32 - 1);
    [second, minute, hour, day, month, date.year as i32 - 1900, 0, 0, 0]
}

/// The time of day; `EINVAL` if there is none such.
fn time_of(time: &UserTime) -> Result<Time> {
    let field = |index: usize, end: u64| {
        u64::try_from(time[index]).ok().filter(|&value| value < end).ok_or(Errno::EINVAL)
    };
    Ok(Time { second: field(0, 60)?, minute: field(1, 60)?, hour: field(2, 24)? })
}

fn from_user(time: &UserTime) -> Result<(Date, Time)> {
    let of_day = time_of(time)?;
    let month = u64::try_from(time[4]).ok().filter(|&month| month < 12).ok_or(Errno::EINVAL)? + 1;
    let year = u64::try_from(time[5]).ok().filter(|&year| year >= 70).ok_or(Errno::EINVAL)? + 1900;
    let days = 1..=days_in(year, month);
    let day = u64::try_from(time[3]).ok().filter(|day| days.contains(day)).ok_or(Errno::EINVAL)?;
    Ok((Date { year, month, day }, of_day))
}

fn days_in(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// When the alarm comes next: the chip has a time of day for it.
fn next_alarm() -> (Date, Time) {
    let (mut date, now) = rtc::now();
    let alarm = rtc::alarm();
    let of_day = |time: &Time| (time.hour, time.minute, time.second);
    if of_day(&alarm) < of_day(&now) {
        date.day += 1;
        if date.day > days_in(date.year, date.month) {
            (date.day, date.month) = (1, date.month + 1);
        }
        if date.month > 12 {
            (date.month, date.year) = (1, date.year + 1);
        }
    }
    (date, alarm)
}
