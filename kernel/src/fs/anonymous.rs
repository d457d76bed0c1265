//! Files without a name in the tree: pipes, sockets, event files. They lie in a mount of their own that nothing leads to.
//!
//! No locks.

use super::{
    Dentry, DeviceId, FileMode, FileOps, FileSystem, FileType, Inode, InodeOps, Metadata, Mount,
    OpenFlags, Path,
    mount::{self, StatFs},
};
use crate::{
    process::{Gid, Uid},
    sched,
    sync::Lazy,
    time::{self, Timespec},
};
use abi::{Errno, Result};
use alloc::{format, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};

const ANON_INODE_FS_MAGIC: u64 = 0x0904_1934;

struct AnonymousFs {
    device: DeviceId,
}

impl FileSystem for AnonymousFs {
    fn type_name(&self) -> &'static str {
        "anon_inodefs"
    }
    fn root(&self) -> Arc<Inode> {
        new_inode(FileType::Directory, FileMode(0o700))
    }
    fn device(&self) -> DeviceId {
        self.device
    }
    fn stat(&self) -> Result<StatFs> {
        let magic = ANON_INODE_FS_MAGIC;
        Ok(StatFs { magic, block_size: 4096, name_max: 255, ..StatFs::default() })
    }
}

static FS: Lazy<Arc<dyn FileSystem>> =
    Lazy::new(|| Arc::new(AnonymousFs { device: mount::next_anonymous_device() }));
static MOUNT: Lazy<Arc<Mount>> = Lazy::new(|| Mount::new_nameless(&FS));
static NEXT_INO: AtomicU64 = AtomicU64::new(1);

/// The file system of nameless files.
pub fn file_system() -> Arc<dyn FileSystem> {
    FS.clone()
}

/// The mount of nameless files.
pub fn mount() -> Arc<Mount> {
    MOUNT.clone()
}

struct AnonymousInode {
    mode: FileMode,
    uid: Uid,
    gid: Gid,
    created: Timespec,
}

impl InodeOps for AnonymousInode {
    fn metadata(&self, inode: &Inode) -> Result<Metadata> {
        Ok(Metadata {
            dev: FS.device(),
            ino: inode.ino(),
            file_type: inode.file_type(),
            mode: self.mode,
            nlink: 1,
            uid: self.uid,
            gid: self.gid,
            rdev: DeviceId::default(),
            size: 0,
            block_size: 4096,
            blocks: 0,
            atime: self.created,
            mtime: self.created,
            ctime: self.created,
            btime: None,
        })
    }
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Err(Errno::ENXIO)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

fn new_inode(kind: FileType, mode: FileMode) -> Arc<Inode> {
    let ino = NEXT_INO.fetch_add(1, Ordering::Relaxed);
    let (uid, gid) = match kind {
        FileType::Directory => (Uid(0), Gid(0)),
        _ => {
            let credentials = sched::current().credentials.load();
            (credentials.fsuid, credentials.fsgid)
        }
    };
    let ops = AnonymousInode { mode, uid, gid, created: time::realtime() };
    Inode::with_weak(Arc::downgrade(&FS), ino, kind, Arc::new(ops))
}

/// A place for a nameless file. `name` is `pipe`, `socket`, or what stands after `anon_inode:`.
pub fn new_path(name: &str) -> Path {
    let (kind, mode) = match name {
        "pipe" => (FileType::Fifo, FileMode(0o600)),
        "socket" => (FileType::Socket, FileMode(0o777)),
        _ => (FileType::Regular, FileMode(0o600)),
    };
    Path { mount: mount(), dentry: Dentry::new(None, name.as_bytes(), new_inode(kind, mode)) }
}

/// How `/proc/<pid>/fd` shows a nameless file.
pub fn display_name(dentry: &Dentry) -> Vec<u8> {
    let place = dentry.place();
    let mut text = Vec::new();
    match &*place.name {
        b"pipe" | b"socket" => {
            text.extend_from_slice(&place.name);
            text.extend_from_slice(format!(":[{}]", dentry.inode().ino()).as_bytes());
        }
        // A name with a slash is shown as it is (`/memfd:name (deleted)`).
        name if name.starts_with(b"/") => text.extend_from_slice(name),
        name => {
            text.extend_from_slice(b"anon_inode:");
            text.extend_from_slice(name);
        }
    }
    text
}
