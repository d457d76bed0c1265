//! The longest times for which a CPU could not be taken from its task, with preemption or interrupts off or in an interrupt's handler:
//! what a wake-up has to wait for at worst. Builds with debug assertions note where such a section began and ended, and print the longest
//! when the machine is turned off; others have nothing of it.
//!
//! A section is the CPU's, and goes on across a switch. Times before the first program are not looked at.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::{
    backtrace::{self, Symbolized},
    clock, cpu, io, irq,
};
use crate::sync::{PerCpu, per_cpu};

/// Whether this build looks.
pub(super) const ON: bool = cfg!(debug_assertions);

/// Places of which the longest section is kept, a CPU.
const PLACES: usize = 16;
/// Callers kept of where a section begins and ends.
const DEPTH: usize = 4;

/// Return addresses, innermost first.
type Callers = [AtomicUsize; DEPTH];

const fn nowhere() -> Callers {
    [const { AtomicUsize::new(0) }; DEPTH]
}

/// The longest section that began at a place.
struct Section {
    begin: Callers,
    end: Callers,
    /// By the time-stamp counter.
    ticks: AtomicU64,
}

/// One CPU's. Only that CPU stores here, so plain loads and stores do.
struct Watch {
    /// When the section that it is in began, by the time-stamp counter; 0: it is in none.
    since: AtomicU64,
    began: Callers,
    /// It has run a program.
    started: AtomicBool,
    longest: [Section; PLACES],
}

static WATCHES: PerCpu<Watch> = per_cpu!(Watch {
    since: AtomicU64::new(0),
    began: nowhere(),
    started: AtomicBool::new(false),
    longest: [const { Section { begin: nowhere(), end: nowhere(), ticks: AtomicU64::new(0) } };
        PLACES],
});

/// A section begins, unless this CPU is in one.
#[inline(never)]
pub(super) fn begin() {
    let watch = WATCHES.here_unguarded();
    if watch.since.load(Relaxed) == 0 && watch.started.load(Relaxed) {
        note_callers(&watch.began);
        watch.since.store(io::rdtsc(), Relaxed);
    }
}

/// The CPU may be taken from its task from now on.
#[inline(never)]
pub(super) fn end() {
    let watch = WATCHES.here_unguarded();
    let since = watch.since.load(Relaxed);
    if since == 0 {
        return;
    }
    watch.since.store(0, Relaxed);
    let ticks = io::rdtsc() - since;
    let begin = watch.began[0].load(Relaxed);
    let of_place = watch.longest.iter().find(|section| section.begin[0].load(Relaxed) == begin);
    let section = of_place
        .or_else(|| watch.longest.iter().min_by_key(|section| section.ticks.load(Relaxed)))
        .filter(|section| section.ticks.load(Relaxed) < ticks);
    if let Some(section) = section {
        for (to, from) in section.begin.iter().zip(&watch.began) {
            to.store(from.load(Relaxed), Relaxed);
        }
        note_callers(&section.end);
        section.ticks.store(ticks, Relaxed);
    }
}

/// The CPU goes to user mode: ends the section that it is in.
pub(super) fn leave_kernel() {
    end();
    WATCHES.here_unguarded().started.store(true, Relaxed);
}

/// A section ends when interrupts come on, unless preemption stays off.
pub(super) fn end_if_preemptible() {
    if irq::preempt_count() == 0 {
        end();
    }
}

/// The callers of the function that calls this.
#[inline(always)]
fn note_callers(callers: &Callers) {
    let mut frame = backtrace::frame_pointer();
    for caller in callers {
        // SAFETY: the frames of kernel functions lie one above the other on a mapped stack; the outermost has a frame pointer of 0.
        let [next, address] = unsafe { *(frame as *const [usize; 2]) };
        caller.store(address, Relaxed);
        if next <= frame {
            break;
        }
        frame = next;
    }
}

/// Prints the longest sections of every CPU.
pub fn report() {
    if !ON {
        return;
    }
    for cpu in 0..cpu::online_count() {
        WATCHES.on(cpu).started.store(false, Relaxed);
    }
    for cpu in 0..cpu::online_count() {
        let mut longest: [&Section; PLACES] =
            core::array::from_fn(|place| &WATCHES.on(cpu).longest[place]);
        longest.sort_unstable_by_key(|section| core::cmp::Reverse(section.ticks.load(Relaxed)));
        for section in longest {
            let ticks = u128::from(section.ticks.load(Relaxed));
            let ns = ticks * 1_000_000_000 / u128::from(clock::tsc_hz().max(1));
            crate::pr_info!("CPU {cpu} could not be taken for {ns} ns:");
            for (what, callers) in [("from", &section.begin), ("to", &section.end)] {
                for caller in callers.iter().map(|caller| caller.load(Relaxed)) {
                    crate::pr_info!("  {what} {}", Symbolized(caller.saturating_sub(1)));
                }
            }
        }
    }
}
