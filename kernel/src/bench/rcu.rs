//! Read-side sections, and how long a grace period takes.

use super::harness::{Measurement, Waits, cpu_counts, repeat};
use crate::{
    arch::cpu,
    sync::rcu::{self, RcuArc},
};
use alloc::sync::Arc;
use core::hint::black_box;

pub(super) fn measure() {
    let cell = Arc::new(RcuArc::new(Arc::new(1u64)));
    for cpus in cpu_counts() {
        let cell = Arc::clone(&cell);
        Measurement::short("RCU read section with a load", cpus).run(move || {
            let cell = Arc::clone(&cell);
            repeat(move || {
                let section = rcu::read();
                black_box(*cell.get(&section));
            })
        });
    }
    let cpus = cpu::online_count();
    let one = Measurement {
        workers: 1,
        batch: 1,
        waits: Waits::Sometimes,
        ..Measurement::short("RCU grace period", cpus)
    };
    one.run(|| repeat(rcu::synchronize));
}
