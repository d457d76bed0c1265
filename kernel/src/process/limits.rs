//! Resource limits (`getrlimit(2)`).

/// A resource, by its number in `RLIMIT_*`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Resource {
    Cpu,
    FileSize,
    Data,
    Stack,
    Core,
    Rss,
    Processes,
    OpenFiles,
    MemoryLocked,
    AddressSpace,
    Locks,
    SignalsPending,
    MessageQueue,
    Nice,
    RealTimePriority,
    RealTimeTime,
}

/// The limits of a process, readable without a lock.
pub struct Limits(());

impl Limits {
    /// The soft limit; `u64::MAX` is infinity.
    pub fn soft(&self, _resource: Resource) -> u64 {
        todo!()
    }
    /// The hard limit.
    pub fn hard(&self, _resource: Resource) -> u64 {
        todo!()
    }
}
