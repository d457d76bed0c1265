//! What a thread, a process or its children have used (`getrusage(2)`, `times(2)`, `wait4(2)`).

use super::{Process, Task};
use core::{ops::AddAssign, sync::atomic::Ordering::Relaxed};

/// Resources used.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Rusage {
    /// Nanoseconds in user mode.
    pub user: u64,
    /// Nanoseconds in the kernel.
    pub system: u64,
    /// The most resident memory, in pages: a maximum, not a sum.
    pub max_resident: u64,
    /// Page faults without I/O.
    pub minor_faults: u64,
    /// Page faults with I/O.
    pub major_faults: u64,
    /// Blocks read.
    pub blocks_in: u64,
    /// Blocks written.
    pub blocks_out: u64,
    /// Context switches of its own will.
    pub voluntary_switches: u64,
    /// Preemptions.
    pub involuntary_switches: u64,
}

impl AddAssign for Rusage {
    fn add_assign(&mut self, other: Rusage) {
        self.user += other.user;
        self.system += other.system;
        self.max_resident = self.max_resident.max(other.max_resident);
        self.minor_faults += other.minor_faults;
        self.major_faults += other.major_faults;
        self.blocks_in += other.blocks_in;
        self.blocks_out += other.blocks_out;
        self.voluntary_switches += other.voluntary_switches;
        self.involuntary_switches += other.involuntary_switches;
    }
}

impl Task {
    /// What this thread has used.
    pub fn rusage(&self) -> Rusage {
        let (user, system) = self.sched.cpu_times();
        let (voluntary_switches, involuntary_switches) = self.sched.switches();
        Rusage {
            user,
            system,
            max_resident: self.mm.load().map_or(0, |mm| mm.usage().resident_peak as u64),
            minor_faults: self.accounting.minor_faults.load(Relaxed),
            major_faults: self.accounting.major_faults.load(Relaxed),
            blocks_in: self.accounting.blocks_in.load(Relaxed),
            blocks_out: self.accounting.blocks_out.load(Relaxed),
            voluntary_switches,
            involuntary_switches,
        }
    }
}

impl Process {
    /// What its threads, dead ones included, have used.
    pub fn rusage(&self) -> Rusage {
        let mut total = self.usage.lock().dead_threads;
        for task in self.threads() {
            if !task.counted_out() {
                total += task.rusage();
            }
        }
        total
    }

    /// What the children it has waited for have used, and theirs.
    pub fn children_rusage(&self) -> Rusage {
        self.usage.lock().children
    }
}
