//! `timerfd_create(2)`: expirations of a timer, counted behind a descriptor.

use super::put_counter;
use crate::{
    fs::{File, FileOps, IoSink, OpenFlags},
    sync::{IrqSpinLock, Once, PollEvents, PollTable, WaitQueue, class},
    time::{self, Instant, Timer, TimerCallback},
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

struct State {
    deadline: Option<Instant>,
    interval: u64,
    expirations: u64,
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
        let next = match (now.0 - deadline.0).checked_div(state.interval) {
            None => {
                state.expirations += 1;
                None
            }
            Some(missed) => {
                let periods = missed + 1;
                state.expirations += periods;
                Some(Instant(deadline.0.saturating_add(periods.saturating_mul(state.interval))))
            }
        };
        state.deadline = next;
        drop(state);
        self.readable.wake_events(PollEvents::IN | PollEvents::RDNORM);
        next
    }
}

/// A timer behind a descriptor.
pub struct TimerFd {
    clock: TimerClock,
    shared: Arc<Shared>,
    timer: Once<Timer>,
}

impl TimerFd {
    fn timer(&self) -> &Timer {
        self.timer.call_once(|| Timer::new(self.shared.clone()))
    }

    /// `timerfd_settime(2)`: arms or disarms; what was set before.
    pub fn set(&self, setting: Setting, absolute: bool) -> Setting {
        let timer = self.timer();
        timer.cancel();
        let old = self.get();
        let deadline = (setting.value != 0).then(|| {
            let now = time::monotonic();
            let wait = match (absolute, self.clock) {
                (false, _) => setting.value,
                (true, TimerClock::Monotonic) => setting.value.saturating_sub(now.0),
                (true, TimerClock::Realtime) => {
                    let wall = time::realtime();
                    let wall = wall.tv_sec as u64 * 1_000_000_000 + wall.tv_nsec as u64;
                    setting.value.saturating_sub(wall)
                }
            };
            Instant(now.0.saturating_add(wait))
        });
        let mut state = self.shared.state.lock();
        *state = State { deadline, interval: setting.interval, expirations: 0 };
        drop(state);
        if let Some(deadline) = deadline {
            timer.arm(deadline);
        }
        old
    }

    /// `timerfd_gettime(2)`: the time that is left and the interval.
    pub fn get(&self) -> Setting {
        let state = self.shared.state.lock();
        let now = time::monotonic();
        // An armed timer never reports zero, which would say that it is disarmed.
        let value = state.deadline.map_or(0, |at| at.0.saturating_sub(now.0).max(1));
        Setting { value, interval: state.interval }
    }
}

impl FileOps for TimerFd {
    fn read(&self, _file: &File, dst: &mut IoSink<'_>, _offset: &mut u64) -> Result<usize> {
        if dst.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let count = core::mem::take(&mut self.shared.state.lock().expirations);
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
        state: IrqSpinLock::new(
            &class::TIMER_FILE,
            State { deadline: None, interval: 0, expirations: 0 },
        ),
        readable: Arc::new(WaitQueue::new()),
    };
    let timer = TimerFd { clock, shared: Arc::new(shared), timer: Once::new() };
    File::anonymous("[timerfd]", OpenFlags::RDWR | status, Arc::new(timer))
}

/// The timer behind an open file; `EINVAL` when it is none.
pub fn of_file(file: &File) -> Result<&TimerFd> {
    file.ops().as_any().downcast_ref::<TimerFd>().ok_or(Errno::EINVAL)
}
