//! POSIX timers (`timer_create(2)`, `timer_settime(2)`).
//!
//! A timer's signal is queued once; expiries until it is taken count as overruns, which travel with the signal when it is taken
//! ([`PosixTimers::taken`]). A timer on CPU time looks at what was used no sooner than all CPUs could have used what is left.
//! A timer set to a wall-clock time follows the clock when that is set.
//!
//! Locks: the table (`POSIX_TIMERS`), then a timer's state (`POSIX_TIMER_STATE`). Signals are sent with neither held, and timers are
//! dropped with neither held, since that waits for their callback.

use super::{
    ClockId, Instant, Timer, TimerCallback, Timespec,
    clock::realtime_to_monotonic,
    monotonic,
    wall_watch::{self, WallWatcher},
};
use crate::{
    process::{
        Process, Resource, Task,
        signal::{self, SigInfo, Signal},
    },
    sync::{IrqSpinLock, class},
};
use abi::{Errno, Result};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

/// The shortest time between two expiries' interrupts, in nanoseconds: shorter intervals show as overruns.
const MIN_INTERVAL: u64 = 50_000;
/// How often a CPU-time timer looks at most.
const CPU_CHECK: u64 = 1_000_000;

/// What a timer does when it expires.
pub enum Notify {
    /// Nothing (`SIGEV_NONE`).
    Nothing,
    /// Sends the signal to the process.
    Process(Signal, u64),
    /// Sends the signal to one thread (`SIGEV_THREAD_ID`).
    Thread(Signal, u64, Weak<Task>),
}

/// A setting, in nanoseconds of the timer's clock; a zero `value` is disarmed.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct TimerValue {
    /// Until the next expiry.
    pub value: u64,
    /// Between expiries; zero: once.
    pub interval: u64,
}

/// A process's timers.
pub struct PosixTimers(IrqSpinLock<Table>);

struct Table {
    timers: BTreeMap<i32, Arc<PosixTimer>>,
    next_id: i32,
}

struct PosixTimer {
    timer: Timer,
    core: Arc<Core>,
}

/// What the callback reaches.
struct Core {
    id: i32,
    clock: ClockId,
    notify: Notify,
    process: Weak<Process>,
    state: IrqSpinLock<State>,
}

#[derive(Default)]
struct State {
    /// When it expires, in nanoseconds of CPU time or on the monotonic clock; zero: disarmed.
    expires: u64,
    /// When it expires on its clock, the wall clock, which it follows.
    wall: Option<i128>,
    interval: u64,
    /// Its signal was sent and not yet taken.
    queued: bool,
    /// Expiries since that signal was sent.
    overruns: u64,
    /// Overruns of the signal that was taken last.
    reported: i32,
}

impl PosixTimers {
    /// None.
    pub const fn new() -> PosixTimers {
        PosixTimers(IrqSpinLock::new(
            &class::POSIX_TIMERS,
            Table { timers: BTreeMap::new(), next_id: 0 },
        ))
    }

    /// `timer_create(2)`: makes a disarmed timer of `process`, whose timers these are; `notify` is told its id. `EAGAIN` at the limit.
    pub fn create(
        &self,
        process: &Arc<Process>,
        clock: ClockId,
        notify: impl FnOnce(i32) -> Notify,
    ) -> Result<i32> {
        if matches!(
            clock,
            ClockId::MonotonicRaw | ClockId::MonotonicCoarse | ClockId::RealtimeCoarse
        ) {
            return Err(Errno::EOPNOTSUPP);
        }
        clock.check_wake_permission()?;
        // A CPU clock of nobody is refused here.
        clock.now()?;
        let limit = process.limits().soft(Resource::SignalsPending);
        let id = {
            let mut table = self.0.lock();
            if table.timers.len() as u64 >= limit {
                return Err(Errno::EAGAIN);
            }
            let mut id = table.next_id;
            while table.timers.contains_key(&id) {
                id = id.checked_add(1).unwrap_or(0);
            }
            table.next_id = id.checked_add(1).unwrap_or(0);
            id
        };
        let core = Arc::new(Core {
            id,
            clock,
            notify: notify(id),
            process: Arc::downgrade(process),
            state: IrqSpinLock::new(&class::POSIX_TIMER_STATE, State::default()),
        });
        let timer = Arc::new(PosixTimer { timer: Timer::new(core.clone()), core });
        self.0.lock().timers.insert(id, timer);
        Ok(id)
    }

    /// `timer_settime(2)`: the setting before.
    pub fn set(&self, id: i32, new: TimerValue, absolute: bool) -> Result<TimerValue> {
        let timer = self.find(id)?;
        let core = &timer.core;
        timer.timer.cancel();
        let now = core.base_now()?;
        let wall =
            (absolute && new.value != 0 && core.clock.is_wall()).then(|| i128::from(new.value));
        if wall.is_some() {
            wall_watch::watch(&timer);
        } else {
            wall_watch::unwatch(&*timer);
        }
        let expires = match (new.value, absolute) {
            (0, _) => 0,
            (value, false) => now.saturating_add(value),
            (_, true) if wall.is_some() => core.instant_of(wall),
            (value, true) => value,
        };
        let mut state = core.state.lock();
        let old = state.left(now);
        *state = State { expires, wall, interval: new.interval, ..State::default() };
        timer.arm(&state, now);
        Ok(old)
    }

    /// `timer_gettime(2)`.
    pub fn get(&self, id: i32) -> Result<TimerValue> {
        let timer = self.find(id)?;
        let now = timer.core.base_now()?;
        let value = timer.core.state.lock().left(now);
        Ok(value)
    }

    /// `timer_getoverrun(2)`.
    pub fn overrun(&self, id: i32) -> Result<i32> {
        let timer = self.find(id)?;
        let reported = timer.core.state.lock().reported;
        Ok(reported)
    }

    /// `timer_delete(2)`.
    pub fn delete(&self, id: i32) -> Result<()> {
        let timer = self.0.lock().timers.remove(&id).ok_or(Errno::EINVAL)?;
        // Outside the lock: dropping waits for the callback.
        drop(timer);
        Ok(())
    }

    /// Deletes all, at exec and at the end of the process.
    pub fn clear(&self) {
        let timers = core::mem::take(&mut self.0.lock().timers);
        drop(timers);
    }

    /// A timer's signal was taken off a queue: what it says about overruns. Called with the signal lock held.
    pub fn taken(&self, info: SigInfo) -> SigInfo {
        // The id is the first half of the first word (see `SigInfo::timer`).
        let id = (info.payload[0] as u32).cast_signed();
        let table = self.0.lock();
        let Some(timer) = table.timers.get(&id) else { return info };
        let mut state = timer.core.state.lock();
        state.reported = i32::try_from(state.overruns).unwrap_or(i32::MAX);
        state.overruns = 0;
        state.queued = false;
        SigInfo::timer(info.signal, id, state.reported, info.payload[1])
    }

    fn find(&self, id: i32) -> Result<Arc<PosixTimer>> {
        self.0.lock().timers.get(&id).cloned().ok_or(Errno::EINVAL)
    }
}

impl Default for PosixTimers {
    fn default() -> Self {
        Self::new()
    }
}

impl PosixTimer {
    /// Arms the timer as its state, which is locked, says.
    fn arm(&self, state: &State, now: u64) {
        if state.expires != 0 && !matches!(self.core.notify, Notify::Nothing) {
            self.timer.arm(self.core.next_look(state.expires, now));
        }
    }
}

impl WallWatcher for PosixTimer {
    fn wall_clock_was_set(&self) {
        self.timer.cancel();
        let mut state = self.core.state.lock();
        if state.wall.is_some() {
            state.expires = self.core.instant_of(state.wall);
        }
        // Who set it anew meanwhile has armed it, or not: it is armed as it is to be.
        if let Ok(now) = self.core.base_now() {
            self.arm(&state, now);
        }
    }
}

impl Drop for PosixTimer {
    fn drop(&mut self) {
        wall_watch::unwatch(self);
    }
}

impl State {
    /// What is left at `now`. An armed timer never shows zero.
    fn left(&self, now: u64) -> TimerValue {
        let mut expires = self.expires;
        if expires != 0 && expires <= now && self.interval != 0 {
            expires += ((now - expires) / self.interval + 1).saturating_mul(self.interval);
        }
        let value = if expires == 0 { 0 } else { expires.saturating_sub(now).max(1) };
        TimerValue { value, interval: self.interval }
    }
}

impl Core {
    fn is_cpu(&self) -> bool {
        matches!(self.clock, ClockId::ProcessCpu(..) | ClockId::ThreadCpu(..))
    }

    /// The instant at which the timer's clock, the wall clock, shows `wall`.
    fn instant_of(&self, wall: Option<i128>) -> u64 {
        let ahead = self.clock.now().unwrap_or(0) - ClockId::Realtime.now().unwrap_or(0);
        let wall = Timespec::from_nanos(wall.unwrap_or(0) - ahead);
        realtime_to_monotonic(wall).0.max(1)
    }

    /// Now, as `State::expires` counts.
    fn base_now(&self) -> Result<u64> {
        match self.is_cpu() {
            true => u64::try_from(self.clock.now()?).map_err(|_| Errno::EINVAL),
            false => Ok(monotonic().0),
        }
    }

    /// When the callback is to look, on the monotonic clock.
    fn next_look(&self, expires: u64, now: u64) -> Instant {
        if !self.is_cpu() {
            return Instant(expires);
        }
        let cpus = crate::arch::cpu::online_count() as u64;
        let left = expires.saturating_sub(now) / cpus;
        Instant(monotonic().0.saturating_add(left.max(CPU_CHECK)))
    }

    fn send(&self) {
        let Some(process) = self.process.upgrade() else { return };
        // A queue that is full loses the signal, as on Linux; the expiry counts as an overrun of the next.
        let _ = match &self.notify {
            Notify::Nothing => Ok(()),
            Notify::Process(signal, value) => {
                signal::send_process(&process, SigInfo::timer(*signal, self.id, 0, *value))
            }
            Notify::Thread(signal, value, task) => match task.upgrade() {
                Some(task) => signal::send_task(&task, SigInfo::timer(*signal, self.id, 0, *value)),
                None => Ok(()),
            },
        };
    }

    /// Whether the signal that was sent still waits to be taken.
    fn is_pending(&self) -> bool {
        match &self.notify {
            Notify::Nothing => false,
            Notify::Process(signal, _) => self
                .process
                .upgrade()
                .is_some_and(|process| process.signals.pending_set().contains(*signal)),
            Notify::Thread(signal, _, task) => {
                task.upgrade().is_some_and(|task| task.signals.pending_set().contains(*signal))
            }
        }
    }
}

impl TimerCallback for Core {
    fn expired(&self, at: Instant) -> Option<Instant> {
        // A thread or process whose time was measured is gone: nothing expires any more.
        let now = if self.is_cpu() { self.base_now().ok()? } else { at.0 };
        let pending = self.is_pending();
        let mut state = self.state.lock();
        if state.expires == 0 {
            return None;
        }
        if now < state.expires {
            return Some(self.next_look(state.expires, now));
        }
        let periods = match state.interval {
            0 => 1,
            interval => (now - state.expires) / interval + 1,
        };
        let send = !(state.queued && pending);
        state.overruns = if send { periods - 1 } else { state.overruns.saturating_add(periods) };
        state.queued = true;
        let forward = periods.saturating_mul(state.interval);
        state.wall = state.wall.map(|wall| wall.saturating_add(i128::from(forward)));
        let next = match state.interval {
            0 => 0,
            _ if state.wall.is_some() => self.instant_of(state.wall),
            _ => state.expires.saturating_add(forward),
        };
        state.expires = next;
        drop(state);
        if send {
            self.send();
        }
        (next != 0).then(|| {
            let look = self.next_look(next, now);
            Instant(look.0.max(at.0.saturating_add(MIN_INTERVAL)))
        })
    }
}
