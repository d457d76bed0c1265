//! Interval timers (`setitimer(2)`, `alarm(2)`).
//!
//! `ITIMER_REAL` is one high-resolution timer; after an expiry it is armed again when its SIGALRM is *taken*, as on Linux, so an
//! interval however short cannot drown the CPU in interrupts.
//!
//! `ITIMER_VIRTUAL` and `ITIMER_PROF` count CPU time. No clock tick feeds them: the process cannot use up what is left any sooner
//! than all its threads running at once would, so a high-resolution timer is set to then, looks at what was really used,
//! and is set again or fires.

use super::{SigInfo, Signal, send_process};
use crate::{
    process::Process,
    sync::{IrqSpinLock, class},
    time::{self, Instant, Timer, TimerCallback},
};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering};

/// Which timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhichTimer {
    /// Wall-clock time; SIGALRM.
    Real,
    /// CPU time in user mode; SIGVTALRM.
    Virtual,
    /// CPU time; SIGPROF.
    Profile,
}

/// A timer's setting, in nanoseconds; zero is "not armed" and "once".
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TimerSetting {
    /// Until the next expiry.
    pub value: u64,
    /// From each expiry to the next.
    pub interval: u64,
}

/// A process's CPU timers are looked at no more often than this.
const MIN_CPU_CHECK: u64 = 1_000_000;

/// The three interval timers of a process. They are made when first set.
pub struct IntervalTimers {
    real: IrqSpinLock<Option<Arc<RealTimer>>>,
    cpu: [IrqSpinLock<Option<Arc<CpuTimer>>>; 2],
}

struct RealTimer {
    timer: Timer,
    state: Arc<RealState>,
}

struct RealState {
    process: Weak<Process>,
    interval: AtomicU64,
}

struct CpuTimer {
    timer: Timer,
    state: Arc<CpuState>,
}

struct CpuState {
    process: Weak<Process>,
    which: WhichTimer,
    /// CPU time at which it expires, zero when not armed; and the interval.
    setting: IrqSpinLock<TimerSetting>,
}

impl IntervalTimers {
    /// All disarmed.
    pub fn new() -> IntervalTimers {
        IntervalTimers {
            real: IrqSpinLock::new(&class::INTERVAL_TIMER, None),
            cpu: [const { IrqSpinLock::new(&class::INTERVAL_TIMER, None) }; 2],
        }
    }

    /// `getitimer(2)` for the timers of `process`, which these are.
    pub fn get(&self, process: &Process, which: WhichTimer) -> TimerSetting {
        match which {
            WhichTimer::Real => {
                self.real.lock().as_ref().map_or(TimerSetting::default(), |real| real.get())
            }
            WhichTimer::Virtual | WhichTimer::Profile => {
                let timer = self.cpu[cpu_index(which)].lock().clone();
                timer.map_or(TimerSetting::default(), |timer| timer.get(process))
            }
        }
    }

    /// `setitimer(2)`: the setting before.
    pub fn set(
        &self,
        process: &Arc<Process>,
        which: WhichTimer,
        new: TimerSetting,
    ) -> TimerSetting {
        match which {
            WhichTimer::Real => {
                let timer = Arc::clone(
                    self.real.lock().get_or_insert_with(|| Arc::new(RealTimer::new(process))),
                );
                timer.set(new)
            }
            WhichTimer::Virtual | WhichTimer::Profile => {
                let timer = Arc::clone(
                    self.cpu[cpu_index(which)]
                        .lock()
                        .get_or_insert_with(|| Arc::new(CpuTimer::new(process, which))),
                );
                timer.set(process, new)
            }
        }
    }

    /// Disarms all, at the end of the process.
    pub fn clear(&self) {
        let real = self.real.lock().take();
        let cpu = [0, 1].map(|i: usize| self.cpu[i].lock().take());
        // Outside the locks: dropping a timer waits for its callback.
        drop((real, cpu));
    }

    /// A SIGALRM was taken off the queue: a periodic timer starts its next period.
    pub(super) fn alarm_taken(&self) {
        if let Some(real) = &*self.real.lock() {
            real.rearm();
        }
    }
}

/// Where a CPU timer is in the array.
fn cpu_index(which: WhichTimer) -> usize {
    usize::from(which == WhichTimer::Profile)
}

impl RealTimer {
    fn new(process: &Arc<Process>) -> RealTimer {
        let state =
            Arc::new(RealState { process: Arc::downgrade(process), interval: AtomicU64::new(0) });
        RealTimer { timer: Timer::new(Arc::clone(&state) as Arc<dyn TimerCallback>), state }
    }

    fn get(&self) -> TimerSetting {
        // One that is armed shows some time left even when its interrupt is late.
        let left = |at: Instant| at.0.saturating_sub(time::monotonic().0).max(1000);
        TimerSetting {
            value: self.timer.deadline().map_or(0, left),
            interval: self.state.interval.load(Ordering::Relaxed),
        }
    }

    fn set(&self, new: TimerSetting) -> TimerSetting {
        let old = self.get();
        self.timer.cancel();
        self.state.interval.store(new.interval, Ordering::Relaxed);
        if new.value != 0 {
            self.timer.arm(Instant(time::monotonic().0.saturating_add(new.value)));
        }
        old
    }

    fn rearm(&self) {
        let interval = self.state.interval.load(Ordering::Relaxed);
        if interval != 0 && self.timer.deadline().is_none() {
            self.timer.arm(Instant(time::monotonic().0.saturating_add(interval)));
        }
    }
}

impl TimerCallback for RealState {
    fn expired(&self, _now: Instant) -> Option<Instant> {
        if let Some(process) = self.process.upgrade() {
            // A standard signal always finds room.
            let _ = send_process(&process, SigInfo::kernel(Signal::SIGALRM));
        }
        None
    }
}

impl CpuTimer {
    fn new(process: &Arc<Process>, which: WhichTimer) -> CpuTimer {
        let state = Arc::new(CpuState {
            process: Arc::downgrade(process),
            which,
            setting: IrqSpinLock::new(&class::INTERVAL_TIMER_STATE, TimerSetting::default()),
        });
        CpuTimer { timer: Timer::new(Arc::clone(&state) as Arc<dyn TimerCallback>), state }
    }

    fn get(&self, process: &Process) -> TimerSetting {
        let setting = *self.state.setting.lock();
        if setting.value == 0 {
            return TimerSetting { value: 0, interval: setting.interval };
        }
        let used = self.state.used(process);
        TimerSetting {
            value: setting.value.saturating_sub(used).max(1000),
            interval: setting.interval,
        }
    }

    fn set(&self, process: &Process, new: TimerSetting) -> TimerSetting {
        let old = self.get(process);
        self.timer.cancel();
        let used = self.state.used(process);
        let value = if new.value == 0 { 0 } else { used.saturating_add(new.value) };
        *self.state.setting.lock() = TimerSetting { value, interval: new.interval };
        if new.value != 0 {
            self.timer.arm(self.state.next_check(process, new.value, time::monotonic()));
        }
        old
    }
}

impl CpuState {
    /// What counts of a thread's user and system time.
    fn counted(&self, user: u64, system: u64) -> u64 {
        match self.which {
            WhichTimer::Virtual => user,
            _ => user.saturating_add(system),
        }
    }

    /// CPU time that counts for this timer.
    fn used(&self, process: &Process) -> u64 {
        let usage = process.rusage();
        self.counted(usage.user, usage.system)
    }

    /// The same from an interrupt; `None` when the account of dead threads is being changed.
    fn used_in_interrupt(&self, process: &Process) -> Option<u64> {
        let dead = process.usage.try_lock()?.dead_threads;
        let mut used = self.counted(dead.user, dead.system);
        process.for_each_thread(|task| {
            if !task.counted_out() {
                let (user, system) = task.sched.cpu_times();
                used = used.saturating_add(self.counted(user, system));
            }
            core::ops::ControlFlow::Continue(())
        });
        Some(used)
    }

    fn next_check(&self, process: &Process, left: u64, now: Instant) -> Instant {
        let threads = process.signals.thread_count().max(1) as u64;
        Instant(now.0.saturating_add((left / threads).max(MIN_CPU_CHECK)))
    }
}

impl TimerCallback for CpuState {
    fn expired(&self, now: Instant) -> Option<Instant> {
        let process = self.process.upgrade()?;
        let Some(used) = self.used_in_interrupt(&process) else {
            return Some(self.next_check(&process, 0, now));
        };
        let mut setting = self.setting.lock();
        if setting.value == 0 {
            return None;
        }
        if used < setting.value {
            let left = setting.value - used;
            drop(setting);
            return Some(self.next_check(&process, left, now));
        }
        setting.value =
            if setting.interval == 0 { 0 } else { used.saturating_add(setting.interval) };
        let interval = setting.interval;
        drop(setting);
        let signal = match self.which {
            WhichTimer::Virtual => Signal::SIGVTALRM,
            _ => Signal::SIGPROF,
        };
        let _ = send_process(&process, SigInfo::kernel(signal));
        (interval != 0).then(|| self.next_check(&process, interval, now))
    }
}
