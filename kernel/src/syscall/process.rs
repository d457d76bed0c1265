//! Processes: fork, clone, exit, wait, groups and sessions, pidfds, kcmp, rlimits, usage, prctl.

use super::table::calls;
use crate::{
    fs::{self, LookupFlags, OpenFlags},
    mm::{USER_END, UserAddr, user},
    process::{
        Capability, ExitStatus, InspectAs, Limit, Pid, Process, Resource, Rusage, Task, capable,
        clone::{self, CloneArgs, CloneFlags},
        exec::{self, Request, Strings},
        exit, job,
        kcmp::{self, Compared, WatchedFile},
        pid, pidfd,
        signal::{self, SigInfo, Signal, code},
        unshare,
        wait::{self, WaitOptions, WaitReport, WaitTarget},
    },
    sched, time,
};
use abi::{Errno, Result, general};
use alloc::sync::Arc;
use core::{cmp::Ordering, sync::atomic::Ordering::Relaxed};
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    fork => fork;
    vfork => vfork;
    clone => clone;
    clone3 => clone3;
    unshare => unshare;
    execve => execve;
    execveat => execveat;
    exit => exit;
    exit_group => exit_group;
    wait4 => wait4;
    waitid => waitid;
    getpid => getpid;
    gettid => gettid;
    getppid => getppid;
    getpgid => getpgid;
    setpgid => setpgid;
    getpgrp => getpgrp;
    getsid => getsid;
    setsid => setsid;
    set_tid_address => set_tid_address;
    pidfd_open => pidfd_open;
    pidfd_send_signal => pidfd_send_signal;
    pidfd_getfd => pidfd_getfd;
    getrlimit => getrlimit;
    setrlimit => setrlimit;
    prlimit64 => prlimit64;
    getrusage => getrusage;
    times => times;
    personality => personality;
    kcmp => kcmp;
}

/// The low 32 bits of a register, as C's `int`.
const fn int(argument: usize) -> i32 {
    argument as u32 as i32
}

/// A user's process id: `None` when it is negative.
fn user_pid(argument: usize) -> Option<Pid> {
    u32::try_from(int(argument)).ok().map(Pid)
}

fn fork(_: &[usize; 6]) -> Result<usize> {
    clone::clone(&CloneArgs::fork()).map(|tid| tid.0 as usize)
}

fn vfork(_: &[usize; 6]) -> Result<usize> {
    let flags = CloneFlags::VFORK | CloneFlags::VM;
    clone::clone(&CloneArgs { flags, ..CloneArgs::fork() }).map(|tid| tid.0 as usize)
}

fn clone(args: &[usize; 6]) -> Result<usize> {
    let &[flags, stack, parent_tid, child_tid, tls, _] = args;
    let exit_signal = (flags & general::CSIGNAL as usize) as u8;
    let flags = CloneFlags::from_bits_truncate(flags as u32 as u64 & !u64::from(general::CSIGNAL));
    let pidfd_and_tid = CloneFlags::PIDFD | CloneFlags::PARENT_SETTID;
    if flags.contains(pidfd_and_tid) {
        // Both would be written to one place.
        return Err(Errno::EINVAL);
    }
    let args = CloneArgs {
        flags,
        pidfd: UserAddr(parent_tid),
        child_tid: UserAddr(child_tid),
        parent_tid: UserAddr(parent_tid),
        exit_signal,
        stack_pointer: stack,
        tls,
        tid: None,
    };
    clone::clone(&args).map(|tid| tid.0 as usize)
}

/// `struct clone_args`, its latest version.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
struct UserCloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

fn clone3(args: &[usize; 6]) -> Result<usize> {
    const FIRST_VERSION: usize = 64;
    let (addr, size) = (UserAddr(args[0]), args[1]);
    if size > crate::mm::PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    if size < FIRST_VERSION {
        return Err(Errno::EINVAL);
    }
    let mut raw = UserCloneArgs::default();
    super::copy_struct_from_user(raw.as_mut_bytes(), addr, size)?;
    let flags = CloneFlags::from_bits(raw.flags).ok_or(Errno::EINVAL)?;
    let (stack, stack_size) = (word(raw.stack)?, word(raw.stack_size)?);
    let exit_signal = u8::try_from(raw.exit_signal).map_err(|_| Errno::EINVAL)?;
    let silent = flags.intersects(CloneFlags::THREAD | CloneFlags::PARENT);
    let end = stack.checked_add(stack_size).filter(|&end| end <= USER_END);
    if exit_signal > 64
        || silent && exit_signal != 0
        || flags.contains(CloneFlags::DETACHED)
        || (stack == 0) != (stack_size == 0)
    {
        return Err(Errno::EINVAL);
    }
    let tids = clone::read_set_tid(UserAddr(word(raw.set_tid)?), word(raw.set_tid_size)?)?;
    let args = CloneArgs {
        flags,
        pidfd: UserAddr(word(raw.pidfd)?),
        child_tid: UserAddr(word(raw.child_tid)?),
        parent_tid: UserAddr(word(raw.parent_tid)?),
        exit_signal,
        stack_pointer: end.ok_or(Errno::EINVAL)?,
        tls: word(raw.tls)?,
        tid: clone::check_set_tid(&tids)?,
    };
    clone::clone(&args).map(|tid| tid.0 as usize)
}

fn unshare(args: &[usize; 6]) -> Result<usize> {
    let flags = CloneFlags::from_bits(args[0] as u64).ok_or(Errno::EINVAL)?;
    unshare::unshare(flags).map(|()| 0)
}

fn word(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(|_| Errno::EINVAL)
}

fn execve(args: &[usize; 6]) -> Result<usize> {
    let &[path, argv, envp, ..] = args;
    let path = user::read_path(UserAddr(path))?;
    let file = fs::open_exec(fs::AT_FDCWD, &path, LookupFlags::FOLLOW)?;
    let request = Request { file, path, path_closes: false };
    exec::execve(request, Strings::User(UserAddr(argv)), Strings::User(UserAddr(envp)))
}

fn execveat(args: &[usize; 6]) -> Result<usize> {
    const KNOWN: u32 = general::AT_EMPTY_PATH | general::AT_SYMLINK_NOFOLLOW;
    let &[base, path, argv, envp, flags, _] = args;
    let (base, flags) = (int(base), flags as u32);
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let mut lookup = LookupFlags::empty();
    lookup.set(LookupFlags::FOLLOW, flags & general::AT_SYMLINK_NOFOLLOW == 0);
    lookup.set(LookupFlags::EMPTY, flags & general::AT_EMPTY_PATH != 0);
    let name = user::read_path(UserAddr(path))?;
    let file = fs::open_exec(base, &name, lookup)?;
    let direct = base == fs::AT_FDCWD || name.first() == Some(&b'/');
    let path = match name.as_slice() {
        _ if direct => name,
        [] => alloc::format!("/dev/fd/{base}").into_bytes(),
        rest => [alloc::format!("/dev/fd/{base}/").as_bytes(), rest].concat(),
    };
    let path_closes = !direct && sched::current().files.borrow().cloexec(base)?;
    let request = Request { file, path, path_closes };
    exec::execve(request, Strings::User(UserAddr(argv)), Strings::User(UserAddr(envp)))
}

fn exit(args: &[usize; 6]) -> Result<usize> {
    exit::exit_thread(ExitStatus::Exited(args[0] as u8))
}

fn exit_group(args: &[usize; 6]) -> Result<usize> {
    exit::exit_group(ExitStatus::Exited(args[0] as u8))
}

fn wait4(args: &[usize; 6]) -> Result<usize> {
    let &[pid, status_addr, options, usage_addr, ..] = args;
    let allowed = WaitOptions::NOHANG
        | WaitOptions::STOPPED
        | WaitOptions::CONTINUED
        | WaitOptions::NO_THREAD
        | WaitOptions::CLONE
        | WaitOptions::ALL;
    let options = WaitOptions::from_bits(options as u32)
        .filter(|options| allowed.contains(*options))
        .ok_or(Errno::EINVAL)?;
    let target = match int(pid) {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => WaitTarget::Any,
        0 => WaitTarget::Group(sched::current().process.group_id()),
        pid if pid < 0 => WaitTarget::Group(Pid(pid.unsigned_abs())),
        pid => WaitTarget::Pid(Pid(pid.unsigned_abs())),
    };
    let Some(report) = wait::wait(&target, options | WaitOptions::EXITED)? else { return Ok(0) };
    if status_addr != 0 {
        user::write(UserAddr(status_addr), &report.wait_status)?;
    }
    if usage_addr != 0 {
        user::write(UserAddr(usage_addr), &UserRusage::from(report.usage))?;
    }
    Ok(report.pid.0 as usize)
}

fn waitid(args: &[usize; 6]) -> Result<usize> {
    let &[which, id, info_addr, options, usage_addr, _] = args;
    let options = WaitOptions::from_bits(options as u32).ok_or(Errno::EINVAL)?;
    let events = WaitOptions::EXITED | WaitOptions::STOPPED | WaitOptions::CONTINUED;
    if !options.intersects(events) {
        return Err(Errno::EINVAL);
    }
    let (target, nonblocking) = wait_target(which as u32, id)?;
    let mut asked = options;
    asked.set(WaitOptions::NOHANG, nonblocking || options.contains(WaitOptions::NOHANG));
    let report = wait::wait(&target, asked)?;
    if report.is_none() && nonblocking && !options.contains(WaitOptions::NOHANG) {
        return Err(Errno::EAGAIN);
    }
    if let (Some(report), true) = (report, usage_addr != 0) {
        user::write(UserAddr(usage_addr), &UserRusage::from(report.usage))?;
    }
    if info_addr != 0 {
        write_wait_info(UserAddr(info_addr), report)?;
    }
    Ok(0)
}

/// What `waitid(2)` waits for, and whether a pidfd says not to sleep.
fn wait_target(which: u32, id: usize) -> Result<(WaitTarget, bool)> {
    let target = match which {
        general::P_ALL => WaitTarget::Any,
        general::P_PID => {
            let pid = user_pid(id).filter(|pid| pid.0 != 0).ok_or(Errno::EINVAL)?;
            WaitTarget::Pid(pid)
        }
        general::P_PGID => match user_pid(id).ok_or(Errno::EINVAL)? {
            Pid(0) => WaitTarget::Group(sched::current().process.group_id()),
            group => WaitTarget::Group(group),
        },
        general::P_PIDFD => {
            if int(id) < 0 {
                return Err(Errno::EINVAL);
            }
            let (process, nonblocking) = pidfd::process_and_mode_of(int(id))?;
            return Ok((WaitTarget::Process(process), nonblocking));
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok((target, false))
}

/// Fills the fields that `waitid(2)` sets and leaves the others alone; all zero when nothing happened.
fn write_wait_info(addr: UserAddr, report: Option<WaitReport>) -> Result<()> {
    let (head, tail) = match report {
        None => ([0; 3], [0; 3]),
        Some(report) => (
            [i32::from(Signal::SIGCHLD.0), 0, report.code],
            [report.pid.0.cast_signed(), report.uid.cast_signed(), report.status],
        ),
    };
    user::write(addr, &head)?;
    user::write(addr.add(16), &tail)
}

fn getpid(_: &[usize; 6]) -> Result<usize> {
    Ok(sched::current().process.pid.0 as usize)
}

fn gettid(_: &[usize; 6]) -> Result<usize> {
    Ok(sched::current().tid().0 as usize)
}

fn getppid(_: &[usize; 6]) -> Result<usize> {
    Ok(sched::current().process.parent_pid().0 as usize)
}

/// The process that has a thread `pid`; the caller's for 0.
fn process_with(argument: usize) -> Result<Arc<Process>> {
    match user_pid(argument).ok_or(Errno::ESRCH)? {
        Pid(0) => Ok(Arc::clone(&sched::current().process)),
        pid => {
            let by_thread = || pid::find_task(pid).map(|task| Arc::clone(&task.process));
            pid::find_process(pid).or_else(by_thread).ok_or(Errno::ESRCH)
        }
    }
}

fn getpgid(args: &[usize; 6]) -> Result<usize> {
    Ok(process_with(args[0])?.group_id().0 as usize)
}

fn getpgrp(_: &[usize; 6]) -> Result<usize> {
    Ok(sched::current().process.group_id().0 as usize)
}

fn getsid(args: &[usize; 6]) -> Result<usize> {
    Ok(process_with(args[0])?.session_id().0 as usize)
}

fn setpgid(args: &[usize; 6]) -> Result<usize> {
    let own = sched::current().process.pid;
    let or_own = |argument: usize| if int(argument) == 0 { Some(own) } else { user_pid(argument) };
    let target = or_own(args[0]);
    let pgid =
        if int(args[1]) == 0 { target } else { Some(user_pid(args[1]).ok_or(Errno::EINVAL)?) };
    match (target, pgid) {
        (Some(target), Some(pgid)) => job::set_group(target, pgid).map(|()| 0),
        _ if int(args[1]) == 0 => Err(Errno::EINVAL),
        _ => Err(Errno::ESRCH),
    }
}

fn setsid(_: &[usize; 6]) -> Result<usize> {
    job::new_session().map(|sid| sid.0 as usize)
}

fn set_tid_address(args: &[usize; 6]) -> Result<usize> {
    let current = sched::current();
    current.clear_child_tid.store(args[0], Relaxed);
    Ok(current.tid().0 as usize)
}

fn pidfd_open(args: &[usize; 6]) -> Result<usize> {
    let flags = args[1] as u32;
    if flags & !pidfd::PIDFD_NONBLOCK != 0 {
        return Err(Errno::EINVAL);
    }
    let pid = user_pid(args[0]).filter(|pid| pid.0 != 0).ok_or(Errno::EINVAL)?;
    match pid::find_process(pid) {
        Some(process) => pidfd::open(&process, OpenFlags::from_bits_truncate(flags)),
        // The id of a thread that leads no process.
        None if pid::find_task(pid).is_some() => Err(Errno::EINVAL),
        None => Err(Errno::ESRCH),
    }
}

fn pidfd_send_signal(args: &[usize; 6]) -> Result<usize> {
    let &[fd, number, info_addr, flags, ..] = args;
    if flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let process = pidfd::process_to_signal(int(fd))?;
    if process.was_reaped() {
        return Err(Errno::ESRCH);
    }
    let asked = match int(number) {
        0 => Ok(None),
        number => {
            let signal = usize::try_from(number).ok().and_then(Signal::new);
            signal.map(Some).ok_or(Errno::EINVAL)
        }
    };
    let info = match asked {
        Ok(Some(signal)) if info_addr != 0 => {
            let info = SigInfo::read_from_user(UserAddr(info_addr), signal)?;
            let own = Arc::ptr_eq(&process, &sched::current().process);
            if !own && (info.code >= 0 || info.code == code::SI_TKILL) {
                return Err(Errno::EPERM);
            }
            Some(info)
        }
        Ok(Some(signal)) => Some(SigInfo::from_current(signal, code::SI_USER)),
        _ => None,
    };
    signal::signal_process(&process, asked, info)?;
    Ok(0)
}

fn pidfd_getfd(args: &[usize; 6]) -> Result<usize> {
    let &[fd, target, flags, ..] = args;
    if flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let process = pidfd::process_of(int(fd))?;
    let leader = process.leader().filter(|leader| !leader.is_exiting()).ok_or(Errno::ESRCH)?;
    if !crate::process::may_inspect(&leader, InspectAs::RealIds) {
        return Err(Errno::EPERM);
    }
    let files = leader.files.load().ok_or(Errno::ESRCH)?;
    let target = u32::try_from(int(target)).map_err(|_| Errno::EBADF)?;
    let file = files.load(crate::fs::FileDesc(target)).ok_or(Errno::EBADF)?;
    let new = sched::current().files.borrow().install(file, true, 0)?;
    Ok(new.0 as usize)
}

/// `kcmp(2)`: 0 when both are one; 1 and 2 tell their order.
fn kcmp(args: &[usize; 6]) -> Result<usize> {
    let &[one, other, what, left, right, _] = args;
    let what = match what as u32 {
        0 => Compared::Files([left as u32, right as u32]),
        1 => Compared::AddressSpaces,
        2 => Compared::DescriptorTables,
        3 => Compared::FileSystemContexts,
        4 => Compared::SignalHandlers,
        5 => Compared::IoContexts,
        6 => Compared::SemaphoreAdjustments,
        7 => {
            let [instance, fd, occurrence] = user::read::<[u32; 3]>(UserAddr(right))?;
            Compared::Watched(left as u32, WatchedFile { instance, fd, occurrence })
        }
        _ => return Err(Errno::EINVAL),
    };
    let task = |id| user_pid(id).ok_or(Errno::ESRCH);
    Ok(match kcmp::compare(task(one)?, task(other)?, what)? {
        Ordering::Equal => 0,
        Ordering::Less => 1,
        Ordering::Greater => 2,
    })
}

/// `struct rlimit64`, which is `struct rlimit` here.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct UserLimit {
    soft: u64,
    hard: u64,
}

impl From<Limit> for UserLimit {
    fn from(limit: Limit) -> UserLimit {
        UserLimit { soft: limit.soft, hard: limit.hard }
    }
}

impl From<UserLimit> for Limit {
    fn from(limit: UserLimit) -> Limit {
        Limit { soft: limit.soft, hard: limit.hard }
    }
}

fn getrlimit(args: &[usize; 6]) -> Result<usize> {
    let resource = Resource::from_number(args[0] as u32 as usize)?;
    let limit = sched::current().process.limits().get(resource);
    user::write(UserAddr(args[1]), &UserLimit::from(limit))?;
    Ok(0)
}

fn setrlimit(args: &[usize; 6]) -> Result<usize> {
    let new: UserLimit = user::read(UserAddr(args[1]))?;
    let resource = Resource::from_number(args[0] as u32 as usize)?;
    let process = Arc::clone(&sched::current().process);
    process.limits().set(resource, new.into(), capable(Capability::SysResource))?;
    Ok(0)
}

fn prlimit64(args: &[usize; 6]) -> Result<usize> {
    let &[pid, resource, new_addr, old_addr, ..] = args;
    let new: Option<UserLimit> =
        if new_addr == 0 { None } else { Some(user::read(UserAddr(new_addr))?) };
    let task = match user_pid(pid).ok_or(Errno::ESRCH)? {
        Pid(0) => sched::current().to_arc(),
        pid => pid::find_task(pid).ok_or(Errno::ESRCH)?,
    };
    check_limit_access(&task)?;
    let resource = Resource::from_number(resource as u32 as usize)?;
    let limits = task.process.limits();
    let old = match new {
        Some(new) => limits.set(resource, new.into(), capable(Capability::SysResource))?,
        None => limits.get(resource),
    };
    if old_addr != 0 {
        user::write(UserAddr(old_addr), &UserLimit::from(old))?;
    }
    Ok(0)
}

/// Another process's limits: all its ids are the caller's real ones, or the caller has the capability.
fn check_limit_access(task: &Task) -> Result<()> {
    let current = sched::current();
    if Arc::ptr_eq(&task.process, &current.process) {
        return Ok(());
    }
    let (mine, its) = (current.credentials.load(), task.credentials.load());
    let same = [its.uid, its.euid, its.suid] == [mine.uid; 3]
        && [its.gid, its.egid, its.sgid] == [mine.gid; 3];
    if same || mine.has(Capability::SysResource) { Ok(()) } else { Err(Errno::EPERM) }
}

/// `struct timeval`.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
struct Timeval {
    seconds: i64,
    micros: i64,
}

impl Timeval {
    fn from_nanos(nanos: u64) -> Timeval {
        let micros = (nanos / 1000).cast_signed();
        Timeval { seconds: micros / 1_000_000, micros: micros % 1_000_000 }
    }
}

/// `struct rusage`.
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
struct UserRusage {
    user: Timeval,
    system: Timeval,
    max_resident_kib: u64,
    unused: [u64; 3],
    minor_faults: u64,
    major_faults: u64,
    swaps: u64,
    blocks_in: u64,
    blocks_out: u64,
    messages_sent: u64,
    messages_received: u64,
    signals: u64,
    voluntary_switches: u64,
    involuntary_switches: u64,
}

impl From<Rusage> for UserRusage {
    fn from(usage: Rusage) -> UserRusage {
        UserRusage {
            user: Timeval::from_nanos(usage.user),
            system: Timeval::from_nanos(usage.system),
            max_resident_kib: usage.max_resident * 4,
            minor_faults: usage.minor_faults,
            major_faults: usage.major_faults,
            blocks_in: usage.blocks_in,
            blocks_out: usage.blocks_out,
            voluntary_switches: usage.voluntary_switches,
            involuntary_switches: usage.involuntary_switches,
            ..UserRusage::default()
        }
    }
}

fn getrusage(args: &[usize; 6]) -> Result<usize> {
    const SELF: i32 = general::RUSAGE_SELF as i32;
    const CHILDREN: i32 = general::RUSAGE_CHILDREN;
    const THREAD: i32 = general::RUSAGE_THREAD as i32;
    let current = sched::current();
    let usage = match int(args[0]) {
        SELF => current.process.rusage(),
        CHILDREN => current.process.children_rusage(),
        THREAD => current.rusage(),
        _ => return Err(Errno::EINVAL),
    };
    user::write(UserAddr(args[1]), &UserRusage::from(usage))?;
    Ok(0)
}

fn times(args: &[usize; 6]) -> Result<usize> {
    const TICK: u64 = 10_000_000;
    if args[0] != 0 {
        let process = &sched::current().process;
        let (own, children) = (process.rusage(), process.children_rusage());
        let words = [own.user, own.system, children.user, children.system].map(|ns| ns / TICK);
        user::write(UserAddr(args[0]), &words)?;
    }
    Ok((time::monotonic().0 / TICK) as usize)
}

fn personality(args: &[usize; 6]) -> Result<usize> {
    const QUERY: u32 = 0xffff_ffff;
    let current = sched::current();
    let old = current.personality.load(Relaxed);
    let new = args[0] as u32;
    if new != QUERY {
        current.personality.store(new, Relaxed);
    }
    Ok(old as usize)
}
