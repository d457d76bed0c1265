//! The file system of message queues (`mq_overview(7)`): one directory. It is there whether or not it is mounted; `mount -t mqueue`
//! shows it. Reading a queue's file tells its state.
//!
//! Locks: the directory's entries (a leaf), a queue's own.

use super::queue::{Capacity, Charge, Limits, Queue};
use crate::{
    fs::{
        DeviceId, DirSink, File, FileMode, FileOps, FileSystem, FileType, Inode, InodeOps, IoSink,
        Metadata, Mount, OpenFlags, Ownership, SetAttr, inode,
        mount::{self, FileSystemType, MountFlags, StatFs},
        permission,
    },
    process::{Capability, Credentials, Gid, Uid, capable},
    sync::{Lazy, PollEvents, PollTable, SpinLock, class, rcu},
    time,
};
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    collections::BTreeMap,
    format,
    sync::{Arc, Weak},
};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

const MAGIC: u64 = 0x1980_0202;
const ROOT_INO: u64 = 1;
/// `st_size` of a queue, and what the directory's counts for each entry.
const QUEUE_SIZE: u64 = 80;
const DIRENT_SIZE: u64 = 20;
/// Listings go from the newest to the oldest, as on Linux: positions count down from here as cookies count up.
const LAST_POSITION: u64 = i64::MAX as u64;
/// The longest name.
pub const NAME_MAX: usize = 255;

/// The instance.
pub struct MqueueFs {
    device: DeviceId,
    root: Arc<Inode>,
    directory: Arc<Directory>,
}

/// The one instance, with a mount of its own that nothing leads to, for `mq_open(2)`.
pub static FILE_SYSTEM: Lazy<(Arc<MqueueFs>, Arc<Mount>)> = Lazy::new(|| {
    let fs = MqueueFs::new();
    let shared: Arc<dyn FileSystem> = fs.clone();
    let flags = MountFlags::NO_SUID | MountFlags::NO_DEV | MountFlags::NO_EXEC;
    let mount = Mount::new(mount::superblock_of(&shared), None, b"mqueue", flags);
    (fs, mount)
});

/// The directory.
pub struct Directory {
    fs: Weak<MqueueFs>,
    device: DeviceId,
    entries: SpinLock<Entries>,
    /// What makes up the directory's attributes.
    attributes: SpinLock<(Ownership, time::Timespec)>,
    next_ino: AtomicU64,
    /// Queues that exist, those without a name included.
    queues: Arc<AtomicUsize>,
    /// Limits.
    pub limits: Limits,
}

#[derive(Default)]
struct Entries {
    by_name: BTreeMap<Box<[u8]>, u64>,
    by_cookie: BTreeMap<u64, (Box<[u8]>, Arc<Inode>)>,
    next: u64,
}

impl MqueueFs {
    fn new() -> Arc<MqueueFs> {
        let device = mount::next_anonymous_device();
        Arc::new_cyclic(|weak: &Weak<MqueueFs>| {
            let owner = Ownership { mode: FileMode(0o1777), uid: Uid(0), gid: Gid(0) };
            let directory = Arc::new(Directory {
                fs: weak.clone(),
                device,
                entries: SpinLock::new(&class::DIRECTORY_ENTRIES, Entries::default()),
                attributes: SpinLock::new(&class::TABLE, (owner, time::realtime())),
                next_ino: AtomicU64::new(ROOT_INO + 1),
                queues: Arc::new(AtomicUsize::new(0)),
                limits: Limits::new(),
            });
            let fs: Weak<dyn FileSystem> = weak.clone();
            let ops: Arc<dyn InodeOps> = Arc::clone(&directory) as _;
            let root = Inode::with_weak(fs, ROOT_INO, FileType::Directory, ops);
            MqueueFs { device, root, directory }
        })
    }

    /// The directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }
}

impl FileSystem for MqueueFs {
    fn type_name(&self) -> &'static str {
        "mqueue"
    }
    fn root(&self) -> Arc<Inode> {
        Arc::clone(&self.root)
    }
    fn device(&self) -> DeviceId {
        self.device
    }
    fn stat(&self) -> Result<StatFs> {
        Ok(StatFs {
            magic: MAGIC,
            block_size: 4096,
            name_max: NAME_MAX as u64,
            ..StatFs::default()
        })
    }
}

/// `mount -t mqueue`.
struct MqueueType;

impl FileSystemType for MqueueType {
    fn name(&self) -> &'static str {
        "mqueue"
    }
    fn mount(&self, _: &[u8], _: &[u8]) -> Result<Arc<dyn FileSystem>> {
        Ok(FILE_SYSTEM.0.clone())
    }
}

/// Registers the type.
pub fn init() {
    mount::register(Arc::new(MqueueType));
}

/// A queue that is counted; `ENOSPC` when there are too many.
struct Count(Arc<AtomicUsize>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Directory {
    fn count_queue(&self) -> Result<Count> {
        let before = self.queues.fetch_add(1, Relaxed);
        let count = Count(Arc::clone(&self.queues));
        let over = before >= self.limits.queues_max.count() as usize;
        if over && !capable(Capability::SysResource) { Err(Errno::ENOSPC) } else { Ok(count) }
    }

    /// Makes a queue of a size (messages and bytes), or the default; the directory's lock is held. `ENOSPC`, `EINVAL`, `EMFILE`.
    pub fn make(
        &self,
        dir: &Inode,
        name: &[u8],
        mode: FileMode,
        size: Option<(i64, i64)>,
        who: &Credentials,
    ) -> Result<Arc<Inode>> {
        // Before a limit is reported, what was removed gives back what it had.
        let count = self.count_queue().or_else(|_| {
            rcu::barrier();
            self.count_queue()
        })?;
        let capacity = Capacity::new(&self.limits, size)?;
        let charge = Charge::take(&capacity).or_else(|_| {
            rcu::barrier();
            Charge::take(&capacity)
        })?;
        let owner = permission::new_ownership(&self.ownership(dir)?, FileType::Regular, mode, who);
        let queue = Arc::new(Queue::new(capacity, charge, owner));
        let node = QueueNode { queue, device: self.device, _count: count };
        let ino = self.next_ino.fetch_add(1, Relaxed);
        let fs: Weak<dyn FileSystem> = self.fs.clone();
        let made = Inode::with_weak(fs, ino, FileType::Regular, Arc::new(node));
        let mut entries = self.entries.lock();
        let cookie = entries.next;
        entries.next += 1;
        entries.by_name.insert(name.into(), cookie);
        entries.by_cookie.insert(cookie, (name.into(), Arc::clone(&made)));
        drop(entries);
        self.touch();
        Ok(made)
    }

    fn touch(&self) {
        self.attributes.lock().1 = time::realtime();
    }
}

impl InodeOps for Directory {
    fn lookup(&self, _: &Inode, name: &[u8]) -> Result<Arc<Inode>> {
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let entries = self.entries.lock();
        let found = entries.by_name.get(name).and_then(|cookie| entries.by_cookie.get(cookie));
        found.map(|(_, inode)| Arc::clone(inode)).ok_or(Errno::ENOENT)
    }

    fn create(
        &self,
        dir: &Inode,
        name: &[u8],
        kind: FileType,
        mode: FileMode,
        _: DeviceId,
        who: &Credentials,
    ) -> Result<Arc<Inode>> {
        if kind != FileType::Regular {
            return Err(Errno::EPERM);
        }
        self.make(dir, name, mode, None, who)
    }

    fn unlink(&self, _: &Inode, name: &[u8], target: &Arc<Inode>) -> Result<()> {
        let removed = {
            let mut entries = self.entries.lock();
            let cookie = entries.by_name.remove(name).ok_or(Errno::ENOENT)?;
            entries.by_cookie.remove(&cookie)
        };
        drop(removed);
        if let Some(node) = target.ops().as_any().downcast_ref::<QueueNode>() {
            let mut state = node.queue.state.lock();
            state.links = 0;
            state.changed = time::realtime();
        }
        self.touch();
        Ok(())
    }

    fn metadata(&self, inode: &Inode) -> Result<Metadata> {
        let (owner, changed) = *self.attributes.lock();
        let entries = self.entries.lock().by_cookie.len() as u64;
        let size = (2 + entries) * DIRENT_SIZE;
        Ok(Metadata { nlink: 2, ..metadata(inode, self.device, owner, size, [changed; 3]) })
    }

    fn ownership(&self, _: &Inode) -> Result<Ownership> {
        Ok(self.attributes.lock().0)
    }

    fn set_attr(&self, _: &Inode, change: &SetAttr) -> Result<()> {
        let mut attributes = self.attributes.lock();
        let Ownership { mode, uid, gid } = attributes.0;
        attributes.0 = Ownership {
            mode: change.mode.unwrap_or(mode),
            uid: change.uid.unwrap_or(uid),
            gid: change.gid.unwrap_or(gid),
        };
        Ok(())
    }

    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Ok(Arc::new(OpenDirectory))
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

fn metadata(
    inode: &Inode,
    device: DeviceId,
    owner: Ownership,
    size: u64,
    [atime, mtime, ctime]: [time::Timespec; 3],
) -> Metadata {
    Metadata {
        dev: device,
        ino: inode.ino(),
        file_type: inode.file_type(),
        mode: owner.mode,
        nlink: 1,
        uid: owner.uid,
        gid: owner.gid,
        rdev: DeviceId::default(),
        size,
        block_size: 4096,
        blocks: 0,
        atime,
        mtime,
        ctime,
        btime: None,
    }
}

/// The directory, open.
struct OpenDirectory;

impl FileOps for OpenDirectory {
    fn read(&self, _: &File, _: &mut IoSink<'_>, _: &mut u64) -> Result<usize> {
        Err(Errno::EISDIR)
    }
    fn pollable(&self) -> bool {
        false
    }
    fn seekable(&self) -> bool {
        true
    }
    fn read_dir(&self, file: &File, sink: &mut dyn DirSink) -> Result<()> {
        let ops = file.inode().ops();
        let directory = ops.as_any().downcast_ref::<Directory>().ok_or(Errno::ENOTDIR)?;
        if !inode::emit_dots(file, sink) {
            return Ok(());
        }
        while let Some(newest) = LAST_POSITION.checked_sub(file.position()) {
            // The lock is not held around the sink, which copies to user memory.
            let next = {
                let entries = directory.entries.lock();
                let found = entries.by_cookie.range(..=newest).next_back();
                found.map(|(&cookie, (name, inode))| (cookie, name.clone(), inode.ino()))
            };
            let Some((cookie, name, ino)) = next else { break };
            let position = LAST_POSITION - cookie + 1;
            if !sink.entry(&name, ino, FileType::Regular, position) {
                break;
            }
            file.set_position(position);
        }
        Ok(())
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// A queue as an inode.
struct QueueNode {
    queue: Arc<Queue>,
    device: DeviceId,
    _count: Count,
}

impl InodeOps for QueueNode {
    fn metadata(&self, inode: &Inode) -> Result<Metadata> {
        let state = self.queue.state.lock();
        let times = [state.accessed, state.modified, state.changed];
        let nlink = state.links;
        Ok(Metadata { nlink, ..metadata(inode, self.device, state.ownership, QUEUE_SIZE, times) })
    }
    fn ownership(&self, _: &Inode) -> Result<Ownership> {
        Ok(self.queue.state.lock().ownership)
    }
    fn set_attr(&self, _: &Inode, change: &SetAttr) -> Result<()> {
        self.queue.change(change);
        Ok(())
    }
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Ok(Arc::clone(&self.queue) as _)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// A queue as an open file. Messages come and go by calls of their own.
impl FileOps for Queue {
    fn read(&self, _: &File, dst: &mut IoSink<'_>, offset: &mut u64) -> Result<usize> {
        let mut state = self.state.lock();
        let (notify, signal, pid) =
            state.registration.as_ref().map_or((0, 0, 0), |registration| registration.shown());
        let bytes = state.bytes;
        state.touch(false);
        drop(state);
        let text =
            format!("QSIZE:{bytes:<10} NOTIFY:{notify:<5} SIGNO:{signal:<5} NOTIFY_PID:{pid:<6}\n");
        let start = usize::try_from(*offset).unwrap_or(usize::MAX).min(text.len());
        let n = dst.write(&text.as_bytes()[start..])?;
        *offset += n as u64;
        Ok(n)
    }

    fn poll(&self, _: &File, table: &mut PollTable) -> PollEvents {
        table.register(&self.ready);
        self.events()
    }

    fn seekable(&self) -> bool {
        true
    }

    fn flush(&self, _: &File) -> Result<()> {
        let mut state = self.state.lock();
        // Any close of a descriptor of the queue ends the process's registration.
        let _ended = state.registration.take_if(|registration| registration.is_current());
        Ok(())
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
