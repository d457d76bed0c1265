//! Resource limits (`getrlimit(2)`).
//!
//! A limit is read with one plain load; whoever changes several words at once (`prlimit64(2)`) holds the writers'
//! lock. Which subsystem enforces which limit is in docs/processes.md.

use crate::sync::{SpinLock, class};
use abi::{Errno, Result};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! resources {
    ($($name:ident)*) => {
        /// A resource, by its number in `RLIMIT_*`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Resource {
            $($name,)*
        }

        const ALL: [Resource; RESOURCES] = [$(Resource::$name,)*];
    };
}

resources! {
    Cpu FileSize Data Stack Core Rss Processes OpenFiles MemoryLocked AddressSpace Locks SignalsPending MessageQueue Nice
    RealTimePriority RealTimeTime
}

/// How many resources there are (`RLIM_NLIMITS`).
pub const RESOURCES: usize = 16;

/// No limit (`RLIM_INFINITY`).
pub const INFINITY: u64 = u64::MAX;

/// The most descriptors a process may ever ask for (`/proc/sys/fs/nr_open`).
pub const NR_OPEN: u64 = 1 << 20;

impl Resource {
    /// By number; `EINVAL`.
    pub fn from_number(number: usize) -> Result<Resource> {
        ALL.get(number).copied().ok_or(Errno::EINVAL)
    }
}

/// Soft and hard limit of one resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// What is enforced.
    pub soft: u64,
    /// How far an unprivileged process may raise the soft one.
    pub hard: u64,
}

/// The limits of a process, readable without a lock.
pub struct Limits {
    words: [(AtomicU64, AtomicU64); RESOURCES],
    writers: SpinLock<()>,
}

impl Limits {
    /// Those of the first process, as on Linux. What depends on the memory size is set by
    /// [`Limits::scale_to_memory`].
    pub fn initial() -> Limits {
        let limits = Limits {
            words: core::array::from_fn(|_| (AtomicU64::new(INFINITY), AtomicU64::new(INFINITY))),
            writers: SpinLock::new(&class::TABLE, ()),
        };
        for (resource, soft, hard) in [
            (Resource::Stack, 8 << 20, INFINITY),
            (Resource::Core, 0, INFINITY),
            (Resource::OpenFiles, 1024, 4096),
            (Resource::MemoryLocked, 8 << 20, 8 << 20),
            (Resource::MessageQueue, 819_200, 819_200),
            (Resource::Nice, 0, 0),
            (Resource::RealTimePriority, 0, 0),
        ] {
            limits.put(resource, Limit { soft, hard });
        }
        limits
    }

    /// Bounds processes and queued signals by the memory there is (Linux: half of `max_threads`).
    pub fn scale_to_memory(&self, pages: u64) {
        // A thread may cost eight times its kernel stack of memory: Linux's rule with its 16 KiB stacks.
        let max_threads = (pages / (8 * 4)).clamp(20, 4_194_304);
        let limit = Limit { soft: max_threads / 2, hard: max_threads / 2 };
        self.put(Resource::Processes, limit);
        self.put(Resource::SignalsPending, limit);
    }

    /// A copy, for fork.
    pub fn fork(&self) -> Limits {
        let _writers = self.writers.lock();
        Limits {
            words: core::array::from_fn(|i| {
                let (soft, hard) = &self.words[i];
                (AtomicU64::new(soft.load(Relaxed)), AtomicU64::new(hard.load(Relaxed)))
            }),
            writers: SpinLock::new(&class::TABLE, ()),
        }
    }

    /// The soft limit; `u64::MAX` is infinity.
    pub fn soft(&self, resource: Resource) -> u64 {
        self.words[resource as usize].0.load(Relaxed)
    }

    /// The hard limit.
    pub fn hard(&self, resource: Resource) -> u64 {
        self.words[resource as usize].1.load(Relaxed)
    }

    /// Both, consistently.
    pub fn get(&self, resource: Resource) -> Limit {
        let _writers = self.writers.lock();
        Limit { soft: self.soft(resource), hard: self.hard(resource) }
    }

    /// Changes a limit; the old one. `may_raise`: the caller has `CAP_SYS_RESOURCE`. `EINVAL` when soft is above
    /// hard, `EPERM` when hard would rise (or descriptors pass [`NR_OPEN`]).
    pub fn set(&self, resource: Resource, new: Limit, may_raise: bool) -> Result<Limit> {
        if new.soft > new.hard {
            return Err(Errno::EINVAL);
        }
        if resource == Resource::OpenFiles && new.hard > NR_OPEN {
            return Err(Errno::EPERM);
        }
        let _writers = self.writers.lock();
        let old = Limit { soft: self.soft(resource), hard: self.hard(resource) };
        if new.hard > old.hard && !may_raise {
            return Err(Errno::EPERM);
        }
        self.put(resource, new);
        Ok(old)
    }

    fn put(&self, resource: Resource, limit: Limit) {
        let (soft, hard) = &self.words[resource as usize];
        soft.store(limit.soft, Relaxed);
        hard.store(limit.hard, Relaxed);
    }
}
