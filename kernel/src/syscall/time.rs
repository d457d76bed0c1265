//! Clocks, sleeping and timers.

use super::table::calls;
use crate::{
    mm::{UserAddr, user},
    process::{
        Capability, Pid, capable, pid,
        signal::{self, Signal},
    },
    sched,
    time::{self, ClockId, Instant, Notify, TimerValue, Timespec, Timex},
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    clock_gettime => clock_gettime;
    clock_settime => clock_settime;
    clock_getres => clock_getres;
    clock_nanosleep => clock_nanosleep;
    nanosleep => nanosleep;
    gettimeofday => gettimeofday;
    settimeofday => settimeofday;
    time => time_;
    adjtimex => adjtimex;
    clock_adjtime => clock_adjtime;
    timer_create => timer_create;
    timer_settime => timer_settime;
    timer_gettime => timer_gettime;
    timer_getoverrun => timer_getoverrun;
    timer_delete => timer_delete;
}

const TIMER_ABSTIME: i32 = 1;

pub(super) const SIGEV_SIGNAL: i32 = 0;
pub(super) const SIGEV_NONE: i32 = 1;
pub(super) const SIGEV_THREAD: i32 = 2;
const SIGEV_THREAD_ID: i32 = 4;

/// `struct timeval`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Timeval {
    tv_sec: i64,
    tv_usec: i64,
}

/// `struct timezone`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Timezone {
    minutes_west: i32,
    dst_time: i32,
}

/// `struct itimerspec`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Itimerspec {
    interval: Timespec,
    value: Timespec,
}

/// `struct sigevent`, of timers and of message queues.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
pub(super) struct Sigevent {
    pub(super) value: u64,
    pub(super) signal: i32,
    pub(super) notify: i32,
    tid: i32,
    pad: [i32; 11],
}

/// A C `int` argument.
fn int(arg: usize) -> i32 {
    (arg as u32).cast_signed()
}

fn clock_of(arg: usize) -> Result<ClockId> {
    ClockId::from_number(int(arg))
}

/// `clock_gettime(2)`.
fn clock_gettime(args: &[usize; 6]) -> Result<usize> {
    let now = Timespec::from_nanos(clock_of(args[0])?.now()?);
    user::write(UserAddr(args[1]), &now)?;
    Ok(0)
}

/// `clock_settime(2)`.
fn clock_settime(args: &[usize; 6]) -> Result<usize> {
    if clock_of(args[0])? != ClockId::Realtime {
        return Err(Errno::EINVAL);
    }
    let wall: Timespec = user::read(UserAddr(args[1]))?;
    set_wall_clock(wall)
}

fn set_wall_clock(wall: Timespec) -> Result<usize> {
    wall.to_duration()?;
    if !capable(Capability::SysTime) {
        return Err(Errno::EPERM);
    }
    time::set_realtime(wall)?;
    Ok(0)
}

/// `clock_getres(2)`.
fn clock_getres(args: &[usize; 6]) -> Result<usize> {
    let resolution = clock_of(args[0])?.resolution()?;
    if args[1] != 0 {
        user::write(UserAddr(args[1]), &resolution)?;
    }
    Ok(0)
}

/// `nanosleep(2)`.
fn nanosleep(args: &[usize; 6]) -> Result<usize> {
    let request: Timespec = user::read(UserAddr(args[0]))?;
    let deadline = time::monotonic().after(request.to_duration()?);
    sleep_relative(deadline, UserAddr(args[1]))
}

/// Sleeps until `deadline`; interrupted, it tells what is left and goes on through `restart_syscall(2)`.
fn sleep_relative(deadline: Instant, remaining: UserAddr) -> Result<usize> {
    match time::sleep_until(deadline) {
        Ok(()) => Ok(0),
        Err(_) => {
            let left = deadline.0.saturating_sub(time::monotonic().0);
            if left == 0 {
                return Ok(0);
            }
            if !remaining.is_null() {
                user::write(remaining, &Timespec::from_nanos(i128::from(left)))?;
            }
            Err(signal::restart_with(move || sleep_relative(deadline, remaining)))
        }
    }
}

/// `clock_nanosleep(2)`.
fn clock_nanosleep(args: &[usize; 6]) -> Result<usize> {
    let clock = clock_of(args[0])?;
    time::check_sleep_clock(clock)?;
    let request: Timespec = user::read(UserAddr(args[2]))?;
    let duration = request.to_duration()?;
    let cpu_clock = matches!(clock, ClockId::ProcessCpu(..) | ClockId::ThreadCpu(..));
    if int(args[1]) & TIMER_ABSTIME == 0 && !cpu_clock {
        return sleep_relative(time::monotonic().after(duration), UserAddr(args[3]));
    }
    let until = match int(args[1]) & TIMER_ABSTIME {
        0 => Timespec::from_nanos(clock.now()? + request.to_nanos()),
        _ => request,
    };
    // An absolute sleep starts anew after a signal without a handler.
    let no_hand = |errno| if errno == Errno::ERESTARTSYS { Errno::ERESTARTNOHAND } else { errno };
    time::sleep_until_clock(clock, until).map_err(no_hand)?;
    Ok(0)
}

/// `gettimeofday(2)`.
fn gettimeofday(args: &[usize; 6]) -> Result<usize> {
    if args[0] != 0 {
        let now = time::realtime();
        let now = Timeval { tv_sec: now.tv_sec, tv_usec: now.tv_nsec / 1000 };
        user::write(UserAddr(args[0]), &now)?;
    }
    if args[1] != 0 {
        let [minutes_west, dst_time] = time::timezone();
        let zone = Timezone { minutes_west, dst_time };
        user::write(UserAddr(args[1]), &zone)?;
    }
    Ok(0)
}

/// `settimeofday(2)`.
fn settimeofday(args: &[usize; 6]) -> Result<usize> {
    let wall = match args[0] {
        0 => None,
        addr => {
            let wall: Timeval = user::read(UserAddr(addr))?;
            if !(0..1_000_000).contains(&wall.tv_usec) {
                return Err(Errno::EINVAL);
            }
            Some(Timespec { tv_sec: wall.tv_sec, tv_nsec: wall.tv_usec * 1000 })
        }
    };
    let zone = match args[1] {
        0 => None,
        addr => Some(user::read::<Timezone>(UserAddr(addr))?),
    };
    if let Some(wall) = wall {
        wall.to_duration()?;
    }
    if !capable(Capability::SysTime) {
        return Err(Errno::EPERM);
    }
    if let Some(zone) = zone {
        if !(-15 * 60..=15 * 60).contains(&zone.minutes_west) {
            return Err(Errno::EINVAL);
        }
        time::set_timezone([zone.minutes_west, zone.dst_time]);
    }
    match wall {
        Some(wall) => set_wall_clock(wall),
        None => Ok(0),
    }
}

/// `time(2)`.
fn time_(args: &[usize; 6]) -> Result<usize> {
    let seconds = time::realtime().tv_sec;
    if args[0] != 0 {
        user::write(UserAddr(args[0]), &seconds)?;
    }
    Ok(seconds.cast_unsigned() as usize)
}

/// `adjtimex(2)`.
fn adjtimex(args: &[usize; 6]) -> Result<usize> {
    let mut timex: Timex = user::read(UserAddr(args[0]))?;
    if !timex.only_reads() && !capable(Capability::SysTime) {
        return Err(Errno::EPERM);
    }
    let state = time::adjust(&mut timex)?;
    user::write(UserAddr(args[0]), &timex)?;
    usize::try_from(state).map_err(|_| Errno::EINVAL)
}

/// `clock_adjtime(2)`.
fn clock_adjtime(args: &[usize; 6]) -> Result<usize> {
    match clock_of(args[0])? {
        ClockId::Realtime => adjtimex(&[args[1], 0, 0, 0, 0, 0]),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// `timer_create(2)`.
fn timer_create(args: &[usize; 6]) -> Result<usize> {
    let process = sched::current().process.clone();
    let event = match args[1] {
        0 => None,
        addr => Some(user::read::<Sigevent>(UserAddr(addr))?),
    };
    let clock = clock_of(args[0])?;
    let notify = event.map(notify_of).transpose()?;
    let id = process.signals.posix_timers.create(&process, clock, |id| {
        // Without an event: SIGALRM, carrying the timer's id.
        notify.unwrap_or(Notify::Process(Signal::SIGALRM, u64::from(id.cast_unsigned())))
    })?;
    if let Err(errno) = user::write(UserAddr(args[2]), &id) {
        // Nobody knows its id.
        process.signals.posix_timers.delete(id)?;
        return Err(errno);
    }
    Ok(0)
}

fn notify_of(event: Sigevent) -> Result<Notify> {
    let signal = || usize::try_from(event.signal).ok().and_then(Signal::new).ok_or(Errno::EINVAL);
    Ok(match event.notify {
        SIGEV_NONE => Notify::Nothing,
        SIGEV_SIGNAL | SIGEV_THREAD => Notify::Process(signal()?, event.value),
        SIGEV_THREAD_ID => {
            let tid = u32::try_from(event.tid).map_err(|_| Errno::EINVAL)?;
            let task = pid::find_task(Pid(tid)).ok_or(Errno::EINVAL)?;
            if !Arc::ptr_eq(&task.process, &sched::current().process) {
                return Err(Errno::EINVAL);
            }
            Notify::Thread(signal()?, event.value, Arc::downgrade(&task))
        }
        _ => return Err(Errno::EINVAL),
    })
}

fn nanoseconds_of(time: Timespec) -> Result<u64> {
    Ok(u64::try_from(time.to_duration()?.as_nanos()).unwrap_or(u64::MAX))
}

fn write_setting(addr: usize, setting: TimerValue) -> Result<()> {
    let timespec = |nanoseconds: u64| Timespec::from_nanos(i128::from(nanoseconds));
    let setting =
        Itimerspec { interval: timespec(setting.interval), value: timespec(setting.value) };
    user::write(UserAddr(addr), &setting)
}

/// `timer_settime(2)`.
fn timer_settime(args: &[usize; 6]) -> Result<usize> {
    if args[2] == 0 {
        return Err(Errno::EINVAL);
    }
    let new: Itimerspec = user::read(UserAddr(args[2]))?;
    let new =
        TimerValue { value: nanoseconds_of(new.value)?, interval: nanoseconds_of(new.interval)? };
    let absolute = int(args[1]) & TIMER_ABSTIME != 0;
    let old = sched::current().process.signals.posix_timers.set(int(args[0]), new, absolute)?;
    if args[3] != 0 {
        write_setting(args[3], old)?;
    }
    Ok(0)
}

/// `timer_gettime(2)`.
fn timer_gettime(args: &[usize; 6]) -> Result<usize> {
    let setting = sched::current().process.signals.posix_timers.get(int(args[0]))?;
    write_setting(args[1], setting)?;
    Ok(0)
}

/// `timer_getoverrun(2)`.
fn timer_getoverrun(args: &[usize; 6]) -> Result<usize> {
    let count = sched::current().process.signals.posix_timers.overrun(int(args[0]))?;
    usize::try_from(count).map_err(|_| Errno::EINVAL)
}

/// `timer_delete(2)`.
fn timer_delete(args: &[usize; 6]) -> Result<usize> {
    sched::current().process.signals.posix_timers.delete(int(args[0]))?;
    Ok(0)
}
