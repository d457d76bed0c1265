//! procfs: processes and the state of the kernel as files (`proc(5)`), in Linux's formats to the byte.
//!
//! - `process`: `/proc/<pid>` and `/proc/<pid>/task/<tid>`.
//! - `system`: the files at the top: memory, CPUs, statistics, devices.
//! - `mounts`: `mounts` and `mountinfo`.
//! - `sysctl`: `/proc/sys`; `net`: `/proc/net`.
//! - `bytes`: files that are not text.
//! - `view`: what a mount shows, and to whom.
//!
//! Every mount is an instance of its own. Nothing is cached but the fixed part of the tree: names of processes
//! are looked up at each step, and a file of a process that is gone answers `ESRCH`. procfs has no locks of its own.

mod bytes;
mod mounts;
mod net;
mod process;
mod sysctl;
mod system;
mod view;

use super::{
    FileSystem, FileType, Inode,
    mount::FileSystemType,
    synthetic::{Attributes, DynamicDir, StaticDir, SyntheticFs},
};
use crate::{
    process::{Pid, pid},
    sched,
};
use abi::Result;
use alloc::{format, sync::Arc, vec::Vec};
use process::Subject;
use view::View;

const MAGIC: u64 = 0x9fa0;
const ROOT_INO: u64 = 1;

/// Processes' entries have cookies from here on, the fixed ones are below (`FIRST_PROCESS_ENTRY`).
const FIRST_PROCESS: u64 = 256;

struct ProcFs;

impl FileSystemType for ProcFs {
    fn name(&self) -> &'static str {
        "proc"
    }
    fn mount(&self, _: &[u8], data: &[u8]) -> Result<Arc<dyn FileSystem>> {
        let view = Arc::new(View::new(data)?);
        let fs = SyntheticFs::new("proc", MAGIC, |fs| build(fs, &view));
        fs.set_options(view);
        Ok(fs)
    }
}

/// Registers the type.
pub fn init() {
    super::mount::register(Arc::new(ProcFs));
}

fn build(fs: &Arc<SyntheticFs>, view: &Arc<View>) -> Arc<Inode> {
    let (_, fixed) = fs.dir(Attributes::root(0o555), system::entries(fs));
    fixed.add(b"sys", sysctl::build(fs));
    fixed.add(b"sysvipc", system::sysvipc(fs));
    fixed.add(b"net", fs.symlink(Attributes::root(0o777), || Ok(b"self/net".to_vec())));
    fixed.add(b"mounts", fs.symlink(Attributes::root(0o777), || Ok(b"self/mounts".to_vec())));
    let process = fs.symlink(Attributes::root(0o777), || {
        Ok(format!("{}", sched::current().process.pid.0).into_bytes())
    });
    let thread = fs.symlink(Attributes::root(0o777), || {
        let task = sched::current();
        Ok(format!("{}/task/{}", task.process.pid.0, task.tid().0).into_bytes())
    });
    let (_, own) = fs.dir(Attributes::root(0o555), Vec::new());
    for entries in [&fixed, &own] {
        entries.add(b"self", process.clone());
        entries.add(b"thread-self", thread.clone());
    }
    let root = Root { fs: Arc::downgrade(fs), fixed, own, view: view.clone() };
    fs.dynamic_dir(Attributes::root(0o555).numbered(ROOT_INO), Arc::new(root))
}

/// `/proc` itself: the fixed entries, then the processes.
struct Root {
    fs: alloc::sync::Weak<SyntheticFs>,
    fixed: Arc<StaticDir>,
    /// What is there when only processes are.
    own: Arc<StaticDir>,
    view: Arc<View>,
}

impl Root {
    fn fixed(&self) -> &StaticDir {
        if self.view.processes_only() { &self.own } else { &self.fixed }
    }
}

impl DynamicDir for Root {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>> {
        if let Ok(inode) = self.fixed().lookup(name) {
            return Ok(inode);
        }
        let id = parse_id(name).ok_or(abi::Errno::ENOENT)?;
        let fs = self.fs.upgrade().ok_or(abi::Errno::ENOENT)?;
        // A thread's id leads to its process, though only processes are listed.
        let task = pid::find_task(id).ok_or(abi::Errno::ENOENT)?;
        self.view.check_lookup(&task)?;
        process::directory(&fs, &Subject::process(id, &task.process), Some(&self.view))
    }

    fn list(
        &self,
        from: u64,
        entry: &mut dyn FnMut(&[u8], u64, FileType, u64) -> bool,
    ) -> Result<()> {
        let mut full = false;
        if from < FIRST_PROCESS {
            self.fixed().list(from, &mut |name, ino, kind, cookie| {
                full = !entry(name, ino, kind, cookie);
                !full
            })?;
        }
        let mut next = u32::try_from(from.saturating_sub(FIRST_PROCESS)).unwrap_or(u32::MAX);
        while !full {
            const BATCH: usize = 64;
            let processes = pid::processes_from(Pid(next), BATCH);
            for process in &processes {
                let id = process.pid.0;
                next = id.saturating_add(1);
                if process.leader().is_some_and(|leader| !self.view.lists(&leader)) {
                    continue;
                }
                let name = format!("{id}");
                let cookie = FIRST_PROCESS + u64::from(id);
                full = !entry(name.as_bytes(), process::ino(id, 0), FileType::Directory, cookie);
                if full {
                    break;
                }
            }
            if processes.len() < BATCH {
                break;
            }
        }
        Ok(())
    }
}

/// An id as procfs writes it: digits only, no leading zero.
fn parse_id(name: &[u8]) -> Option<Pid> {
    let digits = !name.is_empty() && name.iter().all(u8::is_ascii_digit);
    if !digits || (name.len() > 1 && name[0] == b'0') {
        return None;
    }
    core::str::from_utf8(name).ok()?.parse().ok().map(Pid)
}
