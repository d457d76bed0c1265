//! What belongs together: the three tables and their limits (`namespaces(7)`, `proc(5)`). There is one; whoever needs it asks for the
//! current task's, so that there can be more.

use super::{ids::Ids, message::MessageQueue, semaphore::SemaphoreSet, shm::Segment};
use crate::sync::Lazy;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A limit that is a C `int` on Linux: never negative where the kernel uses it.
pub struct Limit(AtomicI32);

impl Limit {
    /// Starts with `value`.
    pub const fn new(value: i32) -> Limit {
        Limit(AtomicI32::new(value))
    }
    /// As it is shown.
    pub fn get(&self) -> i32 {
        self.0.load(Relaxed)
    }
    /// As a number of things.
    pub fn count(&self) -> u32 {
        self.get().max(0).cast_unsigned()
    }
    /// Changes it; the caller has checked the range.
    pub fn set(&self, value: i32) {
        self.0.store(value, Relaxed);
    }
}

/// Tables and limits.
pub struct Namespace {
    /// Semaphore sets.
    pub semaphores: Ids<SemaphoreSet>,
    /// Message queues.
    pub queues: Ids<MessageQueue>,
    /// Shared memory segments.
    pub segments: Ids<Segment>,
    /// `SEMMSL`: semaphores in a set.
    pub sem_msl: Limit,
    /// `SEMMNS`: semaphores in all sets.
    pub sem_mns: Limit,
    /// `SEMOPM`: operations in a call.
    pub sem_opm: Limit,
    /// `SEMMNI`: sets.
    pub sem_mni: Limit,
    /// Semaphores in all sets.
    pub semaphores_used: AtomicUsize,
    /// `MSGMAX`: bytes in a message.
    pub msg_max: Limit,
    /// `MSGMNB`: bytes in a new queue.
    pub msg_mnb: Limit,
    /// `MSGMNI`: queues.
    pub msg_mni: Limit,
    /// `SHMMAX`: bytes in a segment.
    pub shm_max: AtomicU64,
    /// `SHMALL`: pages in all segments.
    pub shm_all: AtomicU64,
    /// `SHMMNI`: segments.
    pub shm_mni: Limit,
    /// Pages in all segments now.
    pub shm_pages: AtomicU64,
    /// `shm_rmid_forced`: segments that nobody attaches go with those who made them.
    pub shm_rmid_forced: AtomicBool,
}

/// The most that `shmmax` and `shmall` are at first (`ULONG_MAX - (1UL << 24)`).
const HUGE: u64 = u64::MAX - (1 << 24);

static INITIAL: Lazy<Namespace> = Lazy::new(|| Namespace {
    semaphores: Ids::new(),
    queues: Ids::new(),
    segments: Ids::new(),
    sem_msl: Limit::new(32000),
    sem_mns: Limit::new(1_024_000_000),
    sem_opm: Limit::new(500),
    sem_mni: Limit::new(32000),
    semaphores_used: AtomicUsize::new(0),
    msg_max: Limit::new(8192),
    msg_mnb: Limit::new(16384),
    msg_mni: Limit::new(32000),
    shm_max: AtomicU64::new(HUGE),
    shm_all: AtomicU64::new(HUGE),
    shm_mni: Limit::new(4096),
    shm_pages: AtomicU64::new(0),
    shm_rmid_forced: AtomicBool::new(false),
});

/// The current task's.
pub fn current() -> &'static Namespace {
    &INITIAL
}
