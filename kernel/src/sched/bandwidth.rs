//! How much of the CPUs real-time tasks may have (`kernel.sched_rt_runtime_us` of every `kernel.sched_rt_period_us`; sched(7)).

use super::deadline;
use abi::{Errno, Result};
use core::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// Both, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RealTimeBandwidth {
    /// Of so much time
    pub period: i32,
    /// they may have so much; -1: all.
    pub runtime: i32,
}

/// In one word, so that nobody sees one without the other.
static BANDWIDTH: AtomicU64 =
    AtomicU64::new(RealTimeBandwidth { period: 1_000_000, runtime: 950_000 }.pack());

impl RealTimeBandwidth {
    const fn pack(self) -> u64 {
        (self.period.cast_unsigned() as u64) << 32 | self.runtime.cast_unsigned() as u64
    }

    fn unpack(word: u64) -> Self {
        let half = |bits: u64| (bits as u32).cast_signed();
        Self { period: half(word >> 32), runtime: half(word) }
    }

    /// `EINVAL` unless there is a period, and no more runtime than that.
    fn check(self) -> Result<()> {
        let fits = self.period > 0 && (-1..=self.period).contains(&self.runtime);
        if fits { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// The nanoseconds that real-time tasks run at a stretch while others wait, and those that they then leave; `None` if they leave
    /// nothing. As on Linux a runtime of 0 does not stop them: they could never run again.
    pub(super) fn split(self) -> Option<(u64, u64)> {
        let runtime = u64::try_from(self.runtime).ok().filter(|&runtime| runtime > 0)?;
        let rest = u64::from(self.period.cast_unsigned()).saturating_sub(runtime);
        (rest > 0).then_some((runtime * 1000, rest * 1000))
    }
}

/// What holds now.
pub fn real_time_bandwidth() -> RealTimeBandwidth {
    RealTimeBandwidth::unpack(BANDWIDTH.load(Relaxed))
}

/// Changes it; `EINVAL`, `EBUSY` if tasks with deadlines have more. May sleep.
pub fn change_real_time_bandwidth(change: impl Fn(&mut RealTimeBandwidth)) -> Result<()> {
    let mut word = BANDWIDTH.load(Acquire);
    loop {
        let mut bandwidth = RealTimeBandwidth::unpack(word);
        change(&mut bandwidth);
        bandwidth.check()?;
        deadline::check_limit(bandwidth)?;
        match BANDWIDTH.compare_exchange(word, bandwidth.pack(), AcqRel, Acquire) {
            Ok(_) => return Ok(()),
            Err(now) => word = now,
        }
    }
}
