//! Pipes and event files: pipe, eventfd, signalfd, timerfd.

use super::table::calls;
use crate::{
    fs::{
        FdTable, File, OpenFlags,
        event::{
            eventfd, signalfd,
            timerfd::{self, Setting, TimerClock, TimerMode},
        },
        pipe,
    },
    mm::{UserAddr, user},
    process::signal::SignalSet,
    sched,
    time::{ClockId, Timespec},
};
use abi::{Errno, Result, general};
use alloc::sync::Arc;
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    pipe => pipe;
    pipe2 => pipe2;
    eventfd => eventfd;
    eventfd2 => eventfd2;
    signalfd => signalfd;
    signalfd4 => signalfd4;
    timerfd_create => timerfd_create;
    timerfd_settime => timerfd_settime;
    timerfd_gettime => timerfd_gettime;
}

/// `struct itimerspec`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Itimerspec {
    interval: Timespec,
    value: Timespec,
}

impl Itimerspec {
    fn to_setting(self) -> Result<Setting> {
        let nanos = |spec: Timespec| -> Result<u64> {
            Ok(u64::try_from(spec.to_duration()?.as_nanos()).unwrap_or(u64::MAX))
        };
        Ok(Setting { value: nanos(self.value)?, interval: nanos(self.interval)? })
    }

    fn from_setting(setting: Setting) -> Itimerspec {
        Itimerspec {
            interval: Timespec::from_nanos(setting.interval.into()),
            value: Timespec::from_nanos(setting.value.into()),
        }
    }
}

/// Installs a new event file.
fn install(file: Arc<File>, cloexec: bool) -> Result<usize> {
    let current = sched::current();
    Ok(current.files.borrow().install(file, cloexec, 0)?.0 as usize)
}

/// Checks creation flags against `allowed` plus `O_CLOEXEC` and `O_NONBLOCK`.
fn creation_flags(flags: usize, allowed: OpenFlags) -> Result<OpenFlags> {
    let flags = OpenFlags::from_bits(flags as u32).ok_or(Errno::EINVAL)?;
    let allowed = allowed | OpenFlags::CLOEXEC | OpenFlags::NONBLOCK;
    if allowed.contains(flags) { Ok(flags) } else { Err(Errno::EINVAL) }
}

/// `pipe(2)`.
fn pipe(args: &[usize; 6]) -> Result<usize> {
    make_pipe(UserAddr(args[0]), OpenFlags::empty())
}

/// `pipe2(2)`.
fn pipe2(args: &[usize; 6]) -> Result<usize> {
    make_pipe(UserAddr(args[0]), creation_flags(args[1], OpenFlags::DIRECT)?)
}

fn make_pipe(addr: UserAddr, flags: OpenFlags) -> Result<usize> {
    let cloexec = flags.contains(OpenFlags::CLOEXEC);
    let (reader, writer) = pipe::new_pipe(flags)?;
    let current = sched::current();
    let files = current.files.borrow();
    let read_fd = files.install(reader, cloexec, 0)?;
    let undo = |files: &FdTable, fd: u32| files.close(fd as i32);
    let write_fd = match files.install(writer, cloexec, 0) {
        Ok(fd) => fd,
        Err(errno) => {
            undo(&files, read_fd.0)?;
            return Err(errno);
        }
    };
    if let Err(errno) = user::write(addr, &[read_fd.0, write_fd.0]) {
        undo(&files, read_fd.0)?;
        undo(&files, write_fd.0)?;
        return Err(errno);
    }
    Ok(0)
}

/// `eventfd(2)`, the call without flags.
fn eventfd(args: &[usize; 6]) -> Result<usize> {
    install(eventfd::new_eventfd(args[0] as u32, false, OpenFlags::empty())?, false)
}

/// `eventfd(2)`.
fn eventfd2(args: &[usize; 6]) -> Result<usize> {
    let semaphore = args[1] & general::EFD_SEMAPHORE as usize != 0;
    let flags = creation_flags(args[1] & !(general::EFD_SEMAPHORE as usize), OpenFlags::empty())?;
    let file = eventfd::new_eventfd(args[0] as u32, semaphore, flags & OpenFlags::NONBLOCK)?;
    install(file, flags.contains(OpenFlags::CLOEXEC))
}

/// `signalfd(2)`, the call without flags.
fn signalfd(args: &[usize; 6]) -> Result<usize> {
    signalfd4(&[args[0], args[1], args[2], 0, 0, 0])
}

/// `signalfd(2)`: a new file, or another set for the one given.
fn signalfd4(args: &[usize; 6]) -> Result<usize> {
    let flags = creation_flags(args[3], OpenFlags::empty())?;
    if args[2] != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let set = SignalSet(user::read(UserAddr(args[1]))?);
    let fd = args[0] as i32;
    if fd == -1 {
        let file = signalfd::new_signalfd(set, flags & OpenFlags::NONBLOCK)?;
        return install(file, flags.contains(OpenFlags::CLOEXEC));
    }
    let current = sched::current();
    let files = current.files.borrow();
    signalfd::change(&*files.get(fd)?, set)?;
    Ok(args[0])
}

/// `timerfd_create(2)`.
fn timerfd_create(args: &[usize; 6]) -> Result<usize> {
    let flags = creation_flags(args[1], OpenFlags::empty())?;
    let id = ClockId::from_number(args[0] as u32 as i32)?;
    let clock = match id {
        ClockId::Realtime | ClockId::RealtimeAlarm => TimerClock::Realtime,
        ClockId::Monotonic | ClockId::Boottime | ClockId::BoottimeAlarm => TimerClock::Monotonic,
        _ => return Err(Errno::EINVAL),
    };
    id.check_wake_permission()?;
    let file = timerfd::new_timerfd(clock, flags & OpenFlags::NONBLOCK)?;
    install(file, flags.contains(OpenFlags::CLOEXEC))
}

/// `timerfd_settime(2)`.
fn timerfd_settime(args: &[usize; 6]) -> Result<usize> {
    /// `TFD_TIMER_ABSTIME`.
    const ABSOLUTE: usize = 1;
    /// `TFD_TIMER_CANCEL_ON_SET`.
    const CANCEL_ON_SET: usize = 2;
    let mode = match args[1] as u32 as usize {
        // Without a time on the clock there is nothing to cancel.
        0 | CANCEL_ON_SET => TimerMode::Relative,
        ABSOLUTE => TimerMode::Absolute,
        flags if flags == ABSOLUTE | CANCEL_ON_SET => TimerMode::CancelOnSet,
        _ => return Err(Errno::EINVAL),
    };
    let setting = user::read::<Itimerspec>(UserAddr(args[2]))?.to_setting()?;
    let current = sched::current();
    let files = current.files.borrow();
    let file = files.get(args[0] as i32)?;
    let old = timerfd::of_file(&file)?.set(setting, mode)?;
    if args[3] != 0 {
        user::write(UserAddr(args[3]), &Itimerspec::from_setting(old))?;
    }
    Ok(0)
}

/// `timerfd_gettime(2)`.
fn timerfd_gettime(args: &[usize; 6]) -> Result<usize> {
    let current = sched::current();
    let files = current.files.borrow();
    let file = files.get(args[0] as i32)?;
    let setting = timerfd::of_file(&file)?.get();
    user::write(UserAddr(args[1]), &Itimerspec::from_setting(setting))?;
    Ok(0)
}
