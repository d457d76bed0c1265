//! Models of the lock-free paths for loom: `RUSTFLAGS="--cfg loom" cargo test -p rcu-collections --release --lib`.
//!
//! The RCU of the models frees nothing before the model ends, so what they check is publication (values are read through cells that
//! loom watches) and counting (each file is dropped exactly once, never while it is in use).

use crate::{FdMap, Rcu, RcuHash};
use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use std::sync::Arc;

struct Leaking;

loom::lazy_static! {
    static ref NEXT_THREAD: AtomicUsize = AtomicUsize::new(1);
}
loom::thread_local! {
    static THREAD: usize = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
}

// SAFETY: what is deferred never runs.
unsafe impl Rcu for Leaking {
    type Guard = ();
    fn read() {}
    fn defer(f: Box<dyn FnOnce() + Send>) {
        std::mem::forget(f);
    }
    fn thread() -> usize {
        THREAD.with(|id| *id)
    }
}

/// Written before it is published; loom finds a read that is not ordered after.
struct Watched(UnsafeCell<u32>);

// SAFETY: loom checks the accesses.
unsafe impl Send for Watched {}
// SAFETY: as above.
unsafe impl Sync for Watched {}

impl Watched {
    fn new(value: u32) -> Arc<Watched> {
        let watched = Watched(UnsafeCell::new(0));
        // SAFETY: not shared yet.
        watched.0.with_mut(|cell| unsafe { *cell = value });
        Arc::new(watched)
    }
    fn get(&self) -> u32 {
        // SAFETY: only written before it was shared.
        self.0.with(|cell| unsafe { *cell })
    }
}

mod loom_models {
    use super::*;

    #[test]
    fn a_reader_sees_whole_entries_or_none() {
        loom::model(|| {
            let table = Arc::new(RcuHash::<Arc<Watched>, Leaking>::new(0));
            let writer = {
                let table = table.clone();
                thread::spawn(move || {
                    table.replace(1, |_| false, Watched::new(10));
                    table.replace(1, |_| true, Watched::new(11));
                })
            };
            if let Some(found) = table.get(&(), 1, |_| true) {
                assert!(matches!(found.get(), 10 | 11));
            }
            writer.join().expect("no panic");
            assert_eq!(table.get(&(), 1, |_| true).map(|v| v.get()), Some(11));
            assert_eq!(table.len(), 1);
        });
    }

    #[test]
    fn an_entry_that_stays_is_always_found() {
        loom::model(|| {
            let table = Arc::new(RcuHash::<Arc<Watched>, Leaking>::new(0));
            table.replace(1, |_| false, Watched::new(1));
            table.replace(2, |_| false, Watched::new(2));
            let writer = {
                let table = table.clone();
                thread::spawn(move || table.remove(2, |_| true))
            };
            assert_eq!(table.get(&(), 1, |_| true).map(|v| v.get()), Some(1));
            assert_eq!(writer.join().expect("no panic"), 1);
        });
    }

    #[test]
    fn a_foreign_look_up_against_a_close() {
        loom::model(|| {
            let map = Arc::new(FdMap::<Watched, Leaking>::new().expect("memory"));
            let file = Watched::new(7);
            let fd = map.reserve(0, 64).expect("room");
            map.fill(fd, file.clone(), false);
            let other = {
                let map = map.clone();
                thread::spawn(move || {
                    // procfs: counts up, or finds it closed.
                    if let Some(file) = map.load(fd) {
                        assert_eq!(file.get(), 7);
                    }
                })
            };
            {
                let lent = map.lend(fd).expect("open");
                drop(map.remove(fd));
                assert_eq!(lent.get(), 7);
            }
            other.join().expect("no panic");
            assert_eq!(Arc::strong_count(&file), 1);
        });
    }

    #[test]
    fn two_threads_share_a_table() {
        loom::model(|| {
            let map = Arc::new(FdMap::<Watched, Leaking>::new().expect("memory"));
            let file = Watched::new(7);
            let fd = map.reserve(0, 64).expect("room");
            map.fill(fd, file.clone(), false);
            map.share();
            let other = {
                let map = map.clone();
                thread::spawn(move || {
                    if let Some(lent) = map.lend(fd) {
                        assert_eq!(lent.get(), 7);
                    }
                })
            };
            drop(map.remove(fd));
            other.join().expect("no panic");
            assert_eq!(Arc::strong_count(&file), 1);
        });
    }

    #[test]
    fn a_thread_that_comes_uninvited_cannot_free_what_is_lent() {
        loom::model(|| {
            let map = Arc::new(FdMap::<Watched, Leaking>::new().expect("memory"));
            let file = Watched::new(7);
            let fd = map.reserve(0, 64).expect("room");
            map.fill(fd, file.clone(), false);
            let lent = map.lend(fd).expect("open");
            let other = {
                let map = map.clone();
                thread::spawn(move || {
                    drop(map.lend(fd));
                    drop(map.remove(fd));
                })
            };
            assert_eq!(lent.get(), 7);
            other.join().expect("no panic");
            assert_eq!(Arc::strong_count(&file), 2, "parked with the table");
            assert_eq!(lent.get(), 7);
            drop(lent);
            drop(map);
            assert_eq!(Arc::strong_count(&file), 1);
        });
    }
}
