//! A toy RCU for the tests: one global reader-writer lock; deferred functions run when no reader is left.

use crate::Rcu;
use std::{
    cell::Cell,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

pub struct TestRcu;
type Deferred = Box<dyn FnOnce() + Send>;
static STATE: Mutex<(usize, Vec<Deferred>)> = Mutex::new((0, Vec::new()));
static NEXT_THREAD: AtomicUsize = AtomicUsize::new(1);
thread_local!(static THREAD: Cell<usize> = const { Cell::new(0) });

pub struct TestGuard(());

// SAFETY: deferred functions run only when the count of guards is zero.
unsafe impl Rcu for TestRcu {
    type Guard = TestGuard;
    fn read() -> TestGuard {
        STATE.lock().unwrap().0 += 1;
        TestGuard(())
    }
    fn defer(f: Deferred) {
        let mut state = STATE.lock().unwrap();
        if state.0 == 0 {
            drop(state);
            f();
        } else {
            state.1.push(f);
        }
    }
    fn thread() -> usize {
        THREAD.with(|id| {
            if id.get() == 0 {
                id.set(NEXT_THREAD.fetch_add(1, Ordering::Relaxed));
            }
            id.get()
        })
    }
}

impl Drop for TestGuard {
    fn drop(&mut self) {
        let mut state = STATE.lock().unwrap();
        state.0 -= 1;
        if state.0 == 0 {
            let ready = std::mem::take(&mut state.1);
            drop(state);
            ready.into_iter().for_each(|f| f());
        }
    }
}
