//! Inodes: the file itself, whatever its names.
//!
//! Lock: [`Inode::lock`], class `DIRECTORY` for directories and `INODE_DATA` for the rest. The VFS takes a directory's for
//! writing around every change of its entries and for reading around look-ups that the dentry cache could not answer; the file
//! system takes a file's around writes and truncation.

use super::{
    DeviceId, File, FileMode, FileOps, FileSystem, FileType, Metadata, OpenFlags, Ownership,
    SetAttr, locks::FileLocks, pipe::FifoSlot, writers::WriterCount, xattr::XattrStore,
};
use crate::{
    process::Credentials,
    sync::{Once, RwLock, SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::{any::Any, ops::Range};

/// An inode: what all file systems share (number, type, locks) and the operations of its own.
// Has a slab cache, which knows it by its alignment.
#[repr(align(16))]
pub struct Inode {
    fs: Weak<dyn FileSystem>,
    ino: u64,
    kind: FileType,
    ops: Arc<dyn InodeOps>,
    /// Content and size of a file, entries of a directory: changes hold it for writing.
    lock: RwLock<()>,
    writers: WriterCount,
    fifo: Once<Box<FifoSlot>>,
    file_locks: Once<Box<FileLocks>>,
    attachment: Once<Arc<dyn Any + Send + Sync>>,
}

/// What of a directory may be kept in the dentry cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameCaching {
    /// Names found, and that a name was not found: the directory changes only through the VFS.
    All,
    /// Names found: the kernel adds names on its own, and removes none.
    Found,
    /// Nothing: names come and go on their own (procfs).
    Never,
}

/// Receives directory entries; `Err(EINVAL)`-free: returns false when full.
pub trait DirSink {
    /// One entry. `next` is the position after it.
    fn entry(&mut self, name: &[u8], ino: u64, kind: FileType, next: u64) -> bool;
}

/// What a file system does for an inode. Names are single components, never empty, `.` or `..`. Permission was checked and,
/// for changes of a directory, its lock is held.
#[expect(unused_variables, reason = "defaults refuse")]
pub trait InodeOps: Send + Sync {
    /// Finds `name`; `ENOENT`.
    fn lookup(&self, dir: &Inode, name: &[u8]) -> Result<Arc<Inode>> {
        Err(Errno::ENOTDIR)
    }
    /// What of this directory may be kept in the dentry cache.
    fn name_caching(&self) -> NameCaching {
        NameCaching::All
    }
    /// Makes a regular file, directory, device, fifo or socket.
    fn create(
        &self,
        dir: &Inode,
        name: &[u8],
        kind: FileType,
        mode: FileMode,
        device: super::DeviceId,
        who: &Credentials,
    ) -> Result<Arc<Inode>> {
        Err(Errno::EPERM)
    }
    /// Makes a symbolic link.
    fn symlink(
        &self,
        dir: &Inode,
        name: &[u8],
        target: &[u8],
        who: &Credentials,
    ) -> Result<Arc<Inode>> {
        Err(Errno::EPERM)
    }
    /// Makes a hard link.
    fn link(&self, dir: &Inode, name: &[u8], target: &Arc<Inode>) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// Removes a name of something that is not a directory.
    fn unlink(&self, dir: &Inode, name: &[u8], target: &Arc<Inode>) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// Removes an empty directory.
    fn rmdir(&self, dir: &Inode, name: &[u8], target: &Arc<Inode>) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// Renames; `exchange` is `RENAME_EXCHANGE`. What is replaced (if anything) was checked for type and emptiness by the file system.
    fn rename(
        &self,
        from_dir: &Inode,
        from: &[u8],
        to_dir: &Inode,
        to: &[u8],
        exchange: bool,
    ) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// The target of a symbolic link.
    fn read_link(&self, inode: &Inode) -> Result<Vec<u8>> {
        Err(Errno::EINVAL)
    }
    /// A link that leads to an object rather than a name (`/proc/<pid>/fd/N`, `exe`, `cwd`): jumps there.
    fn follow_magic(&self, inode: &Inode) -> Option<Result<super::Path>> {
        None
    }
    /// Attributes now.
    fn metadata(&self, inode: &Inode) -> Result<Metadata>;
    /// What permission checks look at. Called for every step of a path walk: keep it free of locks.
    fn ownership(&self, inode: &Inode) -> Result<Ownership> {
        let Metadata { mode, uid, gid, .. } = self.metadata(inode)?;
        Ok(Ownership { mode, uid, gid })
    }
    /// Whether no capability gets around the mode's bits (`/proc/sys`).
    fn binds_the_privileged(&self) -> bool {
        false
    }
    /// Notes an access (`st_atime`), as the mount's options allow.
    fn accessed(&self, inode: &Inode) {}
    /// Extended attributes; `EOPNOTSUPP` where there are none (`xattr(7)`).
    fn xattrs(&self) -> Result<&XattrStore> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Makes a file without a name (`O_TMPFILE`).
    fn create_unnamed(
        &self,
        dir: &Inode,
        mode: FileMode,
        linkable: bool,
        who: &Credentials,
    ) -> Result<Arc<Inode>> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Changes attributes, size included.
    fn set_attr(&self, inode: &Inode, change: &SetAttr) -> Result<()> {
        Err(Errno::EPERM)
    }
    /// The operations of a newly opened file. Devices, fifos and sockets never get here.
    fn open(&self, inode: &Arc<Inode>, flags: OpenFlags) -> Result<Arc<dyn FileOps>>;
    /// The last name and the last user are gone.
    fn evict(&self, inode: &Inode) {}
    /// For downcasts by the file system that made it.
    fn as_any(&self) -> &dyn core::any::Any;
}

impl Inode {
    /// An inode of `fs` with number `ino`.
    pub fn new(
        fs: &Arc<dyn FileSystem>,
        ino: u64,
        kind: FileType,
        ops: Arc<dyn InodeOps>,
    ) -> Arc<Inode> {
        Inode::with_weak(Arc::downgrade(fs), ino, kind, ops)
    }
    /// The same, for a file system that is still being made.
    pub fn with_weak(
        fs: Weak<dyn FileSystem>,
        ino: u64,
        kind: FileType,
        ops: Arc<dyn InodeOps>,
    ) -> Arc<Inode> {
        let class = match kind {
            FileType::Directory => &class::DIRECTORY,
            _ => &class::INODE_DATA,
        };
        Arc::new(Inode {
            fs,
            ino,
            kind,
            ops,
            lock: RwLock::new(class, ()),
            writers: WriterCount::new(),
            fifo: Once::new(),
            file_locks: Once::new(),
            attachment: Once::new(),
        })
    }
    /// Its number.
    pub fn ino(&self) -> u64 {
        self.ino
    }
    /// Its type.
    pub fn file_type(&self) -> FileType {
        self.kind
    }
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileType::Directory
    }
    /// Its operations.
    pub fn ops(&self) -> &Arc<dyn InodeOps> {
        &self.ops
    }
    /// Its file system. An inode kept beyond its last mount answers with the file system of nameless files.
    pub fn file_system(&self) -> Arc<dyn FileSystem> {
        self.fs.upgrade().unwrap_or_else(super::anonymous::file_system)
    }
    /// Attributes now.
    pub fn metadata(&self) -> Result<Metadata> {
        self.ops.metadata(self)
    }
    /// Mode and owner now.
    pub fn ownership(&self) -> Result<Ownership> {
        self.ops.ownership(self)
    }
    /// The lock of content, size and directory entries.
    pub fn lock(&self) -> &RwLock<()> {
        &self.lock
    }
    /// Opens for writing against programs that run from it (`ETXTBSY`).
    pub fn writers(&self) -> &WriterCount {
        &self.writers
    }
    /// Where the FIFO of this name has its pipe.
    pub fn fifo(&self) -> &FifoSlot {
        self.fifo.call_once(|| Box::new(FifoSlot::new()))
    }
    /// Locks of `flock(2)` and `fcntl(2)`.
    pub fn file_locks(&self) -> &FileLocks {
        self.file_locks.call_once(|| Box::new(FileLocks::new()))
    }
    /// The same, if anybody ever locked the file.
    pub fn file_locks_if_any(&self) -> Option<&FileLocks> {
        self.file_locks.get().map(|locks| &**locks)
    }
    /// What another subsystem hung on the inode (the socket bound to a name).
    pub fn attachment(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.attachment.get()
    }
    /// Hangs something on the inode, once; returns what hangs there then.
    pub fn attach(&self, object: Arc<dyn Any + Send + Sync>) -> &Arc<dyn Any + Send + Sync> {
        self.attachment.call_once(|| object)
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        let ops = self.ops.clone();
        ops.evict(self);
    }
}

/// Lists `.` and `..` at positions 0 and 1 of a directory; whether the listing goes on.
pub fn emit_dots(file: &File, sink: &mut dyn DirSink) -> bool {
    let here = file.inode().ino();
    let parent = file.path().parent_ino();
    for (position, name, ino) in [(0, b".".as_slice(), here), (1, b"..", parent)] {
        if file.position() == position {
            if !sink.entry(name, ino, FileType::Directory, position + 1) {
                return false;
            }
            file.set_position(position + 1);
        }
    }
    true
}

/// Opens a device node. Registered by device drivers for a major number (or one device).
pub trait DeviceDriver: Send + Sync {
    /// The operations of a newly opened device; `ENXIO` when there is no such unit.
    fn open(
        &self,
        inode: &Arc<Inode>,
        device: super::DeviceId,
        flags: OpenFlags,
    ) -> Result<Arc<dyn FileOps>>;
    /// Called once the open file exists (controlling terminals).
    fn opened(&self, _file: &Arc<File>) -> Result<()> {
        Ok(())
    }
}

struct Registration {
    major: u32,
    minors: Range<u32>,
    driver: Arc<dyn DeviceDriver>,
}

static CHAR_DEVICES: SpinLock<Vec<Registration>> = SpinLock::new(&class::TABLE, Vec::new());

/// Registers a character device driver for `major` and a range of minors.
pub fn register_char_device(major: u32, minors: Range<u32>, driver: Arc<dyn DeviceDriver>) {
    CHAR_DEVICES.lock().push(Registration { major, minors, driver });
}

/// The driver of a character device; `ENXIO` when there is none.
pub fn char_device_driver(device: DeviceId) -> Result<Arc<dyn DeviceDriver>> {
    CHAR_DEVICES
        .lock()
        .iter()
        .find(|entry| entry.major == device.major && entry.minors.contains(&device.minor))
        .map(|entry| entry.driver.clone())
        .ok_or(Errno::ENXIO)
}
