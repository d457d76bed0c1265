//! A task: one thread, the thing that is scheduled.
//!
//! Locks: each part has its own; the fields here that others read are atomics. A task is made by
//! [`super::clone`] (user threads), or [`Task::new_kernel`] (kernel threads). It does not know how it is scheduled, signalled or mapped: its parts do.

use super::{
    Credentials, Pid, Process, pid,
    rseq::Rseq,
    signal::{SignalSet, TaskSignals},
    user_dispatch::UserDispatch,
};
use crate::{
    arch,
    fs::{FdTable, FsContext},
    ipc::TaskIpc,
    mm::{AddressSpace, try_alloc},
    sched::TaskSched,
    sync::{SpinLock, TaskCell, class, rcu::RcuArc},
    time::{self, Instant},
};
use abi::Result;
use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
    fence,
};

/// Bytes in a task's name, its NUL included (`TASK_COMM_LEN`).
pub const NAME_LEN: usize = 16;

/// A thread. Each subsystem has its part; only that subsystem reaches inside.
// Has a slab cache, which knows it by its alignment.
#[repr(align(16))]
pub struct Task {
    /// The thread id; an `execve` in a thread that is not the leader gives it the leader's.
    tid: AtomicU32,
    /// The thread group.
    pub process: Arc<Process>,
    /// Scheduling state.
    pub sched: TaskSched,
    /// Machine state.
    pub thread: arch::Thread,
    /// Signal mask, thread-directed pending signals, alternate stack.
    pub signals: TaskSignals,
    /// Address space; none for kernel threads.
    pub mm: TaskCell<AddressSpace>,
    /// Descriptors.
    pub files: TaskCell<FdTable>,
    /// Root and working directory, umask.
    pub fs: TaskCell<FsContext>,
    /// Credentials.
    pub credentials: RcuArc<Credentials>,
    /// The name (`comm`), NUL-padded.
    pub name: SpinLock<[u8; NAME_LEN]>,
    /// `set_tid_address(2)`, `CLONE_CHILD_CLEARTID`.
    pub clear_child_tid: AtomicUsize,
    /// `set_robust_list(2)`.
    pub robust_list: AtomicUsize,
    /// Locks with priority inheritance that it owns and others wait for.
    pub(super) contended_locks: AtomicUsize,
    /// It waits for such a lock, or is about to.
    pub(super) waits_for_lock: AtomicBool,
    /// `rseq(2)`.
    pub rseq: Rseq,
    /// `PR_SET_SYSCALL_USER_DISPATCH`.
    pub(super) user_dispatch: UserDispatch,
    /// `personality(2)`.
    pub personality: AtomicU32,
    /// `PR_SET_PDEATHSIG`: the signal sent when the parent thread's process ends; 0 for none.
    pub parent_death_signal: AtomicU8,
    /// `PR_SET_TIMERSLACK`, in nanoseconds.
    pub timer_slack: AtomicU64,
    /// Semaphore adjustments and segments (`sysvipc(7)`).
    pub ipc: TaskIpc,
    /// What this thread has used beside CPU time.
    pub accounting: Accounting,
    /// When it was made, on the monotonic clock.
    pub start_time: Instant,
    /// Whom to tell that this task no longer uses its parent's address space (`vfork(2)`).
    pub(super) vfork: SpinLock<Option<Arc<super::clone::VforkWait>>>,
    flags: AtomicU32,
}

bitflags::bitflags! {
    /// What a task is or is about.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct TaskFlags: u32 {
        /// A kernel thread.
        const KERNEL = 1;
        /// On its way out: takes no more signals.
        const EXITING = 2;
        /// `PR_SET_NO_NEW_PRIVS`.
        const NO_NEW_PRIVS = 4;
        /// Forked and has not called `execve` since (`setpgid(2)`'s `EACCES`).
        const FORKED_NO_EXEC = 8;
        /// Its use of resources is in its process's sum.
        const COUNTED_OUT = 16;
        /// At the very end of its exit.
        const ENDED = 32;
        /// Its user had more threads than its limit allows when its ids changed.
        const OVER_PROCESS_LIMIT = 64;
        /// Ends, and has given up its locks: nobody may wait for one of it.
        const LEFT_LOCKS = 128;
        /// Has used a capability (`PF_SUPERPRIV`).
        const SUPER = 0x100;
    }
}

/// Event counts of a thread (`getrusage(2)`).
#[derive(Default)]
pub struct Accounting {
    /// Page faults that needed no I/O.
    pub minor_faults: AtomicU64,
    /// Page faults that needed I/O.
    pub major_faults: AtomicU64,
    /// Blocks read, in 512-byte units.
    pub blocks_in: AtomicU64,
    /// Blocks written, in 512-byte units.
    pub blocks_out: AtomicU64,
}

impl Accounting {
    /// Counts a fault that needed no I/O. Only the task itself does, so no atomic addition is needed.
    pub fn count_minor_fault(&self) {
        self.minor_faults.store(self.minor_faults.load(Relaxed) + 1, Relaxed);
    }
}

/// What a new task is made of; the rest starts from nothing.
pub(super) struct TaskParts {
    pub tid: Pid,
    pub process: Arc<Process>,
    pub sched: TaskSched,
    pub thread: arch::Thread,
    pub signals: TaskSignals,
    pub mm: Option<Arc<AddressSpace>>,
    pub files: Option<Arc<FdTable>>,
    pub fs: Option<Arc<FsContext>>,
    pub ipc: TaskIpc,
    pub credentials: Arc<Credentials>,
    pub name: [u8; NAME_LEN],
    pub flags: TaskFlags,
}

/// Linux's default timer slack: 50 µs.
const DEFAULT_TIMER_SLACK: u64 = 50_000;

impl Task {
    pub(super) fn new(parts: TaskParts) -> Result<Arc<Task>> {
        try_alloc::arc(Task {
            tid: AtomicU32::new(parts.tid.0),
            process: parts.process,
            sched: parts.sched,
            thread: parts.thread,
            signals: parts.signals,
            mm: TaskCell::new(parts.mm),
            files: TaskCell::new(parts.files),
            fs: TaskCell::new(parts.fs),
            credentials: RcuArc::new(parts.credentials),
            name: SpinLock::new(&class::TABLE, parts.name),
            clear_child_tid: AtomicUsize::new(0),
            robust_list: AtomicUsize::new(0),
            contended_locks: AtomicUsize::new(0),
            waits_for_lock: AtomicBool::new(false),
            rseq: Rseq::new(),
            user_dispatch: UserDispatch::default(),
            personality: AtomicU32::new(0),
            parent_death_signal: AtomicU8::new(0),
            timer_slack: AtomicU64::new(DEFAULT_TIMER_SLACK),
            ipc: parts.ipc,
            accounting: Accounting::default(),
            start_time: time::monotonic(),
            vfork: SpinLock::new(&class::TABLE, None),
            flags: AtomicU32::new(parts.flags.bits()),
        })
    }

    /// A kernel thread (no address space, no descriptors, root's credentials), not yet started (see
    /// [`crate::sched::start`]). `tid` zero makes an idle task, which is in no table; `None` takes the next free id.
    pub fn new_kernel(name: &str, thread: arch::Thread, tid: Option<Pid>) -> Result<Arc<Task>> {
        let reserved = match tid {
            Some(Pid(0)) => {
                return Self::kernel_parts(Pid(0), name, thread);
            }
            Some(tid) => pid::reserve_exact(tid)?,
            None => pid::reserve()?,
        };
        let tid = reserved.pid();
        let task = Self::kernel_parts(tid, name, thread)?;
        task.process.signals.attach(&task)?;
        task.process.add_thread(&task);
        reserved.publish(pid::PidEntry::process(&task));
        Ok(task)
    }

    fn kernel_parts(tid: Pid, name: &str, thread: arch::Thread) -> Result<Arc<Task>> {
        Task::new(TaskParts {
            tid,
            process: Process::new_kernel(tid)?,
            sched: TaskSched::new(None),
            thread,
            signals: TaskSignals::new(SignalSet::default()),
            mm: None,
            files: None,
            fs: None,
            ipc: TaskIpc::new(None),
            credentials: Credentials::root(),
            name: pad_name(name.as_bytes()),
            flags: TaskFlags::KERNEL,
        })
    }

    /// The thread id.
    pub fn tid(&self) -> Pid {
        Pid(self.tid.load(Relaxed))
    }

    pub(super) fn set_tid(&self, tid: Pid) {
        self.tid.store(tid.0, Relaxed);
    }

    /// The flags now.
    pub fn flags(&self) -> TaskFlags {
        TaskFlags::from_bits_retain(self.flags.load(Relaxed))
    }

    /// Sets flags.
    pub fn set_flags(&self, flags: TaskFlags) {
        self.flags.fetch_or(flags.bits(), Relaxed);
    }

    /// Takes flags away.
    pub fn clear_flags(&self, flags: TaskFlags) {
        self.flags.fetch_and(!flags.bits(), Relaxed);
    }

    /// Whether it is a kernel thread (an idle task included).
    pub fn is_kernel(&self) -> bool {
        self.flags().contains(TaskFlags::KERNEL)
    }

    /// Whether it has begun to exit.
    pub fn is_exiting(&self) -> bool {
        self.flags().contains(TaskFlags::EXITING)
    }

    /// Notes whether it waits for a lock with priority inheritance, for changes of its priority.
    pub(super) fn set_waits_for_lock(&self, waits: bool) {
        self.waits_for_lock.store(waits, Relaxed);
        fence(SeqCst);
    }

    pub(super) fn counted_out(&self) -> bool {
        self.flags().contains(TaskFlags::COUNTED_OUT)
    }

    /// Sets the name; what is beyond 15 bytes is cut.
    pub fn set_name(&self, name: &[u8]) {
        *self.name.lock() = pad_name(name);
    }

    /// The name without its padding.
    pub fn name_bytes(&self) -> arrayvec::ArrayVec<u8, NAME_LEN> {
        let name = *self.name.lock();
        name.iter().copied().take_while(|&byte| byte != 0).collect()
    }
}

/// A name as [`Task`] keeps it.
pub(super) fn pad_name(name: &[u8]) -> [u8; NAME_LEN] {
    let mut padded = [0; NAME_LEN];
    let len = name.len().min(NAME_LEN - 1);
    padded[..len].copy_from_slice(&name[..len]);
    padded
}
