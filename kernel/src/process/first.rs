//! The first process, and limits that depend on the machine.

use super::{
    Limits, Process, Task, clone,
    exec::{self, Request},
    group::ProcessGroup,
    pid::{self, PidEntry},
    process::{ProcessParts, TREE},
    signal::{ProcessSignals, SignalSet, TaskSignals},
    task::{TaskFlags, TaskParts},
};
use crate::{
    arch::{self, TrapFrame, fpu::FpuState, segments::UserSegments},
    fs,
    ipc::TaskIpc,
    mm::KernelStack,
    sched::{self, TaskSched},
    sync::Once,
};
use abi::Result;
use alloc::{sync::Arc, vec::Vec};

/// Pages of memory, once known.
static MEMORY_PAGES: Once<usize> = Once::new();

/// Sets the limits that depend on the memory there is.
pub fn scale_to_memory(pages: usize) {
    MEMORY_PAGES.call_once(|| pages);
    clone::scale_thread_limit(pages);
}

/// Starts the first process with the current (kernel) task's directories, descriptors and credentials.
pub fn start_first(path: Vec<u8>, argv: &[Vec<u8>], envp: &[Vec<u8>]) -> Result<()> {
    let file = fs::open_exec(fs::AT_FDCWD, &path, fs::LookupFlags::FOLLOW)?;
    let (program, image) =
        exec::prepare_first(Request { file, path, path_closes: false }, argv, envp)?;
    let limits = Limits::initial();
    limits.scale_to_memory(MEMORY_PAGES.get().copied().unwrap_or(0) as u64);
    let process = Process::new(ProcessParts {
        pid: pid::INIT,
        signals: ProcessSignals::init(),
        limits,
        like: None,
        exit_signal: 0,
    })?;
    let frame = TrapFrame::user(image.entry, image.stack_pointer);
    let thread =
        arch::Thread::user(KernelStack::new()?, frame, FpuState::new()?, UserSegments::default());
    let reserved = pid::reserve_exact(pid::INIT)?;
    let creator = sched::current();
    let task = Task::new(TaskParts {
        tid: pid::INIT,
        process,
        sched: TaskSched::new(None),
        thread,
        signals: TaskSignals::new(SignalSet::default()),
        mm: Some(image.mm),
        files: creator.files.load(),
        ipc: TaskIpc::new(None),
        fs: creator.fs.load(),
        credentials: creator.credentials.load(),
        name: super::task::pad_name(&program.name),
        flags: TaskFlags::empty(),
    })?;
    *task.process.executable.lock() = Some(Arc::clone(&program.file));
    *task.process.auxv.lock() = image.auxv;
    clone::count_first_thread(&task);
    {
        let _tree = TREE.lock();
        task.process.signals.attach(&task)?;
        task.process.add_thread(&task);
        // Session and group 0, as Linux's init before it calls setsid.
        task.process.join_family(None, &ProcessGroup::kernel());
        reserved.publish(PidEntry::process(&task));
    }
    sched::start(task);
    Ok(())
}
