//! Who writes to a file, against who runs programs from it (`ETXTBSY`), and what was learnt from its content meanwhile.
//!
//! Whoever runs a program forbids writing as long as it runs. What it learns from the content (the layout of a program) stays true until somebody
//! is let in to write, so it is kept here until then, for who runs the program next. A file that some write without being counted
//! (memory files of `memfd_create(2)`, whose creators Linux does not count either) has nothing kept.
//!
//! # Proof
//!
//! [`State::KNOWN`] is set only while the caller forbids writing, and only if there are no uncounted writers; getting the right to write and the arrival
//! of an uncounted writer clear it, in the same atomic step. So whoever forbids writing and finds it set knows that since it was set nobody could
//! write. What is kept is replaced only by those that forbid writing, who all see the same content.

use crate::sync::{Once, SpinLock, class};
use abi::{Errno, Result};
use alloc::{boxed::Box, sync::Arc};
use core::{
    any::Any,
    sync::atomic::{AtomicI32, Ordering},
};

/// What was learnt from a file's content.
pub type Knowledge = Arc<dyn Any + Send + Sync>;

/// How many have a file open for writing (positive) or run a program from it (negative): never both; in the two low bits, what follows from it.
#[derive(Clone, Copy)]
struct State(i32);

impl State {
    /// What is kept is true of the content.
    const KNOWN: i32 = 1;
    /// Some may write who are not counted.
    const UNCOUNTED: i32 = 2;
    /// One that writes.
    const ONE: i32 = 4;

    fn count(self) -> i32 {
        self.0 >> 2
    }
}

/// The writers of a file and the programs that run from it.
pub struct WriterCount {
    state: AtomicI32,
    knowledge: Once<Box<SpinLock<Option<Knowledge>>>>,
}

impl WriterCount {
    pub(super) const fn new() -> Self {
        Self { state: AtomicI32::new(0), knowledge: Once::new() }
    }

    /// One more writer; `ETXTBSY` while a program runs from the file.
    pub fn get_write(&self) -> Result<()> {
        self.change(|state| (state.count() >= 0).then_some((state.0 & !State::KNOWN) + State::ONE))
    }

    /// One writer less.
    pub fn put_write(&self) {
        self.state.fetch_sub(State::ONE, Ordering::Release);
    }

    /// One more that forbids writing; `ETXTBSY` while there are writers.
    pub fn deny_write(&self) -> Result<()> {
        self.change(|state| (state.count() <= 0).then_some(state.0 - State::ONE))
    }

    /// One less.
    pub fn allow_write(&self) {
        self.state.fetch_add(State::ONE, Ordering::Release);
    }

    /// Somebody may write from now on who is not counted.
    pub fn add_uncounted(&self) {
        let _ = self.change(|state| Some((state.0 & !State::KNOWN) | State::UNCOUNTED));
    }

    /// What was learnt from the content, if that is still true. The caller forbids writing.
    pub fn known(&self) -> Option<Knowledge> {
        if self.state.load(Ordering::Acquire) & State::KNOWN == 0 {
            return None;
        }
        self.knowledge.get()?.lock().clone()
    }

    /// Keeps what the caller, who forbids writing, learnt from the content.
    pub fn learn(&self, knowledge: Knowledge) {
        let counted = |state: i32| state & State::UNCOUNTED == 0;
        if !counted(self.state.load(Ordering::Relaxed)) {
            return;
        }
        let place = self.knowledge.call_once(|| Box::new(SpinLock::new(&class::TABLE, None)));
        let outdated = place.lock().replace(knowledge);
        drop(outdated);
        // Should an uncounted writer have come meanwhile, it stays unset.
        let _ = self.change(|state| counted(state.0).then_some(state.0 | State::KNOWN));
    }

    fn change(&self, step: impl Fn(State) -> Option<i32>) -> Result<()> {
        self.state
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| step(State(state)))
            .map(drop)
            .map_err(|_| Errno::ETXTBSY)
    }
}
