//! `shmctl(2)` and `/proc/sysvipc/shm`.

use super::segment::Segment;
use crate::{
    ipc::{
        Stat,
        ids::{Id, Object},
        namespace, now,
        permissions::READ,
    },
    mm::PAGE_SIZE,
    process::{Capability, Resource, capable, limits},
    sched,
    sync::rcu,
};
use abi::{
    Errno, Result,
    sysv::{IpcPerm, SHM_LOCKED, ShmUse, ShmidDs, Shminfo},
};
use alloc::string::String;
use core::{fmt::Write, sync::atomic::Ordering::Relaxed};

/// The limits (`IPC_INFO`), and the highest index.
pub fn limits() -> (Shminfo, u32) {
    let namespace = namespace::current();
    let segments = u64::from(namespace.shm_mni.count());
    let info = Shminfo {
        shmmax: namespace.shm_max.load(Relaxed),
        shmmin: 1,
        shmmni: segments,
        shmseg: segments,
        shmall: namespace.shm_all.load(Relaxed),
        ..Shminfo::default()
    };
    (info, namespace.segments.usage().0)
}

/// What is in use (`SHM_INFO`), in pages, and the highest index.
pub fn in_use() -> (ShmUse, u32) {
    let namespace = namespace::current();
    let (highest, segments) = namespace.segments.usage();
    let mut resident = 0;
    namespace.segments.for_each(|segment| resident += segment.resident());
    let info = ShmUse {
        used_ids: segments as i32,
        total: namespace.shm_pages.load(Relaxed),
        resident: resident / PAGE_SIZE as u64,
        ..ShmUse::default()
    };
    (info, highest)
}

/// A segment's state, and what the call returns.
pub fn stat(id: Id, how: Stat) -> Result<(ShmidDs, Id)> {
    let guard = rcu::read();
    let segment = how.find(&namespace::current().segments, id, &guard)?;
    if how.needs_permission() {
        segment.permissions().check(READ)?;
    }
    let data = snapshot(segment).ok_or(Errno::EIDRM)?;
    Ok((data, how.result(segment.id())))
}

/// The state, unless the segment has ended.
fn snapshot(segment: &Segment) -> Option<ShmidDs> {
    let state = segment.state.lock();
    (!state.removed).then(|| ShmidDs {
        perm: state.permissions.to_user(state.key, segment.id()),
        segsz: segment.size() as u64,
        atime: state.attached_at,
        dtime: state.detached_at,
        ctime: state.changed,
        cpid: state.creator,
        lpid: state.last,
        nattch: state.attached,
        ..ShmidDs::default()
    })
}

/// `IPC_SET`.
pub fn set_owner(id: Id, new: &IpcPerm) -> Result<()> {
    let segment = namespace::current().segments.get(id)?;
    let mut state = segment.state.lock();
    if state.removed {
        return Err(Errno::EIDRM);
    }
    state.permissions.check_control()?;
    state.permissions.change(new)?;
    state.changed = now();
    Ok(())
}

/// `IPC_RMID`: at once, or with the last detach.
pub fn remove(id: Id) -> Result<()> {
    let mut table = namespace::current().segments.lock();
    let segment = table.find(id)?;
    let mut state = segment.state.lock();
    state.permissions.check_control()?;
    segment.doom(&mut state, &mut table);
    Ok(())
}

/// `SHM_LOCK`: there is no swap, so the pages stay in memory anyhow; what is locked is bounded by `RLIMIT_MEMLOCK`, as on Linux.
pub fn lock_in_memory(id: Id) -> Result<()> {
    let segment = namespace::current().segments.get(id)?;
    let task = sched::current();
    let account = alloc::sync::Arc::clone(&task.credentials.load().account);
    let limit = task.process.limits().soft(Resource::MemoryLocked);
    let privileged = capable(Capability::IpcLock);
    let mut state = segment.state.lock();
    if !privileged && (!state.permissions.is_own() || limit == 0) {
        return Err(Errno::EPERM);
    }
    if state.removed {
        return Err(Errno::EIDRM);
    }
    if state.permissions.mode & SHM_LOCKED != 0 {
        return Ok(());
    }
    let bytes = segment.pages() * PAGE_SIZE as u64;
    let locked = account.locked_bytes.load(Relaxed).saturating_add(bytes);
    // The limit counts whole pages.
    let limit = if limit == limits::INFINITY { limit } else { limit & !(PAGE_SIZE as u64 - 1) };
    if locked > limit && !privileged {
        return Err(Errno::ENOMEM);
    }
    segment.lock(&mut state, account);
    Ok(())
}

/// `SHM_UNLOCK`.
pub fn unlock(id: Id) -> Result<()> {
    let segment = namespace::current().segments.get(id)?;
    let privileged = capable(Capability::IpcLock);
    let mut state = segment.state.lock();
    if !privileged && !state.permissions.is_own() {
        return Err(Errno::EPERM);
    }
    if state.removed {
        return Err(Errno::EIDRM);
    }
    segment.unlock(&mut state);
    Ok(())
}

/// The text of `/proc/sysvipc/shm`.
pub fn show(out: &mut String) {
    out.push_str(
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      \
         atime      dtime      ctime                   rss                  swap\n",
    );
    namespace::current().segments.for_each(|segment| {
        let Some(data) = snapshot(segment) else { return };
        let perm = data.perm;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:10} {:10}  {:4o} {:21} {:5} {:5}  {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10} {:21} {:21}",
            perm.key,
            segment.id(),
            perm.mode,
            data.segsz,
            data.cpid,
            data.lpid,
            data.nattch,
            perm.uid,
            perm.gid,
            perm.cuid,
            perm.cgid,
            data.atime,
            data.dtime,
            data.ctime,
            segment.resident(),
            0,
        );
    });
}
