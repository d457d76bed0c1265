//! `semget(2)`, `semctl(2)` and `/proc/sysvipc/sem`.

use super::set::{MAX_VALUE, SemaphoreSet, new_semaphores};
use crate::{
    ipc::{
        Permissions, Stat,
        ids::{Id, Key, Object},
        namespace::{self, Namespace},
        now,
        permissions::{READ, WRITE},
        waiter::WakeList,
    },
    sched,
    sync::{SpinLockGuard, rcu},
};
use abi::{
    Errno, Result,
    sysv::{IpcPerm, SemidDs, Seminfo},
};
use alloc::{string::String, vec::Vec};
use core::{fmt::Write, sync::atomic::Ordering::Relaxed};

/// What `semusz` says outside of `SEM_INFO`: the size of a structure that once was.
const UNDO_SIZE: i32 = 20;

/// `semget(2)`.
pub fn get(key: Key, count: i32, flags: u32) -> Result<Id> {
    let namespace = namespace::current();
    if count < 0 || count > namespace.sem_msl.get() {
        return Err(Errno::EINVAL);
    }
    let count = count as usize;
    let check = |set: &SemaphoreSet| if count > set.count() { Err(Errno::EINVAL) } else { Ok(()) };
    let prepare = || {
        if count == 0 {
            return Err(Errno::EINVAL);
        }
        if namespace.semaphores_used.load(Relaxed) + count > namespace.sem_mns.count() as usize {
            return Err(Errno::ENOSPC);
        }
        new_semaphores(count)
    };
    namespace.semaphores.open(key, flags, namespace.sem_mni.count(), check, prepare, |id, new| {
        namespace.semaphores_used.fetch_add(count, Relaxed);
        Ok(SemaphoreSet::new(id, key, Permissions::of_new(flags), new))
    })
}

/// The limits (`IPC_INFO`), or with `in_use` also what is in use (`SEM_INFO`); the highest index.
pub fn info(in_use: bool) -> (Seminfo, u32) {
    let namespace = namespace::current();
    let (highest, sets) = namespace.semaphores.usage();
    let (all, in_call) = (namespace.sem_mns.get(), namespace.sem_opm.get());
    let info = Seminfo {
        semmap: ALL_SEMAPHORES,
        semmni: namespace.sem_mni.get(),
        semmns: all,
        semmnu: ALL_SEMAPHORES,
        semmsl: namespace.sem_msl.get(),
        semopm: in_call,
        semume: DEFAULT_IN_CALL,
        semusz: if in_use { sets as i32 } else { UNDO_SIZE },
        semvmx: MAX_VALUE,
        semaem: if in_use { namespace.semaphores_used.load(Relaxed) as i32 } else { MAX_VALUE },
    };
    (info, highest)
}

/// `SEMMNS`, by which Linux also states limits that it does not have (`semmap`, `semmnu`).
const ALL_SEMAPHORES: i32 = 1_024_000_000;
/// `SEMOPM`, likewise (`semume`).
const DEFAULT_IN_CALL: i32 = 500;

/// A set's state, and what the call returns.
pub fn stat(id: Id, how: Stat) -> Result<(SemidDs, Id)> {
    let guard = rcu::read();
    let set = how.find(&namespace::current().semaphores, id, &guard)?;
    let state = set.state.lock();
    if how.needs_permission() {
        state.permissions.check(READ)?;
    }
    if state.removed {
        return Err(Errno::EIDRM);
    }
    let data = SemidDs {
        perm: state.permissions.to_user(set.key(), set.id()),
        otime: state.operated,
        ctime: state.changed,
        nsems: set.count() as u64,
        ..SemidDs::default()
    };
    Ok((data, how.result(set.id())))
}

/// The set's state, locked, after the check for `wanted`; `EACCES`, `EIDRM`.
fn lock(set: &SemaphoreSet, wanted: u32) -> Result<SpinLockGuard<'_, super::set::State>> {
    let state = set.state.lock();
    state.permissions.check(wanted)?;
    if state.removed { Err(Errno::EIDRM) } else { Ok(state) }
}

/// The values of all semaphores (`GETALL`).
pub fn get_all(id: Id) -> Result<Vec<u16>> {
    let set = namespace::current().semaphores.get(id)?;
    let mut values = crate::mm::try_alloc::vec_with_capacity(set.count())?;
    let state = lock(&set, READ)?;
    // Values are never negative and fit.
    values.extend(state.semaphores.iter().map(|semaphore| semaphore.value as u16));
    Ok(values)
}

/// Sets all semaphores (`SETALL`); `read` gets the values of the number given. `ERANGE`.
pub fn set_all(id: Id, read: impl FnOnce(usize) -> Result<Vec<u16>>) -> Result<()> {
    let set = namespace::current().semaphores.get(id)?;
    set.permissions().check(WRITE)?;
    let values = read(set.count())?;
    if values.iter().any(|&value| i32::from(value) > MAX_VALUE) {
        return Err(Errno::ERANGE);
    }
    let mut wakes = WakeList::new();
    let mut state = lock(&set, 0)?;
    let pid = sched::current().process.pid.0;
    for (semaphore, value) in state.semaphores.iter_mut().zip(values) {
        semaphore.value = value.into();
        semaphore.pid = pid;
    }
    for adjustments in state.adjustments.values_mut() {
        adjustments.fill(0);
    }
    state.changed = now();
    if state.settle_all(&mut wakes) {
        state.operated = now();
    }
    drop(state);
    wakes.wake();
    Ok(())
}

/// Sets one semaphore (`SETVAL`); `ERANGE`.
pub fn set_value(id: Id, number: i32, value: i32) -> Result<()> {
    if !(0..=MAX_VALUE).contains(&value) {
        return Err(Errno::ERANGE);
    }
    let set = namespace::current().semaphores.get(id)?;
    let number = check_number(&set, number)?;
    let mut wakes = WakeList::new();
    let mut state = lock(&set, WRITE)?;
    for adjustments in state.adjustments.values_mut() {
        adjustments[number] = 0;
    }
    state.semaphores[number].value = value;
    state.semaphores[number].pid = sched::current().process.pid.0;
    state.changed = now();
    // The number is below 32000.
    if state.settle(smallvec::smallvec![number as u16], &mut wakes) {
        state.operated = now();
    }
    drop(state);
    wakes.wake();
    Ok(())
}

fn check_number(set: &SemaphoreSet, number: i32) -> Result<usize> {
    usize::try_from(number).ok().filter(|&number| number < set.count()).ok_or(Errno::EINVAL)
}

/// What can be asked of one semaphore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// `GETVAL`.
    Value,
    /// `GETPID`.
    Pid,
    /// `GETNCNT`.
    Takers,
    /// `GETZCNT`.
    WaitingForZero,
}

/// Tells one thing of one semaphore.
pub fn load_value(id: Id, number: i32, what: Count) -> Result<usize> {
    let set = namespace::current().semaphores.get(id)?;
    set.permissions().check(READ)?;
    let number = check_number(&set, number)?;
    let state = lock(&set, READ)?;
    Ok(match what {
        Count::Value => state.semaphores[number].value as usize,
        Count::Pid => state.semaphores[number].pid as usize,
        Count::Takers => state.waiting(number, false),
        Count::WaitingForZero => state.waiting(number, true),
    })
}

/// `IPC_SET`.
pub fn set_owner(id: Id, new: &IpcPerm) -> Result<()> {
    let set = namespace::current().semaphores.get(id)?;
    let mut state = lock(&set, 0)?;
    state.permissions.check_control()?;
    state.permissions.change(new)?;
    state.changed = now();
    Ok(())
}

/// `IPC_RMID`: whoever waits gets `EIDRM`.
pub fn remove(id: Id) -> Result<()> {
    let namespace: &Namespace = namespace::current();
    let mut wakes = WakeList::new();
    let mut table = namespace.semaphores.lock();
    let set = table.find(id)?;
    {
        let mut state = lock(&set, 0)?;
        state.permissions.check_control()?;
        state.close(&mut wakes);
    }
    table.remove(set.key(), id);
    namespace.semaphores_used.fetch_sub(set.count(), Relaxed);
    drop(table);
    wakes.wake();
    Ok(())
}

/// The text of `/proc/sysvipc/sem`.
pub fn show(out: &mut String) {
    out.push_str(
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n",
    );
    namespace::current().semaphores.for_each(|set| {
        let state = set.state.lock();
        let (operated, changed) = (state.operated, state.changed);
        let perm = state.permissions.to_user(set.key(), set.id());
        let removed = state.removed;
        drop(state);
        if removed {
            return;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:10} {:10}  {:4o} {:10} {:5} {:5} {:5} {:5} {operated:10} {changed:10}",
            perm.key,
            set.id(),
            perm.mode,
            set.count(),
            perm.uid,
            perm.gid,
            perm.cuid,
            perm.cgid,
        );
    });
}
