//! The data page: written by the kernel, read by every process, both without a lock.
//!
//! A sequence count is odd while the kernel writes. Every field is an atomic that is read and written relaxed, so a reader that
//! meets a writer sees a mixture, never undefined behaviour, and reads again.

use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};

/// What the clocks are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Parameters {
    /// The time-stamp counter at boot.
    pub counter_base: u64,
    /// Nanoseconds a counter tick, in units of 2^-[`SHIFT`](super::clock::SHIFT).
    pub multiplier: u64,
    /// A monotonic instant, in nanoseconds.
    pub wall_base: u64,
    /// The wall-clock time at that instant: seconds since 1970,
    pub wall_seconds: i64,
    /// and nanoseconds, less than a second.
    pub wall_nanos: u64,
    /// How much faster the wall clock runs, in parts per 2^32.
    pub rate: i64,
    /// Nanoseconds by which it is moved besides, a little at a time, from that instant on (`adjtime(3)`).
    pub slew: i64,
    /// International Atomic Time less UTC, in seconds.
    pub tai_offset: i64,
    /// The time zone that `settimeofday(2)` set: minutes west of Greenwich in the low half, `tz_dsttime` in the high half.
    pub timezone: u64,
}

/// The page's content. All zero: nothing is published, and programs ask by system calls.
#[repr(C, align(64))]
#[derive(Default)]
pub struct Data {
    sequence: AtomicU32,
    source: AtomicU32,
    counter_base: AtomicU64,
    multiplier: AtomicU64,
    wall_base: AtomicU64,
    wall_seconds: AtomicI64,
    wall_nanos: AtomicU64,
    rate: AtomicI64,
    slew: AtomicI64,
    tai_offset: AtomicI64,
    timezone: AtomicU64,
}

/// `source`: the clocks follow the time-stamp counter.
const COUNTER: u32 = 1;

impl Data {
    /// Shows new parameters to all readers. The caller keeps other writers away.
    pub fn publish(&self, new: &Parameters) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.source.store(COUNTER, Ordering::Relaxed);
        self.counter_base.store(new.counter_base, Ordering::Relaxed);
        self.multiplier.store(new.multiplier, Ordering::Relaxed);
        self.wall_base.store(new.wall_base, Ordering::Relaxed);
        self.wall_seconds.store(new.wall_seconds, Ordering::Relaxed);
        self.wall_nanos.store(new.wall_nanos, Ordering::Relaxed);
        self.rate.store(new.rate, Ordering::Relaxed);
        self.slew.store(new.slew, Ordering::Relaxed);
        self.tai_offset.store(new.tai_offset, Ordering::Relaxed);
        self.timezone.store(new.timezone, Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// A consistent copy, and a value of the counter that was read while it held; `None`: the clocks do not follow the counter.
    #[inline(always)]
    pub fn read(&self, counter: impl Fn() -> u64) -> Option<(Parameters, u64)> {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before & 1 == 0 {
                if self.source.load(Ordering::Relaxed) != COUNTER {
                    return None;
                }
                let now = counter();
                let parameters = self.load();
                fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == before {
                    return Some((parameters, now));
                }
            }
            core::hint::spin_loop();
        }
    }

    /// The time zone, as in [`Parameters::timezone`].
    #[inline(always)]
    pub fn timezone(&self) -> u64 {
        self.timezone.load(Ordering::Relaxed)
    }

    /// The fields as they are; what a caller does not use is not read.
    #[inline(always)]
    fn load(&self) -> Parameters {
        Parameters {
            counter_base: self.counter_base.load(Ordering::Relaxed),
            multiplier: self.multiplier.load(Ordering::Relaxed),
            wall_base: self.wall_base.load(Ordering::Relaxed),
            wall_seconds: self.wall_seconds.load(Ordering::Relaxed),
            wall_nanos: self.wall_nanos.load(Ordering::Relaxed),
            rate: self.rate.load(Ordering::Relaxed),
            slew: self.slew.load(Ordering::Relaxed),
            tai_offset: self.tai_offset.load(Ordering::Relaxed),
            timezone: self.timezone.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn an_empty_page_shows_nothing() {
        assert_eq!(Data::default().read(|| 7), None);
    }

    #[test]
    fn what_is_published_is_read() {
        let data = Data::default();
        let parameters = Parameters { multiplier: 3, tai_offset: 37, ..Parameters::default() };
        data.publish(&parameters);
        assert_eq!(data.read(|| 9), Some((parameters, 9)));
    }

    #[test]
    fn readers_never_see_a_mixture() {
        let data = Data::default();
        let all = |n: u64| Parameters {
            counter_base: n,
            multiplier: n,
            wall_base: n,
            wall_seconds: n.cast_signed(),
            wall_nanos: n,
            rate: n.cast_signed(),
            slew: n.cast_signed(),
            tai_offset: n.cast_signed(),
            timezone: n,
        };
        data.publish(&all(0));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let (seen, _) = data.read(|| 0).expect("published above");
                    assert_eq!(seen, all(seen.counter_base));
                    assert!(seen.counter_base >= last);
                    last = seen.counter_base;
                }
                last
            });
            for n in 1..=100_000 {
                data.publish(&all(n));
            }
            done.store(true, Ordering::Relaxed);
            reader.join().expect("the reader saw a mixture");
        });
    }
}
