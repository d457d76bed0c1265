//! Read-side sections, and how long a grace period takes.

use super::harness::{Measurement, Waits, cpu_counts, repeat};
use crate::{
    arch::cpu,
    sync::{
        WaitQueue,
        rcu::{self, RcuArc},
    },
};
use alloc::{boxed::Box, sync::Arc};
use core::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
};

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
    one.run(|| repeat(wait_for_readers));
}

/// Sleeps until a callback queued now has run.
fn wait_for_readers() {
    let over = Arc::new((AtomicBool::new(false), WaitQueue::new()));
    let told = Arc::clone(&over);
    rcu::call(Box::new(move || {
        told.0.store(true, Ordering::Release);
        told.1.wake_all();
    }));
    over.1.wait(|| over.0.load(Ordering::Acquire).then_some(()));
}
