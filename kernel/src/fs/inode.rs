//! Inodes: the file itself, whatever its names.

use super::{File, FileMode, FileOps, FileSystem, FileType, Metadata, OpenFlags, SetAttr};
use crate::process::Credentials;
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};

/// An inode: what all file systems share (number, type, cached attributes, locks) and the operations of its own.
pub struct Inode(());

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
    /// Whether a found or missing name may be kept in the dentry cache (procfs says no).
    fn cacheable(&self) -> bool {
        true
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
        _fs: &Arc<dyn FileSystem>,
        _ino: u64,
        _kind: FileType,
        _ops: Arc<dyn InodeOps>,
    ) -> Arc<Inode> {
        todo!()
    }
    /// Its number.
    pub fn ino(&self) -> u64 {
        todo!()
    }
    /// Its type.
    pub fn file_type(&self) -> FileType {
        todo!()
    }
    /// Its operations.
    pub fn ops(&self) -> &Arc<dyn InodeOps> {
        todo!()
    }
    /// Its file system.
    pub fn file_system(&self) -> Arc<dyn FileSystem> {
        todo!()
    }
    /// Attributes now.
    pub fn metadata(&self) -> Result<Metadata> {
        todo!()
    }
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

/// Registers a character device driver for `major` and a range of minors.
pub fn register_char_device(
    _major: u32,
    _minors: core::ops::Range<u32>,
    _driver: Arc<dyn DeviceDriver>,
) {
    todo!()
}
