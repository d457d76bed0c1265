//! Locks: one that all CPUs take as fast as they can, for the shortest of sections. With one CPU that is a lock without contention.

use super::harness::{Measurement, cpu_counts, repeat};
use crate::sync::{IrqSpinLock, Mutex, RwLock, SeqLock, SpinLock, class};
use alloc::sync::Arc;
use core::hint::black_box;

pub(super) fn measure() {
    for cpus in cpu_counts() {
        let lock = Arc::new(SpinLock::new(&class::TABLE, 0u64));
        on_all("spin lock", cpus, &lock, |lock| *lock.lock() += 1);
        let lock = Arc::new(IrqSpinLock::new(&class::TABLE, 0u64));
        on_all("spin lock, interrupts off", cpus, &lock, |lock| *lock.lock() += 1);
        let lock = Arc::new(Mutex::new(&class::INODE_DATA, 0u64));
        on_all("mutex", cpus, &lock, |lock| *lock.lock() += 1);
        let lock = Arc::new(RwLock::new(&class::INODE_DATA, 0u64));
        on_all("rwlock, write", cpus, &lock, |lock| *lock.write() += 1);
        on_all("rwlock, read", cpus, &lock, |lock| {
            black_box(*lock.read());
        });
        let lock = Arc::new(SeqLock::<[u64; 2]>::zeroed());
        on_all("seqlock, write", cpus, &lock, |lock| lock.update(|value| value[0] += 1));
        on_all("seqlock, read", cpus, &lock, |lock| {
            black_box(lock.read());
        });
    }
}

fn on_all<L: Send + Sync + 'static>(
    name: &'static str,
    cpus: usize,
    lock: &Arc<L>,
    operation: fn(&L),
) {
    let lock = Arc::clone(lock);
    Measurement::short(name, cpus).run(move || {
        let lock = Arc::clone(&lock);
        repeat(move || operation(&lock))
    });
}
