//! Grace periods by quiescent states (QSBR), without the kernel around them.
//!
//! A reader marks nothing: its section is a stretch of one CPU's run that holds no quiescent state. A CPU announces a
//! quiescent state by copying the number of the latest grace period into its own word. A grace period with
//! number `g` is over when every CPU's word is at least `g` or says that the CPU idles.
//!
//! # Proof
//! Claim: what an updater unlinked before [`GracePeriods::start`] returned `g` is used by no reader any more when
//! [`GracePeriods::is_over`]`(g)` returned true. Take a reader's section on CPU `c` and the value `v` of `c`'s word that
//! `is_over` read.
//!
//! 1. `v >= g`, not idle. `c` stored `v` after it loaded a number of at least `g` from `latest` (acquire). The load read
//!    from `start`'s addition or one after it in its release sequence (all changes of `latest` are read-modify-writes), so
//!    the unlinking happened before everything that `c` did after that load: sections after it do not find the
//!    object. Sections before the store of `v` (release) happened before `is_over` read it (acquire): they ended.
//! 2. `v` is [`IDLE`]. Sections before `c` stored it ended, as above. A later section comes after `leave_idle`, which
//!    stores a number and then passes a sequentially consistent fence, as `start` does after its addition. If `c`'s
//!    fence came first, `is_over`'s load after `start`'s fence could not have read the older `IDLE`: contradiction. So
//!    `start`'s fence came first, and the section, after `c`'s fence, sees the unlinking.
//! 3. `is_over` answered from `completed >= g`. Some CPU stored `g' >= g` there after it found `g'` over. `start` for `g'`
//!    came after `start` for `g` in the order of `latest`, and acquired what that released; so claims 1 and 2 for `g'`
//!    cover what was unlinked before `g`; and the store to `completed` (release) hands this on (acquire).
//!
//! A quiescent state costs a load of a word that changes once a grace period and a store to a word of this CPU's own: no
//! fence, no shared write.
#![cfg_attr(not(any(test, loom)), no_std)]

extern crate alloc;

mod stages;

pub use stages::Stages;

use crossbeam_utils::CachePadded;

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering, fence};

/// A CPU's word while it idles: later than every grace period.
const IDLE: u64 = u64::MAX;

/// The number of a grace period.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct GracePeriod(u64);

/// Grace periods over `N` CPUs. CPUs that never came online idle.
pub struct GracePeriods<const N: usize> {
    latest: CachePadded<AtomicU64>,
    completed: CachePadded<AtomicU64>,
    cpus: [CachePadded<AtomicU64>; N],
}

impl<const N: usize> GracePeriods<N> {
    /// All CPUs idle.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            latest: CachePadded::new(AtomicU64::new(0)),
            completed: CachePadded::new(AtomicU64::new(0)),
            cpus: [const { CachePadded::new(AtomicU64::new(IDLE)) }; N],
        }
    }
    /// All CPUs idle.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            latest: CachePadded::new(AtomicU64::new(0)),
            completed: CachePadded::new(AtomicU64::new(0)),
            cpus: core::array::from_fn(|_| CachePadded::new(AtomicU64::new(IDLE))),
        }
    }
    /// CPU `cpu` is in no section.
    #[inline]
    pub fn quiescent(&self, cpu: usize) {
        let latest = self.latest.load(Ordering::Acquire);
        self.cpus[cpu].store(latest, Ordering::Release);
    }
    /// CPU `cpu` is in no section and enters none before [`GracePeriods::leave_idle`].
    #[inline]
    pub fn enter_idle(&self, cpu: usize) {
        self.cpus[cpu].store(IDLE, Ordering::Release);
    }
    /// CPU `cpu` may enter sections from now on.
    #[inline]
    pub fn leave_idle(&self, cpu: usize) {
        let latest = self.latest.load(Ordering::Acquire);
        // Release: whoever reads this instead of the idle mark must see the sections before that mark ended, too.
        self.cpus[cpu].store(latest, Ordering::Release);
        fence(Ordering::SeqCst);
    }
    /// Begins a grace period for what was unlinked before.
    pub fn start(&self) -> GracePeriod {
        let number = self.latest.fetch_add(1, Ordering::AcqRel) + 1;
        fence(Ordering::SeqCst);
        GracePeriod(number)
    }
    /// Whether every CPU passed a quiescent state since `period` began.
    pub fn is_over(&self, period: GracePeriod) -> bool {
        if self.completed.load(Ordering::Acquire) >= period.0 {
            return true;
        }
        let over = self.cpus.iter().all(|cpu| cpu.load(Ordering::Acquire) >= period.0);
        if over {
            self.completed.fetch_max(period.0, Ordering::AcqRel);
        }
        over
    }
    /// The CPUs that `period` waits for.
    pub fn holdouts(&self, period: GracePeriod) -> impl Iterator<Item = usize> {
        let late = move |cpu: &usize| self.cpus[*cpu].load(Ordering::Relaxed) < period.0;
        (0..N).filter(late)
    }
}

impl<const N: usize> Default for GracePeriods<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_period_waits_for_every_busy_cpu() {
        let periods = GracePeriods::<3>::new();
        periods.leave_idle(0);
        periods.leave_idle(1);
        let period = periods.start();
        assert!(!periods.is_over(period));
        periods.quiescent(0);
        assert_eq!(periods.holdouts(period).collect::<Vec<_>>(), [1]);
        periods.enter_idle(1);
        assert!(periods.is_over(period));
    }

    #[test]
    fn a_quiescent_state_before_the_period_does_not_count() {
        let periods = GracePeriods::<1>::new();
        periods.leave_idle(0);
        periods.quiescent(0);
        let period = periods.start();
        assert!(!periods.is_over(period));
        periods.quiescent(0);
        assert!(periods.is_over(period));
    }

    #[test]
    fn a_later_period_completes_an_earlier_one() {
        let periods = GracePeriods::<1>::new();
        periods.leave_idle(0);
        let first = periods.start();
        let second = periods.start();
        periods.quiescent(0);
        assert!(periods.is_over(second));
        periods.leave_idle(0);
        assert!(periods.is_over(first));
    }
}

/// `RUSTFLAGS="--cfg loom" cargo test -p rcu --release`
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::{
        cell::UnsafeCell,
        sync::{Arc, atomic::AtomicBool},
        thread,
    };

    /// An object that a reader may find as long as `linked`; the updater writes to it ("frees" it) after a
    /// grace period. Loom reports the race if a reader is still there.
    struct World {
        periods: GracePeriods<1>,
        linked: AtomicBool,
        object: UnsafeCell<u32>,
    }

    // SAFETY: the accesses to `object` are what the test is about; loom checks them.
    unsafe impl Sync for World {}
    // SAFETY: as above.
    unsafe impl Send for World {}

    impl World {
        fn new() -> Arc<World> {
            Arc::new(World {
                periods: GracePeriods::new(),
                linked: AtomicBool::new(true),
                object: UnsafeCell::new(1),
            })
        }
        fn read(&self) {
            if self.linked.load(Ordering::Acquire) {
                // SAFETY: a read-side section.
                self.object.with(|object| unsafe { assert_eq!(*object, 1) });
            }
        }
        fn update(&self) {
            self.linked.store(false, Ordering::Release);
            let period = self.periods.start();
            for _ in 0..2 {
                if self.periods.is_over(period) {
                    // SAFETY: the grace period is over.
                    self.object.with_mut(|object| unsafe { *object = 2 });
                    return;
                }
                thread::yield_now();
            }
        }
    }

    #[test]
    fn a_grace_period_outlasts_readers() {
        loom::model(|| {
            let world = World::new();
            world.periods.leave_idle(0);
            let reader = world.clone();
            let reader = thread::spawn(move || {
                reader.read();
                reader.periods.quiescent(0);
                reader.read();
                reader.periods.quiescent(0);
            });
            world.update();
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_grace_period_outlasts_readers_that_come_from_idle() {
        loom::model(|| {
            let world = World::new();
            let reader = world.clone();
            let reader = thread::spawn(move || {
                reader.periods.leave_idle(0);
                reader.read();
                reader.periods.enter_idle(0);
                reader.periods.leave_idle(0);
                reader.read();
                reader.periods.quiescent(0);
            });
            world.update();
            reader.join().unwrap();
        });
    }
}
