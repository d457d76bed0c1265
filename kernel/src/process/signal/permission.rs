//! Who may signal whom, and the forms of `kill(2)`, `tgkill(2)` and `rt_sigqueueinfo(2)`.

use super::{SigInfo, Signal, code, send_process, send_task};
use crate::{
    process::{Capability, Pid, Process, Task, pid},
    sched,
    sync::rcu,
};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// What a caller asks for: a signal, or nothing (the test that signal 0 makes). A number that is no signal is an error only once
/// the target has been found, as on Linux.
pub type Asked = Result<Option<Signal>>;

/// How many processes a look at the table takes at a time.
const BATCH: usize = 64;

/// Whether the current task may send `signal` to `task`; `EINVAL` when that is none, `EPERM`.
fn check(task: &Task, signal: Asked) -> Result<()> {
    let signal = signal?;
    let current = sched::current();
    if Arc::ptr_eq(&current.process, &task.process) {
        return Ok(());
    }
    let allowed = {
        let guard = rcu::read();
        let mine = current.credentials.get(&guard);
        let theirs = task.credentials.get(&guard);
        mine.euid == theirs.suid
            || mine.euid == theirs.uid
            || mine.uid == theirs.suid
            || mine.uid == theirs.uid
            || mine.has(Capability::Kill)
    };
    // A shell may continue its jobs whatever they have become.
    let continues = signal == Some(Signal::SIGCONT)
        && Arc::ptr_eq(&current.process.session(), &task.process.session());
    if allowed || continues { Ok(()) } else { Err(Errno::EPERM) }
}

/// `kill(2)`.
pub fn kill(target: i32, signal: Asked) -> Result<()> {
    let info = signal.ok().flatten().map(|signal| SigInfo::from_current(signal, code::SI_USER));
    match target {
        1.. => to_process(Pid(target.cast_unsigned()), signal, info),
        0 => {
            let group = sched::current().process.group();
            to_members(&group.members(), signal, info)
        }
        -1 => to_all(signal, info),
        i32::MIN => Err(Errno::ESRCH),
        _ => {
            let group = pid::find_group(Pid(target.unsigned_abs())).ok_or(Errno::ESRCH)?;
            to_members(&group.members(), signal, info)
        }
    }
}

/// The process that `target` names: by its own id, or by that of any of its threads.
fn process_of(target: Pid) -> Result<Arc<Process>> {
    match pid::find_task(target) {
        Some(task) => Ok(Arc::clone(&task.process)),
        None => pid::find_process(target).ok_or(Errno::ESRCH),
    }
}

fn to_process(target: Pid, signal: Asked, info: Option<SigInfo>) -> Result<()> {
    signal_process(&process_of(target)?, signal, info)
}

/// Sends to `process` if the current task may; signal 0 (`None`) only asks whether it may (`pidfd_send_signal(2)` too).
pub fn signal_process(process: &Arc<Process>, signal: Asked, info: Option<SigInfo>) -> Result<()> {
    // A zombie without its leader's task cannot be reached any more, but exists.
    if let Some(leader) = process.leader() {
        check(&leader, signal)?;
    } else {
        signal?;
    }
    match info {
        Some(info) => send_process(process, info),
        None => Ok(()),
    }
}

/// Succeeds if one member could be signalled; else the last error.
fn to_members(members: &[Arc<Process>], signal: Asked, info: Option<SigInfo>) -> Result<()> {
    let mut result = Err(Errno::ESRCH);
    for process in members {
        let one = signal_process(process, signal, info);
        if result.is_err() {
            result = one;
        }
    }
    result
}

/// Everybody but init and the caller's own process.
fn to_all(signal: Asked, info: Option<SigInfo>) -> Result<()> {
    let own = sched::current().process.pid;
    let mut result = Ok(());
    let mut found = false;
    let mut from = Pid(2);
    loop {
        let batch = pid::processes_from(from, BATCH);
        let Some(last) = batch.last() else { break };
        from = Pid(last.pid.0 + 1);
        for process in &batch {
            if process.pid == own || process.pid.0 <= 1 || process.address_space().is_none() {
                continue;
            }
            found = true;
            match signal_process(process, signal, info) {
                Err(Errno::EPERM) => {}
                other => result = other,
            }
        }
    }
    if found { result } else { Err(Errno::ESRCH) }
}

/// `tgkill(2)`; `tkill(2)` without `tgid`.
pub fn kill_thread(tgid: Option<Pid>, tid: Pid, signal: Asked) -> Result<()> {
    let info = signal.ok().flatten().map(|signal| SigInfo::from_current(signal, code::SI_TKILL));
    to_thread(tgid, tid, signal, info)
}

fn to_thread(tgid: Option<Pid>, tid: Pid, signal: Asked, info: Option<SigInfo>) -> Result<()> {
    let task = pid::find_task(tid).ok_or(Errno::ESRCH)?;
    if tgid.is_some_and(|tgid| tgid != task.process.pid) {
        return Err(Errno::ESRCH);
    }
    check(&task, signal)?;
    match info {
        Some(info) => send_task(&task, info),
        None => Ok(()),
    }
}

/// Whether user space may claim `info` for a target other than itself: not what only the kernel or `tkill` says. `EPERM`.
fn check_claim(info: &SigInfo, target: Pid) -> Result<()> {
    let reserved = info.code >= 0 || info.code == code::SI_TKILL;
    if reserved && target != sched::current().process.pid {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// `rt_sigqueueinfo(2)`.
pub fn queue_to_process(target: Pid, signal: Asked, info: SigInfo) -> Result<()> {
    check_claim(&info, target)?;
    to_process(target, signal, signal.ok().flatten().map(|_| info))
}

/// `rt_tgsigqueueinfo(2)`.
pub fn queue_to_thread(tgid: Pid, tid: Pid, signal: Asked, info: SigInfo) -> Result<()> {
    let reserved = info.code >= 0 || info.code == code::SI_TKILL;
    if reserved && tid != sched::current().tid() {
        return Err(Errno::EPERM);
    }
    to_thread(Some(tgid), tid, signal, signal.ok().flatten().map(|_| info))
}
