//! The kernel measures itself (`kbench` on its command line): allocation, scheduling, locks, RCU, look-ups, page faults.
//!
//! | file | what it measures |
//! |---|---|
//! | [`harness`] | nothing itself: threads tied to CPUs, rounds, and the line that tells the result |
//! | [`alloc`] | the heap by size classes, pages, what another CPU frees |
//! | [`sched`] | context switches and wake-ups |
//! | [`lock`] | spin locks, mutexes, reader-writer and sequence locks, by one CPU and by all |
//! | [`rcu`] | read-side sections and grace periods |
//! | [`lookup`] | processes and descriptors by their numbers |
//! | [`fault`] | first touches of memory |
//!
//! Runs in a kernel thread after the start of all CPUs and file systems, instead of the first program, and ends with the machine turned off.
//! docs/benchmarking.md says what the lines mean. Nothing of the kernel knows that it is being measured.
#![forbid(unsafe_code)]

mod alloc;
mod fault;
mod harness;
mod lock;
mod lookup;
mod rcu;
mod sched;

use crate::drivers::power;

/// The groups by name, in the order in which they run.
const GROUPS: [(&str, fn()); 6] = [
    ("alloc", alloc::measure),
    ("sched", sched::measure),
    ("lock", lock::measure),
    ("rcu", rcu::measure),
    ("lookup", lookup::measure),
    ("fault", fault::measure),
];

/// Measures the groups that are named, separated by commas (all of them if none is), and turns the machine off.
pub fn run(wanted: &str) -> ! {
    let is_wanted = |group: &str| wanted.is_empty() || wanted.split(',').any(|name| name == group);
    for name in wanted.split(',').filter(|name| !name.is_empty()) {
        if GROUPS.iter().all(|(group, _)| *group != name) {
            pr_err!("kbench: there is no group {name}");
        }
    }
    harness::settle();
    for (_, measure) in GROUPS.into_iter().filter(|(group, _)| is_wanted(group)) {
        measure();
    }
    pr_info!("kbench: done");
    power::power_off()
}
