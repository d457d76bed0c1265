//! The signal state of a process and of a thread, and the hooks by which fork, exec and exit change it.
//!
//! [`ProcessSignals`] has one lock, which every sender takes and which orders all of this: the process-directed queue, the list
//! of live threads, stops, the order to exit. A thread's own queue has a lock inside that one. What a running thread looks at
//! all the time (its mask, the summary of what is pending, whether there are orders) is in atomics: a change of the mask or the
//! test whether a sleep must end takes no lock.
//!
//! The one rule that makes this safe: a sender publishes (summary or orders) before it raises the thread's work flag, and a
//! thread that takes its work flag down looks at them again afterwards ([`recalculate`]).

use super::{Handlers, Queue, RestartBlock, Signal, SignalSet, itimer::IntervalTimers};
use crate::{
    arch::thread::WorkFlags,
    process::{ExitStatus, Pid, Process, Task},
    sched::{self, WakeEvent},
    sync::{
        IrqSpinLock, SpinLock, WaitQueue, class,
        rcu::{self, RcuArc},
    },
    time::PosixTimers,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

bitflags::bitflags! {
    /// Orders to all threads of a process, beside its signals.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(super) struct Orders: u32 {
        /// Every thread is to stop.
        const STOP = 1;
        /// The parent is to be told that the process stopped or continued.
        const NOTIFY = 2;
    }
}

/// A stop of all threads.
pub(super) struct Stop {
    /// Which signal asked for it.
    pub signal: Signal,
    /// All threads have stopped.
    pub complete: bool,
}

/// A change that `wait4(2)` reports once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopEvent {
    /// All threads stopped, by this signal.
    Stopped(Signal),
    /// SIGCONT ended a stop.
    Continued,
}

/// A process's part: handlers, process-directed queue, stop and group-exit state, interval timers.
pub struct ProcessSignals {
    /// What is done with each signal; `CLONE_SIGHAND` shares it.
    pub(super) handlers: RcuArc<Handlers>,
    /// Summary of the process-directed queue.
    pub(super) pending: AtomicU64,
    /// [`Orders`] now.
    pub(super) orders: AtomicU32,
    /// Signals whose default action would end this process are dropped: it is init.
    pub(super) unkillable: AtomicBool,
    pub(super) state: IrqSpinLock<State>,
    /// `wait4(2)` of this process sleeps here; a child that exits, stops or continues wakes it.
    pub child_wait: Arc<WaitQueue>,
    /// Where signalfd readers wait.
    pub(super) signalfd: Arc<WaitQueue>,
    /// `setitimer(2)`.
    pub timers: IntervalTimers,
    /// `timer_create(2)`.
    pub posix_timers: PosixTimers,
}

/// What the lock of a process's signals protects.
pub(super) struct State {
    /// Process-directed signals.
    pub queue: Queue,
    /// Live threads: from `attach` to `detach`.
    pub threads: Vec<Arc<Task>>,
    /// Where the search for a thread to take a signal begins.
    pub next_target: usize,
    /// How all threads are to exit.
    pub exit_status: Option<ExitStatus>,
    /// The thread that runs exec while the others die.
    pub exec: Option<Pid>,
    /// The stop in force or under way.
    pub stop: Option<Stop>,
    /// How many SIGCONTs were sent: one that comes between the taking of a stop signal and its effect cancels it.
    pub continues: u32,
    /// How many threads have stopped.
    pub stopped: usize,
    /// What `wait4(2)` has not yet reported.
    pub event: Option<StopEvent>,
    /// What the process itself has yet to tell its parent.
    pub notice: Option<StopEvent>,
}

impl ProcessSignals {
    /// The first process's: default handlers, and immune to what would end it.
    pub fn init() -> ProcessSignals {
        let signals = ProcessSignals::with_handlers(Arc::new(Handlers::new()));
        signals.unkillable.store(true, Ordering::Relaxed);
        signals
    }

    /// A kernel thread's: default handlers, nothing pending.
    pub fn new() -> ProcessSignals {
        ProcessSignals::with_handlers(Arc::new(Handlers::new()))
    }

    /// A child process's: the handlers are shared (`CLONE_SIGHAND`), reset (`CLONE_CLEAR_SIGHAND`) or copied; nothing is pending.
    /// Threads of one process share the whole of this.
    pub fn fork(&self, how: HandlerFork) -> ProcessSignals {
        let handlers = self.handlers.load();
        ProcessSignals::with_handlers(match how {
            HandlerFork::Share => handlers,
            HandlerFork::Copy => Arc::new(handlers.duplicate()),
            HandlerFork::Clear => Arc::new(handlers.cleared()),
        })
    }

    /// Tells tables of handlers apart (`kcmp(2)`).
    pub fn handlers_address(&self) -> usize {
        Arc::as_ptr(&self.handlers.load()).addr()
    }

    fn with_handlers(handlers: Arc<Handlers>) -> ProcessSignals {
        ProcessSignals {
            handlers: RcuArc::new(handlers),
            pending: AtomicU64::new(0),
            orders: AtomicU32::new(0),
            unkillable: AtomicBool::new(false),
            state: IrqSpinLock::new(
                &class::SIGNAL,
                State {
                    queue: Queue::new(),
                    threads: Vec::new(),
                    next_target: 0,
                    exit_status: None,
                    exec: None,
                    stop: None,
                    continues: 0,
                    stopped: 0,
                    event: None,
                    notice: None,
                },
            ),
            child_wait: Arc::new(WaitQueue::new()),
            signalfd: Arc::new(WaitQueue::new()),
            timers: IntervalTimers::new(),
            posix_timers: PosixTimers::new(),
        }
    }

    /// exec's part, once the caller is the only thread: handlers go back to default (ignored stays ignored) and are no longer
    /// shared. Pending signals, mask and interval timers stay; POSIX timers go.
    pub fn exec_reset(&self) {
        self.posix_timers.clear();
        let handlers = self.handlers.load();
        self.handlers.store(Arc::new(handlers.cleared()));
    }

    /// Adds a new thread before it first runs. `ERESTARTNOINTR` when the process is being told to exit or to stop, so that
    /// no thread escapes: the caller drops the new thread and returns that error.
    pub fn attach(&self, task: &Arc<Task>) -> Result<()> {
        let mut state = self.state.lock();
        if state.exit_status.is_some() || state.exec.is_some() || state.stop.is_some() {
            return Err(Errno::ERESTARTNOINTR);
        }
        state.threads.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        task.signals.slot.store(state.threads.len(), Ordering::Relaxed);
        state.threads.push(Arc::clone(task));
        Ok(())
    }

    /// Takes the current thread out at the start of its exit: no signal reaches it any more, and signals of the process that it
    /// was to take go to the others. True for the last thread.
    pub fn detach(&self, task: &Task) -> bool {
        let mut state = self.state.lock();
        let slot = task.signals.slot.swap(NO_SLOT, Ordering::Relaxed);
        if slot >= state.threads.len() {
            return state.threads.is_empty();
        }
        let gone = state.threads.swap_remove(slot);
        if let Some(moved) = state.threads.get(slot) {
            moved.signals.slot.store(slot, Ordering::Relaxed);
        }
        if task.signals.in_stop.swap(false, Ordering::Relaxed) {
            state.stopped -= 1;
        }
        let last = state.threads.is_empty();
        let stop_complete = state.complete_stop();
        if !last {
            self.retarget(&state, SignalSet(!task.signals.blocked.load(Ordering::Relaxed)));
        }
        let exec_waits = state.exec.is_some();
        drop(state);
        drop(gone);
        if exec_waits {
            self.child_wait.wake_all();
        }
        if let Some(event) = stop_complete {
            super::child::notify_stop(&task.process, event);
        }
        last
    }

    /// The number of live threads.
    pub fn thread_count(&self) -> usize {
        self.state.lock().threads.len()
    }

    /// The status with which the process is told to exit, if it is.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.state.lock().exit_status
    }

    /// Handlers set to ignore, and handlers set to a function (`/proc/<pid>/status`).
    pub fn handler_summary(&self) -> (SignalSet, SignalSet) {
        self.handlers.get(&rcu::read()).summary()
    }

    /// Process-directed signals that are pending.
    pub fn pending_set(&self) -> SignalSet {
        SignalSet(self.pending.load(Ordering::SeqCst))
    }

    /// Where a signalfd registers its pollers.
    pub fn signalfd_queue(&self) -> &Arc<WaitQueue> {
        &self.signalfd
    }

    pub(super) fn orders(&self) -> Orders {
        Orders::from_bits_retain(self.orders.load(Ordering::SeqCst))
    }

    pub(super) fn set_order(&self, order: Orders) {
        self.orders.fetch_or(order.bits(), Ordering::SeqCst);
    }

    pub(super) fn clear_order(&self, order: Orders) {
        self.orders.fetch_and(!order.bits(), Ordering::SeqCst);
    }

    /// Publishes the process-directed queue's summary after a change.
    pub(super) fn publish(&self, state: &State) {
        self.pending.store(state.queue.set().0, Ordering::SeqCst);
    }

    /// Wakes other threads for process-directed signals among `which` that the current one will not take.
    pub(super) fn retarget(&self, state: &State, which: SignalSet) {
        let mut left = self.pending_set().intersection(which);
        for task in &state.threads {
            if left.is_empty() {
                return;
            }
            let takes = left.difference(task.signals.blocked());
            if !takes.is_empty() {
                left = left.difference(takes);
                raise(task, WakeEvent::Signal);
            }
        }
    }
}

impl State {
    /// When the stop under way has just become complete: records it for `wait4(2)`, and gives what the parent is to be told
    /// once the lock is released.
    pub(super) fn complete_stop(&mut self) -> Option<StopEvent> {
        let stop = self.stop.as_mut()?;
        if stop.complete || self.threads.is_empty() || self.stopped < self.threads.len() {
            return None;
        }
        stop.complete = true;
        self.event = Some(StopEvent::Stopped(stop.signal));
        self.event
    }
}

/// What becomes of the handlers in a new process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandlerFork {
    /// `CLONE_SIGHAND`.
    Share,
    /// Plain fork.
    Copy,
    /// `CLONE_CLEAR_SIGHAND`.
    Clear,
}

/// `slot` of a thread that is not attached.
const NO_SLOT: usize = usize::MAX;

/// A task's part: mask, thread-directed queue, alternate stack.
pub struct TaskSignals {
    /// Written by the task itself only.
    pub(super) blocked: AtomicU64,
    /// The mask as it was before `sigtimedwait(2)` unblocked what it waits for; zero outside.
    pub(super) real_blocked: AtomicU64,
    /// The mask that the end of the call restores, while `saved_valid`.
    pub(super) saved: AtomicU64,
    pub(super) saved_valid: AtomicBool,
    /// Summary of the queue.
    pub(super) pending: AtomicU64,
    pub(super) queue: IrqSpinLock<Queue>,
    pub(super) alt_stack: AltStackCell,
    /// How `restart_syscall(2)` goes on.
    pub(super) restart: SpinLock<Option<RestartBlock>>,
    /// The last fault's trap number, error code and address, for signal frames.
    pub(super) trap: [AtomicUsize; 3],
    /// Whether it counts as stopped. Changed under the process's lock.
    pub(super) in_stop: AtomicBool,
    /// Where it is in the process's list of threads.
    slot: AtomicUsize,
}

/// `sigaltstack(2)` state: base, size, flags. Only the task itself uses it.
pub(super) struct AltStackCell(pub [AtomicUsize; 3]);

impl TaskSignals {
    /// A new task's, with this mask.
    pub fn new(blocked: SignalSet) -> TaskSignals {
        TaskSignals {
            blocked: AtomicU64::new(blocked.difference(SignalSet::KERNEL_ONLY).0),
            real_blocked: AtomicU64::new(0),
            saved: AtomicU64::new(0),
            saved_valid: AtomicBool::new(false),
            pending: AtomicU64::new(0),
            queue: IrqSpinLock::new(&class::SIGNAL_TASK, Queue::new()),
            alt_stack: AltStackCell([const { AtomicUsize::new(0) }; 3]),
            restart: SpinLock::new(&class::SIGNAL_TASK, None),
            trap: [const { AtomicUsize::new(0) }; 3],
            in_stop: AtomicBool::new(false),
            slot: AtomicUsize::new(NO_SLOT),
        }
    }

    /// A child's or new thread's: the mask is inherited; the alternate stack only by a process of its own memory or after
    /// vfork (`keep_alt_stack`: not `CLONE_VM`, or `CLONE_VFORK`).
    pub fn fork(&self, keep_alt_stack: bool) -> TaskSignals {
        let child = TaskSignals::new(self.blocked());
        if keep_alt_stack {
            for (new, old) in child.alt_stack.0.iter().zip(&self.alt_stack.0) {
                new.store(old.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
        child
    }

    /// exec's part: no alternate stack.
    pub fn exec_reset(&self) {
        for word in &self.alt_stack.0 {
            word.store(0, Ordering::Relaxed);
        }
        *self.restart.lock() = None;
    }

    /// The blocked set.
    pub fn blocked(&self) -> SignalSet {
        SignalSet(self.blocked.load(Ordering::SeqCst))
    }

    /// Thread-directed signals that are pending.
    pub fn pending_set(&self) -> SignalSet {
        SignalSet(self.pending.load(Ordering::SeqCst))
    }

    pub(super) fn has_slot(&self) -> bool {
        self.slot.load(Ordering::Relaxed) != NO_SLOT
    }
}

/// Makes a task look at its signals: raises its work flag and wakes it from the sleeps that `event` ends.
pub(super) fn raise(task: &Arc<Task>, event: WakeEvent) {
    task.thread.set_work(WorkFlags::SIGNAL);
    sched::wake(task, event);
}

/// Sets the current task's work flag to what its state asks for. Callable without any lock; see the module's text.
pub(super) fn recalculate(task: &Task) {
    task.thread.clear_work(WorkFlags::SIGNAL);
    let process: &Process = &task.process;
    let pending = task.signals.pending_set().union(process.signals.pending_set());
    let wanted = !pending.difference(task.signals.blocked()).is_empty()
        || !process.signals.orders().is_empty();
    if wanted {
        task.thread.set_work(WorkFlags::SIGNAL);
    }
}
