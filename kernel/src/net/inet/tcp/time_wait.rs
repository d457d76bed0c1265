//! What is left of a connection when its socket is gone: in `TIME_WAIT`, or in `FIN_WAIT2` while the other end may still send.
//!
//! There is no timer. Whoever looks at one sees whether its time is over; each that enters drops those of its CPU that are, and who
//! misses a port drops all that are.
//!
//! Locks (class `INET_TIME_WAIT`): one CPU's list, or one's binding; with nothing under them.

use super::{
    super::{ports::Binding, settings},
    state::State,
    tables::{self, Holder, Tuple},
};
use crate::{
    mm::try_alloc,
    sync::{PerCpu, SpinLock, class, per_cpu},
    time::{self, Duration, Instant},
};
use alloc::{collections::VecDeque, sync::Arc};
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// How long it lasts (`TCP_TIMEWAIT_LEN`, and `tcp_fin_timeout`).
const LENGTH: Duration = Duration::from_secs(60);
/// After this long its numbers may serve a new connection on this machine (`tcp_tw_reuse`).
const YIELDS_AFTER: Duration = Duration::from_secs(1);

/// What is left of a connection.
pub struct TimeWait {
    /// Its numbers.
    pub tuple: Tuple,
    /// Keeps the port, until it is over.
    binding: SpinLock<Option<Arc<Binding>>>,
    /// When it was listed, and when it entered its present state.
    listed: Instant,
    since: AtomicU64,
    finished: AtomicBool,
}

static LISTS: PerCpu<SpinLock<VecDeque<Arc<TimeWait>>>> =
    per_cpu!(SpinLock::new(&class::INET_TIME_WAIT, VecDeque::new()));
static COUNT: AtomicUsize = AtomicUsize::new(0);

impl TimeWait {
    /// `TIME_WAIT` or `FIN_WAIT2`.
    pub fn state(&self) -> State {
        if self.finished.load(Ordering::Relaxed) { State::TimeWait } else { State::FinWait2 }
    }

    fn since(&self) -> Instant {
        Instant(self.since.load(Ordering::Relaxed))
    }

    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.since().after(LENGTH)
    }

    /// Whether a new connection may take its numbers.
    pub fn may_yield(&self) -> bool {
        self.since().after(YIELDS_AFTER).has_passed()
    }

    /// The other end is done, too.
    pub fn finish(&self) {
        self.since.store(time::monotonic().0, Ordering::Relaxed);
        self.finished.store(true, Ordering::Relaxed);
    }
}

/// Puts what is left of a connection into its place in the table. With too many, or without memory, there is nothing left.
pub fn enter(tuple: Tuple, binding: Option<Arc<Binding>>, state: State) -> Option<Arc<TimeWait>> {
    drop_expired(LISTS.here_unguarded());
    if COUNT.load(Ordering::Relaxed) >= settings::MOST_TIME_WAIT {
        return None;
    }
    let now = time::monotonic();
    let waiting = try_alloc::arc(TimeWait {
        tuple,
        binding: SpinLock::new(&class::INET_TIME_WAIT, binding),
        listed: now,
        since: AtomicU64::new(now.0),
        finished: AtomicBool::new(state == State::TimeWait),
    });
    let waiting = waiting.ok()?;
    tables::enter(tuple, Holder::TimeWait(Arc::clone(&waiting)));
    let listed = {
        let mut list = LISTS.here_unguarded().lock();
        let has_room = list.try_reserve(1).is_ok();
        if has_room {
            list.push_back(Arc::clone(&waiting));
        }
        has_room
    };
    if !listed {
        tables::remove_waiting(&waiting);
        return None;
    }
    COUNT.fetch_add(1, Ordering::Relaxed);
    Some(waiting)
}

/// Drops all whose time is over; whether there were some.
pub fn drop_all_expired() -> bool {
    LISTS.iter().map(drop_expired).sum::<usize>() > 0
}

fn drop_expired(list: &SpinLock<VecDeque<Arc<TimeWait>>>) -> usize {
    let mut dropped = 0;
    while let Some(waiting) = pop_expired(list) {
        tables::remove_waiting(&waiting);
        // At once: the table lets go of it only after a grace period.
        let binding = waiting.binding.lock().take();
        drop(binding);
        dropped += 1;
    }
    COUNT.fetch_sub(dropped, Ordering::Relaxed);
    dropped
}

fn pop_expired(list: &SpinLock<VecDeque<Arc<TimeWait>>>) -> Option<Arc<TimeWait>> {
    let mut list = list.lock();
    for _ in 0..list.len() {
        let first = list.front()?;
        if first.deadline().has_passed() {
            return list.pop_front();
        }
        if !first.listed.after(LENGTH).has_passed() {
            return None;
        }
        // It finished late, and is not to hold up those behind it.
        list.rotate_left(1);
    }
    None
}
