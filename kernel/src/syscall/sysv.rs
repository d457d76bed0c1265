//! System V IPC: semaphores, message queues, shared memory.

use super::table::calls;
use crate::{
    ipc::{
        Stat,
        message::{self, ReceiveFlags},
        semaphore::{self, Count},
        shm::{self, AttachFlags},
    },
    mm::{UserAddr, user},
    time::{Duration, Timespec},
};
use abi::{
    Errno, Result,
    sysv::{
        GETALL, GETNCNT, GETPID, GETVAL, GETZCNT, IPC_INFO, IPC_NOWAIT, IPC_RMID, IPC_SET,
        IPC_STAT, MSG_INFO, MSG_STAT, MSG_STAT_ANY, MsqidDs, SEM_INFO, SEM_STAT, SEM_STAT_ANY,
        SETALL, SETVAL, SHM_INFO, SHM_LOCK, SHM_STAT, SHM_STAT_ANY, SHM_UNLOCK, SemidDs, ShmidDs,
    },
};
use zerocopy::{Immutable, IntoBytes};

calls! {
    semget => semget;
    semop => semop;
    semtimedop => semtimedop;
    semctl => semctl;
    msgget => msgget;
    msgsnd => msgsnd;
    msgrcv => msgrcv;
    msgctl => msgctl;
    shmget => shmget;
    shmat => shmat;
    shmdt => shmdt;
    shmctl => shmctl;
}

/// A C `int` argument.
fn int(arg: usize) -> i32 {
    (arg as u32).cast_signed()
}

/// An identifier as a result: never negative.
fn identifier(id: i32) -> usize {
    id as usize
}

/// Copies a structure out; the call's result goes with it.
fn answer<T: IntoBytes + Immutable>(addr: usize, (data, result): (T, u32)) -> Result<usize> {
    user::write(UserAddr(addr), &data)?;
    Ok(result as usize)
}

/// The same for the state of an object.
fn answer_stat<T: IntoBytes + Immutable>(addr: usize, (data, id): (T, i32)) -> Result<usize> {
    answer(addr, (data, id.cast_unsigned()))
}

/// `semget(2)`.
fn semget(args: &[usize; 6]) -> Result<usize> {
    let &[key, count, flags, ..] = args;
    semaphore::get(int(key), int(count), flags as u32).map(identifier)
}

/// `semop(2)`.
fn semop(args: &[usize; 6]) -> Result<usize> {
    let &[id, operations, count, ..] = args;
    operate(id, operations, count, None)
}

/// `semtimedop(2)`.
fn semtimedop(args: &[usize; 6]) -> Result<usize> {
    let &[id, operations, count, timeout, ..] = args;
    let timeout = match timeout {
        0 => None,
        addr => Some(user::read::<Timespec>(UserAddr(addr))?),
    };
    operate(id, operations, count, timeout)
}

fn operate(id: usize, operations: usize, count: usize, timeout: Option<Timespec>) -> Result<usize> {
    let operations = semaphore::read_operations(UserAddr(operations), count as u32 as usize)?;
    let timeout: Option<Duration> = timeout.map(Timespec::to_duration).transpose()?;
    semaphore::operate(int(id), operations, timeout).map(|()| 0)
}

/// `semctl(2)`.
fn semctl(args: &[usize; 6]) -> Result<usize> {
    let &[id, number, command, argument, ..] = args;
    let (id, number, addr) = (int(id), int(number), UserAddr(argument));
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    let count = |what| semaphore::load_value(id, number, what);
    match command as u32 {
        IPC_INFO => answer(argument, semaphore::info(false)),
        SEM_INFO => answer(argument, semaphore::info(true)),
        IPC_STAT => answer_stat(argument, semaphore::stat(id, Stat::Id)?),
        SEM_STAT => answer_stat(argument, semaphore::stat(id, Stat::Index)?),
        SEM_STAT_ANY => answer_stat(argument, semaphore::stat(id, Stat::AnyIndex)?),
        GETVAL => count(Count::Value),
        GETPID => count(Count::Pid),
        GETNCNT => count(Count::Takers),
        GETZCNT => count(Count::WaitingForZero),
        GETALL => {
            let values = semaphore::get_all(id)?;
            user::copy_to_user(addr, values.as_bytes()).map(|()| 0)
        }
        SETALL => semaphore::set_all(id, |count| user::read_array(addr, count)).map(|()| 0),
        SETVAL => semaphore::set_value(id, number, int(argument)).map(|()| 0),
        IPC_SET => {
            let new: SemidDs = user::read(addr)?;
            semaphore::set_owner(id, &new.perm).map(|()| 0)
        }
        IPC_RMID => semaphore::remove(id).map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}

/// `msgget(2)`.
fn msgget(args: &[usize; 6]) -> Result<usize> {
    message::get(int(args[0]), args[1] as u32).map(identifier)
}

/// Where a message's text is, behind its type.
fn text_of(message: usize) -> UserAddr {
    UserAddr(message).add(size_of::<i64>())
}

/// `msgsnd(2)`.
fn msgsnd(args: &[usize; 6]) -> Result<usize> {
    let &[id, addr, length, flags, ..] = args;
    let kind: i64 = user::read(UserAddr(addr))?;
    let wait = flags as u32 & IPC_NOWAIT == 0;
    message::send(int(id), kind, text_of(addr), length, wait).map(|()| 0)
}

/// `msgrcv(2)`.
fn msgrcv(args: &[usize; 6]) -> Result<usize> {
    let &[id, addr, room, kind, flags, _] = args;
    if isize::try_from(room).is_err() {
        return Err(Errno::EINVAL);
    }
    let flags = ReceiveFlags::from_bits_truncate(flags as u32);
    let received = message::receive(int(id), room, kind as i64, flags)?;
    user::write(UserAddr(addr), &received.message.kind)?;
    user::copy_to_user(text_of(addr), &received.message.text[..received.length])?;
    Ok(received.length)
}

/// `msgctl(2)`.
fn msgctl(args: &[usize; 6]) -> Result<usize> {
    let &[id, command, addr, ..] = args;
    let id = int(id);
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    match command as u32 {
        IPC_INFO => answer(addr, message::info(false)),
        MSG_INFO => answer(addr, message::info(true)),
        IPC_STAT => answer_stat(addr, message::stat(id, Stat::Id)?),
        MSG_STAT => answer_stat(addr, message::stat(id, Stat::Index)?),
        MSG_STAT_ANY => answer_stat(addr, message::stat(id, Stat::AnyIndex)?),
        IPC_SET => {
            let new: MsqidDs = user::read(UserAddr(addr))?;
            message::set_owner(id, &new.perm, new.qbytes).map(|()| 0)
        }
        IPC_RMID => message::remove(id).map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}

/// `shmget(2)`.
fn shmget(args: &[usize; 6]) -> Result<usize> {
    let &[key, size, flags, ..] = args;
    shm::get(int(key), size, flags as u32).map(identifier)
}

/// `shmat(2)`.
fn shmat(args: &[usize; 6]) -> Result<usize> {
    let &[id, addr, flags, ..] = args;
    shm::attach(int(id), addr, AttachFlags::from_bits_truncate(flags as u32))
}

/// `shmdt(2)`.
fn shmdt(args: &[usize; 6]) -> Result<usize> {
    shm::detach(args[0]).map(|()| 0)
}

/// `shmctl(2)`.
fn shmctl(args: &[usize; 6]) -> Result<usize> {
    let &[id, command, addr, ..] = args;
    let id = int(id);
    if id < 0 {
        return Err(Errno::EINVAL);
    }
    match command as u32 {
        IPC_INFO => answer(addr, shm::limits()),
        SHM_INFO => answer(addr, shm::in_use()),
        IPC_STAT => answer_stat(addr, shm::stat(id, Stat::Id)?),
        SHM_STAT => answer_stat(addr, shm::stat(id, Stat::Index)?),
        SHM_STAT_ANY => answer_stat(addr, shm::stat(id, Stat::AnyIndex)?),
        IPC_SET => {
            let new: ShmidDs = user::read(UserAddr(addr))?;
            shm::set_owner(id, &new.perm).map(|()| 0)
        }
        IPC_RMID => shm::remove(id).map(|()| 0),
        SHM_LOCK => shm::lock_in_memory(id).map(|()| 0),
        SHM_UNLOCK => shm::unlock(id).map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}
