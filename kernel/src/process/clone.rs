//! New tasks: fork, vfork, clone and clone3 (`clone(2)`).
//!
//! Everything that can fail is done first, on parts that nobody sees; then the new process is linked into the family and
//! the pid table, which cannot fail; then it starts. Namespaces are not there: their flags are refused.

use super::{
    Pid, Process, Task, capable,
    credentials::Capability,
    limits::Resource,
    pid,
    pid::{PidEntry, ReservedPid},
    pidfd,
    process::{ProcessParts, TREE},
    rseq,
    signal::{self, HandlerFork},
    task::{TaskFlags, TaskParts},
};
use crate::{
    arch::{self, TrapFrame, fpu::FpuState},
    ipc::{TaskIpc, semaphore},
    mm::{AddressSpace, KernelStack, UserAddr, user},
    sched::{self, TaskSched},
    sync::WaitQueue,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};

bitflags::bitflags! {
    /// `CLONE_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct CloneFlags: u64 {
        const NEWTIME = 0x80;
        const VM = 0x100;
        const FS = 0x200;
        const FILES = 0x400;
        const SIGHAND = 0x800;
        const PIDFD = 0x1000;
        const PTRACE = 0x2000;
        const VFORK = 0x4000;
        const PARENT = 0x8000;
        const THREAD = 0x10000;
        const NEWNS = 0x20000;
        const SYSVSEM = 0x40000;
        const SETTLS = 0x80000;
        const PARENT_SETTID = 0x100000;
        const CHILD_CLEARTID = 0x200000;
        /// Ignored since Linux 2.6.
        const DETACHED = 0x400000;
        const UNTRACED = 0x800000;
        const CHILD_SETTID = 0x1000000;
        const NEWCGROUP = 0x2000000;
        const NEWUTS = 0x4000000;
        const NEWIPC = 0x8000000;
        const NEWUSER = 0x10000000;
        const NEWPID = 0x20000000;
        const NEWNET = 0x40000000;
        const IO = 0x80000000;
        /// `clone3(2)` only.
        const CLEAR_SIGHAND = 0x1_0000_0000;
        /// `clone3(2)` only.
        const INTO_CGROUP = 0x2_0000_0000;
    }
}

impl CloneFlags {
    /// What this kernel has no namespaces (or cgroups) for.
    const UNSUPPORTED: CloneFlags = CloneFlags::NEWTIME
        .union(CloneFlags::NEWNS)
        .union(CloneFlags::NEWCGROUP)
        .union(CloneFlags::NEWUTS)
        .union(CloneFlags::NEWIPC)
        .union(CloneFlags::NEWUSER)
        .union(CloneFlags::NEWPID)
        .union(CloneFlags::NEWNET)
        .union(CloneFlags::INTO_CGROUP);
}

/// What the new task is to be like.
#[derive(Clone, Debug)]
pub struct CloneArgs {
    /// What it shares and what is to be done.
    pub flags: CloneFlags,
    /// Where the parent's side of a pidfd goes.
    pub pidfd: UserAddr,
    /// Where the thread id goes in the child's memory.
    pub child_tid: UserAddr,
    /// Where it goes in the parent's.
    pub parent_tid: UserAddr,
    /// The signal that the parent gets at the child's end; 0 for none.
    pub exit_signal: u8,
    /// The initial stack pointer; 0 keeps the parent's.
    pub stack_pointer: usize,
    /// The thread pointer, with `SETTLS`.
    pub tls: usize,
    /// The id it is to have (`set_tid`).
    pub tid: Option<Pid>,
}

impl CloneArgs {
    /// Plain `fork(2)`.
    pub fn fork() -> CloneArgs {
        CloneArgs {
            flags: CloneFlags::empty(),
            pidfd: UserAddr(0),
            child_tid: UserAddr(0),
            parent_tid: UserAddr(0),
            exit_signal: signal::Signal::SIGCHLD.0,
            stack_pointer: 0,
            tls: 0,
            tid: None,
        }
    }
}

/// Threads in the system, and how many there may be (`/proc/sys/kernel/threads-max`).
static THREADS: AtomicUsize = AtomicUsize::new(0);
static THREADS_MAX: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Threads ever made (`processes` in `/proc/stat`).
static CREATED: AtomicUsize = AtomicUsize::new(0);

/// Bounds the number of threads by the memory there is: no more than an eighth of it goes to kernel stacks.
pub(super) fn scale_thread_limit(pages: usize) {
    let stack_pages = crate::mm::KERNEL_STACK_SIZE / crate::mm::PAGE_SIZE;
    let max = (pages / (8 * stack_pages)).clamp(20, pid::PID_MAX as usize);
    THREADS_MAX.store(max, Relaxed);
}

/// Sets the number of threads that there may be.
pub fn set_thread_limit(limit: u32) {
    THREADS_MAX.store(limit as usize, Relaxed);
}

/// Threads in the system.
pub fn thread_count() -> usize {
    THREADS.load(Relaxed)
}

/// How many there may be.
pub fn thread_limit() -> usize {
    THREADS_MAX.load(Relaxed)
}

/// Threads made since boot.
pub fn created_count() -> usize {
    CREATED.load(Relaxed)
}

/// A thread has been released.
pub(super) fn thread_released(task: &Task) {
    if !task.is_kernel() {
        THREADS.fetch_sub(1, Relaxed);
        task.credentials.load().account.thread_ends();
    }
}

/// Makes a new task and starts it; its id. Errors as `clone(2)` has them.
pub fn clone(args: &CloneArgs) -> Result<Pid> {
    let flags = args.flags;
    check_flags(flags)?;
    let current = sched::current();
    let parent = current.to_arc();
    // A signal that came before the fork is the parent's alone: it is delivered first, then the call runs again.
    if signal::pending(&parent) {
        return Err(Errno::ERESTARTNOINTR);
    }
    if !sched::may_fork(&parent) {
        return Err(Errno::EAGAIN);
    }
    let charge = ThreadCharge::take(&parent)?;
    let mm = clone_address_space(&parent, args)?;
    let files = if flags.contains(CloneFlags::FILES) {
        parent.files.borrow().share();
        parent.files.load()
    } else {
        Some(parent.files.borrow().fork()?)
    };
    let fs = if flags.contains(CloneFlags::FS) {
        parent.fs.load()
    } else {
        Some(parent.fs.borrow().fork())
    };
    let undo = if flags.contains(CloneFlags::SYSVSEM) {
        Some(semaphore::share_undo_list(&parent)?)
    } else {
        None
    };
    let thread = clone_machine_state(&parent, args)?;
    let reserved = match args.tid {
        Some(tid) => pid::reserve_exact(tid)?,
        None => pid::reserve()?,
    };
    let tid = reserved.pid();
    let process = if flags.contains(CloneFlags::THREAD) {
        Arc::clone(&parent.process)
    } else {
        new_process(&parent, tid, args)?
    };
    let keep_alt_stack = !flags.contains(CloneFlags::VM) || flags.contains(CloneFlags::VFORK);
    let inherited = parent.flags() & TaskFlags::NO_NEW_PRIVS;
    let task = Task::new(TaskParts {
        tid,
        process,
        sched: TaskSched::new(Some(&parent.sched)),
        thread,
        signals: parent.signals.fork(keep_alt_stack),
        mm: Some(Arc::clone(&mm)),
        files,
        fs,
        ipc: TaskIpc::new(undo),
        credentials: parent.credentials.load(),
        name: *parent.name.lock(),
        flags: inherited | TaskFlags::FORKED_NO_EXEC,
    })?;
    task.personality.store(parent.personality.load(Relaxed), Relaxed);
    task.timer_slack.store(parent.timer_slack.load(Relaxed), Relaxed);
    if !flags.contains(CloneFlags::VM) {
        rseq::fork(&parent, &task);
    }
    if flags.contains(CloneFlags::CHILD_CLEARTID) {
        task.clear_child_tid.store(args.child_tid.0, Relaxed);
    }
    let vfork = flags.contains(CloneFlags::VFORK).then(|| Arc::new(VforkWait::new()));
    *task.vfork.lock() = vfork.clone();

    let pidfd = if flags.contains(CloneFlags::PIDFD) {
        Some(pidfd::prepare(&parent, &task, args.pidfd)?)
    } else {
        None
    };
    // From here on nothing fails but a group exit that got in between.
    link(&parent, &task, reserved, flags).inspect_err(|_| {
        if let Some(fd) = pidfd {
            let _ = parent.files.borrow().close(fd);
        }
    })?;
    charge.keep();
    // Bad addresses are ignored, as on Linux: the child is there.
    if flags.contains(CloneFlags::PARENT_SETTID) {
        let _ = user::write(args.parent_tid, &tid.0);
    }
    if flags.contains(CloneFlags::CHILD_SETTID) {
        mm.write_remote(args.child_tid.0, &tid.0.to_ne_bytes());
    }
    sched::start(task);
    if let Some(vfork) = vfork {
        // A fatal signal ends the wait; the parent dies on its way to user mode.
        let _ = vfork.wait();
    }
    Ok(tid)
}

fn check_flags(flags: CloneFlags) -> Result<()> {
    let has = |flag| flags.contains(flag);
    let wrong = flags.intersects(CloneFlags::UNSUPPORTED)
        || has(CloneFlags::THREAD) && !has(CloneFlags::SIGHAND)
        || has(CloneFlags::SIGHAND) && !has(CloneFlags::VM)
        || has(CloneFlags::SIGHAND) && has(CloneFlags::CLEAR_SIGHAND)
        || has(CloneFlags::PIDFD) && has(CloneFlags::DETACHED)
        // Init's siblings would have nobody to reap them.
        || has(CloneFlags::PARENT) && sched::current().process.pid == pid::INIT;
    if wrong { Err(Errno::EINVAL) } else { Ok(()) }
}

fn clone_address_space(parent: &Task, args: &CloneArgs) -> Result<Arc<AddressSpace>> {
    if args.flags.contains(CloneFlags::VM) {
        return parent.mm.load().ok_or(Errno::EINVAL);
    }
    let mm = parent.mm.borrow();
    // Both sides return to the same place of the stack. Unless others use the memory, the child gets that page now.
    let stack = arch::thread::with_user_frame(|frame| frame.rsp);
    let hot = (args.stack_pointer == 0 && Arc::strong_count(&mm) == 1).then_some(stack);
    mm.fork(hot)
}

/// Kernel stack and registers: the parent's user registers with 0 as the call's result.
fn clone_machine_state(parent: &Task, args: &CloneArgs) -> Result<arch::Thread> {
    let mut frame: TrapFrame = arch::thread::with_user_frame(|frame| *frame);
    frame.rax = 0;
    if args.stack_pointer != 0 {
        frame.rsp = args.stack_pointer;
    }
    let mut segments = parent.thread.segments();
    if args.flags.contains(CloneFlags::SETTLS) {
        if args.tls >= crate::mm::USER_END {
            return Err(Errno::EPERM);
        }
        segments = segments.with_fs_base(args.tls);
    }
    let stack = KernelStack::new()?;
    let fpu = FpuState::clone_current()?;
    Ok(arch::Thread::user(stack, frame, fpu, segments))
}

fn new_process(parent: &Arc<Task>, pid: Pid, args: &CloneArgs) -> Result<Arc<Process>> {
    let how = if args.flags.contains(CloneFlags::SIGHAND) {
        HandlerFork::Share
    } else if args.flags.contains(CloneFlags::CLEAR_SIGHAND) {
        HandlerFork::Clear
    } else {
        HandlerFork::Copy
    };
    let from = &parent.process;
    let exit_signal = if args.flags.contains(CloneFlags::PARENT) {
        from.exit_signal.load(Relaxed)
    } else {
        args.exit_signal
    };
    Process::new(ProcessParts {
        pid,
        signals: from.signals.fork(how),
        limits: from.limits().fork(),
        like: Some(Arc::clone(from)),
        exit_signal,
    })
}

/// Makes the new task visible. Fails only when the process is being ended or stopped meanwhile.
fn link(
    parent: &Arc<Task>,
    task: &Arc<Task>,
    reserved: ReservedPid,
    flags: CloneFlags,
) -> Result<()> {
    let process = &task.process;
    if flags.contains(CloneFlags::THREAD) {
        // The list first: a group exit that begins now finds the thread in one of the two.
        process.signals.attach(task)?;
        process.add_thread(task);
        reserved.publish(PidEntry::thread(task));
        return Ok(());
    }
    let _tree = TREE.lock();
    // Under the tree's lock a signal to the whole group either comes before (and the call restarts) or finds the child.
    if signal::pending(parent) {
        return Err(Errno::ERESTARTNOINTR);
    }
    process.signals.attach(task)?;
    process.add_thread(task);
    let family_parent = if flags.contains(CloneFlags::PARENT) {
        parent.process.parent()
    } else {
        Some(Arc::clone(&parent.process))
    };
    process.join_family(family_parent, &parent.process.group());
    reserved.publish(PidEntry::process(task));
    Ok(())
}

/// A thread counted against the limits; given back unless kept.
struct ThreadCharge(Option<Arc<super::UserAccount>>);

impl ThreadCharge {
    fn take(parent: &Task) -> Result<ThreadCharge> {
        let credentials = parent.credentials.load();
        let limit = parent.process.limits().soft(Resource::Processes);
        let over = credentials.account.thread_begins() > limit;
        THREADS.fetch_add(1, Relaxed);
        let charge = ThreadCharge(Some(Arc::clone(&credentials.account)));
        let exempt = credentials.uid == super::credentials::ROOT
            || credentials.has(Capability::SysResource)
            || credentials.has(Capability::SysAdmin);
        if over && !exempt || THREADS.load(Relaxed) > THREADS_MAX.load(Relaxed) {
            return Err(Errno::EAGAIN);
        }
        Ok(charge)
    }

    fn keep(mut self) {
        CREATED.fetch_add(1, Relaxed);
        self.0 = None;
    }
}

impl Drop for ThreadCharge {
    fn drop(&mut self) {
        if let Some(account) = &self.0 {
            account.thread_ends();
            THREADS.fetch_sub(1, Relaxed);
        }
    }
}

/// Counts the first process's thread.
pub(super) fn count_first_thread(task: &Task) {
    THREADS.fetch_add(1, Relaxed);
    task.credentials.load().account.thread_begins();
}

/// Checks `set_tid` of `clone3(2)`: one id, for there is one pid namespace. `EINVAL`, `EPERM`.
pub fn check_set_tid(tids: &[u32]) -> Result<Option<Pid>> {
    match tids {
        [] => Ok(None),
        [tid] => {
            if *tid == 0 || *tid >= pid::limit() {
                return Err(Errno::EINVAL);
            }
            if !capable(Capability::SysAdmin) && !capable(Capability::CheckpointRestore) {
                return Err(Errno::EPERM);
            }
            Ok(Some(Pid(*tid)))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// By which a parent that called `vfork(2)` learns that its memory is its own again.
pub(super) struct VforkWait {
    done: AtomicBool,
    queue: WaitQueue,
}

impl VforkWait {
    fn new() -> VforkWait {
        VforkWait { done: AtomicBool::new(false), queue: WaitQueue::new() }
    }

    /// The child has called `execve` or is gone.
    pub(super) fn complete(&self) {
        self.done.store(true, SeqCst);
        self.queue.wake_all();
    }

    /// Sleeps until then; only a fatal signal ends it early.
    fn wait(&self) -> Result<()> {
        self.queue.wait_killable(|| self.done.load(SeqCst).then_some(()))
    }
}

/// The ids in user memory at `addr`, at most 32 (`MAX_PID_NS_LEVEL`).
pub fn read_set_tid(addr: UserAddr, count: usize) -> Result<Vec<u32>> {
    if count > 32 || addr.is_null() != (count == 0) {
        return Err(Errno::EINVAL);
    }
    user::read_array(addr, count)
}
