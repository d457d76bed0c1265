//! The point of no return: the process becomes the new program.

use super::{image::Image, privileges::Outcome, resolve::Program};
use crate::{
    arch::{self, TrapFrame, fpu::FpuState, segments::UserSegments},
    fs::permission::{self, Access},
    process::{
        Process, Task, clone, exit, pid, set_ids, signal::Signal, task::TaskFlags, user_dispatch,
    },
};
use abi::Result;
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

/// Makes `task`, the current one, run `image`. `ERESTARTNOINTR` when the process is being ended by somebody else: the caller
/// dies with it.
pub fn commit(task: &Arc<Task>, program: Program, image: Image, outcome: Outcome) -> Result<()> {
    let process = &task.process;
    // The last thing that can fail: a table of its own.
    let files = match Arc::strong_count(&task.files.borrow()) {
        1 => None,
        _ => Some(task.files.borrow().fork()?),
    };
    become_alone(task, process)?;

    exit::say_goodbye(task);
    // In this order: a switch in between finds the new one in the task, and the old one is alive as long as its tables are loaded.
    let old = task.mm.replace(Some(Arc::clone(&image.mm)));
    image.mm.activate();
    if let Some(old) = &old {
        image.mm.set_no_huge_pages(old.has_no_huge_pages());
    }
    drop(old);
    exit::finish_vfork(task);

    if let Some(files) = files {
        drop(task.files.replace(Some(files)));
    }
    task.files.borrow().close_on_exec();
    process.signals.exec_reset();
    process.signals.posix_timers.clear();
    task.signals.exec_reset();
    user_dispatch::forget(task);
    process.signals.end_exec();
    process.programs_run.fetch_add(1, Relaxed);
    process.exit_signal.store(Signal::SIGCHLD.0, Relaxed);

    task.set_name(&program.name);
    task.clear_flags(TaskFlags::FORKED_NO_EXEC);
    let executable = process.executable.lock().replace(Arc::clone(&program.file));
    drop(executable);
    *process.auxv.lock() = image.auxv;
    set_dumpable(task, process, &program, &outcome);
    set_ids::commit(task, outcome.credentials);

    FpuState::reset_current();
    task.thread.set_segments(UserSegments::default());
    arch::thread::with_user_frame(|frame| {
        *frame = TrapFrame::user(image.entry, image.stack_pointer);
    });
    Ok(())
}

/// Ends the other threads and takes the leader's id.
fn become_alone(task: &Arc<Task>, process: &Arc<Process>) -> Result<()> {
    process.signals.begin_exec(task)?;
    if !process.is_alone(task) {
        let alone = || process.is_alone(task).then_some(());
        if let Err(error) = process.signals.child_wait.wait_killable(alone) {
            process.signals.end_exec();
            return Err(error);
        }
    }
    if !process.is_current_leader(task) {
        let old_tid = task.tid();
        let old_leader = process.replace_leader(task);
        pid::replace_leader(old_tid, task);
        if let Some(leader) = old_leader {
            clone::thread_released(&leader);
        }
    }
    Ok(())
}

/// A program that its user may not read, or that changed ids, is not to be dumped or traced.
fn set_dumpable(task: &Task, process: &Process, program: &Program, outcome: &Outcome) {
    let inode = program.file.inode();
    let readable = permission::check(inode, &outcome.credentials, Access::READ).is_ok();
    let credentials = &outcome.credentials;
    let plain = credentials.uid == credentials.euid && credentials.gid == credentials.egid;
    process.dumpable.store(u8::from(readable && plain), Relaxed);
    if outcome.secure || outcome.ids_changed || !readable {
        task.parent_death_signal.store(0, Relaxed);
    }
}
