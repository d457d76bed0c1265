//! A process: a thread group, its place in the family, what its threads share.
//!
//! Locks: changes of the family (parent, children, group, what `wait` reports) are made under [`TREE`], the
//! outermost lock; parent and group are read under RCU. The list of threads has its own lock, which is safe in
//! interrupts. How processes begin and end is in [`super::clone`], [`super::exec`] and [`super::exit`].

use super::{
    ExitStatus, Limits, Pid, ProcessGroup, Session, Task, rusage::Rusage, signal::ProcessSignals,
    task::TaskFlags,
};
use crate::{
    fs::File,
    mm::{AddressSpace, try_alloc},
    sync::{IrqSpinLock, Lazy, SpinLock, WaitQueue, class, rcu, rcu::RcuArc},
};
use abi::Result;
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed},
};

/// Guards the shape of the process tree: parents, children, groups, and what `wait` reports.
pub(super) static TREE: SpinLock<()> = SpinLock::new(&class::PROCESS_TREE, ());

/// A thread group.
pub struct Process {
    /// The process id: the leader's thread id.
    pub pid: Pid,
    /// Handlers, process-directed pending signals, stop state, interval timers.
    pub signals: ProcessSignals,
    /// Woken when the process has become a zombie (pidfds).
    pub exit_event: Arc<WaitQueue>,
    /// The running program, for `/proc/<pid>/exe`.
    pub executable: SpinLock<Option<Arc<File>>>,
    /// The auxiliary vector as the program got it, for `/proc/<pid>/auxv`.
    pub auxv: SpinLock<Vec<u64>>,
    /// `PR_SET_DUMPABLE`: 0, 1 or 2.
    pub dumpable: AtomicU8,
    /// How many programs it has started: tells whether it still runs the one that it did.
    pub programs_run: AtomicU32,
    /// `oom_score_adj`, biased by 1000: 0 to 2000.
    pub oom_score_adj: AtomicU32,
    limits: Limits,
    relations: RcuArc<Relations>,
    threads: IrqSpinLock<Threads>,
    pub(super) family: SpinLock<Family>,
    pub(super) usage: SpinLock<ProcessUsage>,
    pub(super) group_slot: AtomicUsize,
    /// `PR_SET_CHILD_SUBREAPER`.
    pub(super) child_subreaper: AtomicBool,
    /// Set on every descendant of a subreaper, so that exits elsewhere need no search.
    pub(super) has_subreaper: AtomicBool,
    /// The signal its parent gets at its end; 0 for none.
    pub(super) exit_signal: AtomicU8,
    /// Threads that have not come to the end of their exit; the last one ends the process.
    pub(super) unfinished: AtomicUsize,
    /// The wait status of the last thread to exit: the process's, unless a group exit sets another.
    pub(super) final_status: AtomicU32,
    /// Set with the report of its end, so that others can ask without the tree's lock.
    pub(super) ended: AtomicBool,
    /// The session whose terminal it gave up without leaving the session (`TIOCNOTTY`); 0 for none.
    terminal_left: AtomicU32,
}

/// Parent and group: replaced as a whole, read under RCU.
#[derive(Clone)]
struct Relations {
    parent: Option<Arc<Process>>,
    group: Arc<ProcessGroup>,
}

/// Of kernel threads, and of a process before it is linked.
static UNRELATED: Lazy<Arc<Relations>> =
    Lazy::new(|| Arc::new(Relations { parent: None, group: ProcessGroup::kernel() }));

/// The threads by id. The leader stays, dead or alive, until the process is reaped or an `execve` takes its place.
#[derive(Default)]
struct Threads {
    by_tid: BTreeMap<Pid, Arc<Task>>,
}

/// What changes only under [`TREE`].
#[derive(Default)]
pub(super) struct Family {
    /// Children in the order they came.
    pub children: BTreeMap<u64, Arc<Process>>,
    /// Those among them that have exited.
    pub zombies: BTreeMap<u64, Arc<Process>>,
    /// Its key in its parent's maps.
    pub sequence: u64,
    /// How it ended; it is a zombie until it is reaped.
    pub exited: Option<ExitStatus>,
    /// Somebody has reaped it.
    pub reaped: bool,
    /// The key for the next child.
    next_sequence: u64,
}

/// CPU time and events of threads and children that are gone.
#[derive(Default, Clone, Copy)]
pub(super) struct ProcessUsage {
    /// Of threads that have exited.
    pub dead_threads: Rusage,
    /// Of children that were waited for, and theirs.
    pub children: Rusage,
}

/// What a new process starts from.
pub(super) struct ProcessParts {
    pub pid: Pid,
    pub signals: ProcessSignals,
    pub limits: Limits,
    /// From which it inherits; not yet its parent (see [`Process::join_family`]).
    pub like: Option<Arc<Process>>,
    pub exit_signal: u8,
}

impl Process {
    pub(super) fn new(parts: ProcessParts) -> Result<Arc<Process>> {
        let from = parts.like.as_ref();
        try_alloc::arc(Process {
            pid: parts.pid,
            signals: parts.signals,
            exit_event: Arc::new(WaitQueue::new()),
            executable: SpinLock::new(
                &class::TABLE,
                from.and_then(|parent| parent.executable.lock().clone()),
            ),
            auxv: SpinLock::new(
                &class::TABLE,
                from.map(|parent| parent.auxv.lock().clone()).unwrap_or_default(),
            ),
            dumpable: AtomicU8::new(from.map_or(1, |parent| parent.dumpable.load(Relaxed))),
            programs_run: AtomicU32::new(0),
            oom_score_adj: AtomicU32::new(
                from.map_or(1000, |parent| parent.oom_score_adj.load(Relaxed)),
            ),
            limits: parts.limits,
            child_subreaper: AtomicBool::new(false),
            has_subreaper: AtomicBool::new(from.is_some_and(|parent| {
                parent.has_subreaper.load(Relaxed) || parent.child_subreaper.load(Relaxed)
            })),
            relations: RcuArc::new(Arc::clone(&UNRELATED)),
            threads: IrqSpinLock::new(&class::THREADS, Threads::default()),
            family: SpinLock::new(&class::FAMILY, Family::default()),
            usage: SpinLock::new(&class::TABLE, ProcessUsage::default()),
            group_slot: AtomicUsize::new(0),
            exit_signal: AtomicU8::new(parts.exit_signal),
            unfinished: AtomicUsize::new(0),
            final_status: AtomicU32::new(0),
            ended: AtomicBool::new(false),
            terminal_left: AtomicU32::new(
                from.map_or(0, |parent| parent.terminal_left.load(Relaxed)),
            ),
        })
    }

    /// The process of a kernel thread: no parent, the kernel's own group.
    pub(super) fn new_kernel(pid: Pid) -> Result<Arc<Process>> {
        Process::new(ProcessParts {
            pid,
            signals: ProcessSignals::new(),
            limits: Limits::initial(),
            like: None,
            exit_signal: 0,
        })
    }

    /// The parent's id as `getppid(2)` tells it.
    pub fn parent_pid(&self) -> Pid {
        let guard = rcu::read();
        self.relations.get(&guard).parent.as_ref().map_or(Pid(0), |parent| parent.pid)
    }

    /// The parent; none for the first process and for kernel threads.
    pub fn parent(&self) -> Option<Arc<Process>> {
        let guard = rcu::read();
        self.relations.get(&guard).parent.clone()
    }

    /// The process group.
    pub fn group(&self) -> Arc<ProcessGroup> {
        let guard = rcu::read();
        Arc::clone(&self.relations.get(&guard).group)
    }

    /// The process group's id: no count is touched.
    pub fn group_id(&self) -> Pid {
        let guard = rcu::read();
        self.relations.get(&guard).group.id
    }

    /// The session.
    pub fn session(&self) -> Arc<Session> {
        let guard = rcu::read();
        Arc::clone(&self.relations.get(&guard).group.session)
    }

    /// The session's id: no count is touched.
    pub fn session_id(&self) -> Pid {
        let guard = rcu::read();
        self.relations.get(&guard).group.session.id
    }

    /// The controlling terminal: its session's, unless it gave that up.
    pub fn terminal(&self) -> Option<Arc<crate::tty::Terminal>> {
        let session = self.session();
        if self.terminal_left.load(Relaxed) == session.id.0 { None } else { session.terminal() }
    }

    /// Gives up the session's terminal for this process and those that it makes from now on (`TIOCNOTTY`).
    pub fn leave_terminal(&self) {
        self.terminal_left.store(self.session_id().0, Relaxed);
    }

    /// Whether it leads its session.
    pub fn is_session_leader(&self) -> bool {
        self.session_id() == self.pid
    }

    /// Gives a new process its parent and group. Under [`TREE`].
    pub(super) fn join_family(
        self: &Arc<Self>,
        parent: Option<Arc<Process>>,
        group: &Arc<ProcessGroup>,
    ) {
        if let Some(parent) = &parent {
            parent.adopt(self);
        }
        group.add(self);
        self.relations.store(Arc::new(Relations { parent, group: Arc::clone(group) }));
    }

    /// Enters `child` among the children. Under [`TREE`].
    pub(super) fn adopt(&self, child: &Arc<Process>) {
        let sequence = {
            let mut family = self.family.lock();
            let sequence = family.next_sequence;
            family.next_sequence += 1;
            family.children.insert(sequence, Arc::clone(child));
            sequence
        };
        child.family.lock().sequence = sequence;
    }

    /// Gives it another parent. Under [`TREE`].
    pub(super) fn set_parent(&self, parent: Option<Arc<Process>>) {
        let group = self.group();
        self.relations.store(Arc::new(Relations { parent, group }));
    }

    /// Moves it to another group, members' lists included. Under [`TREE`].
    pub(super) fn set_group(self: &Arc<Self>, group: &Arc<ProcessGroup>) {
        let (old, parent) = (self.group(), self.parent());
        old.remove(self);
        group.add(self);
        self.relations.store(Arc::new(Relations { parent, group: Arc::clone(group) }));
    }

    /// Its threads that are still listed: live ones, and a dead leader.
    pub fn threads(&self) -> Vec<Arc<Task>> {
        self.threads.lock().by_tid.values().cloned().collect()
    }

    /// Calls `f` with each listed thread, in order of thread id, until it says to stop. The list's lock (rank
    /// `THREADS`, interrupts off) is held: `f` takes only locks of signals and below.
    pub fn for_each_thread(&self, mut f: impl FnMut(&Arc<Task>) -> core::ops::ControlFlow<()>) {
        for task in self.threads.lock().by_tid.values() {
            if f(task).is_break() {
                break;
            }
        }
    }

    /// The thread with id `tid`, if it is one of this process's.
    pub fn thread(&self, tid: Pid) -> Option<Arc<Task>> {
        self.threads.lock().by_tid.get(&tid).cloned()
    }

    /// The leader (kept until the process is reaped).
    pub fn leader(&self) -> Option<Arc<Task>> {
        self.thread(self.pid)
    }

    pub(super) fn add_thread(&self, task: &Arc<Task>) {
        self.threads.lock().by_tid.insert(task.tid(), Arc::clone(task));
        self.unfinished.fetch_add(1, Relaxed);
    }

    /// Whether `task` is the listed leader: not so for one whose place an `execve` has taken.
    pub(super) fn is_current_leader(&self, task: &Arc<Task>) -> bool {
        self.leader().is_some_and(|leader| Arc::ptr_eq(&leader, task))
    }

    /// Whether every other thread has come to its end (a dead leader counts as gone).
    pub(super) fn is_alone(&self, task: &Arc<Task>) -> bool {
        self.threads
            .lock()
            .by_tid
            .values()
            .all(|other| Arc::ptr_eq(other, task) || other.flags().contains(TaskFlags::ENDED))
    }

    /// Takes a thread off the list.
    pub(super) fn remove_thread(&self, tid: Pid) -> Option<Arc<Task>> {
        self.threads.lock().by_tid.remove(&tid)
    }

    /// After `execve` by a thread that was not the leader: it takes the leader's id and place; the old leader.
    pub(super) fn replace_leader(&self, task: &Arc<Task>) -> Option<Arc<Task>> {
        let mut threads = self.threads.lock();
        threads.by_tid.remove(&task.tid());
        task.set_tid(self.pid);
        threads.by_tid.insert(self.pid, Arc::clone(task))
    }

    /// Resource limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The address space, unless it has exited.
    pub fn address_space(&self) -> Option<Arc<AddressSpace>> {
        self.threads().iter().find_map(|task| task.mm.load())
    }

    /// The signal its parent gets at its end; 0 for none.
    pub fn exit_signal_number(&self) -> u8 {
        self.exit_signal.load(Relaxed)
    }

    /// `PR_GET_CHILD_SUBREAPER`.
    pub fn is_child_subreaper(&self) -> bool {
        self.child_subreaper.load(Relaxed)
    }

    /// `PR_SET_CHILD_SUBREAPER`: orphans among the descendants become this process's children. All descendants are
    /// marked, so that an exit elsewhere need not search.
    pub fn set_child_subreaper(&self, reaper: bool) {
        self.child_subreaper.store(reaper, Relaxed);
        if !reaper {
            return;
        }
        let _tree = TREE.lock();
        let mut below: Vec<_> = self.family.lock().children.values().cloned().collect();
        while let Some(process) = below.pop() {
            if !process.has_subreaper.swap(true, Relaxed) {
                below.extend(process.family.lock().children.values().cloned());
            }
        }
    }

    /// Whether it has ended and waits to be reaped, or was.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Acquire)
    }

    /// Whether somebody has reaped it.
    pub fn was_reaped(&self) -> bool {
        self.family.lock().reaped
    }

    /// How it ended, while it is a zombie or about to be released.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        let _tree = TREE.lock();
        self.family.lock().exited
    }
}
