//! Signals: rt_sig*, kill and its family, sigaltstack; interval timers.

use super::table::calls;
use crate::{
    arch::thread::with_user_frame,
    mm::{UserAddr, user},
    process::{
        Pid,
        signal::{
            self, Action, MaskChange, SigInfo, Signal, SignalSet, TimerSetting, UserAction,
            UserStack, WhichTimer,
        },
    },
    sched,
    time::Timespec,
};
use abi::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    rt_sigaction => rt_sigaction;
    rt_sigprocmask => rt_sigprocmask;
    rt_sigreturn => rt_sigreturn;
    rt_sigpending => rt_sigpending;
    rt_sigtimedwait => rt_sigtimedwait;
    rt_sigqueueinfo => rt_sigqueueinfo;
    rt_tgsigqueueinfo => rt_tgsigqueueinfo;
    rt_sigsuspend => rt_sigsuspend;
    sigaltstack => sigaltstack;
    pause => pause;
    kill => kill;
    tkill => tkill;
    tgkill => tgkill;
    restart_syscall => restart_syscall;
    alarm => alarm;
    getitimer => getitimer;
    setitimer => setitimer;
}

/// `sizeof(sigset_t)` in the kernel's view; any other size is `EINVAL`.
const SIGSET_SIZE: usize = 8;

/// A C `int` argument: the low half of the register.
fn int(arg: usize) -> i32 {
    (arg as u32).cast_signed()
}

/// A signal number; `EINVAL` when there is no such signal.
fn signal_number(arg: usize) -> Result<Signal> {
    usize::try_from(int(arg)).ok().and_then(Signal::new).ok_or(Errno::EINVAL)
}

/// A signal number or 0, which only asks.
fn signal_or_test(arg: usize) -> Result<Option<Signal>> {
    if int(arg) == 0 { Ok(None) } else { signal_number(arg).map(Some) }
}

fn check_set_size(size: usize) -> Result<()> {
    if size == SIGSET_SIZE { Ok(()) } else { Err(Errno::EINVAL) }
}

fn rt_sigaction(args: &[usize; 6]) -> Result<usize> {
    let &[number, new, old, size, ..] = args;
    check_set_size(size)?;
    let new = match UserAddr(new) {
        addr if addr.is_null() => None,
        addr => Some(Action::from(user::read::<UserAction>(addr)?)),
    };
    let before = signal::action(signal_number(number)?, new)?;
    if old != 0 {
        user::write(UserAddr(old), &UserAction::from(before))?;
    }
    Ok(0)
}

fn rt_sigprocmask(args: &[usize; 6]) -> Result<usize> {
    let &[how, new, old, size, ..] = args;
    check_set_size(size)?;
    let before = if new == 0 {
        sched::current().signals.blocked()
    } else {
        let set = SignalSet(user::read(UserAddr(new))?);
        let how = match int(how) {
            0 => MaskChange::Block,
            1 => MaskChange::Unblock,
            2 => MaskChange::Set,
            _ => return Err(Errno::EINVAL),
        };
        signal::change_mask(how, set)
    };
    if old != 0 {
        user::write(UserAddr(old), &before.0)?;
    }
    Ok(0)
}

fn rt_sigreturn(_: &[usize; 6]) -> Result<usize> {
    Ok(signal::sigreturn())
}

fn rt_sigpending(args: &[usize; 6]) -> Result<usize> {
    let &[set, size, ..] = args;
    // A shorter set gets as many bytes as it has room for.
    let bytes = signal::pending_and_blocked().0.to_le_bytes();
    let bytes = bytes.get(..size).ok_or(Errno::EINVAL)?;
    user::copy_to_user(UserAddr(set), bytes)?;
    Ok(0)
}

fn rt_sigtimedwait(args: &[usize; 6]) -> Result<usize> {
    let &[set, info, timeout, size, ..] = args;
    check_set_size(size)?;
    let set = SignalSet(user::read(UserAddr(set))?);
    let timeout = match UserAddr(timeout) {
        addr if addr.is_null() => None,
        addr => Some(user::read::<Timespec>(addr)?.to_duration()?),
    };
    let taken = signal::timed_wait(set, timeout)?;
    if info != 0 {
        user::write(UserAddr(info), &taken.to_user())?;
    }
    Ok(usize::from(taken.signal.0))
}

/// The information that a sender made itself. Its number is `signal`, or any for a test.
fn sent_info(addr: usize, signal: Option<Signal>) -> Result<SigInfo> {
    SigInfo::read_from_user(UserAddr(addr), signal.unwrap_or(Signal::SIGHUP))
}

fn rt_sigqueueinfo(args: &[usize; 6]) -> Result<usize> {
    let &[pid, number, info, ..] = args;
    let signal = signal_or_test(number);
    let info = sent_info(info, signal.ok().flatten())?;
    // A negative id is nobody's.
    let target = Pid(int(pid).cast_unsigned());
    signal::queue_to_process(target, signal, info)?;
    Ok(0)
}

fn rt_tgsigqueueinfo(args: &[usize; 6]) -> Result<usize> {
    let &[tgid, tid, number, info, ..] = args;
    let signal = signal_or_test(number);
    let info = sent_info(info, signal.ok().flatten())?;
    let (tgid, tid) = (thread_id(tgid)?, thread_id(tid)?);
    signal::queue_to_thread(tgid, tid, signal, info)?;
    Ok(0)
}

fn rt_sigsuspend(args: &[usize; 6]) -> Result<usize> {
    let &[set, size, ..] = args;
    check_set_size(size)?;
    let mask = SignalSet(user::read(UserAddr(set))?);
    signal::with_temporary_mask(Some(mask), signal::pause)
}

fn sigaltstack(args: &[usize; 6]) -> Result<usize> {
    let &[new, old, ..] = args;
    let new = match UserAddr(new) {
        addr if addr.is_null() => None,
        addr => Some(user::read::<UserStack>(addr)?),
    };
    let task = sched::current();
    let sp = with_user_frame(|frame| frame.rsp);
    let before = task.signals.describe_alt_stack(sp);
    if let Some(new) = new {
        task.signals.change_alt_stack(new, sp)?;
    }
    if old != 0 {
        user::write(UserAddr(old), &before)?;
    }
    Ok(0)
}

fn pause(_: &[usize; 6]) -> Result<usize> {
    signal::pause()
}

fn kill(args: &[usize; 6]) -> Result<usize> {
    let &[pid, number, ..] = args;
    signal::kill(int(pid), signal_or_test(number))?;
    Ok(0)
}

/// A thread or process id that must be positive.
fn thread_id(arg: usize) -> Result<Pid> {
    match u32::try_from(int(arg)) {
        Ok(id) if id > 0 => Ok(Pid(id)),
        _ => Err(Errno::EINVAL),
    }
}

fn tkill(args: &[usize; 6]) -> Result<usize> {
    let &[tid, number, ..] = args;
    signal::kill_thread(None, thread_id(tid)?, signal_or_test(number))?;
    Ok(0)
}

fn tgkill(args: &[usize; 6]) -> Result<usize> {
    let &[tgid, tid, number, ..] = args;
    let (tgid, tid) = (thread_id(tgid)?, thread_id(tid)?);
    signal::kill_thread(Some(tgid), tid, signal_or_test(number))?;
    Ok(0)
}

fn restart_syscall(_: &[usize; 6]) -> Result<usize> {
    signal::restart()
}

/// `struct timeval`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Timeval {
    sec: i64,
    usec: i64,
}

/// `struct itimerval`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Itimerval {
    interval: Timeval,
    value: Timeval,
}

const NANOS_PER_SEC: u64 = 1_000_000_000;

impl Timeval {
    fn from_nanos(nanos: u64) -> Timeval {
        Timeval {
            sec: (nanos / NANOS_PER_SEC).cast_signed(),
            usec: (nanos % NANOS_PER_SEC / 1000).cast_signed(),
        }
    }

    fn to_nanos(self) -> Result<u64> {
        match (u64::try_from(self.sec), u64::try_from(self.usec)) {
            (Ok(sec), Ok(usec @ ..1_000_000)) => {
                Ok(sec.saturating_mul(NANOS_PER_SEC).saturating_add(usec * 1000))
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

fn which_timer(arg: usize) -> Result<WhichTimer> {
    match int(arg) {
        0 => Ok(WhichTimer::Real),
        1 => Ok(WhichTimer::Virtual),
        2 => Ok(WhichTimer::Profile),
        _ => Err(Errno::EINVAL),
    }
}

fn write_setting(addr: usize, setting: TimerSetting) -> Result<()> {
    let value = Itimerval {
        interval: Timeval::from_nanos(setting.interval),
        value: Timeval::from_nanos(setting.value),
    };
    user::write(UserAddr(addr), &value)
}

fn getitimer(args: &[usize; 6]) -> Result<usize> {
    let &[which, value, ..] = args;
    let process = &sched::current().process;
    let setting = process.signals.timers.get(process, which_timer(which)?);
    write_setting(value, setting)?;
    Ok(0)
}

fn setitimer(args: &[usize; 6]) -> Result<usize> {
    let &[which, new, old, ..] = args;
    // No new value disarms the timer: Linux has always taken it so.
    let new = match UserAddr(new) {
        addr if addr.is_null() => TimerSetting::default(),
        addr => {
            let user: Itimerval = user::read(addr)?;
            TimerSetting { value: user.value.to_nanos()?, interval: user.interval.to_nanos()? }
        }
    };
    let process = &sched::current().process;
    let before = process.signals.timers.set(process, which_timer(which)?, new);
    if old != 0 {
        write_setting(old, before)?;
    }
    Ok(0)
}

fn alarm(args: &[usize; 6]) -> Result<usize> {
    let seconds = u64::from(args[0] as u32);
    let process = &sched::current().process;
    let new = TimerSetting { value: seconds * NANOS_PER_SEC, interval: 0 };
    let before = process.signals.timers.set(process, WhichTimer::Real, new);
    // Rounded to the nearest second, but never to zero while it runs.
    let left = before.value / NANOS_PER_SEC;
    let round = before.value % NANOS_PER_SEC >= NANOS_PER_SEC / 2 || left == 0 && before.value != 0;
    Ok((left + u64::from(round)) as usize)
}
