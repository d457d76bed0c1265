//! `timerfd_create(2)`: expirations of a timer, counted behind a descriptor.

use super::put_counter;
use crate::{
    fs::{File, FileOps, IoSink, OpenFlags},
    sync::{IrqSpinLock, Once, PollEvents, PollTable, WaitQueue, class},
    time::{self, Instant, Timer, TimerCallback, Timespec, WallWatcher},
};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// The clock that a timer's settings are read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimerClock {
    /// Wall-clock time.
    Realtime,
    /// `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`, which agree on a machine that never sleeps.
    Monotonic,
}

/// What `timerfd_settime(2)` sets and reports, in nanoseconds; a `value` of zero is disarmed.
#[derive(Clone, Copy, Default, Debug)]
pub struct Setting {
    /// Until (or, absolute, at) the first expiration.
    pub value: u64,
    /// Between later ones; zero for a single shot.
    pub interval: u64,
}

/// How a setting's value is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimerMode {
    /// From now on.
    Relative,
    /// A time on the timer's clock.
    Absolute,
    /// The same, and readers are told when that clock is set (`TFD_TIMER_CANCEL_ON_SET`).
    CancelOnSet,
}

#[derive(Default)]
struct State {
    /// When it expires, or did last if it is overdue.
    deadline: Option<Instant>,
    /// The wall-clock time, in nanoseconds, that the deadline stands for and follows.
    wall: Option<u64>,
    interval: u64,
    /// It expired, and is armed for its next interval once somebody asks: intervals that nobody looks at cost no interrupts, and
    /// the shortest one keeps no CPU busy.
    overdue: bool,
    expirations: u64,
    /// Whether setting the clock cancels.
    may_cancel: bool,
    /// The clock was set, and no reader knows yet.
    cancelled: bool,
}

/// The instant at which the wall clock shows `wall`.
fn instant_of(wall: u64) -> Instant {
    time::realtime_to_monotonic(Timespec::from_nanos(i128::from(wall)))
}

impl State {
    /// Counts the intervals that passed since the timer became overdue; when it is to be armed for then.
    fn catch_up(&mut self) -> Option<Instant> {
        if !core::mem::take(&mut self.overdue) {
            return None;
        }
        let deadline = self.deadline?;
        let passed = match self.wall {
            Some(wall) => wall_now().saturating_sub(wall),
            None => time::monotonic().0.saturating_sub(deadline.0),
        };
        let missed = passed.checked_div(self.interval)?;
        self.expirations = self.expirations.saturating_add(missed);
        let forward = (missed + 1).saturating_mul(self.interval);
        self.wall = self.wall.map(|wall| wall.saturating_add(forward));
        let next = Instant(deadline.0.saturating_add(forward));
        self.deadline = Some(self.wall.map_or(next, instant_of));
        self.deadline
    }

    fn setting(&self) -> Setting {
        let now = time::monotonic();
        // An armed timer never reports zero, which would say that it is disarmed.
        let value = self.deadline.map_or(0, |at| at.0.saturating_sub(now.0).max(1));
        Setting { value, interval: self.interval }
    }
}

/// The wall-clock time in nanoseconds.
fn wall_now() -> u64 {
    u64::try_from(time::realtime().to_nanos()).unwrap_or(0)
}

/// The part that the timer's callback reaches.
struct Shared {
    state: IrqSpinLock<State>,
    readable: Arc<WaitQueue>,
}

impl TimerCallback for Shared {
    fn expired(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state.lock();
        let deadline = state.deadline?;
        if now < deadline {
            return Some(deadline);
        }
        state.expirations = state.expirations.saturating_add(1);
        if state.interval == 0 {
            state.deadline = None;
        } else {
            state.overdue = true;
        }
        drop(state);
        self.readable.wake_events(PollEvents::IN | PollEvents::RDNORM);
        None
    }
}

/// The timer and what its callback reaches.
struct Clockwork {
    timer: Timer,
    shared: Arc<Shared>,
}

impl WallWatcher for Clockwork {
    fn wall_clock_was_set(&self) {
        self.timer.cancel();
        let mut state = self.shared.state.lock();
        if state.deadline.is_some()
            && let Some(wall) = state.wall
        {
            state.deadline = Some(instant_of(wall));
        }
        // Who set it anew meanwhile has armed it, or not: it is armed as it is to be.
        if let Some(deadline) = state.deadline.filter(|_| !state.overdue) {
            self.timer.arm(deadline);
        }
        let cancels = state.may_cancel;
        if cancels {
            state.cancelled = true;
            state.expirations += 1;
        }
        drop(state);
        if cancels {
            self.shared.readable.wake_events(PollEvents::IN | PollEvents::RDNORM);
        }
    }
}

impl Drop for Clockwork {
    fn drop(&mut self) {
        time::unwatch(self);
    }
}

/// A timer behind a descriptor.
pub struct TimerFd {
    clock: TimerClock,
    shared: Arc<Shared>,
    clockwork: Once<Arc<Clockwork>>,
}

impl TimerFd {
    fn clockwork(&self) -> &Arc<Clockwork> {
        self.clockwork.call_once(|| {
            let shared = Arc::clone(&self.shared);
            Arc::new(Clockwork { timer: Timer::new(self.shared.clone()), shared })
        })
    }

    /// `timerfd_settime(2)`: arms or disarms; what was set before. `ECANCELED` when the clock was set and nobody was told yet: the
    /// timer is armed all the same.
    pub fn set(&self, setting: Setting, mode: TimerMode) -> Result<Setting> {
        let clockwork = self.clockwork();
        clockwork.timer.cancel();
        let old = {
            let mut state = self.shared.state.lock();
            state.catch_up();
            state.setting()
        };
        let follows = mode != TimerMode::Relative && self.clock == TimerClock::Realtime;
        let may_cancel = follows && mode == TimerMode::CancelOnSet;
        let wall = (follows && setting.value != 0).then_some(setting.value);
        if may_cancel || wall.is_some() {
            time::watch(clockwork);
        } else {
            time::unwatch(&**clockwork);
        }
        let deadline = (setting.value != 0).then(|| match (mode, wall) {
            (_, Some(wall)) => instant_of(wall),
            (TimerMode::Relative, None) => {
                Instant(time::monotonic().0.saturating_add(setting.value))
            }
            (_, None) => Instant(setting.value),
        });
        let mut state = self.shared.state.lock();
        let cancelled = may_cancel && state.cancelled;
        let interval = setting.interval;
        *state = State { deadline, wall, interval, may_cancel, cancelled, ..State::default() };
        if let Some(deadline) = deadline {
            clockwork.timer.arm(deadline);
            state.cancelled = false;
            if cancelled {
                return Err(Errno::ECANCELED);
            }
        }
        Ok(old)
    }

    /// `timerfd_gettime(2)`: the time that is left and the interval.
    pub fn get(&self) -> Setting {
        let mut state = self.shared.state.lock();
        self.catch_up(&mut state);
        state.setting()
    }

    /// Brings a timer that is overdue up to date, and arms it.
    fn catch_up(&self, state: &mut State) {
        if let Some(next) = state.catch_up() {
            self.clockwork().timer.arm(next);
        }
    }
}

impl FileOps for TimerFd {
    fn read(&self, _file: &File, dst: &mut IoSink<'_>, _offset: &mut u64) -> Result<usize> {
        if dst.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let mut state = self.shared.state.lock();
        self.catch_up(&mut state);
        let count = core::mem::take(&mut state.expirations);
        if core::mem::take(&mut state.cancelled) {
            return Err(Errno::ECANCELED);
        }
        drop(state);
        if count == 0 {
            return Err(Errno::EAGAIN);
        }
        put_counter(dst, count)
    }

    fn poll(&self, _file: &File, table: &mut PollTable) -> PollEvents {
        table.register(&self.shared.readable);
        match self.shared.state.lock().expirations {
            0 => PollEvents::empty(),
            _ => PollEvents::IN | PollEvents::RDNORM,
        }
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// Makes a disarmed timer file.
pub fn new_timerfd(clock: TimerClock, status: OpenFlags) -> Result<Arc<File>> {
    let shared = Shared {
        state: IrqSpinLock::new(&class::TIMER_FILE, State::default()),
        readable: Arc::new(WaitQueue::new()),
    };
    let timer = TimerFd { clock, shared: Arc::new(shared), clockwork: Once::new() };
    File::anonymous("[timerfd]", OpenFlags::RDWR | status, Arc::new(timer))
}

/// The timer behind an open file; `EINVAL` when it is none.
pub fn of_file(file: &File) -> Result<&TimerFd> {
    file.ops().as_any().downcast_ref::<TimerFd>().ok_or(Errno::EINVAL)
}
