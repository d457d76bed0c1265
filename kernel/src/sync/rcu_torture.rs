//! RCU under torture (`rcutorture=SECONDS` on the kernel's command line): readers on every CPU and in interrupts look for objects that were freed
//! under them, while writers replace and free those, and programs run.
//!
//! Nothing is really freed: objects are from a pool, and a callback that RCU runs poisons one before it may be published anew. A reader
//! that holds an object and finds it poisoned, or with another birth than at first, proves that a grace period ended too early. Readers are in
//! their sections for nanoseconds to longer than the time after which late CPUs are interrupted; between sections they run on, yield,
//! or let their CPU idle, which interrupts then wake whose handlers read, too. Callbacks count themselves, so that one that got lost or ran twice shows, and
//! so does an [`rcu::barrier`] that returns before those that were queued before it.
#![forbid(unsafe_code)]

use super::{SpinLock, class, rcu};
use crate::{
    arch::{
        clock,
        cpu::{self, CpuMask},
    },
    process::Pid,
    sched::{self, TaskState},
    time::{self, Duration, Instant, Timer, TimerCallback},
};
use alloc::{boxed::Box, format, sync::Arc, vec::Vec};
use core::{
    array,
    sync::atomic::{
        AtomicBool, AtomicU64, AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

/// Where readers find objects.
const CELLS: usize = 8;
/// Objects, published ones included. Writers wait for callbacks when all are taken.
const OBJECTS: usize = 512;
const READERS_PER_CPU: usize = 2;
const WRITERS: usize = 3;
/// Between two interrupts that read.
const INTERRUPT_PERIOD: u64 = 700_000;
/// One in so many of them on idle CPUs is long.
const LONG_INTERRUPT: u64 = 10;
/// Failures that are told one by one.
const TOLD: u64 = 5;

/// What is published and freed. Its birth is odd from then on when it is about to be published, even once it is freed.
struct Object {
    birth: AtomicU64,
}

/// The run.
struct Torture {
    objects: [Object; OBJECTS],
    cells: [AtomicUsize; CELLS],
    free: SpinLock<Vec<usize>>,
    stop: AtomicBool,
    /// Threads that have not ended.
    threads: AtomicUsize,
    failures: AtomicU64,
    reads: AtomicU64,
    interrupt_reads: AtomicU64,
    /// Objects handed to [`rcu::call`], and those that came back.
    called: AtomicU64,
    returned: AtomicU64,
    synchronized: AtomicU64,
    barriers: AtomicU64,
}

/// A sequence of numbers of its own for each thread (xorshift, Marsaglia 2003).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// True once in `times`.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// Tortures for so many seconds, from now on; tells the outcome as a kernel message.
pub fn start(seconds: u64) {
    let torture = Arc::new(Torture {
        objects: array::from_fn(|index| Object { birth: AtomicU64::new(u64::from(index < CELLS)) }),
        cells: array::from_fn(AtomicUsize::new),
        free: SpinLock::new(&class::TABLE, (CELLS..OBJECTS).collect()),
        stop: AtomicBool::new(false),
        threads: AtomicUsize::new(0),
        failures: AtomicU64::new(0),
        reads: AtomicU64::new(0),
        interrupt_reads: AtomicU64::new(0),
        called: AtomicU64::new(0),
        returned: AtomicU64::new(0),
        synchronized: AtomicU64::new(0),
        barriers: AtomicU64::new(0),
    });
    for cpu in 0..cpu::online_count() {
        for reader in 0..READERS_PER_CPU {
            let of_thread = Arc::clone(&torture);
            let body = move || of_thread.read_on(cpu, reader == 0);
            torture.spawn(&format!("torture-read/{cpu}"), Some(cpu), body);
        }
    }
    for writer in 0..WRITERS {
        let of_thread = Arc::clone(&torture);
        let body = move || of_thread.write(Chance(writer as u64 + 1));
        torture.spawn(&format!("torture-write/{writer}"), None, body);
    }
    let of_thread = Arc::clone(&torture);
    torture.spawn("torture-barrier", None, move || of_thread.wait_for_barriers());
    let watch = move || {
        sleep(Duration::from_secs(seconds));
        torture.finish(seconds);
    };
    let watcher = sched::spawn_kthread("torture", Box::new(watch));
    drop(watcher.expect("no memory for the torture's threads"));
}

fn sleep(length: Duration) {
    let end = time::monotonic().after(length);
    while time::monotonic() < end {
        sched::set_state(TaskState::Uninterruptible);
        sched::schedule_until(Some(end));
    }
}

fn spin(nanoseconds: u64) {
    let start = clock::now_ns();
    while clock::now_ns() - start < nanoseconds {
        core::hint::spin_loop();
    }
}

impl Torture {
    fn spawn(
        self: &Arc<Self>,
        name: &str,
        cpu: Option<usize>,
        body: impl FnOnce() + Send + 'static,
    ) {
        self.threads.fetch_add(1, Relaxed);
        let torture = Arc::clone(self);
        let body = move || {
            body();
            torture.threads.fetch_sub(1, Release);
        };
        let task = sched::spawn_kthread(name, Box::new(body));
        let task = task.expect("no memory for the torture's threads");
        if let Some(cpu) = cpu {
            sched::set_affinity(&task, CpuMask::of(cpu)).expect("the CPU is online");
        }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Relaxed)
    }

    fn fail(&self, what: &str) {
        if self.failures.fetch_add(1, Relaxed) < TOLD {
            pr_err!("rcutorture: {what} on CPU {}", cpu::id());
        }
    }

    /// A section: holds an object while `hold` runs.
    fn read(&self, cell: usize, hold: impl FnOnce()) {
        let section = rcu::read();
        let object = &self.objects[self.cells[cell].load(Acquire)];
        let birth = object.birth.load(Acquire);
        hold();
        let later = object.birth.load(Acquire);
        drop(section);
        if birth.is_multiple_of(2) {
            self.fail("a reader found a freed object");
        } else if later != birth {
            self.fail("an object was freed under its reader");
        }
    }

    fn read_on(self: Arc<Self>, cpu: usize, with_interrupts: bool) {
        let mut chance = Chance(0x9e37_79b9 + cpu as u64);
        while cpu::id() != cpu {
            sched::yield_now();
        }
        let timer = Timer::new(Arc::new(Interrupt { torture: Arc::clone(&self) }));
        if with_interrupts {
            timer.arm(Instant(clock::now_ns() + INTERRUPT_PERIOD));
        }
        while self.goes_on() {
            let length = match () {
                // Longer than it takes until a CPU that is late is interrupted.
                () if chance.once_in(2000) => 20_000_000,
                () if chance.once_in(100) => chance.below(2_000_000),
                () if chance.once_in(2) => 0,
                () => chance.below(3_000),
            };
            let cell = chance.below(CELLS as u64) as usize;
            self.read(cell, || {
                if length != 0 {
                    spin(length);
                }
                if length % 5 == 1 {
                    // The inner section's end is no quiescent state.
                    self.read((cell + 1) % CELLS, || spin(length / 2));
                }
            });
            self.reads.fetch_add(1, Relaxed);
            if chance.once_in(300) {
                sleep(Duration::from_micros(chance.below(6_000)));
            } else if chance.once_in(20) {
                sched::yield_now();
            }
        }
        timer.cancel();
    }

    /// Replaces objects and frees what it replaced.
    fn write(self: Arc<Self>, mut chance: Chance) {
        while self.goes_on() {
            let Some(new) = self.free.lock().pop() else {
                sleep(Duration::from_millis(1));
                continue;
            };
            self.objects[new].birth.fetch_add(1, Relaxed);
            let cell = chance.below(CELLS as u64) as usize;
            let old = self.cells[cell].swap(new, AcqRel);
            if chance.once_in(200) {
                rcu::synchronize();
                self.release(old);
                self.synchronized.fetch_add(1, Relaxed);
            } else {
                self.called.fetch_add(1, Relaxed);
                let torture = Arc::clone(&self);
                rcu::call(Box::new(move || {
                    torture.release(old);
                    torture.returned.fetch_add(1, Release);
                }));
            }
            match () {
                () if chance.once_in(50) => sleep(Duration::from_micros(chance.below(3_000))),
                () if chance.once_in(4) => sched::yield_now(),
                () => spin(chance.below(20_000)),
            }
        }
    }

    /// Poisons an object that no reader may have any more.
    fn release(&self, object: usize) {
        if self.objects[object].birth.fetch_add(1, AcqRel).is_multiple_of(2) {
            self.fail("an object was freed twice");
        }
        self.free.lock().push(object);
    }

    /// Finds out whether a barrier waits for a callback queued before it, on one CPU after another.
    fn wait_for_barriers(self: Arc<Self>) {
        let task = sched::current().to_arc();
        for cpu in (0..cpu::online_count()).cycle().take_while(|_| self.goes_on()) {
            sched::set_affinity(&task, CpuMask::of(cpu)).expect("the CPU is online");
            let ran = Arc::new(AtomicBool::new(false));
            let callbacks = Arc::clone(&ran);
            rcu::call(Box::new(move || callbacks.store(true, Release)));
            rcu::barrier();
            if !ran.load(Acquire) {
                self.fail("a barrier left a callback behind");
            }
            self.barriers.fetch_add(1, Relaxed);
            sleep(Duration::from_millis(5));
        }
    }

    fn finish(&self, seconds: u64) {
        self.stop.store(true, Relaxed);
        while self.threads.load(Acquire) != 0 {
            sleep(Duration::from_millis(1));
        }
        rcu::barrier();
        if self.called.load(Relaxed) != self.returned.load(Acquire) {
            self.fail("callbacks got lost");
        }
        if self.free.lock().len() != OBJECTS - CELLS {
            self.fail("objects got lost");
        }
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        pr_info!(
            "rcutorture: {seconds} s, {} reads and {} in interrupts, {} objects freed by callbacks and {} after waiting, {} barriers",
            count(&self.reads),
            count(&self.interrupt_reads),
            count(&self.returned),
            count(&self.synchronized),
            count(&self.barriers),
        );
        match count(&self.failures) {
            0 => pr_info!("rcutorture: passed"),
            failures => pr_err!("rcutorture: failed, {failures} times"),
        }
    }
}

/// Reads in the timer's interrupt, also that of an idle CPU.
struct Interrupt {
    torture: Arc<Torture>,
}

impl TimerCallback for Interrupt {
    fn expired(&self, now: Instant) -> Option<Instant> {
        let torture = &self.torture;
        let cell = (now.0 / 1000) as usize % CELLS;
        let count = torture.interrupt_reads.fetch_add(1, Relaxed);
        // A CPU that was idle counts as quiescent no longer: some of the sections there last as long as a grace period of the others takes.
        let was_idle = sched::current().tid() == Pid(0);
        let is_long = was_idle && count.is_multiple_of(LONG_INTERRUPT);
        let length = if is_long { 30_000_000 } else { 10_000 };
        torture.read(cell, || spin(length));
        torture.goes_on().then_some(Instant(clock::now_ns() + INTERRUPT_PERIOD))
    }
}
