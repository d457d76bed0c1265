//! `khugepaged`: a kernel thread that finds small pages of private memory where huge ones might be, and has them replaced (`address_space::collapse`).
//!
//! Its settings are those of `/sys/kernel/mm/transparent_hugepage/khugepaged`, by their names there. It goes through all processes, a portion (`pages_to_scan`) at a time with a
//! rest (`scan_sleep_millisecs`) before each, and through the memory of those spaces that have noted that there is something to find: a space does so when small
//! pages come to where a huge one might be, on paths that are slow in any case (a new leaf table, a split, `madvise`), in a byte of its own. So nothing is
//! registered, nobody has to be taken off a list, and fork, exec and `mmap` write nothing in common.
//!
//! Nothing wakes it while nothing is to be found: after a pass that has left no small pages behind it sleeps until the next note ([`look`]) or change of a setting
//! ([`poke`]). That no note is missed: a pass begins by saying that there is no work, then takes the notes; who makes one does that first, and then looks whether work was
//! said to be there. Both are sequentially consistent, so one sees the other.
//!
//! A space is kept alive for the time that one huge page takes. If its last thread ends meanwhile, it ends here.

use super::{
    AddressSpace, USER_END,
    address_space::{
        collapse::{Asked, Obstacle},
        small_pages::Rest,
    },
    huge::{self, HUGE_PAGES},
};
use crate::{
    process::{Pid, pid::processes_from},
    sched,
    sync::WaitQueue,
    time,
};
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
};
use core::{
    ops::RangeInclusive,
    sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
    time::Duration,
};

/// A number to be set.
pub struct Setting {
    value: AtomicU32,
    range: RangeInclusive<u32>,
}

impl Setting {
    const fn new(value: u32, range: RangeInclusive<u32>) -> Setting {
        Setting { value: AtomicU32::new(value), range }
    }

    /// What it is.
    pub fn get(&self) -> u32 {
        self.value.load(Relaxed)
    }

    /// Sets it; `EINVAL` for what is out of its range.
    pub fn set(&self, value: u32) -> Result<()> {
        if !self.range.contains(&value) {
            return Err(Errno::EINVAL);
        }
        self.value.store(value, Relaxed);
        poke();
        Ok(())
    }
}

/// The most entries of a table that may be of some kind, if not all.
const MOST: u32 = HUGE_PAGES as u32 - 1;

/// Whether CPUs have to give back what they keep when no block is free.
static DEFRAG: Setting = Setting::new(1, 0..=1);
static MAX_PTES_NONE: Setting = Setting::new(MOST, 0..=MOST);
static MAX_PTES_SHARED: Setting = Setting::new(HUGE_PAGES as u32 / 2, 0..=MOST);
/// As there is no swap, no page is ever there.
static MAX_PTES_SWAP: Setting = Setting::new(HUGE_PAGES as u32 / 8, 0..=MOST);
static PAGES_TO_SCAN: Setting = Setting::new(HUGE_PAGES as u32 * 8, 1..=u32::MAX);
static SCAN_SLEEP: Setting = Setting::new(10_000, 0..=u32::MAX);
static ALLOC_SLEEP: Setting = Setting::new(60_000, 0..=u32::MAX);

/// All settings.
pub static SETTINGS: [(&str, &Setting); 7] = [
    ("alloc_sleep_millisecs", &ALLOC_SLEEP),
    ("defrag", &DEFRAG),
    ("max_ptes_none", &MAX_PTES_NONE),
    ("max_ptes_shared", &MAX_PTES_SHARED),
    ("max_ptes_swap", &MAX_PTES_SWAP),
    ("pages_to_scan", &PAGES_TO_SCAN),
    ("scan_sleep_millisecs", &SCAN_SLEEP),
];

static FULL_SCANS: AtomicUsize = AtomicUsize::new(0);
static COLLAPSED: AtomicUsize = AtomicUsize::new(0);

/// How often it has been through all processes.
pub fn full_scans() -> usize {
    FULL_SCANS.load(Relaxed)
}

/// How many huge pages it has made.
pub fn pages_collapsed() -> usize {
    COLLAPSED.load(Relaxed)
}

/// Whether it has CPUs give back what they keep when no block is free.
pub(super) fn defragments() -> bool {
    DEFRAG.get() != 0
}

/// Something may be found.
static WORK: AtomicBool = AtomicBool::new(false);
/// A setting has changed.
static POKED: AtomicBool = AtomicBool::new(false);
static SLEEPER: WaitQueue = WaitQueue::new();

/// Calls it, as a space has just noted that there is something to find, or may have huge pages again.
pub(super) fn look() {
    if !WORK.load(SeqCst) && huge::is_enabled() && !WORK.swap(true, SeqCst) {
        SLEEPER.wake_all();
    }
}

/// Calls it, as the settings have changed.
pub fn poke() {
    WORK.store(true, SeqCst);
    POKED.store(true, SeqCst);
    SLEEPER.wake_all();
}

/// Starts it.
pub fn start() -> Result<()> {
    let task = sched::spawn_kthread("khugepaged", Box::new(run))?;
    sched::set_nice(&task, 19);
    Ok(())
}

fn run() {
    let mut scan = Scan { next: FIRST, place: None, later: false };
    loop {
        // Interruptible, so that it does not count as load; no signal reaches it.
        let wanted = || (scan.is_under_way() || WORK.load(SeqCst)) && huge::is_enabled();
        let _ = SLEEPER.wait_interruptible(|| wanted().then_some(()));
        // Before, so that what was just split or given up in part stays so for a while.
        rest(&SCAN_SLEEP);
        scan.portion();
    }
}

/// Sleeps for so many milliseconds, or until a setting changes.
fn rest(millis: &Setting) {
    let time = Duration::from_millis(u64::from(millis.get()));
    let deadline = time::monotonic().after(time);
    // Over by time or by a change is the same.
    let _ = SLEEPER.wait_until(Some(deadline), || POKED.swap(false, SeqCst).then_some(()));
}

/// The process that a pass begins with.
const FIRST: Pid = Pid(1);

/// How far the present pass has come.
struct Scan {
    /// The process to look at next.
    next: Pid,
    /// Where it is in the memory of the one before.
    place: Option<Place>,
    /// It has left small pages behind that may be collapsed later.
    later: bool,
}

struct Place {
    space: Weak<AddressSpace>,
    at: usize,
    rest: Rest,
}

impl Scan {
    fn is_under_way(&self) -> bool {
        self.place.is_some() || self.next != FIRST
    }

    /// Goes on until the pass or the portion ends.
    fn portion(&mut self) {
        let mut budget = PAGES_TO_SCAN.get() as usize;
        let mut has_waited = false;
        while budget > 0 && huge::is_enabled() {
            let Some(place) = self.place.take().or_else(|| self.next_place()) else {
                self.end_pass();
                return;
            };
            if self.step(place, &mut budget) == Err(Obstacle::NoBlock) {
                if has_waited {
                    return;
                }
                has_waited = true;
                rest(&ALLOC_SLEEP);
            }
        }
    }

    /// Goes on to the next place where small pages are.
    fn step(&mut self, mut place: Place, budget: &mut usize) -> Result<(), Obstacle> {
        let Some(space) = place.space.upgrade() else { return Ok(()) };
        let Some(base) = space.next_small_pages(&mut place.at, budget, &mut place.rest) else {
            if place.at >= USER_END {
                space.end_scan(place.rest);
                self.later |= place.rest.later;
            } else {
                self.place = Some(place);
            }
            return Ok(());
        };
        *budget = budget.saturating_sub(HUGE_PAGES);
        let asked = Asked::ByScan {
            empty: MAX_PTES_NONE.get() as usize,
            shared: MAX_PTES_SHARED.get() as usize,
        };
        let result = space.collapse_at(base, asked);
        match result {
            Ok(()) => {
                COLLAPSED.fetch_add(1, Relaxed);
                // A child that was forked before has the small pages still; it may not have been on the way.
                self.later = true;
            }
            Err(Obstacle::Huge) => {}
            Err(_) => place.rest.later = true,
        }
        self.place = Some(place);
        result
    }

    /// The memory of the next process that has noted something.
    fn next_place(&mut self) -> Option<Place> {
        if self.next == FIRST {
            self.later = false;
            WORK.store(false, SeqCst);
        }
        loop {
            let process = processes_from(self.next, 1).pop()?;
            self.next = Pid(process.pid.0.saturating_add(1));
            if let Some(space) = process.address_space()
                && space.begin_scan()
            {
                let space = Arc::downgrade(&space);
                return Some(Place { space, at: 0, rest: Rest::default() });
            }
        }
    }

    fn end_pass(&mut self) {
        self.next = FIRST;
        FULL_SCANS.fetch_add(1, Relaxed);
        if self.later {
            WORK.store(true, SeqCst);
        }
    }
}
