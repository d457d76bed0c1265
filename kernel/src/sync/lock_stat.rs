//! Statistics of locks by class, for `/proc/lock_stat`: how often they were taken and waited for, how long they were waited for and held.
//!
//! Off they cost an instruction that does nothing at the beginning and the end of every hold (see [`CodeSwitch`]), and a look at a flag where a
//! task waits anyway. On, each CPU adds to figures of its own. A hold's beginning is noted in a table by the lock's address, not in the
//! lock, which stays as small as it is; when another lock's hold takes its place, which is rare, the first counts, but its time does not.

use super::{LockClass, Once, class};
use crate::arch::{
    clock,
    code_switch::{self, CodeSwitch, call_if_on, preserving_registers},
    cpu, irq,
};
use abi::{Errno, Result};
use alloc::vec::Vec;
use core::{
    ptr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Whether the lock was taken with others or alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// By a writer, or a lock that knows no others.
    Exclusive = 0,
    /// By a reader.
    Shared = 1,
}

/// Times of waits or of holds, in ticks of the clock's counter.
struct Times {
    count: AtomicU64,
    least: AtomicU64,
    most: AtomicU64,
    total: AtomicU64,
}

/// What one CPU knows of one class and access.
struct Figures {
    waits: Times,
    holds: Times,
    acquisitions: AtomicU64,
    /// How many of the waits and acquisitions were on another CPU than the lock's last one.
    moved_waits: AtomicU64,
    moved_acquisitions: AtomicU64,
}

/// Places for holds and for the last CPUs of locks.
const SLOTS_SHIFT: u32 = 12;
/// Bits of a hold's beginning; at 4 GHz they go round after 4 minutes.
const TIME_BITS: u32 = 40;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
const CPU_BITS: u32 = 16;

struct Tables {
    /// By CPU, class, access.
    figures: Vec<Figures>,
    /// A tag of lock and holder, and when the hold began. 0: none.
    holds: Vec<AtomicU64>,
    /// A tag of the lock, and the CPU that it was last taken on.
    last_cpus: Vec<AtomicU64>,
}

static TABLES: Once<Tables> = Once::new();
static SWITCH: CodeSwitch = CodeSwitch::new();

/// The current CPU took a lock. `class` is the lock's own field, whose address tells the lock from others.
#[inline(always)]
pub(super) fn acquired(class: &&'static LockClass, access: Access) {
    match access {
        Access::Exclusive => call_if_on!(SWITCH, record_acquired, ptr::from_ref(class)),
        Access::Shared => call_if_on!(SWITCH, record_acquired_shared, ptr::from_ref(class)),
    }
}

/// It is about to let go of it.
#[inline(always)]
pub(super) fn released(class: &&'static LockClass, access: Access) {
    match access {
        Access::Exclusive => call_if_on!(SWITCH, record_released, ptr::from_ref(class)),
        Access::Shared => call_if_on!(SWITCH, record_released_shared, ptr::from_ref(class)),
    }
}

preserving_registers!(record_acquired(word) calls note_acquired);
preserving_registers!(record_acquired_shared(word) calls note_acquired_shared);
preserving_registers!(record_released(word) calls note_released);
preserving_registers!(record_released_shared(word) calls note_released_shared);

extern "C" fn note_acquired(class: &&'static LockClass) {
    begin_hold(class, Access::Exclusive);
}

extern "C" fn note_acquired_shared(class: &&'static LockClass) {
    begin_hold(class, Access::Shared);
}

extern "C" fn note_released(class: &&'static LockClass) {
    end_hold(class, Access::Exclusive);
}

extern "C" fn note_released_shared(class: &&'static LockClass) {
    end_hold(class, Access::Shared);
}

/// The current CPU or task is about to wait for a lock: since when, if that is to be recorded.
pub(super) fn begin_wait() -> Option<u64> {
    SWITCH.is_on().then(clock::counter)
}

/// The wait is over, and it has the lock, but did not call [`acquired`] yet.
pub(super) fn end_wait(began: Option<u64>, class: &&'static LockClass, access: Access) {
    if let (Some(began), Some(tables)) = (began, TABLES.get()) {
        let interrupts = irq::save_and_disable();
        let figures = tables.figures_here(row(class, access));
        figures.waits.add(clock::counter().wrapping_sub(began));
        if tables.moved(address(class)) {
            add(&figures.moved_waits, 1);
        }
        irq::restore(interrupts);
    }
}

fn row(class: &'static LockClass, access: Access) -> usize {
    class.index * 2 + access as usize
}

/// What stands for a lock.
fn address(class: &&'static LockClass) -> usize {
    ptr::from_ref(class).addr()
}

fn begin_hold(class: &&'static LockClass, access: Access) {
    let Some(tables) = TABLES.get() else { return };
    let lock = address(class);
    let interrupts = irq::save_and_disable();
    let figures = tables.figures_here(row(class, access));
    add(&figures.acquisitions, 1);
    if tables.moved(lock) {
        add(&figures.moved_acquisitions, 1);
    }
    let (slot, tag) = place(lock, 64 - CPU_BITS);
    tables.last_cpus[slot].store(tag << CPU_BITS | cpu::id() as u64, Relaxed);
    let (slot, tag) = hold_place(lock, access);
    tables.holds[slot].store(tag << TIME_BITS | clock::counter() & TIME_MASK, Relaxed);
    irq::restore(interrupts);
}

fn end_hold(class: &&'static LockClass, access: Access) {
    let Some(tables) = TABLES.get() else { return };
    let interrupts = irq::save_and_disable();
    let (slot, tag) = hold_place(address(class), access);
    let hold = tables.holds[slot].load(Relaxed);
    if hold >> TIME_BITS == tag {
        tables.holds[slot].store(0, Relaxed);
        let time = clock::counter().wrapping_sub(hold) & TIME_MASK;
        tables.figures_here(row(class, access)).holds.add(time);
    }
    irq::restore(interrupts);
}

/// Where something is in a table, and by how many bits it is told from others there; never 0.
fn place(key: usize, tag_bits: u32) -> (usize, u64) {
    let hash = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let slot = (hash >> (64 - SLOTS_SHIFT)) as usize;
    let tag = hash.rotate_left(SLOTS_SHIFT) >> (64 - tag_bits);
    (slot, tag.max(1))
}

/// A reader's hold is told from other readers' by the task.
fn hold_place(lock: usize, access: Access) -> (usize, u64) {
    let holder = match access {
        Access::Exclusive => 0,
        Access::Shared => cpu::current_task().addr(),
    };
    place(lock.wrapping_add(holder), 64 - TIME_BITS)
}

/// Adds to what only this CPU writes, with interrupts off.
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

impl Times {
    const fn new() -> Times {
        Times {
            count: AtomicU64::new(0),
            least: AtomicU64::new(u64::MAX),
            most: AtomicU64::new(0),
            total: AtomicU64::new(0),
        }
    }

    fn add(&self, time: u64) {
        add(&self.count, 1);
        add(&self.total, time);
        self.least.store(self.least.load(Relaxed).min(time), Relaxed);
        self.most.store(self.most.load(Relaxed).max(time), Relaxed);
    }

    fn clear(&self) {
        self.count.store(0, Relaxed);
        self.least.store(u64::MAX, Relaxed);
        self.most.store(0, Relaxed);
        self.total.store(0, Relaxed);
    }
}

impl Figures {
    const fn new() -> Figures {
        Figures {
            waits: Times::new(),
            holds: Times::new(),
            acquisitions: AtomicU64::new(0),
            moved_waits: AtomicU64::new(0),
            moved_acquisitions: AtomicU64::new(0),
        }
    }

    fn clear(&self) {
        self.waits.clear();
        self.holds.clear();
        for counter in [&self.acquisitions, &self.moved_waits, &self.moved_acquisitions] {
            counter.store(0, Relaxed);
        }
    }
}

const ROWS: usize = class::ALL.len() * 2;

impl Tables {
    fn new() -> Result<Tables> {
        fn filled<T>(count: usize, make: fn() -> T) -> Result<Vec<T>> {
            let mut vec = Vec::new();
            vec.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
            vec.extend((0..count).map(|_| make()));
            Ok(vec)
        }
        let zero = || AtomicU64::new(0);
        Ok(Tables {
            figures: filled(cpu::online_count() * ROWS, Figures::new)?,
            holds: filled(1 << SLOTS_SHIFT, zero)?,
            last_cpus: filled(1 << SLOTS_SHIFT, zero)?,
        })
    }

    fn figures_here(&self, row: usize) -> &Figures {
        &self.figures[cpu::id() * ROWS + row]
    }

    /// Whether the lock was last taken on another CPU, as far as that is known.
    fn moved(&self, lock: usize) -> bool {
        let (slot, tag) = place(lock, 64 - CPU_BITS);
        let last = self.last_cpus[slot].load(Relaxed);
        last >> CPU_BITS == tag && last & ((1 << CPU_BITS) - 1) != cpu::id() as u64
    }
}

/// Whether locks are recorded (`kernel.lock_stat`).
pub fn is_on() -> bool {
    SWITCH.is_on()
}

/// Turns that on or off; may sleep. What was recorded stays. `ENOMEM`.
pub fn turn(on: bool) -> Result<()> {
    if on {
        if TABLES.get().is_none() {
            let tables = Tables::new()?;
            TABLES.call_once(|| tables);
        }
        // Holds that began before it was turned off last have ended unseen.
        forget_holds();
    }
    code_switch::turn(&SWITCH, on);
    Ok(())
}

/// Forgets all that was recorded.
pub fn clear() {
    if let Some(tables) = TABLES.get() {
        tables.figures.iter().for_each(Figures::clear);
    }
}

fn forget_holds() {
    if let Some(tables) = TABLES.get()
        && !SWITCH.is_on()
    {
        tables.holds.iter().for_each(|hold| hold.store(0, Relaxed));
    }
}

/// Times as they are shown, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct TimesSum {
    /// How many.
    pub count: u64,
    /// The shortest; 0 if there is none.
    pub least: u64,
    /// The longest.
    pub most: u64,
    /// All together.
    pub total: u64,
}

/// What is known of a class.
#[derive(Clone, Copy, Debug)]
pub struct ClassReport {
    /// The class's name.
    pub name: &'static str,
    /// Readers, or the others.
    pub access: Access,
    /// Acquisitions that had to wait.
    pub waits: TimesSum,
    /// How many of them were on another CPU than the lock was last taken on.
    pub moved_waits: u64,
    /// Acquisitions.
    pub acquisitions: u64,
    /// How many of them were on another CPU than the last.
    pub moved_acquisitions: u64,
    /// Holds that are over.
    pub holds: TimesSum,
}

/// A line for every class and access that was taken, those most waited for first.
pub fn report() -> Vec<ClassReport> {
    let Some(tables) = TABLES.get() else { return Vec::new() };
    let nanos = |ticks: u64| {
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(clock::tsc_hz().max(1));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    };
    let mut report = Vec::new();
    for (class, access) in
        class::ALL.iter().flat_map(|class| [(class, Access::Exclusive), (class, Access::Shared)])
    {
        let row = row(class, access);
        let of_cpus = || tables.figures.iter().skip(row).step_by(ROWS);
        let sum = |counter: fn(&Figures) -> &AtomicU64| {
            of_cpus().map(|figures| counter(figures).load(Relaxed)).sum::<u64>()
        };
        let times = |times: fn(&Figures) -> &Times| {
            let all = || of_cpus().map(times);
            let count = all().map(|times| times.count.load(Relaxed)).sum();
            let least = all().map(|times| times.least.load(Relaxed)).min().unwrap_or(0);
            TimesSum {
                count,
                least: if count == 0 { 0 } else { nanos(least) },
                most: nanos(all().map(|times| times.most.load(Relaxed)).max().unwrap_or(0)),
                total: nanos(all().map(|times| times.total.load(Relaxed)).sum()),
            }
        };
        let acquisitions = sum(|figures| &figures.acquisitions);
        if acquisitions != 0 {
            report.push(ClassReport {
                name: class.name,
                access,
                waits: times(|figures| &figures.waits),
                moved_waits: sum(|figures| &figures.moved_waits),
                acquisitions,
                moved_acquisitions: sum(|figures| &figures.moved_acquisitions),
                holds: times(|figures| &figures.holds),
            });
        }
    }
    report.sort_by_key(|line| core::cmp::Reverse(line.waits.count));
    report
}
