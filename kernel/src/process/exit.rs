//! The end of threads and processes (`_exit(2)`, `exit_group(2)`, `signal(7)`).
//!
//! A thread that ends gives back what it shares ([`exit_thread`]). The last one to get that far ends the process: its
//! children go to another parent, its own parent is told ([`end_process`]). What remains is a zombie until it is
//! waited for, or reaped at once when nobody wants to know.

use super::{
    ExitStatus, Process, ProcessGroup, Task, clone, futex, pid,
    process::TREE,
    rseq,
    signal::{self, ChildExit, SigInfo, Signal},
    task::TaskFlags,
};
use crate::{
    ipc, mm,
    sched::{self},
};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering::{AcqRel, Relaxed, Release};

/// Ends the whole process, the current thread first: `exit_group(2)`, a fatal signal. The first status that comes stands.
pub fn exit_group(status: ExitStatus) -> ! {
    let status = {
        let current = sched::current();
        current.process.signals.begin_group_exit(status)
    };
    exit_thread(status)
}

/// Ends the current thread; `status` is the wait status (`wait(2)`) that the process reports when this is its last thread and
/// no group exit has set another. The caller holds no reference that would be lost.
pub fn exit_thread(status: ExitStatus) -> ! {
    release_resources(status);
    sched::exit_current()
}

/// All that must be dropped before the thread's last switch, for nothing on its stack is ever dropped after it.
fn release_resources(status: ExitStatus) {
    let task = sched::current().to_arc();
    let process = Arc::clone(&task.process);
    task.set_flags(TaskFlags::EXITING);
    let last = process.signals.detach(&task);
    if last && process.pid == pid::INIT {
        let code = process.signals.exit_status().unwrap_or(status);
        panic!("Attempted to kill init! exitcode={:#010x}", code.wait_status());
    }
    if last {
        // Unless a group exit says otherwise, the process ends as its last thread does.
        process.final_status.store(status.wait_status(), Relaxed);
        process.signals.timers.clear();
        process.signals.posix_timers.clear();
    }
    leave_address_space(&task);
    ipc::exit(&task);
    drop(task.files.replace(None));
    drop(task.fs.replace(None));
    count_out(&task);
    end_thread(&task, &process);
}

/// Lets go of the address space: robust futexes first, then the join word, then a parent that waits since `vfork`.
/// Also `execve`'s farewell to the old program.
pub(super) fn leave_address_space(task: &Arc<Task>) {
    say_goodbye(task);
    if let Some(old) = task.mm.replace(None) {
        mm::activate_kernel();
        drop(old);
    }
    finish_vfork(task);
}

/// What other users of the address space are told before a thread leaves it.
pub(super) fn say_goodbye(task: &Arc<Task>) {
    rseq::forget(task);
    futex::exit_robust_list(task);
    futex::leave_locks(task);
    // Alone in its memory there is nobody to tell; and a program that dies of a fault keeps what a core dump would show.
    if task.mm.load().is_some_and(|mm| Arc::strong_count(&mm) > 2) {
        futex::clear_child_tid(task);
    }
}

/// Wakes the parent of a `vfork`.
pub(super) fn finish_vfork(task: &Task) {
    if let Some(vfork) = task.vfork.lock().take() {
        vfork.complete();
    }
}

/// Adds what a thread has used to its process's sum.
fn count_out(task: &Task) {
    let used = task.rusage();
    task.process.usage.lock().dead_threads += used;
    task.set_flags(TaskFlags::COUNTED_OUT);
}

/// The thread is no more, apart from its kernel stack. A leader stays listed: its id is the process's.
fn end_thread(task: &Arc<Task>, process: &Arc<Process>) {
    if !process.is_current_leader(task) {
        process.remove_thread(task.tid());
        pid::task_ended(task.tid());
        clone::thread_released(task);
    }
    task.set_flags(TaskFlags::ENDED);
    if process.unfinished.fetch_sub(1, AcqRel) == 1 {
        end_process(process);
    } else {
        // Somebody may be in execve and wait to be alone.
        process.signals.child_wait.wake_all();
    }
}

/// The last thread is gone: hangs up the session's terminal, gives the children away, tells the parent.
fn end_process(process: &Arc<Process>) {
    if process.is_session_leader() {
        crate::tty::session_leader_exits(&process.session());
    }
    drop(process.executable.lock().take());
    let mut released = Vec::new();
    let mut orphaned = Vec::new();
    let tree = loop {
        let tree = TREE.lock();
        if !reparent_children(process, &mut orphaned, &mut released) {
            break tree;
        }
        // Others get the tree and the CPU in between. Children that end meanwhile become zombies here, and are announced when they are moved.
    };
    let own = orphaned_with_stopped_jobs(process, process.parent().as_ref(), Some(process));
    let status = process
        .signals
        .exit_status()
        .unwrap_or_else(|| ExitStatus::from_wait_status(process.final_status.load(Relaxed)));
    become_zombie(process, status, &mut released);
    drop(tree);
    process.exit_event.wake_all();
    for group in orphaned.into_iter().chain(own) {
        signal::send_group(&group, SigInfo::kernel(Signal::SIGHUP));
        signal::send_group(&group, SigInfo::kernel(Signal::SIGCONT));
    }
    // Dropped outside the lock: the last reference of a process frees much.
    drop(released);
}

/// Records the end and tells the parent, which may not want a zombie.
fn become_zombie(process: &Arc<Process>, status: ExitStatus, released: &mut Vec<Arc<Process>>) {
    let parent = process.parent();
    let sequence = {
        let mut family = process.family.lock();
        family.exited = Some(status);
        family.sequence
    };
    process.ended.store(true, Release);
    let Some(parent) = parent else {
        // A kernel thread: nobody waits for it.
        release(process, released);
        return;
    };
    parent.family.lock().zombies.insert(sequence, Arc::clone(process));
    if tell_parent(&parent, process, status) == ChildExit::AutoReap {
        release(process, released);
    }
}

fn tell_parent(parent: &Arc<Process>, process: &Arc<Process>, status: ExitStatus) -> ChildExit {
    let used = process.rusage();
    let exit_signal = Signal::new(usize::from(process.exit_signal.load(Relaxed)));
    signal::notify_exit(parent, process, exit_signal, status, (used.user, used.system))
}

/// Children that are given away in one go.
const MOVED_AT_ONCE: usize = 4;

/// Gives some of the children to the nearest living subreaper above, or to init. Zombies among them are announced there.
/// Collects the groups that this orphans and that have stopped members. Under the tree's lock; whether there are more.
fn reparent_children(
    process: &Arc<Process>,
    orphaned: &mut Vec<Arc<ProcessGroup>>,
    released: &mut Vec<Arc<Process>>,
) -> bool {
    if process.family.lock().children.is_empty() {
        return false;
    }
    let reaper = find_reaper(process);
    for _ in 0..MOVED_AT_ONCE {
        let (child, zombie) = {
            let mut family = process.family.lock();
            let Some((sequence, child)) = family.children.pop_first() else { return false };
            (child, family.zombies.remove(&sequence))
        };
        // Where init itself is gone, they have nobody.
        let Some(reaper) = &reaper else { continue };
        send_death_signals(&child);
        child.set_parent(Some(Arc::clone(reaper)));
        child.exit_signal.store(Signal::SIGCHLD.0, Relaxed);
        reaper.adopt(&child);
        if zombie.is_some() {
            let status = child.family.lock().exited;
            let key = child.family.lock().sequence;
            reaper.family.lock().zombies.insert(key, Arc::clone(&child));
            if let Some(status) = status
                && tell_parent(reaper, &child, status) == ChildExit::AutoReap
            {
                release(&child, released);
            }
        }
        orphaned.extend(orphaned_with_stopped_jobs(&child, Some(process), None));
    }
    true
}

/// `PR_SET_PDEATHSIG` of a child's threads.
fn send_death_signals(child: &Arc<Process>) {
    for task in child.threads() {
        if let Some(signal) = Signal::new(usize::from(task.parent_death_signal.load(Relaxed))) {
            let _ = signal::send_process(child, SigInfo::kernel(signal));
        }
    }
}

/// Who takes over the children of `process`; none when init itself is gone.
fn find_reaper(process: &Process) -> Option<Arc<Process>> {
    if process.has_subreaper.load(Relaxed) {
        let mut above = process.parent();
        while let Some(candidate) = above {
            if candidate.pid == pid::INIT {
                break;
            }
            if candidate.child_subreaper.load(Relaxed) && candidate.unfinished.load(Relaxed) != 0 {
                return Some(candidate);
            }
            above = candidate.parent();
        }
    }
    pid::find_process(pid::INIT)
}

/// The group of `process`, if it loses its last tie to `parent`'s session and has stopped members (`setpgid(2)`, `_exit(2)`):
/// it gets SIGHUP and SIGCONT.
fn orphaned_with_stopped_jobs(
    process: &Arc<Process>,
    parent: Option<&Arc<Process>>,
    ignored: Option<&Arc<Process>>,
) -> Option<Arc<ProcessGroup>> {
    let parent = parent?;
    let group = process.group();
    let tied = parent.group_id() != group.id && parent.session_id() == group.session.id;
    let hangs = tied
        && group.is_orphaned_without(ignored)
        && group.members().iter().any(|member| member.signals.is_stopped());
    hangs.then_some(group)
}

/// Takes a zombie out of everything: family, group, table. Under the tree's lock; `released` is dropped outside it.
pub(super) fn release(process: &Arc<Process>, released: &mut Vec<Arc<Process>>) {
    let sequence = {
        let mut family = process.family.lock();
        if core::mem::replace(&mut family.reaped, true) {
            return;
        }
        family.sequence
    };
    if let Some(parent) = process.parent() {
        let mut family = parent.family.lock();
        family.children.remove(&sequence);
        family.zombies.remove(&sequence);
    }
    process.group().remove(process);
    pid::process_ended(process.pid);
    if let Some(leader) = process.remove_thread(process.pid) {
        clone::thread_released(&leader);
    }
    released.push(Arc::clone(process));
}
