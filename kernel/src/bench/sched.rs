//! Context switches and wake-ups.

use super::harness::{Companion, Measurement, Waits, Work, repeat};
use crate::{arch::cpu, sched, sync::WaitQueue};
use alloc::{boxed::Box, sync::Arc};
use core::sync::atomic::{AtomicBool, Ordering};

pub(super) fn measure() {
    yields();
    round_trips("wake-up round trip on one CPU", 0);
    if cpu::online_count() > 1 {
        round_trips("wake-up round trip between CPUs", 1);
    }
}

/// Two threads of one CPU that give way to each other: every call switches, and the other's call switches back.
fn yields() {
    let other = Companion::start(0, sched::yield_now);
    Measurement::short("context switch", 1).run(|| {
        Box::new(|count| {
            for _ in 0..count / 2 {
                sched::yield_now();
            }
        })
    });
    drop(other);
}

/// A question and its answer.
#[derive(Default)]
struct Table {
    asked: AtomicBool,
    /// No question comes any more.
    over: AtomicBool,
    /// Who answers sleeps here, and who asks there.
    answerer: WaitQueue,
    asker: WaitQueue,
}

impl Table {
    fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.answerer.wake_one();
        self.asker.wait(|| (!self.asked.load(Ordering::Acquire)).then_some(()));
    }

    fn answer(&self) {
        let may_go_on = || self.asked.load(Ordering::Acquire) || self.over.load(Ordering::Acquire);
        self.answerer.wait(|| may_go_on().then_some(()));
        self.asked.store(false, Ordering::Release);
        self.asker.wake_one();
    }

    fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.answerer.wake_one();
    }
}

/// A thread on CPU 0 wakes one on `cpu` and sleeps until that one wakes it: two wake-ups, two sleeps.
fn round_trips(name: &'static str, cpu: usize) {
    let table = Arc::new(Table::default());
    let same = Arc::clone(&table);
    let other = Companion::start(cpu, move || same.answer());
    let last = Arc::clone(&table);
    let waits = if cpu == 0 { Waits::Never } else { Waits::Sometimes };
    Measurement { workers: 1, batch: 8, waits, ..Measurement::short(name, cpu + 1) }.run(
        move || -> Work {
            let table = Arc::clone(&table);
            repeat(move || table.ask())
        },
    );
    last.end();
    drop(other);
}
