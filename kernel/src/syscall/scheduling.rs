//! Scheduling: sched_*, priorities, affinity, yield, I/O priorities.

use super::table::calls;
use crate::{
    arch::cpu::{self, CpuMask},
    mm::{UserAddr, user},
    process::{Capability, Credentials, Pid, Process, Resource, Task, Uid, capable, pid},
    sched::{self, DeadlineParams, Policy, SchedParams},
    sync::rcu,
    time::Timespec,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec, vec::Vec};
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    sched_yield => sched_yield;
    getpriority => getpriority;
    setpriority => setpriority;
    sched_setparam => sched_setparam;
    sched_getparam => sched_getparam;
    sched_setscheduler => sched_setscheduler;
    sched_getscheduler => sched_getscheduler;
    sched_get_priority_max => sched_get_priority_max;
    sched_get_priority_min => sched_get_priority_min;
    sched_rr_get_interval => sched_rr_get_interval;
    sched_setaffinity => sched_setaffinity;
    sched_getaffinity => sched_getaffinity;
    sched_setattr => sched_setattr;
    sched_getattr => sched_getattr;
    getcpu => getcpu;
    ioprio_get => ioprio_get;
    ioprio_set => ioprio_set;
}

const PRIO_PROCESS: i32 = 0;
const PRIO_PGRP: i32 = 1;
const PRIO_USER: i32 = 2;

const SCHED_RESET_ON_FORK: u32 = 0x4000_0000;

/// `sched_attr::sched_flags`.
const FLAG_RESET_ON_FORK: u64 = 0x01;
const FLAG_KEEP_POLICY: u64 = 0x08;
const FLAG_KEEP_PARAMS: u64 = 0x10;

/// `struct sched_attr`, first version; the second adds utilisation clamps, which are not there.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
    util_min: u32,
    util_max: u32,
}

const ATTR_SIZE_FIRST: usize = 48;

/// A C `int` argument.
fn int(arg: usize) -> i32 {
    (arg as u32).cast_signed()
}

/// The task with the id given; 0 is the caller. `EINVAL` when negative, `ESRCH`.
fn task_of(arg: usize) -> Result<Arc<Task>> {
    match u32::try_from(int(arg)) {
        Ok(0) => Ok(sched::current().to_arc()),
        Ok(id) => pid::find_task(Pid(id)).ok_or(Errno::ESRCH),
        Err(_) => Err(Errno::EINVAL),
    }
}

fn credentials_of(task: &Task) -> Arc<Credentials> {
    task.credentials.load()
}

/// `sched_yield(2)`.
fn sched_yield(_: &[usize; 6]) -> Result<usize> {
    sched::yield_now();
    Ok(0)
}

/// The tasks that `getpriority(2)`, `setpriority(2)` and `ioprio_set(2)` mean.
fn tasks_of(which: i32, who: i32) -> Result<Vec<Arc<Task>>> {
    let current = sched::current();
    let id = || u32::try_from(who).map(Pid).map_err(|_| Errno::ESRCH);
    let processes: Vec<Arc<Process>> = match which {
        PRIO_PROCESS if who == 0 => return Ok(vec![current.to_arc()]),
        PRIO_PROCESS => return Ok(pid::find_task(id()?).into_iter().collect()),
        PRIO_PGRP if who == 0 => current.process.group().members(),
        PRIO_PGRP => pid::find_group(id()?).map_or(Vec::new(), |group| group.members()),
        PRIO_USER => {
            let uid = match who {
                0 => credentials_of(&current).uid,
                who => Uid(who.cast_unsigned()),
            };
            let of_user = |task: &Arc<Task>| credentials_of(task).uid == uid;
            let all = pid::processes_from(Pid(1), usize::MAX);
            let tasks = all.iter().flat_map(|process| process.threads()).filter(of_user);
            return Ok(tasks.collect());
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(processes.iter().flat_map(|process| process.threads()).collect())
}

/// `getpriority(2)`: 20 less the lowest nice value.
fn getpriority(args: &[usize; 6]) -> Result<usize> {
    let tasks = tasks_of(int(args[0]), int(args[1]))?;
    let highest = tasks.iter().map(|task| 20 - task.sched.nice()).max().ok_or(Errno::ESRCH)?;
    usize::try_from(highest).map_err(|_| Errno::EINVAL)
}

/// Whether the caller may act on `task`'s scheduling: same user, or privileged.
fn is_own(task: &Task) -> bool {
    let own = sched::current().credentials.load();
    let theirs = credentials_of(task);
    own.euid == theirs.euid || own.euid == theirs.uid
}

/// Whether `task` may have this nice value.
fn may_be_nice(task: &Task, nice: i32) -> bool {
    let as_limit = u64::try_from(20 - nice).unwrap_or(0);
    as_limit <= task.process.limits().soft(Resource::Nice) || capable(Capability::SysNice)
}

/// `setpriority(2)`.
fn setpriority(args: &[usize; 6]) -> Result<usize> {
    let nice = int(args[2]).clamp(-20, 19);
    let mut result = Err(Errno::ESRCH);
    for task in tasks_of(int(args[0]), int(args[1]))? {
        let own = sched::current().credentials.load();
        let theirs = credentials_of(&task);
        let allowed = theirs.uid == own.euid || theirs.euid == own.euid;
        if !allowed && !capable(Capability::SysNice) {
            result = Err(Errno::EPERM);
        } else if nice < task.sched.nice() && !may_be_nice(&task, nice) {
            result = Err(Errno::EACCES);
        } else {
            if result == Err(Errno::ESRCH) {
                result = Ok(0);
            }
            sched::set_nice(&task, nice);
        }
    }
    result
}

/// Checks that the caller may have `task` scheduled this way (`sched_setscheduler(2)`): `EINVAL`, `EPERM`.
fn check_change(task: &Task, new: &SchedParams) -> Result<()> {
    let priorities = if new.policy.is_real_time() { 1..=99 } else { 0..=0 };
    if !priorities.contains(&new.priority) {
        return Err(Errno::EINVAL);
    }
    if capable(Capability::SysNice) {
        return Ok(());
    }
    if new.policy == Policy::Deadline {
        return Err(Errno::EPERM);
    }
    let old = sched::scheduling(task);
    if !new.policy.is_real_time() && new.nice < old.nice && !may_be_nice(task, new.nice) {
        return Err(Errno::EPERM);
    }
    if new.policy.is_real_time() {
        let limit = task.process.limits().soft(Resource::RealTimePriority);
        let raises = u64::from(new.priority) > limit && new.priority > old.priority;
        if (new.policy != old.policy && limit == 0) || raises {
            return Err(Errno::EPERM);
        }
    }
    let leaves_idle = old.policy == Policy::Idle && new.policy != Policy::Idle;
    if leaves_idle && !may_be_nice(task, old.nice) {
        return Err(Errno::EPERM);
    }
    if !is_own(task) || (old.reset_on_fork && !new.reset_on_fork) {
        return Err(Errno::EPERM);
    }
    Ok(())
}

fn change(task: &Arc<Task>, new: SchedParams) -> Result<usize> {
    check_change(task, &new)?;
    let everywhere = !sched::deadlines_are_limited() || sched::runs_everywhere(task);
    if new.policy == Policy::Deadline && !everywhere {
        return Err(Errno::EPERM);
    }
    sched::set_scheduling(task, new)?;
    Ok(0)
}

/// A priority from user space; out of range stays out of range.
fn priority_of(value: i32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// The calls without `struct sched_attr` name no deadline, and `SCHED_DEADLINE` is nothing without: `EINVAL`.
fn without_deadline(new: &SchedParams) -> Result<()> {
    if new.policy == Policy::Deadline { Err(Errno::EINVAL) } else { Ok(()) }
}

/// `sched_setparam(2)`.
fn sched_setparam(args: &[usize; 6]) -> Result<usize> {
    if args[1] == 0 || int(args[0]) < 0 {
        return Err(Errno::EINVAL);
    }
    let priority: i32 = user::read(UserAddr(args[1]))?;
    let task = task_of(args[0])?;
    let new = SchedParams { priority: priority_of(priority), ..sched::scheduling(&task) };
    without_deadline(&new)?;
    change(&task, new)
}

/// `sched_setscheduler(2)`.
fn sched_setscheduler(args: &[usize; 6]) -> Result<usize> {
    if int(args[1]) < 0 || args[2] == 0 || int(args[0]) < 0 {
        return Err(Errno::EINVAL);
    }
    let priority: i32 = user::read(UserAddr(args[2]))?;
    let task = task_of(args[0])?;
    let number = args[1] as u32;
    let policy = Policy::from_number(number & !SCHED_RESET_ON_FORK).ok_or(Errno::EINVAL)?;
    let new = SchedParams {
        policy,
        priority: priority_of(priority),
        reset_on_fork: number & SCHED_RESET_ON_FORK != 0,
        ..sched::scheduling(&task)
    };
    without_deadline(&new)?;
    change(&task, new)
}

/// `sched_getparam(2)`.
fn sched_getparam(args: &[usize; 6]) -> Result<usize> {
    if args[1] == 0 {
        return Err(Errno::EINVAL);
    }
    let priority = i32::from(task_of(args[0])?.sched.real_time_priority());
    user::write(UserAddr(args[1]), &priority)?;
    Ok(0)
}

/// `sched_getscheduler(2)`.
fn sched_getscheduler(args: &[usize; 6]) -> Result<usize> {
    let params = sched::scheduling(&*task_of(args[0])?);
    let reset = if params.reset_on_fork { SCHED_RESET_ON_FORK as usize } else { 0 };
    Ok(params.policy as usize | reset)
}

/// `sched_get_priority_max(2)`.
fn sched_get_priority_max(args: &[usize; 6]) -> Result<usize> {
    let policy = Policy::from_number(args[0] as u32).ok_or(Errno::EINVAL)?;
    Ok(if policy.is_real_time() { 99 } else { 0 })
}

/// `sched_get_priority_min(2)`.
fn sched_get_priority_min(args: &[usize; 6]) -> Result<usize> {
    let policy = Policy::from_number(args[0] as u32).ok_or(Errno::EINVAL)?;
    Ok(usize::from(policy.is_real_time()))
}

/// `sched_rr_get_interval(2)`.
fn sched_rr_get_interval(args: &[usize; 6]) -> Result<usize> {
    let slice = sched::slice_of(&*task_of(args[0])?);
    user::write(UserAddr(args[1]), &Timespec::from_nanos(i128::from(slice)))?;
    Ok(0)
}

/// `sched_setaffinity(2)`.
fn sched_setaffinity(args: &[usize; 6]) -> Result<usize> {
    let mut bytes = [0; size_of::<u64>()];
    let len = args[1].min(bytes.len());
    user::copy_from_user(&mut bytes[..len], UserAddr(args[2]))?;
    let task = match int(args[0]) {
        negative if negative < 0 => return Err(Errno::ESRCH),
        _ => task_of(args[0])?,
    };
    if !is_own(&task) && !capable(Capability::SysNice) {
        return Err(Errno::EPERM);
    }
    let mask = CpuMask(u64::from_le_bytes(bytes));
    let online = sched::online_mask().0;
    let has_deadlines = task.sched.policy() == Policy::Deadline;
    // Those run on all CPUs.
    if has_deadlines && sched::deadlines_are_limited() && mask.0 & online != online {
        return Err(Errno::EBUSY);
    }
    sched::set_affinity(&task, mask)?;
    Ok(0)
}

/// `sched_getaffinity(2)`.
fn sched_getaffinity(args: &[usize; 6]) -> Result<usize> {
    let len = args[1] as u32 as usize;
    if len.saturating_mul(8) < cpu::online_count() || !len.is_multiple_of(size_of::<u64>()) {
        return Err(Errno::EINVAL);
    }
    let task = match int(args[0]) {
        negative if negative < 0 => return Err(Errno::ESRCH),
        _ => task_of(args[0])?,
    };
    let mask = task.sched.affinity().0 & sched::online_mask().0;
    user::write(UserAddr(args[2]), &mask)?;
    Ok(size_of::<u64>())
}

/// `sched_setattr(2)`.
fn sched_setattr(args: &[usize; 6]) -> Result<usize> {
    let addr = UserAddr(args[1]);
    if args[1] == 0 || int(args[0]) < 0 || args[2] as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let attr = read_attr(addr)?;
    let known = FLAG_RESET_ON_FORK | FLAG_KEEP_POLICY | FLAG_KEEP_PARAMS;
    if attr.policy.cast_signed() < 0 || attr.flags & !known != 0 {
        return Err(Errno::EINVAL);
    }
    let task = task_of(args[0])?;
    let old = sched::scheduling(&task);
    let mut new = SchedParams {
        policy: match attr.flags & FLAG_KEEP_POLICY {
            0 => Policy::from_number(attr.policy).ok_or(Errno::EINVAL)?,
            _ => old.policy,
        },
        priority: u8::try_from(attr.priority).unwrap_or(u8::MAX),
        nice: attr.nice.clamp(-20, 19),
        deadline: old.deadline,
        reset_on_fork: attr.flags & FLAG_RESET_ON_FORK != 0,
    };
    if attr.flags & FLAG_KEEP_PARAMS != 0 {
        (new.priority, new.nice) = (old.priority, old.nice);
    } else if new.policy == Policy::Deadline {
        new.deadline = DeadlineParams::new(attr.runtime, attr.deadline, attr.period)?;
        new.nice = old.nice;
    } else if new.policy.is_real_time() {
        new.nice = old.nice;
    }
    change(&task, new)
}

/// Reads the structure in the size that the caller says it has; `E2BIG`, with our size written back, when that is too
/// small or what we do not know is not zero.
fn read_attr(addr: UserAddr) -> Result<SchedAttr> {
    let size = user::read::<u32>(addr)? as usize;
    let size = if size == 0 { ATTR_SIZE_FIRST } else { size };
    let too_big = || {
        user::write(addr, &(size_of::<SchedAttr>() as u32))?;
        Err(Errno::E2BIG)
    };
    if !(ATTR_SIZE_FIRST..=crate::mm::PAGE_SIZE).contains(&size) {
        return too_big();
    }
    let mut attr = SchedAttr::default();
    let known = size.min(size_of::<SchedAttr>());
    user::copy_from_user(&mut attr.as_mut_bytes()[..known], addr)?;
    for offset in known..size {
        if user::read::<u8>(addr.add(offset))? != 0 {
            return too_big();
        }
    }
    Ok(attr)
}

/// `sched_getattr(2)`.
fn sched_getattr(args: &[usize; 6]) -> Result<usize> {
    let size = args[2] as u32 as usize;
    let sizes = ATTR_SIZE_FIRST..=crate::mm::PAGE_SIZE;
    if args[1] == 0 || int(args[0]) < 0 || !sizes.contains(&size) || args[3] as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let params = sched::scheduling(&*task_of(args[0])?);
    let written = size.min(size_of::<SchedAttr>());
    let has_deadlines = params.policy == Policy::Deadline;
    let deadline = if has_deadlines { params.deadline } else { DeadlineParams::default() };
    let attr = SchedAttr {
        size: written as u32,
        policy: params.policy as u32,
        flags: if params.reset_on_fork { FLAG_RESET_ON_FORK } else { 0 },
        nice: if params.policy.is_real_time() || has_deadlines { 0 } else { params.nice },
        priority: u32::from(params.priority),
        runtime: deadline.runtime,
        deadline: deadline.deadline,
        period: deadline.period,
        ..SchedAttr::default()
    };
    user::copy_to_user(UserAddr(args[1]), &attr.as_bytes()[..written])?;
    Ok(0)
}

/// `getcpu(2)`.
fn getcpu(args: &[usize; 6]) -> Result<usize> {
    let cpu = rcu::read().cpu();
    if args[0] != 0 {
        user::write(UserAddr(args[0]), &(cpu as u32))?;
    }
    if args[1] != 0 {
        user::write(UserAddr(args[1]), &(cpu::node_of(cpu) as u32))?;
    }
    Ok(0)
}

const IOPRIO_WHO_PROCESS: i32 = 1;
const IOPRIO_CLASS_SHIFT: u32 = 13;
const IOPRIO_CLASS_RT: u16 = 1;
const IOPRIO_CLASS_BEST_EFFORT: u16 = 2;
const IOPRIO_CLASS_IDLE: u16 = 3;
/// Best effort, level 4: what tasks without an I/O priority count as.
const IOPRIO_DEFAULT: u16 = IOPRIO_CLASS_BEST_EFFORT << IOPRIO_CLASS_SHIFT | 4;

/// `ioprio_get(2)`: the best of those meant.
fn ioprio_get(args: &[usize; 6]) -> Result<usize> {
    let which = int(args[0]) - IOPRIO_WHO_PROCESS;
    let tasks = tasks_of(which, int(args[1]))?;
    let of_task = |task: &Arc<Task>| match task.sched.io_priority() {
        0 if which == PRIO_PROCESS => 0,
        0 => IOPRIO_DEFAULT,
        set => set,
    };
    let best = tasks.iter().map(of_task).min().ok_or(Errno::ESRCH)?;
    Ok(usize::from(best))
}

/// `ioprio_set(2)`. What is set is inherited and told; no device is slow enough here to order its requests by it.
fn ioprio_set(args: &[usize; 6]) -> Result<usize> {
    let priority = u16::try_from(int(args[2])).map_err(|_| Errno::EINVAL)?;
    let (class, level) =
        (priority >> IOPRIO_CLASS_SHIFT, priority & ((1 << IOPRIO_CLASS_SHIFT) - 1));
    match class {
        IOPRIO_CLASS_RT if !capable(Capability::SysNice) && !capable(Capability::SysAdmin) => {
            return Err(Errno::EPERM);
        }
        IOPRIO_CLASS_RT | IOPRIO_CLASS_BEST_EFFORT if level < 8 => {}
        IOPRIO_CLASS_IDLE => {}
        0 if level == 0 => {}
        _ => return Err(Errno::EINVAL),
    }
    let mut result = Err(Errno::ESRCH);
    for task in tasks_of(int(args[0]) - IOPRIO_WHO_PROCESS, int(args[1]))? {
        let own = sched::current().credentials.load();
        let theirs = credentials_of(&task);
        let allowed = theirs.uid == own.euid || theirs.uid == own.uid;
        if !allowed && !capable(Capability::SysNice) {
            return Err(Errno::EPERM);
        }
        task.sched.set_io_priority(priority);
        result = Ok(0);
    }
    result
}
