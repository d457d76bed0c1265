//! Threads tied to CPUs that do the same at once, in rounds, and the line that tells the result.
//!
//! A round begins when all threads are there and lasts [`ROUND_NS`] by each one's own clock, so all of them are at it for all of the time but the
//! last batch's. The figure is the median of [`ROUNDS`] rounds, after one that does not count.

use crate::{
    arch::{
        clock,
        cpu::{self, CpuMask},
    },
    sched,
    sync::{SpinLock, WaitQueue, class},
    time,
};
use alloc::{boxed::Box, format, sync::Arc, vec::Vec};
use core::{
    array,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

/// How long a round lasts.
const ROUND_NS: u64 = 5_000_000;
const ROUNDS: usize = 9;
/// What idle CPUs do after the start (zeroing pages, RCU's callbacks) is over by then, on any machine that somebody waits for.
const SETTLE: Duration = Duration::from_millis(300);

/// Does an operation as often as it is told. Made by the thread that uses it.
pub type Work = Box<dyn FnMut(u32)>;

/// Whether the CPUs that are measured work all of the time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// They do: counting instructions makes sense.
    Never,
    /// They idle now and then: only the time counts.
    Sometimes,
}

/// What is measured.
pub struct Measurement {
    /// Its name in the result.
    pub name: &'static str,
    /// How many CPUs have to do with it.
    pub cpus: usize,
    /// How many of them, from CPU 0 on, do the work that counts.
    pub workers: usize,
    /// Operations between two looks at the clock.
    pub batch: u32,
    /// See there.
    pub waits: Waits,
}

impl Measurement {
    /// An operation of well below a microsecond that `cpus` CPUs do at once.
    pub const fn short(name: &'static str, cpus: usize) -> Measurement {
        Measurement { name, cpus, workers: cpus, batch: 64, waits: Waits::Never }
    }

    /// Measures: every worker does what `make` gives it.
    pub fn run(&self, make: impl Fn() -> Work + Send + Sync + 'static) {
        let run = Arc::new(Run {
            workers: self.workers,
            batch: self.batch,
            make: Box::new(make),
            arrived: AtomicUsize::new(0),
            tallies: SpinLock::new(&class::TABLE, Vec::with_capacity(self.workers)),
            finished: WaitQueue::new(),
        });
        for cpu in 0..self.workers {
            let run = Arc::clone(&run);
            spawn_on(cpu, move || run.work());
        }
        run.finished.wait(|| (run.tallies.lock().len() == run.workers).then_some(()));
        let tallies = run.tallies.lock();
        self.tell(&tallies);
    }

    fn tell(&self, tallies: &[[Tally; ROUNDS]]) {
        let rounds = || (0..ROUNDS).map(|round| tallies.iter().map(move |of_cpu| of_cpu[round]));
        let ticks = median(rounds().map(ticks_an_operation));
        let ns = ticks * 1_000_000_000 / u128::from(clock::tsc_hz());
        let mut line = format!("kbench: cpus={} ns={}", self.cpus, Thousandths(ns));
        if self.waits == Waits::Never {
            line += &format!(" ticks={}", Thousandths(ticks));
        }
        if self.workers > 1 {
            line += &format!(" share={}", Thousandths(median(rounds().map(share))));
        }
        pr_info!("{line} {}", self.name);
    }
}

/// A number in thousandths of what it is printed as.
struct Thousandths(u128);

impl core::fmt::Display for Thousandths {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// What a CPU did in a round.
#[derive(Clone, Copy, Default)]
struct Tally {
    operations: u64,
    /// How long the round was, in the counter's ticks.
    ticks: u64,
}

/// Thousandths of a tick that an operation takes a CPU: the CPUs' number divided by the sum of their rates.
fn ticks_an_operation(round: impl Iterator<Item = Tally>) -> u128 {
    const SCALE: u32 = 64;
    let (mut cpus, mut rates) = (0, 0);
    for tally in round {
        cpus += 1;
        rates += (u128::from(tally.operations) << SCALE) / u128::from(tally.ticks.max(1));
    }
    ((1000 * cpus) << SCALE) / rates.max(1)
}

/// Thousandths of the busiest CPU's operations that the least busy one did.
fn share(round: impl Iterator<Item = Tally>) -> u128 {
    let (mut least, mut most) = (u64::MAX, 1);
    for tally in round {
        least = least.min(tally.operations);
        most = most.max(tally.operations);
    }
    u128::from(least) * 1000 / u128::from(most)
}

fn median(values: impl Iterator<Item = u128>) -> u128 {
    let mut values: Vec<u128> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// A measurement under way.
struct Run {
    workers: usize,
    batch: u32,
    make: Box<dyn Fn() -> Work + Send + Sync>,
    /// How often a worker was ready for a round.
    arrived: AtomicUsize,
    /// Of the workers that have done.
    tallies: SpinLock<Vec<[Tally; ROUNDS]>>,
    finished: WaitQueue,
}

impl Run {
    fn work(&self) {
        let mut work = (self.make)();
        let first = self.round(0, &mut work);
        debug_assert!(first.operations > 0);
        let tallies = array::from_fn(|round| self.round(round + 1, &mut work));
        drop(work);
        self.tallies.lock().push(tallies);
        self.finished.wake_all();
    }

    fn round(&self, number: usize, work: &mut Work) -> Tally {
        self.arrived.fetch_add(1, Ordering::AcqRel);
        while self.arrived.load(Ordering::Acquire) < self.workers * (number + 1) {
            core::hint::spin_loop();
        }
        let length = clock::tsc_hz() / 1_000_000 * (ROUND_NS / 1000);
        let start = clock::counter();
        let mut tally = Tally::default();
        while tally.ticks < length {
            work(self.batch);
            tally.operations += u64::from(self.batch);
            tally.ticks = clock::counter() - start;
        }
        tally
    }
}

/// The work of doing `operation` again and again.
pub fn repeat(mut operation: impl FnMut() + 'static) -> Work {
    Box::new(move |count| {
        for _ in 0..count {
            operation();
        }
    })
}

/// Starts a thread that runs `body` on `cpu` alone.
pub fn spawn_on(cpu: usize, body: impl FnOnce() + Send + 'static) {
    let body = move || {
        let outcome = sched::set_affinity(&sched::current().to_arc(), CpuMask::of(cpu));
        outcome.expect("a benchmark's CPU is online");
        while cpu::id() != cpu {
            sched::yield_now();
        }
        body();
    };
    let thread = sched::spawn_kthread(&format!("kbench/{cpu}"), Box::new(body));
    drop(thread.expect("no memory for a benchmark's thread"));
}

/// Runs `body` on `cpu` again and again for as long as this lives.
pub struct Companion(Arc<CompanionState>);

struct CompanionState {
    stop: AtomicBool,
    ended: AtomicBool,
    end: WaitQueue,
}

impl Companion {
    /// Starts it.
    pub fn start(cpu: usize, mut body: impl FnMut() + Send + 'static) -> Companion {
        let state = Arc::new(CompanionState {
            stop: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            end: WaitQueue::new(),
        });
        let shared = Arc::clone(&state);
        spawn_on(cpu, move || {
            while !shared.stop.load(Ordering::Relaxed) {
                body();
            }
            drop(body);
            shared.ended.store(true, Ordering::Release);
            shared.end.wake_all();
        });
        Companion(state)
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
        self.0.end.wait(|| self.0.ended.load(Ordering::Acquire).then_some(()));
    }
}

/// 1, 2, 4 … CPUs, as many as there are.
pub fn cpu_counts() -> impl Iterator<Item = usize> {
    let online = cpu::online_count();
    core::iter::successors(Some(1), |count| Some(count * 2))
        .take_while(move |&count| count <= online)
}

/// Lets the CPUs come to rest.
pub fn settle() {
    let until = time::monotonic().after(SETTLE);
    while time::monotonic() < until {
        sched::set_state(sched::TaskState::Uninterruptible);
        sched::schedule_until(Some(until));
    }
}
