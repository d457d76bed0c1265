//! `shmget(2)`, `shmat(2)`, `shmdt(2)`.

use super::segment::{End, NewSegment, Segment};
use crate::{
    fs::OpenFlags,
    ipc::{
        Permissions,
        ids::{Id, Key},
        namespace,
    },
    mm::{Commitment, MapKind, MapRequest, MappingWatcher, MmapFlags, PAGE_SIZE, Prot, overcommit},
    process::{Capability, Resource, capable},
    sched,
    sync::rcu,
};
use abi::{
    Errno, Result,
    sysv::{
        SHM_EXEC, SHM_HUGE_MASK, SHM_HUGE_SHIFT, SHM_HUGETLB, SHM_NORESERVE, SHM_RDONLY, SHM_REMAP,
        SHM_RND,
    },
};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

bitflags::bitflags! {
    /// Flags of `shmat(2)`; others have no effect.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct AttachFlags: u32 {
        const READ_ONLY = SHM_RDONLY;
        const ROUND = SHM_RND;
        const REMAP = SHM_REMAP;
        const EXEC = SHM_EXEC;
    }
}

/// The largest size of a file in memory.
const MAX_FILE_SIZE: usize = i64::MAX as usize;
/// Logarithms of the sizes that huge pages have, and of the default.
const HUGE_PAGE_SIZES: [u32; 2] = [21, 30];

/// `shmget(2)`.
pub fn get(key: Key, size: usize, flags: u32) -> Result<Id> {
    let namespace = namespace::current();
    let check = |segment: &Segment| {
        if size > segment.size() { Err(Errno::EINVAL) } else { Ok(()) }
    };
    let prepare = || {
        if size < 1 || size as u64 > namespace.shm_max.load(Relaxed) {
            return Err(Errno::EINVAL);
        }
        let pages = size.div_ceil(PAGE_SIZE) as u64;
        let all = namespace.shm_pages.load(Relaxed).checked_add(pages).ok_or(Errno::ENOSPC)?;
        if all > namespace.shm_all.load(Relaxed) {
            return Err(Errno::ENOSPC);
        }
        if flags & SHM_HUGETLB != 0 {
            return Err(refuse_huge(flags, size));
        }
        if size > MAX_FILE_SIZE {
            return Err(Errno::EINVAL);
        }
        let unreserved =
            flags & SHM_NORESERVE != 0 && overcommit::mode() != overcommit::Mode::Never;
        let promise = if unreserved { None } else { Some(Commitment::new(pages as usize)?) };
        Ok(NewSegment { size, permissions: Permissions::of_new(flags), promise })
    };
    namespace.segments.open(key, flags, namespace.shm_mni.count(), check, prepare, |id, new| {
        let segment = Segment::new(id, key, new)?;
        namespace.shm_pages.fetch_add(segment.pages(), Relaxed);
        Ok(segment)
    })
}

/// Why there is no segment of huge pages: as on a machine that has set none aside.
fn refuse_huge(flags: u32, size: usize) -> Errno {
    let log = flags >> SHM_HUGE_SHIFT & SHM_HUGE_MASK;
    if log != 0 && !HUGE_PAGE_SIZES.contains(&log) {
        return Errno::EINVAL;
    }
    let task = sched::current();
    let limit = task.process.limits().soft(Resource::MemoryLocked);
    let locked = task.credentials.load().account.locked_bytes.load(Relaxed);
    let may = capable(Capability::IpcLock) || locked.saturating_add(size as u64) <= limit;
    if may { Errno::ENOMEM } else { Errno::EPERM }
}

/// Where, and whether something there may be replaced.
fn place(addr: usize, flags: AttachFlags) -> Result<usize> {
    if addr == 0 {
        return if flags.contains(AttachFlags::REMAP) { Err(Errno::EINVAL) } else { Ok(0) };
    }
    if addr.is_multiple_of(PAGE_SIZE) {
        return Ok(addr);
    }
    let rounded = addr & !(PAGE_SIZE - 1);
    if !flags.contains(AttachFlags::ROUND) || rounded == 0 && flags.contains(AttachFlags::REMAP) {
        return Err(Errno::EINVAL);
    }
    Ok(rounded)
}

/// `shmat(2)`: the address.
pub fn attach(id: Id, wanted: usize, flags: AttachFlags) -> Result<usize> {
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    let addr = place(wanted, flags)?;
    let (mut prot, mut rights, open) = if flags.contains(AttachFlags::READ_ONLY) {
        (Prot::READ, 0o444, OpenFlags::empty())
    } else {
        (Prot::READ | Prot::WRITE, 0o666, OpenFlags::RDWR)
    };
    if flags.contains(AttachFlags::EXEC) {
        prot |= Prot::EXEC;
        rights |= 0o111;
    }
    let segment = {
        let guard = rcu::read();
        let segment = namespace::current().segments.find(id, &guard)?;
        let mut state = segment.state.lock();
        state.permissions.check(rights)?;
        if state.removed {
            return Err(Errno::EIDRM);
        }
        // Held off from its end until the mapping counts itself.
        state.attached += 1;
        Arc::clone(segment)
    };
    let result = (|| {
        let mut map_flags = MmapFlags::SHARED;
        if wanted != 0 {
            addr.checked_add(segment.size()).ok_or(Errno::EINVAL)?;
            map_flags |= if flags.contains(AttachFlags::REMAP) {
                MmapFlags::FIXED
            } else {
                MmapFlags::FIXED_NOREPLACE
            };
        }
        let file = segment.open(open)?;
        let watcher: Arc<dyn MappingWatcher> = Arc::clone(&segment) as _;
        let kind = MapKind::Watched(file, watcher);
        let request = MapRequest { addr, len: segment.size(), prot, flags: map_flags, kind };
        match sched::current().mm.borrow().map(request) {
            // Something is there already.
            Err(Errno::EEXIST) => Err(Errno::EINVAL),
            result => result.map(|addr| addr.0),
        }
    })();
    let end = {
        let mut state = segment.state.lock();
        segment.let_go(&mut state)
    };
    if end == End::Due {
        segment.end_if_due();
    }
    result
}

/// `shmdt(2)`.
pub fn detach(addr: usize) -> Result<()> {
    sched::current().mm.borrow().detach(addr)
}
