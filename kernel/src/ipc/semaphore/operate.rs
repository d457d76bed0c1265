//! `semop(2)`, `semtimedop(2)`.
//!
//! The fast way touches nothing but the set: it is found under RCU, locked, and not counted. A call that must wait is done by whoever
//! makes that possible; it wakes to find its outcome.

use super::{
    set::{Actor, Attempt, Operations, alters, changed_by},
    undo,
};
use crate::{
    ipc::{
        ids::Id,
        namespace, now,
        permissions::{READ, WRITE},
        waiter::{Ended, WakeList},
    },
    mm::{UserAddr, user},
    sched,
    sync::rcu,
    time::{self, Duration},
};
use abi::{
    Errno, Result,
    sysv::{SEM_UNDO, Sembuf},
};
use alloc::sync::Arc;
use zerocopy::IntoBytes;

/// Reads the operations of a call; `E2BIG`, `EINVAL` for none, `EFAULT`.
pub fn read_operations(addr: UserAddr, count: usize) -> Result<Operations> {
    if count > namespace::current().sem_opm.count() as usize {
        return Err(Errno::E2BIG);
    }
    if count == 0 {
        return Err(Errno::EINVAL);
    }
    let mut operations = Operations::new();
    operations.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    operations.resize(count, Sembuf::default());
    user::copy_from_user(operations.as_mut_slice().as_mut_bytes(), addr)?;
    Ok(operations)
}

/// Does the operations, all at once, waiting for at most `timeout` until that can be done.
pub fn operate(id: Id, operations: Operations, timeout: Option<Duration>) -> Result<()> {
    let task = sched::current();
    let undoes = operations.iter().any(|operation| operation.sem_flg & SEM_UNDO != 0);
    let list = if undoes { Some(undo::of_current(&task)?) } else { None };
    let actor = Actor { pid: task.process.pid, undo: list.as_deref().map(undo::key) };
    let wanted = if alters(&operations) { WRITE } else { READ };
    let highest = operations.iter().map(|operation| usize::from(operation.sem_num)).max();
    let (set, request) = loop {
        let guard = rcu::read();
        let set = namespace::current().semaphores.find(id, &guard)?;
        if highest.is_some_and(|highest| highest >= set.count()) {
            return Err(Errno::EFBIG);
        }
        let mut state = set.state.lock();
        state.permissions.check(wanted)?;
        if state.removed {
            return Err(Errno::EIDRM);
        }
        if let Some(list) = &list
            && !state.adjustments.contains_key(&undo::key(list))
        {
            drop(state);
            let set = Arc::clone(set);
            drop(guard);
            undo::prepare(list, &set)?;
            continue;
        }
        match state.attempt(&operations, actor) {
            Attempt::Done => {
                let mut wakes = WakeList::new();
                if wanted == WRITE && !state.is_quiet() {
                    state.settle(changed_by(&operations), &mut wakes);
                }
                state.operated = now();
                drop(state);
                wakes.wake();
                return Ok(());
            }
            Attempt::Failed(errno) => return Err(errno),
            Attempt::Blocked(at) => {
                let request = state.enqueue(operations, actor, at);
                break (Arc::clone(set), request);
            }
        }
    };
    let deadline = timeout.map(|timeout| time::monotonic().after(timeout));
    let ended = request.waiter.sleep(|| deadline);
    match request.waiter.outcome_or_lock(|| set.state.lock()) {
        Ok(outcome) => outcome,
        Err(mut state) => {
            state.dequeue(&request);
            Err(if ended == Ended::TimedOut { Errno::EAGAIN } else { Errno::EINTR })
        }
    }
}
