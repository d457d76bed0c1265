//! Every clock that user space can name (`clock_gettime(2)`), CPU-time clocks of processes and threads included.

use super::{
    Timespec,
    clock::{tai_offset, wall_offset},
    monotonic,
};
use crate::{
    arch,
    process::{Capability, Pid, Process, Task, capable, pid},
    sched::{self, TICK},
};
use abi::{Errno, Result};
use alloc::sync::Arc;

const _: () = assert!(TICK == vdso::clock::COARSE_RESOLUTION, "the vDSO tells another tick");

/// A clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockId {
    /// Wall-clock time.
    Realtime,
    /// Time since boot.
    Monotonic,
    /// The same, never steered.
    MonotonicRaw,
    /// Wall-clock time as of the last tick: here as exact as the other.
    RealtimeCoarse,
    /// Time since boot as of the last tick: as exact as the other.
    MonotonicCoarse,
    /// Time since boot, suspends included: there are none.
    Boottime,
    /// Wall-clock time; wakes a suspended machine.
    RealtimeAlarm,
    /// Time since boot; wakes a suspended machine.
    BoottimeAlarm,
    /// International Atomic Time.
    Tai,
    /// CPU time of a process; 0 is the caller's.
    ProcessCpu(CpuClock, Pid),
    /// CPU time of a thread; 0 is the caller.
    ThreadCpu(CpuClock, Pid),
}

/// Which CPU time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CpuClock {
    /// User and system time, sampled.
    Prof,
    /// User time, sampled.
    Virt,
    /// All time on a CPU, exact.
    Sched,
}

impl ClockId {
    /// The clock with this number; negative ones name the CPU clock of a process or thread (see `clock_getcpuclockid(3)`).
    pub fn from_number(number: i32) -> Result<ClockId> {
        Ok(match number {
            0 => ClockId::Realtime,
            1 => ClockId::Monotonic,
            2 => ClockId::ProcessCpu(CpuClock::Sched, Pid(0)),
            3 => ClockId::ThreadCpu(CpuClock::Sched, Pid(0)),
            4 => ClockId::MonotonicRaw,
            5 => ClockId::RealtimeCoarse,
            6 => ClockId::MonotonicCoarse,
            7 => ClockId::Boottime,
            8 => ClockId::RealtimeAlarm,
            9 => ClockId::BoottimeAlarm,
            11 => ClockId::Tai,
            negative if negative < 0 => {
                let clock = match negative & 3 {
                    0 => CpuClock::Prof,
                    1 => CpuClock::Virt,
                    2 => CpuClock::Sched,
                    // Clocks behind descriptors: there are no such devices.
                    _ => return Err(Errno::EINVAL),
                };
                let id = Pid(!(negative >> 3) as u32);
                match negative & 4 {
                    0 => ClockId::ProcessCpu(clock, id),
                    _ => ClockId::ThreadCpu(clock, id),
                }
            }
            _ => return Err(Errno::EINVAL),
        })
    }

    /// What it shows now, in nanoseconds. `EINVAL` for a process or thread that does not exist or is not the caller's to ask.
    pub fn now(self) -> Result<i128> {
        let now = monotonic().0;
        Ok(match self {
            ClockId::Realtime | ClockId::RealtimeCoarse | ClockId::RealtimeAlarm => {
                i128::from(now) + wall_offset()
            }
            ClockId::Tai => {
                i128::from(now) + wall_offset() + i128::from(tai_offset()) * 1_000_000_000
            }
            ClockId::Monotonic
            | ClockId::MonotonicCoarse
            | ClockId::Boottime
            | ClockId::BoottimeAlarm => i128::from(now),
            ClockId::MonotonicRaw => i128::from(arch::clock::raw_ns()),
            ClockId::ProcessCpu(clock, id) => {
                let process = process_of(id)?;
                i128::from(process_time(&process, clock))
            }
            ClockId::ThreadCpu(clock, id) => {
                let task = task_of(id)?;
                i128::from(task_time(&task, clock))
            }
        })
    }

    /// Its resolution (`clock_getres(2)`).
    pub fn resolution(self) -> Result<Timespec> {
        let nanoseconds = match self {
            ClockId::RealtimeCoarse | ClockId::MonotonicCoarse => TICK,
            ClockId::ProcessCpu(clock, id) => {
                process_of(id)?;
                cpu_resolution(clock)
            }
            ClockId::ThreadCpu(clock, id) => {
                task_of(id)?;
                cpu_resolution(clock)
            }
            _ => 1,
        };
        Ok(Timespec::from_nanos(i128::from(nanoseconds)))
    }

    /// Whether its timers wake a suspended machine. This one never is, so nothing has to be done for it.
    pub fn wakes_machine(self) -> bool {
        matches!(self, ClockId::RealtimeAlarm | ClockId::BoottimeAlarm)
    }

    /// `EPERM` unless the caller may have the machine woken by this clock, or it does not do that.
    pub fn check_wake_permission(self) -> Result<()> {
        if self.wakes_machine() && !capable(Capability::WakeAlarm) {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// Whether absolute times on it follow the wall clock.
    pub fn is_wall(self) -> bool {
        matches!(self, ClockId::Realtime | ClockId::RealtimeAlarm | ClockId::Tai)
    }
}

fn cpu_resolution(clock: CpuClock) -> u64 {
    match clock {
        CpuClock::Sched => 1,
        CpuClock::Prof | CpuClock::Virt => TICK,
    }
}

fn task_of(id: Pid) -> Result<Arc<Task>> {
    let current = sched::current();
    if id == Pid(0) {
        return Ok(current.to_arc());
    }
    let task = pid::find_task(id).ok_or(Errno::EINVAL)?;
    match Arc::ptr_eq(&task.process, &current.process) {
        true => Ok(task),
        false => Err(Errno::EINVAL),
    }
}

fn process_of(id: Pid) -> Result<Arc<Process>> {
    if id == Pid(0) {
        return Ok(sched::current().process.clone());
    }
    pid::find_process(id).ok_or(Errno::EINVAL)
}

fn task_time(task: &Task, clock: CpuClock) -> u64 {
    match clock {
        CpuClock::Sched => task.sched.exact_runtime(),
        CpuClock::Virt => task.sched.cpu_times().0,
        CpuClock::Prof => {
            let (user, system) = task.sched.cpu_times();
            user + system
        }
    }
}

fn process_time(process: &Process, clock: CpuClock) -> u64 {
    if clock == CpuClock::Sched {
        // Brings the caller's own part up to date.
        sched::current().sched.exact_runtime();
    }
    let used = process.rusage();
    match clock {
        CpuClock::Virt => used.user,
        CpuClock::Prof | CpuClock::Sched => used.user + used.system,
    }
}
