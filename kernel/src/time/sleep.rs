//! Sleeping on a clock (`clock_nanosleep(2)`).

use super::{ClockId, CpuClock, Instant, Timespec, clock::realtime_to_monotonic, monotonic};
use crate::{
    process::{Pid, signal},
    sched::{self, TaskState},
    sync::WaitQueue,
};
use abi::{Errno, Result};
use core::time::Duration;

/// A process's CPU time is looked at no more often than this while somebody sleeps on it.
const CPU_CHECK: u64 = 1_000_000;

/// Those who sleep until a wall-clock time: woken when the clock is set.
static WALL_SLEEPERS: WaitQueue = WaitQueue::new();

/// The wall clock was set.
pub(super) fn wall_clock_was_set() {
    WALL_SLEEPERS.wake_all();
}

/// Whether tasks can sleep on the clock: `EINVAL`, `EPERM` or `EOPNOTSUPP`.
pub fn check_sleep_clock(clock: ClockId) -> Result<()> {
    match clock {
        ClockId::Realtime
        | ClockId::Monotonic
        | ClockId::Boottime
        | ClockId::Tai
        | ClockId::ProcessCpu(..) => Ok(()),
        _ if clock.wakes_machine() => clock.check_wake_permission(),
        ClockId::ThreadCpu(_, id) if id != Pid(0) && id != sched::current().tid() => Ok(()),
        // A thread cannot sleep until it has run.
        ClockId::ThreadCpu(_, id) if id != Pid(0) => Err(Errno::EINVAL),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// Sleeps until `deadline`; `ERESTARTSYS` when a signal comes first.
pub fn sleep_until(deadline: Instant) -> Result<()> {
    loop {
        sched::set_state(TaskState::Interruptible);
        if signal::pending(&sched::current()) {
            sched::set_state(TaskState::Running);
            return Err(Errno::ERESTARTSYS);
        }
        if !sched::schedule_until(Some(deadline)) {
            return Ok(());
        }
    }
}

/// Sleeps until `clock` shows at least `until`; `ERESTARTSYS` when a signal comes first.
pub fn sleep_until_clock(clock: ClockId, until: Timespec) -> Result<()> {
    match clock {
        clock if clock.is_wall() => sleep_until_wall(clock, until),
        ClockId::ProcessCpu(..) | ClockId::ThreadCpu(..) => sleep_until_cpu(clock, until),
        _ => {
            let nanoseconds = u64::try_from(until.to_nanos()).unwrap_or(u64::MAX);
            sleep_until(Instant(nanoseconds))
        }
    }
}

/// How far the clock is from `until`, in nanoseconds; zero when it is there.
fn left(clock: ClockId, until: Timespec) -> Result<u64> {
    let left = until.to_nanos() - clock.now()?;
    Ok(u64::try_from(left.max(0)).unwrap_or(u64::MAX))
}

fn sleep_until_wall(clock: ClockId, until: Timespec) -> Result<()> {
    loop {
        let ahead = left(clock, until)?;
        if ahead == 0 {
            return Ok(());
        }
        let wall_now = Timespec::from_nanos(ClockId::Realtime.now()?);
        let deadline =
            realtime_to_monotonic(Timespec::from_nanos(wall_now.to_nanos() + i128::from(ahead)));
        // A set clock changes what is left; both ends of the wait lead to another look.
        WALL_SLEEPERS.wait_until(Some(deadline), || {
            let now = left(clock, until).unwrap_or(0);
            let expected = deadline.0.saturating_sub(monotonic().0);
            (now == 0 || now.abs_diff(expected) > CPU_CHECK).then_some(())
        })?;
    }
}

/// CPU time passes at most as fast as all CPUs run: sleep that long, and look again.
fn sleep_until_cpu(clock: ClockId, until: Timespec) -> Result<()> {
    loop {
        let ahead = left(clock, until)?;
        if ahead == 0 {
            return Ok(());
        }
        let threads = match clock {
            ClockId::ProcessCpu(CpuClock::Prof | CpuClock::Virt | CpuClock::Sched, _) => {
                crate::arch::cpu::online_count() as u64
            }
            _ => 1,
        };
        let nap = Duration::from_nanos((ahead / threads).max(CPU_CHECK));
        sleep_until(monotonic().after(nap))?;
    }
}
