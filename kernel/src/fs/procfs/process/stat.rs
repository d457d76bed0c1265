//! `/proc/<pid>/stat`: one line of 52 fields (`proc_pid_stat(5)`).

use super::{Subject, may_inspect, state};
use crate::{
    process::{Resource, Rusage, Task, TaskFlags},
    sched::Policy,
};
use abi::Result;
use alloc::string::String;
use core::fmt::Write;

/// Nanoseconds in a clock tick of user space (`USER_HZ` is 100).
pub const TICK: u64 = 10_000_000;

/// `PF_*`, as far as they have a meaning here.
fn flags(task: &Task) -> u32 {
    const EXITING: u32 = 0x4;
    const FORKED_NO_EXEC: u32 = 0x40;
    const SUPER: u32 = 0x100;
    const KERNEL: u32 = 0x20_0000;
    const RANDOMIZE: u32 = 0x40_0000;
    let mut flags = 0;
    for (flag, bit) in [
        (TaskFlags::EXITING, EXITING),
        (TaskFlags::FORKED_NO_EXEC, FORKED_NO_EXEC),
        (TaskFlags::SUPER, SUPER),
        (TaskFlags::KERNEL, KERNEL),
    ] {
        if task.flags().contains(flag) {
            flags |= bit;
        }
    }
    if !task.is_kernel() {
        flags |= RANDOMIZE;
    }
    flags
}

/// The policy's number (`SCHED_*`).
pub fn policy_number(policy: Policy) -> u32 {
    policy as u32
}

/// The line.
pub fn show(subject: &Subject, out: &mut String) -> Result<()> {
    let task = subject.get_task()?;
    let process = &task.process;
    let permitted = may_inspect(&task);
    let used = if subject.thread { task.rusage() } else { process.rusage() };
    let children = if subject.thread { Rusage::default() } else { process.children_rusage() };
    let mm = task.mm.load();
    let usage = mm.as_ref().map(|mm| mm.usage()).unwrap_or_default();
    let layout = mm.as_ref().filter(|_| permitted).map(|mm| mm.layout()).unwrap_or_default();
    let session = process.session();
    let (terminal, foreground) = match process.terminal() {
        Some(terminal) => {
            let foreground = i64::from(terminal.foreground_id());
            (terminal.device().encode(), if foreground == 0 { -1 } else { foreground })
        }
        None => (0, -1),
    };
    let (ignored, caught) = process.signals.handler_summary();
    // The old fields hold the first 31 signals.
    let old = |set: crate::process::signal::SignalSet| set.0 & 0x7fff_ffff;
    let pending = task.signals.pending_set().0 | process.signals.pending_set().0;
    let blocked = task.signals.blocked();
    let sleeping = task.sched.state() != crate::sched::TaskState::Running;
    let exit_code = process.exit_status().map_or(0, |status| status.wait_status());
    let limit = process.limits().soft(Resource::Rss);
    let name = task.name_bytes();
    let _ = write!(
        out,
        "{} ({}) {} {} {} {} {terminal} {foreground} {} {} {} {} {} {} {} {} {} {} {} {} 0 {} {} {} {limit}",
        subject.id.0,
        String::from_utf8_lossy(&name),
        state(&task).0,
        process.parent_pid().0,
        process.group_id().0,
        session.id.0,
        flags(&task),
        used.minor_faults,
        children.minor_faults,
        used.major_faults,
        children.major_faults,
        used.user / TICK,
        used.system / TICK,
        children.user / TICK,
        children.system / TICK,
        task.sched.shown_priority(),
        task.sched.nice(),
        process.signals.thread_count().max(1),
        task.start_time.0 / TICK,
        usage.size * crate::mm::PAGE_SIZE,
        usage.resident,
    );
    let _ = writeln!(
        out,
        " {} {} {} 0 0 {} {} {} {} {} 0 0 {} {} {} {} 0 0 0 {} {} {} {} {} {} {} {}",
        layout.start_code,
        layout.end_code,
        layout.start_stack,
        pending & 0x7fff_ffff,
        old(blocked),
        old(ignored),
        old(caught),
        u8::from(sleeping && permitted),
        process.exit_signal_number(),
        task.sched.cpu(),
        task.sched.real_time_priority(),
        policy_number(task.sched.policy()),
        layout.start_data,
        layout.end_data,
        mm.as_ref().filter(|_| permitted).map_or(0, |mm| mm.brk_start()),
        layout.arg_start,
        layout.arg_end,
        layout.env_start,
        layout.env_end,
        if permitted { exit_code } else { 0 },
    );
    Ok(())
}
