//! Whether two tasks share something: `kcmp(2)`. What is compared is the address of what each has; user space sees only
//! an order of addresses that were mixed up, a different way for every kind.

use super::{InspectAs, Pid, Task, may_inspect, pid};
use crate::{
    fs::{self, File, FileDesc},
    random,
    sync::Lazy,
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::cmp::Ordering;

/// What is compared (`enum kcmp_type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compared {
    /// Open files, by their descriptors.
    Files([u32; 2]),
    /// Address spaces.
    AddressSpaces,
    /// Descriptor tables.
    DescriptorTables,
    /// Root, working directory and umask.
    FileSystemContexts,
    /// Signal handlers.
    SignalHandlers,
    /// I/O contexts. Nobody has one, as on Linux whoever never used a disk.
    IoContexts,
    /// Adjustments of semaphores.
    SemaphoreAdjustments,
    /// The first task's open file, and what the second task's epoll instance watches.
    Watched(u32, WatchedFile),
}

/// A file that an epoll instance watches (`struct kcmp_epoll_slot`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchedFile {
    /// The instance's descriptor.
    pub instance: u32,
    /// The number that the file was added under.
    pub fd: u32,
    /// Which of those added under that number.
    pub occurrence: u32,
}

/// How many kinds there are.
const KINDS: usize = 8;

/// What addresses of each kind are mixed with: one word is added by exclusive or, by the other, an odd one, it is multiplied.
static MIXERS: Lazy<[(u64, u64); KINDS]> =
    Lazy::new(|| core::array::from_fn(|_| (random::word(), random::word() | 1 << 63 | 1)));

impl Compared {
    fn kind(self) -> usize {
        match self {
            Compared::Files(_) => 0,
            Compared::AddressSpaces => 1,
            Compared::DescriptorTables => 2,
            Compared::FileSystemContexts => 3,
            Compared::SignalHandlers => 4,
            Compared::IoContexts => 5,
            Compared::SemaphoreAdjustments => 6,
            Compared::Watched(..) => 7,
        }
    }

    fn order(self, one: usize, other: usize) -> Ordering {
        let (mask, factor) = MIXERS[self.kind()];
        let mixed = |address: usize| (address as u64 ^ mask).wrapping_mul(factor);
        mixed(one).cmp(&mixed(other))
    }
}

/// Compares what two tasks have. `ESRCH`; `EPERM` unless the caller may look into both; `EBADF`, `EINVAL` for no epoll instance,
/// `ENOENT` for what it does not watch.
pub fn compare(one: Pid, other: Pid, what: Compared) -> Result<Ordering> {
    let find = |tid| pid::find_task(tid).ok_or(Errno::ESRCH);
    let (one, other) = (find(one)?, find(other)?);
    if ![&one, &other].into_iter().all(|task| may_inspect(task, InspectAs::RealIds)) {
        return Err(Errno::EPERM);
    }
    let pair = |find: fn(&Task) -> usize| (find(&one), find(&other));
    let (left, right) = match what {
        Compared::Files([left, right]) => {
            // Held until they are compared, so that no address is used again meanwhile.
            let files = (open_file(&one, left)?, open_file(&other, right)?);
            return Ok(what.order(address(&files.0), address(&files.1)));
        }
        Compared::Watched(fd, watched) => {
            let file = open_file(&one, fd)?;
            let instance = open_file(&other, watched.instance)?;
            let target = fs::epoll::watched_file(&instance, watched.fd, watched.occurrence)?;
            return Ok(what.order(address(&file), address(&target)));
        }
        Compared::AddressSpaces => pair(|task| task.mm.load().as_ref().map_or(0, address)),
        Compared::DescriptorTables => pair(|task| task.files.load().as_ref().map_or(0, address)),
        Compared::FileSystemContexts => pair(|task| task.fs.load().as_ref().map_or(0, address)),
        Compared::SignalHandlers => pair(|task| task.process.signals.handlers_address()),
        Compared::IoContexts => (0, 0),
        Compared::SemaphoreAdjustments => pair(|task| task.ipc.undo_address()),
    };
    Ok(what.order(left, right))
}

fn address<T>(shared: &Arc<T>) -> usize {
    Arc::as_ptr(shared).addr()
}

fn open_file(task: &Task, fd: u32) -> Result<Arc<File>> {
    task.files.load().and_then(|files| files.load(FileDesc(fd))).ok_or(Errno::EBADF)
}
