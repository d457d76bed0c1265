//! Processes and descriptors by their numbers. Each CPU looks up its own: what they share is the tables.

use super::harness::{Measurement, cpu_counts, repeat};
use crate::{
    fs::{FdTable, File},
    process::pid,
    sched,
};
use alloc::sync::Arc;
use core::hint::black_box;

pub(super) fn measure() {
    let file = sched::current()
        .files
        .try_borrow()
        .and_then(|files| files.get(0).ok().map(|file| Arc::clone(&file)));
    for cpus in cpu_counts() {
        Measurement::short("pid lookup", cpus).run(|| {
            let tid = sched::current().tid();
            repeat(move || drop(black_box(pid::find_task(tid))))
        });
        if let Some(file) = &file {
            descriptors(cpus, file);
        }
    }
}

/// In a table that belongs to one thread.
fn descriptors(cpus: usize, file: &Arc<File>) {
    let file = Arc::clone(file);
    Measurement::short("fd lookup", cpus).run(move || {
        let files = FdTable::new().expect("no memory for a benchmark");
        let number = files.install(Arc::clone(&file), false, 0).expect("a new table has room");
        let number = number.0.cast_signed();
        repeat(move || {
            black_box(files.get(number).is_ok());
        })
    });
}
