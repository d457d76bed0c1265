//! `msgget(2)`, `msgctl(2)` and `/proc/sysvipc/msg`.

use super::queue::MessageQueue;
use crate::{
    ipc::{
        Permissions, Stat,
        ids::{Id, Key, Object},
        namespace, now,
        permissions::READ,
        waiter::WakeList,
    },
    process::{Capability, capable},
    sync::rcu,
};
use abi::{
    Errno, Result,
    sysv::{IpcPerm, Msginfo, MsqidDs},
};
use alloc::string::String;
use core::fmt::Write;

/// What Linux still states though nothing is bounded by it: `MSGPOOL`, `MSGMAP`, `MSGSSZ`, `MSGTQL`, `MSGSEG`.
const STATED: Msginfo = Msginfo {
    msgpool: 512_000,
    msgmap: 16384,
    msgmax: 0,
    msgmnb: 0,
    msgmni: 0,
    msgssz: 16,
    msgtql: 16384,
    msgseg: 0xffff,
    pad: 0,
};

/// `msgget(2)`.
pub fn get(key: Key, flags: u32) -> Result<Id> {
    let namespace = namespace::current();
    let limit = namespace.msg_mni.count();
    namespace.queues.open(
        key,
        flags,
        limit,
        |_| Ok(()),
        || Ok(()),
        |id, ()| {
            let max_bytes = namespace.msg_mnb.count() as usize;
            Ok(MessageQueue::new(id, key, Permissions::of_new(flags), max_bytes))
        },
    )
}

/// The limits (`IPC_INFO`), or with `in_use` what is in use (`MSG_INFO`); the highest index.
pub fn info(in_use: bool) -> (Msginfo, u32) {
    let namespace = namespace::current();
    let (highest, queues) = namespace.queues.usage();
    let mut info = Msginfo {
        msgmax: namespace.msg_max.get(),
        msgmnb: namespace.msg_mnb.get(),
        msgmni: namespace.msg_mni.get(),
        ..STATED
    };
    if in_use {
        let (mut messages, mut bytes) = (0, 0);
        namespace.queues.for_each(|queue| {
            let state = queue.state.lock();
            messages += state.messages.len();
            bytes += state.bytes;
        });
        (info.msgpool, info.msgmap, info.msgtql) = (queues as i32, messages as i32, bytes as i32);
    }
    (info, highest)
}

/// A queue's state, and what the call returns.
pub fn stat(id: Id, how: Stat) -> Result<(MsqidDs, Id)> {
    let guard = rcu::read();
    let queue = how.find(&namespace::current().queues, id, &guard)?;
    let state = queue.state.lock();
    if how.needs_permission() {
        state.permissions.check(READ)?;
    }
    if state.removed {
        return Err(Errno::EIDRM);
    }
    let data = MsqidDs {
        perm: state.permissions.to_user(queue.key(), queue.id()),
        stime: state.sent,
        rtime: state.received,
        ctime: state.changed,
        cbytes: state.bytes as u64,
        qnum: state.messages.len() as u64,
        qbytes: state.max_bytes as u64,
        lspid: state.sender,
        lrpid: state.receiver,
        ..MsqidDs::default()
    };
    Ok((data, how.result(queue.id())))
}

/// `IPC_SET`: owner, mode and the limit of bytes, which only `CAP_SYS_RESOURCE` raises beyond `MSGMNB`.
pub fn set_owner(id: Id, new: &IpcPerm, max_bytes: u64) -> Result<()> {
    let namespace = namespace::current();
    let queue = namespace.queues.get(id)?;
    let mut wakes = WakeList::new();
    let mut state = queue.state.lock();
    if state.removed {
        return Err(Errno::EIDRM);
    }
    state.permissions.check_control()?;
    if max_bytes > u64::from(namespace.msg_mnb.count()) && !capable(Capability::SysResource) {
        return Err(Errno::EPERM);
    }
    state.permissions.change(new)?;
    state.max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    state.changed = now();
    state.recheck_waiting(&mut wakes);
    drop(state);
    wakes.wake();
    Ok(())
}

/// `IPC_RMID`: whoever waits gets `EIDRM`.
pub fn remove(id: Id) -> Result<()> {
    let namespace = namespace::current();
    let mut wakes = WakeList::new();
    let mut table = namespace.queues.lock();
    let queue = table.find(id)?;
    let messages = {
        let mut state = queue.state.lock();
        state.permissions.check_control()?;
        state.close(&mut wakes)
    };
    table.remove(queue.key(), id);
    drop(table);
    drop(messages);
    wakes.wake();
    Ok(())
}

/// The text of `/proc/sysvipc/msg`.
pub fn show(out: &mut String) {
    out.push_str(
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      \
         stime      rtime      ctime\n",
    );
    namespace::current().queues.for_each(|queue| {
        let state = queue.state.lock();
        let perm = state.permissions.to_user(queue.key(), queue.id());
        let (bytes, messages) = (state.bytes, state.messages.len());
        let (sender, receiver) = (state.sender, state.receiver);
        let (sent, received, changed) = (state.sent, state.received, state.changed);
        let removed = state.removed;
        drop(state);
        if removed {
            return;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:10} {:10}  {:4o}  {bytes:10} {messages:10} {sender:5} {receiver:5} {:5} {:5} {:5} {:5} \
             {sent:10} {received:10} {changed:10}",
            perm.key,
            queue.id(),
            perm.mode,
            perm.uid,
            perm.gid,
            perm.cuid,
            perm.cgid,
        );
    });
}
