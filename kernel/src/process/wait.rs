//! Waiting for children (`wait4(2)`, `waitid(2)`).
//!
//! Children belong to the process, so any thread may wait for any of them; `__WNOTHREAD` is accepted and makes no
//! difference. A look at the children is one pass under the tree's lock; what it finds it takes, so that two threads never
//! report one event. A child that changes state changes it first and wakes the queue then.

use super::{
    Credentials, Pid, Process, Rusage, exit,
    process::TREE,
    signal::{Signal, StopEvent},
    status::{CLD_CONTINUED, CLD_STOPPED},
};
use crate::sched;
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering::Relaxed;

bitflags::bitflags! {
    /// `W*` options.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct WaitOptions: u32 {
        /// Do not sleep.
        const NOHANG = 1;
        /// Report stops (`WUNTRACED`).
        const STOPPED = 2;
        /// Report ends.
        const EXITED = 4;
        /// Report continuations.
        const CONTINUED = 8;
        /// Leave what is reported to be reported again.
        const NOWAIT = 0x0100_0000;
        /// Only the calling thread's children.
        const NO_THREAD = 0x2000_0000;
        /// Children of every kind.
        const ALL = 0x4000_0000;
        /// Only children whose exit signal is not SIGCHLD.
        const CLONE = 0x8000_0000;
    }
}

/// Which children.
#[derive(Clone)]
pub enum WaitTarget {
    /// Any.
    Any,
    /// The one with this id.
    Pid(Pid),
    /// Those of a group.
    Group(Pid),
    /// This one (`P_PIDFD`).
    Process(Arc<Process>),
}

/// What happened to a child.
#[derive(Clone, Copy, Debug)]
pub struct WaitReport {
    /// Whose.
    pub pid: Pid,
    /// Its real user.
    pub uid: u32,
    /// `CLD_*`.
    pub code: i32,
    /// `si_status`: exit code or signal number.
    pub status: i32,
    /// The status word of `wait4(2)`.
    pub wait_status: u32,
    /// What it has used, its own children included.
    pub usage: Rusage,
}

/// Waits for an event of the children in `target`; `None` with `NOHANG` when there is none yet. `ECHILD` when no child
/// could ever match, `ERESTARTSYS` on a signal.
pub fn wait(target: &WaitTarget, options: WaitOptions) -> Result<Option<WaitReport>> {
    let current = sched::current();
    let process = Arc::clone(&current.process);
    let attempt = || match look(&process, target, options) {
        Ok(None) if !options.contains(WaitOptions::NOHANG) => None,
        result => Some(result),
    };
    process.signals.child_wait.wait_interruptible(attempt)?
}

/// One pass over the children.
fn look(
    process: &Arc<Process>,
    target: &WaitTarget,
    options: WaitOptions,
) -> Result<Option<WaitReport>> {
    let mut released = Vec::new();
    let tree = TREE.lock();
    let mut any = false;
    let mut report = None;
    for child in candidates(process, target, options) {
        if !is_eligible(&child, options) {
            continue;
        }
        any = true;
        report = take_end(process, &child, options, &mut released)
            .or_else(|| take_stop(&child, options));
        if report.is_some() {
            break;
        }
    }
    drop(tree);
    drop(released);
    if any { Ok(report) } else { Err(Errno::ECHILD) }
}

/// The children that `target` names, in the order they came.
fn candidates(
    process: &Arc<Process>,
    target: &WaitTarget,
    options: WaitOptions,
) -> Vec<Arc<Process>> {
    let is_ours = |child: &Arc<Process>| {
        child.parent().is_some_and(|parent| Arc::ptr_eq(&parent, process)) && !child.was_reaped()
    };
    match target {
        WaitTarget::Pid(pid) => {
            super::pid::find_process(*pid).filter(is_ours).into_iter().collect()
        }
        WaitTarget::Process(child) => {
            Some(child).filter(|&child| is_ours(child)).cloned().into_iter().collect()
        }
        WaitTarget::Any => {
            let family = process.family.lock();
            // The common case, flat in the number of children: only ends count, so one zombie will do, or one child to know
            // that there is something to wait for.
            let only_ends = !options.intersects(WaitOptions::STOPPED | WaitOptions::CONTINUED);
            if only_ends {
                let mut children = family.zombies.values().chain(family.children.values());
                return children
                    .find(|child| is_eligible(child, options))
                    .cloned()
                    .into_iter()
                    .collect();
            }
            family.children.values().cloned().collect()
        }
        WaitTarget::Group(pgid) => {
            let family = process.family.lock();
            family.children.values().filter(|child| child.group_id() == *pgid).cloned().collect()
        }
    }
}

/// Whether a child is of the kind that the options ask for: see `__WCLONE` and `__WALL`.
fn is_eligible(child: &Process, options: WaitOptions) -> bool {
    let is_clone_child = child.exit_signal.load(Relaxed) != Signal::SIGCHLD.0;
    options.contains(WaitOptions::ALL) || is_clone_child == options.contains(WaitOptions::CLONE)
}

/// Reports and reaps a zombie.
fn take_end(
    process: &Process,
    child: &Arc<Process>,
    options: WaitOptions,
    released: &mut Vec<Arc<Process>>,
) -> Option<WaitReport> {
    if !options.contains(WaitOptions::EXITED) {
        return None;
    }
    let status = child.family.lock().exited?;
    let (code, si_status) = status.child_code();
    let mut usage = child.rusage();
    usage += child.children_rusage();
    let report = WaitReport {
        wait_status: status.wait_status(),
        usage,
        ..report_for(child, code, si_status)
    };
    if !options.contains(WaitOptions::NOWAIT) {
        process.usage.lock().children += usage;
        exit::release(child, released);
    }
    Some(report)
}

/// Reports a stop or a continuation.
fn take_stop(child: &Arc<Process>, options: WaitOptions) -> Option<WaitReport> {
    let wanted = |event| match event {
        StopEvent::Stopped(_) => options.contains(WaitOptions::STOPPED),
        StopEvent::Continued => options.contains(WaitOptions::CONTINUED),
    };
    if child.has_ended() {
        return None;
    }
    match child.signals.stop_event(wanted, !options.contains(WaitOptions::NOWAIT))? {
        StopEvent::Stopped(signal) => {
            let number = i32::from(signal.0);
            let wait_status = u32::from(signal.0) << 8 | 0x7f;
            Some(WaitReport { wait_status, ..report_for(child, CLD_STOPPED, number) })
        }
        StopEvent::Continued => {
            let number = i32::from(Signal::SIGCONT.0);
            Some(WaitReport { wait_status: 0xffff, ..report_for(child, CLD_CONTINUED, number) })
        }
    }
}

fn report_for(child: &Process, code: i32, status: i32) -> WaitReport {
    let uid = |credentials: Arc<Credentials>| credentials.uid.0;
    WaitReport {
        pid: child.pid,
        uid: child.leader().map_or(0, |leader| uid(leader.credentials.load())),
        code,
        status,
        wait_status: 0,
        usage: Rusage::default(),
    }
}
