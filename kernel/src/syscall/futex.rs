//! futex and robust lists.

use super::table::calls;
use crate::{
    mm::{UserAddr, user},
    process::{
        Capability, Pid,
        futex::{
            self, Bitset, CompareRequeue, Deadline, Requeue, RobustList, Sharing, WhenTaken, Word,
        },
        pid,
    },
    sched,
    sync::rcu,
    time::{self, Instant, Timespec},
};
use abi::{Errno, Result};
use core::sync::atomic::Ordering;

calls! {
    futex => futex;
    set_robust_list => set_robust_list;
    get_robust_list => get_robust_list;
}

const FUTEX_WAIT: u32 = 0;
const FUTEX_WAKE: u32 = 1;
const FUTEX_REQUEUE: u32 = 3;
const FUTEX_CMP_REQUEUE: u32 = 4;
const FUTEX_WAKE_OP: u32 = 5;
const FUTEX_LOCK_PI: u32 = 6;
const FUTEX_UNLOCK_PI: u32 = 7;
const FUTEX_TRYLOCK_PI: u32 = 8;
const FUTEX_WAIT_BITSET: u32 = 9;
const FUTEX_WAKE_BITSET: u32 = 10;
const FUTEX_WAIT_REQUEUE_PI: u32 = 11;
const FUTEX_CMP_REQUEUE_PI: u32 = 12;
const FUTEX_LOCK_PI2: u32 = 13;

const FUTEX_PRIVATE_FLAG: u32 = 0x80;
const FUTEX_CLOCK_REALTIME: u32 = 0x100;

/// A C `int` argument.
fn int(arg: usize) -> i32 {
    (arg as u32).cast_signed()
}

fn futex(args: &[usize; 6]) -> Result<usize> {
    let &[word, operation, value, timeout, second, value3] = args;
    let flags = operation as u32;
    let command = flags & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    let realtime = flags & FUTEX_CLOCK_REALTIME != 0;
    let sharing = if flags & FUTEX_PRIVATE_FLAG != 0 { Sharing::Private } else { Sharing::Shared };
    let (word, second) = (UserAddr(word), UserAddr(second));
    let (expected, count, count2) = (value as u32, int(value), int(timeout));
    // Linux reads the time-out before it looks at the rest.
    let deadline = match command {
        FUTEX_WAIT => relative_deadline(timeout)?,
        FUTEX_LOCK_PI => absolute_deadline(timeout, true)?,
        FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2 => {
            absolute_deadline(timeout, realtime)?
        }
        _ => None,
    };
    if realtime && !matches!(command, FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2) {
        return Err(Errno::ENOSYS);
    }
    match command {
        FUTEX_WAIT => futex::wait(word, sharing, expected, Bitset::ANY, deadline),
        FUTEX_WAIT_BITSET => {
            futex::wait(word, sharing, expected, Bitset::new(value3 as u32)?, deadline)
        }
        FUTEX_WAKE => futex::wake(word, sharing, count, Bitset::ANY),
        FUTEX_WAKE_BITSET => futex::wake(word, sharing, count, Bitset::new(value3 as u32)?),
        FUTEX_REQUEUE => {
            let how = Requeue { wake: count, requeue: count2, expected: None };
            futex::requeue(Word { addr: word, sharing }, Word { addr: second, sharing }, how)
        }
        FUTEX_CMP_REQUEUE => {
            let how = Requeue { wake: count, requeue: count2, expected: Some(value3 as u32) };
            futex::requeue(Word { addr: word, sharing }, Word { addr: second, sharing }, how)
        }
        FUTEX_WAKE_OP => futex::wake_op(word, second, sharing, (count, count2), value3 as u32),
        FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => futex::lock(word, sharing, WhenTaken::Wait(deadline)),
        FUTEX_TRYLOCK_PI => futex::lock(word, sharing, WhenTaken::Fail),
        FUTEX_UNLOCK_PI => futex::unlock(word, sharing),
        FUTEX_WAIT_REQUEUE_PI => futex::wait_requeue(word, expected, deadline, second, sharing),
        FUTEX_CMP_REQUEUE_PI => {
            let how = CompareRequeue { wake: count, requeue: count2, expected: value3 as u32 };
            futex::requeue_to_lock(word, second, sharing, how)
        }
        _ => Err(Errno::ENOSYS),
    }
}

fn relative_deadline(timeout: usize) -> Result<Deadline> {
    if timeout == 0 {
        return Ok(None);
    }
    let timeout = user::read::<Timespec>(UserAddr(timeout))?.to_duration()?;
    Ok(Some(time::monotonic().after(timeout)))
}

/// A deadline at a time of the wall clock or the monotonic clock; a null address is none.
pub(super) fn absolute_deadline(timeout: usize, realtime: bool) -> Result<Deadline> {
    if timeout == 0 {
        return Ok(None);
    }
    let at = user::read::<Timespec>(UserAddr(timeout))?.to_duration()?;
    let deadline = if realtime {
        let left = at.saturating_sub(time::realtime().to_duration()?);
        time::monotonic().after(left)
    } else {
        Instant(0).after(at)
    };
    Ok(Some(deadline))
}

fn set_robust_list(args: &[usize; 6]) -> Result<usize> {
    let &[head, len, ..] = args;
    if len != size_of::<RobustList>() {
        return Err(Errno::EINVAL);
    }
    sched::current().robust_list.store(head, Ordering::Relaxed);
    Ok(0)
}

fn get_robust_list(args: &[usize; 6]) -> Result<usize> {
    let &[tid, head, len, ..] = args;
    let current = sched::current();
    let list = match int(tid) {
        0 => current.robust_list.load(Ordering::Relaxed),
        tid => {
            let tid = Pid(u32::try_from(tid).map_err(|_| Errno::ESRCH)?);
            let task = pid::find_task(tid).ok_or(Errno::ESRCH)?;
            let guard = rcu::read();
            let (mine, theirs) = (current.credentials.get(&guard), task.credentials.get(&guard));
            let same = [theirs.uid, theirs.euid, theirs.suid].iter().all(|id| *id == mine.uid)
                && [theirs.gid, theirs.egid, theirs.sgid].iter().all(|id| *id == mine.gid);
            if !same && !mine.has(Capability::SysPtrace) {
                return Err(Errno::EPERM);
            }
            task.robust_list.load(Ordering::Relaxed)
        }
    };
    user::write(UserAddr(len), &size_of::<RobustList>())?;
    user::write(UserAddr(head), &list)?;
    Ok(0)
}
