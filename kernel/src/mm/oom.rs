//! The OOM killer: the last step when no cache can give memory back. It kills the process that uses most memory, as weighed by
//! `oom_score_adj`, and never init or a kernel thread.

use super::{VmEvent, node};
use crate::{
    process::{
        Pid, Process,
        pid::processes_from,
        signal::{self, SigInfo, Signal},
    },
    time::{self, Instant},
};
use alloc::sync::Arc;
use core::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

/// The process killed last, and when it is too late to wait for it any longer.
static LAST_VICTIM: AtomicU32 = AtomicU32::new(0);
static PATIENCE_ENDS: AtomicU64 = AtomicU64::new(0);
/// How long a victim is given to free its memory before another is chosen.
const PATIENCE: Duration = Duration::from_secs(2);
/// Processes looked at in one go.
const BATCH: usize = 64;
/// `oom_score_adj` that means never.
const NEVER: isize = -1000;

/// How much there is to gain: resident pages and page tables, plus a thousandth of memory for each point of `oom_score_adj`. `None` for
/// those who must live.
pub fn badness(process: &Process) -> Option<isize> {
    let space = process.address_space()?;
    // Kept with 1000 added.
    let adjustment = process.oom_score_adj.load(Ordering::Relaxed) as isize - 1000;
    if process.pid == Pid(1) || adjustment <= NEVER {
        return None;
    }
    // Without the space's lock, which this task may hold.
    let points = space.resident_hint() as isize;
    Some(points + adjustment * node::total() as isize / 1000)
}

/// Kills a process, unless one that was killed a moment ago is still on its way out.
pub(super) fn kill() {
    let last = Pid(LAST_VICTIM.load(Ordering::Acquire));
    let dying = last.0 != 0
        && crate::process::pid::find_process(last).is_some_and(|p| p.address_space().is_some());
    if dying && time::monotonic() < Instant(PATIENCE_ENDS.load(Ordering::Relaxed)) {
        return;
    }
    let Some((victim, points)) = choose() else { return };
    pr_err!(
        "out of memory: killing process {} ({points} pages), {} pages free",
        victim.pid.0,
        node::free_pages()
    );
    VmEvent::OomKill.count(1);
    PATIENCE_ENDS.store(time::monotonic().after(PATIENCE).0, Ordering::Relaxed);
    LAST_VICTIM.store(victim.pid.0, Ordering::Release);
    // A process that is already gone needs no signal.
    let _ = signal::send_process(&victim, SigInfo::kernel(Signal::SIGKILL));
}

fn choose() -> Option<(Arc<Process>, isize)> {
    let mut chosen: Option<(Arc<Process>, isize)> = None;
    let mut from = Pid(1);
    loop {
        let batch = processes_from(from, BATCH);
        let Some(last) = batch.last() else { return chosen };
        from = Pid(last.pid.0.saturating_add(1));
        for process in batch {
            if let Some(points) = badness(&process)
                && points > 0
                // Of equals the youngest.
                && chosen.as_ref().is_none_or(|(_, most)| points >= *most)
            {
                chosen = Some((process, points));
            }
        }
    }
}
