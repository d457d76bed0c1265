//! `/proc/<pid>` and `/proc/<pid>/task/<tid>`.
//!
//! - `stat`, `status`: the two summaries that ps and top read.
//! - `memory`: what concerns the address space; `mem`: its content; `page_map`: its single pages.
//! - `files`: descriptors and links to files.
//! - `map_files`: links to mapped files.
//! - `attributes`: limits, oom, names and the like.

mod attributes;
mod files;
mod map_files;
mod mem;
mod memory;
mod page_map;
mod stat;
mod status;

use super::{bytes, mounts, net, parse_id, view::View};
use crate::{
    fs::{
        FileType, Inode,
        synthetic::{Attributes, DynamicDir, Show, SyntheticFs},
    },
    process::{self, Gid, InspectAs, Pid, Process, Task, Uid, pid},
    sched,
};
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    format,
    string::String,
    sync::{Arc, Weak},
    vec::Vec,
};

/// Whom a directory is about. Keeps nobody alive: a file of somebody who is gone answers `ESRCH`.
#[derive(Clone)]
pub struct Subject {
    id: Pid,
    process: Weak<Process>,
    /// One thread, rather than the whole process.
    thread: bool,
}

impl Subject {
    /// A process, by the id that its directory goes by.
    pub fn process(id: Pid, process: &Arc<Process>) -> Subject {
        Subject { id, process: Arc::downgrade(process), thread: false }
    }

    fn thread(id: Pid, process: &Arc<Process>) -> Subject {
        Subject { id, process: Arc::downgrade(process), thread: true }
    }

    /// The process, unless it was reaped.
    fn get_process(&self) -> Result<Arc<Process>> {
        let process = self.process.upgrade().ok_or(Errno::ESRCH)?;
        let found = pid::find_process(process.pid).ok_or(Errno::ESRCH)?;
        if Arc::ptr_eq(&found, &process) { Ok(process) } else { Err(Errno::ESRCH) }
    }

    /// The thread; for a process, its leader.
    fn get_task(&self) -> Result<Arc<Task>> {
        let process = self.get_process()?;
        let thread =
            if self.id == process.pid { process.leader() } else { process.thread(self.id) };
        thread.ok_or(Errno::ESRCH)
    }

    /// The thread, if the current one may look into its memory and files; `EACCES`.
    fn inspect(&self) -> Result<Arc<Task>> {
        let task = self.get_task()?;
        if may_inspect(&task) { Ok(task) } else { Err(Errno::EACCES) }
    }
}

/// Whether the current task may look into another, by its file-system ids.
pub fn may_inspect(task: &Task) -> bool {
    process::may_inspect(task, InspectAs::FileSystemIds)
}

/// Who owns the files of a task: its user, or root when it must not be looked into.
fn owner(task: &Task) -> (Uid, Gid) {
    use core::sync::atomic::Ordering::Relaxed;
    if task.is_kernel() || task.process.dumpable.load(Relaxed) != 1 {
        return (Uid(0), Gid(0));
    }
    let credentials = task.credentials.load();
    (credentials.euid, credentials.egid)
}

/// The inode number of entry `index` of process or thread `id`; 0 is the directory.
pub fn ino(id: u32, index: u64) -> u64 {
    (1 << 40) | u64::from(id) << 16 | index
}

type ShowText = fn(&Subject, &mut String) -> Result<()>;
type StoreText = fn(&Subject, &[u8]) -> Result<()>;
type OpenText = fn(&Subject) -> Result<Show>;
type MakeBytes = fn(&Subject) -> Result<Vec<u8>>;
type MakeNode = fn(&Arc<SyntheticFs>, &Subject, Attributes) -> Arc<Inode>;

enum Content {
    Text(ShowText),
    /// About what is found when it is opened.
    Opened(OpenText),
    Writable(ShowText, StoreText),
    WriteOnly(StoreText),
    Bytes(MakeBytes),
    /// Built by its own function, as a directory or a link.
    Node(FileType, MakeNode),
}
use Content::{Bytes, Node, Opened, Text, Writable, WriteOnly};

struct Entry {
    name: &'static str,
    mode: u16,
    content: Content,
    /// Not in threads' directories.
    process_only: bool,
}

const fn both(name: &'static str, mode: u16, content: Content) -> Entry {
    Entry { name, mode, content, process_only: false }
}

const fn process_only(name: &'static str, mode: u16, content: Content) -> Entry {
    Entry { name, mode, content, process_only: true }
}

const ENTRIES: &[Entry] = &[
    process_only("task", 0o555, Node(FileType::Directory, task_directory)),
    both("fd", 0o500, Node(FileType::Directory, files::fd_directory)),
    process_only("map_files", 0o500, Node(FileType::Directory, map_files::directory)),
    both("fdinfo", 0o555, Node(FileType::Directory, files::fdinfo_directory)),
    both("net", 0o555, Node(FileType::Directory, |fs, _, _| net::build(fs))),
    both("environ", 0o400, Bytes(memory::environ)),
    both("auxv", 0o400, Bytes(memory::auxv)),
    both("status", 0o444, Text(status::show)),
    both("syscall", 0o400, Text(attributes::syscall)),
    both("personality", 0o400, Text(attributes::personality)),
    both("limits", 0o444, Text(attributes::limits)),
    both("sched", 0o444, Text(attributes::sched)),
    both("comm", 0o644, Writable(attributes::comm, attributes::set_comm)),
    both("cmdline", 0o444, Bytes(memory::cmdline)),
    both("stat", 0o444, Text(stat::show)),
    both("statm", 0o444, Text(memory::statm)),
    both("maps", 0o444, Opened(memory::maps)),
    both("mem", 0o600, Node(FileType::Regular, mem::file)),
    both("cwd", 0o777, Node(FileType::Symlink, files::cwd)),
    both("root", 0o777, Node(FileType::Symlink, files::root)),
    both("exe", 0o777, Node(FileType::Symlink, files::exe)),
    both("clear_refs", 0o200, WriteOnly(memory::clear_refs)),
    both("smaps", 0o444, Opened(memory::smaps)),
    both("smaps_rollup", 0o444, Opened(memory::smaps_rollup)),
    both("pagemap", 0o400, Node(FileType::Regular, page_map::file)),
    both("mounts", 0o444, Text(|s, out| mounts::mounts(&*s.get_task()?, out))),
    both("mountinfo", 0o444, Text(|s, out| mounts::mountinfo(&*s.get_task()?, out))),
    process_only("mountstats", 0o400, Text(|s, out| mounts::mountstats(&*s.inspect()?, out))),
    both("wchan", 0o444, Text(attributes::wchan)),
    both("schedstat", 0o444, Text(attributes::schedstat)),
    both("cgroup", 0o444, Text(attributes::cgroup)),
    both("oom_score", 0o444, Text(attributes::oom_score)),
    both("oom_adj", 0o644, Writable(attributes::oom_adj, attributes::set_oom_adj)),
    both(
        "oom_score_adj",
        0o644,
        Writable(attributes::oom_score_adj, attributes::set_oom_score_adj),
    ),
    process_only("timerslack_ns", 0o666, Text(attributes::timer_slack)),
];

/// The directory of a process or thread; a process's is used as the mount's options allow.
pub fn directory(
    fs: &Arc<SyntheticFs>,
    subject: &Subject,
    view: Option<&Arc<View>>,
) -> Result<Arc<Inode>> {
    let task = subject.get_task()?;
    let (uid, gid) = owner(&task);
    let attributes = Attributes::root(0o555)
        .owned_by(uid, gid)
        .numbered(directory_ino(subject))
        .links(if subject.thread { 7 } else { 9 });
    let dir = SubjectDir { fs: Arc::downgrade(fs), subject: subject.clone(), view: view.cloned() };
    Ok(fs.dynamic_dir(attributes, Arc::new(dir)))
}

fn directory_ino(subject: &Subject) -> u64 {
    // A thread's directory is another one than its process's of the same id.
    ino(subject.id.0, if subject.thread { 0x8000 } else { 0 })
}

struct SubjectDir {
    fs: Weak<SyntheticFs>,
    subject: Subject,
    view: Option<Arc<View>>,
}

impl SubjectDir {
    fn entries(&self) -> impl Iterator<Item = (u64, &'static Entry)> {
        let thread = self.subject.thread;
        (1..).zip(ENTRIES).filter(move |(_, entry)| !(thread && entry.process_only))
    }

    fn ino(&self, index: u64) -> u64 {
        directory_ino(&self.subject) + index
    }

    /// Asks the mount's options about the process. One that is gone is for the files to tell.
    fn ask(&self, question: fn(&View, &Task) -> Result<()>) -> Result<()> {
        let Some(view) = self.view.as_ref().filter(|view| view.hides()) else { return Ok(()) };
        self.subject.get_task().map_or(Ok(()), |task| question(view, &task))
    }
}

impl DynamicDir for SubjectDir {
    fn check_attributes(&self) -> Result<()> {
        self.ask(View::check_attributes)
    }
    fn check_entry(&self) -> Result<()> {
        self.ask(View::check_entry)
    }
    fn process(&self) -> Result<Arc<Process>> {
        if self.subject.thread { Err(Errno::EBADF) } else { self.subject.get_process() }
    }
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>> {
        let fs = self.fs.upgrade().ok_or(Errno::ENOENT)?;
        let task = self.subject.get_task().map_err(|_| Errno::ENOENT)?;
        let (index, entry) =
            self.entries().find(|(_, entry)| entry.name.as_bytes() == name).ok_or(Errno::ENOENT)?;
        let (uid, gid) = owner(&task);
        let attributes = Attributes::root(entry.mode).owned_by(uid, gid).numbered(self.ino(index));
        let subject = self.subject.clone();
        Ok(match entry.content {
            Text(show) => fs.text(attributes, move |out| show(&subject, out)),
            Opened(open) => fs.text_of_open(attributes, Box::new(move || open(&subject))),
            WriteOnly(store) => {
                fs.writable_text(attributes, None, Box::new(move |bytes| store(&subject, bytes)))
            }
            Writable(show, store) => {
                let for_store = subject.clone();
                fs.writable_text(
                    attributes,
                    Some(Box::new(move |out| show(&subject, out))),
                    Box::new(move |bytes| store(&for_store, bytes)),
                )
            }
            Bytes(make) => bytes::file(&fs, attributes, move || make(&subject)),
            Node(_, make) => make(&fs, &subject, attributes),
        })
    }

    fn list(
        &self,
        from: u64,
        entry: &mut dyn FnMut(&[u8], u64, FileType, u64) -> bool,
    ) -> Result<()> {
        self.subject.get_task().map_err(|_| Errno::ENOENT)?;
        for (index, item) in self.entries() {
            let cookie = 1 + index;
            let kind = match item.content {
                Node(kind, _) => kind,
                _ => FileType::Regular,
            };
            if cookie >= from && !entry(item.name.as_bytes(), self.ino(index), kind, cookie) {
                break;
            }
        }
        Ok(())
    }
}

fn task_directory(fs: &Arc<SyntheticFs>, subject: &Subject, attributes: Attributes) -> Arc<Inode> {
    let dir = TaskDir { fs: Arc::downgrade(fs), subject: subject.clone() };
    fs.dynamic_dir(attributes, Arc::new(dir))
}

/// `/proc/<pid>/task`.
struct TaskDir {
    fs: Weak<SyntheticFs>,
    subject: Subject,
}

impl DynamicDir for TaskDir {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>> {
        let fs = self.fs.upgrade().ok_or(Errno::ENOENT)?;
        let id = parse_id(name).ok_or(Errno::ENOENT)?;
        let process = self.subject.get_process().map_err(|_| Errno::ENOENT)?;
        directory(&fs, &Subject::thread(id, &process), None).map_err(|_| Errno::ENOENT)
    }

    fn list(
        &self,
        from: u64,
        entry: &mut dyn FnMut(&[u8], u64, FileType, u64) -> bool,
    ) -> Result<()> {
        let process = self.subject.get_process().map_err(|_| Errno::ENOENT)?;
        for task in process.threads() {
            let id = task.tid().0;
            let cookie = 2 + u64::from(id);
            let name = format!("{id}");
            let ino = ino(id, 0x8000);
            if cookie >= from && !entry(name.as_bytes(), ino, FileType::Directory, cookie) {
                break;
            }
        }
        Ok(())
    }
}

/// What ps shows in its state column, and the word for it.
fn state(task: &Task) -> (char, &'static str) {
    use sched::TaskState::*;
    if task.process.has_ended() {
        return ('Z', "zombie");
    }
    match task.sched.state() {
        Running => ('R', "running"),
        // A kernel thread that waits for work.
        Uninterruptible if task.is_kernel() => ('I', "idle"),
        Interruptible => ('S', "sleeping"),
        Uninterruptible | Killable => ('D', "disk sleep"),
        Stopped => ('T', "stopped"),
        Traced => ('t', "tracing stop"),
        Zombie => ('Z', "zombie"),
        Dead => ('X', "dead"),
    }
}
