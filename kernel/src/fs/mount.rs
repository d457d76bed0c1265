//! Mounts, and what a file system type provides. How mounts lie on one another is [`super::mount_tree`].
//!
//! Locks: the lists of types and superblocks and each mount's place, all leaves.

use super::{Dentry, DeviceId, Inode, Path, propagation::Propagation};
use crate::sync::{SpinLock, class};
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    string::String,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A mounted instance of a file system (a superblock).
pub trait FileSystem: Send + Sync {
    /// Its type's name (`tmpfs`).
    fn type_name(&self) -> &'static str;
    /// The root inode.
    fn root(&self) -> Arc<Inode>;
    /// `st_dev` of its inodes.
    fn device(&self) -> DeviceId;
    /// `statfs(2)`.
    fn stat(&self) -> Result<StatFs>;
    /// Options for `/proc/mounts` besides the mount's own.
    fn show_options(&self, _out: &mut String) {}
    /// Changes options (`MS_REMOUNT`).
    fn reconfigure(&self, _data: &[u8]) -> Result<()> {
        Ok(())
    }
    /// Writes everything back.
    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

/// `struct statfs`, less what the VFS fills in.
#[derive(Clone, Copy, Default, Debug)]
pub struct StatFs {
    pub magic: u64,
    pub block_size: u64,
    pub blocks: u64,
    pub blocks_free: u64,
    pub blocks_available: u64,
    pub files: u64,
    pub files_free: u64,
    pub name_max: u64,
}

bitflags::bitflags! {
    /// Options of a mount (`MS_*` values of `mount(2)`).
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct MountFlags: u32 {
        /// Nothing can be changed through this mount.
        const READ_ONLY = 1;
        /// Set-id bits do nothing.
        const NO_SUID = 2;
        /// Device nodes cannot be opened.
        const NO_DEV = 4;
        /// Nothing can be executed.
        const NO_EXEC = 8;
        /// Every write waits for the disk.
        const SYNCHRONOUS = 16;
        /// No symbolic link is followed.
        const NO_SYMFOLLOW = 256;
        /// Access times stay as they are.
        const NO_ATIME = 1024;
        /// Those of directories.
        const NO_DIR_ATIME = 2048;
        /// Access times move only past an older change or a day (the default).
        const REL_ATIME = 1 << 21;
        /// Access times always move.
        const STRICT_ATIME = 1 << 24;
    }
}

/// A file system instance with its root dentry, common to all its mounts.
pub struct Superblock {
    /// The instance.
    pub fs: Arc<dyn FileSystem>,
    root: Arc<Dentry>,
    read_only: AtomicBool,
}

impl Superblock {
    /// Whether the whole file system is read-only.
    pub fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }
    /// Makes it so or not.
    pub fn set_read_only(&self, on: bool) {
        self.read_only.store(on, Ordering::Relaxed);
    }
}

impl Drop for Superblock {
    fn drop(&mut self) {
        // Cached names below its root would keep its inodes alive. They hold no reference to it.
        super::dcache::forget_below(&self.root);
    }
}

static SUPERBLOCKS: SpinLock<Vec<Weak<Superblock>>> = SpinLock::new(&class::TABLE, Vec::new());

/// The superblock of an instance: the one there is, so that every mount has the same dentries.
pub fn superblock_of(fs: &Arc<dyn FileSystem>) -> Arc<Superblock> {
    // Made outside of the lock, and dropped if there was one.
    let fresh = Arc::new(Superblock {
        root: Dentry::new(None, b"", fs.root()),
        fs: fs.clone(),
        read_only: AtomicBool::new(false),
    });
    let mut all = SUPERBLOCKS.lock();
    // Kept until the lock is released: one of them may go with this.
    let live: Vec<Arc<Superblock>> = all.iter().filter_map(Weak::upgrade).collect();
    let same = |sb: &&Arc<Superblock>| core::ptr::addr_eq(Arc::as_ptr(&sb.fs), Arc::as_ptr(fs));
    let found = live.iter().find(same).cloned();
    if found.is_none() {
        all.retain(|sb| sb.strong_count() > 0);
        all.push(Arc::downgrade(&fresh));
    }
    drop(all);
    found.unwrap_or(fresh)
}

/// All mounted instances (`sync(2)`).
pub fn superblocks() -> Vec<Arc<Superblock>> {
    SUPERBLOCKS.lock().iter().filter_map(Weak::upgrade).collect()
}

/// A file system at a place in the tree.
pub struct Mount {
    id: u32,
    superblock: Arc<Superblock>,
    root: Arc<Dentry>,
    /// What `/proc/mounts` shows as the device.
    source: Box<[u8]>,
    flags: AtomicU32,
    /// The place it lies on; none for the root mount and for mounts outside of the tree.
    mountpoint: SpinLock<Option<Path>>,
    /// Whose changes it sees.
    propagation: SpinLock<Propagation>,
    /// Holds nameless files: see [`super::anonymous`].
    nameless: bool,
}

static NEXT_MOUNT_ID: AtomicU32 = AtomicU32::new(1);
static NEXT_DEVICE: AtomicU32 = AtomicU32::new(1);

/// A device number for a file system without a device.
pub fn next_anonymous_device() -> DeviceId {
    DeviceId { major: 0, minor: NEXT_DEVICE.fetch_add(1, Ordering::Relaxed) }
}

impl Mount {
    /// A mount of (part of) a file system, not yet in the tree.
    pub fn new(
        superblock: Arc<Superblock>,
        root: Option<Arc<Dentry>>,
        source: &[u8],
        flags: MountFlags,
    ) -> Arc<Mount> {
        let root = root.unwrap_or_else(|| superblock.root.clone());
        Arc::new(Mount {
            id: NEXT_MOUNT_ID.fetch_add(1, Ordering::Relaxed),
            superblock,
            root,
            source: source.into(),
            flags: AtomicU32::new(flags.bits()),
            mountpoint: SpinLock::new(&class::TABLE, None),
            propagation: SpinLock::new(&class::TABLE, Propagation::default()),
            nameless: false,
        })
    }
    /// The mount of nameless files.
    pub fn new_nameless(fs: &Arc<dyn FileSystem>) -> Arc<Mount> {
        let superblock = superblock_of(fs);
        let root = superblock.root.clone();
        Arc::new(Mount {
            id: 0,
            superblock,
            root,
            source: b"none".as_slice().into(),
            flags: AtomicU32::new(0),
            mountpoint: SpinLock::new(&class::TABLE, None),
            propagation: SpinLock::new(&class::TABLE, Propagation::default()),
            nameless: true,
        })
    }
    /// Its number in `/proc/<pid>/mountinfo`.
    pub fn id(&self) -> u32 {
        self.id
    }
    /// The instance.
    pub fn file_system(&self) -> &Arc<dyn FileSystem> {
        &self.superblock.fs
    }
    /// The instance's common part.
    pub fn superblock(&self) -> &Arc<Superblock> {
        &self.superblock
    }
    /// Its topmost dentry.
    pub fn root(&self) -> &Arc<Dentry> {
        &self.root
    }
    /// What it was mounted from.
    pub fn source(&self) -> &[u8] {
        &self.source
    }
    /// Its options.
    pub fn flags(&self) -> MountFlags {
        MountFlags::from_bits_truncate(self.flags.load(Ordering::Relaxed))
    }
    /// Changes them (remount).
    pub fn set_flags(&self, flags: MountFlags) {
        self.flags.store(flags.bits(), Ordering::Relaxed);
    }
    /// Whether a flag is set.
    pub fn has(&self, flag: MountFlags) -> bool {
        self.flags().contains(flag)
    }
    /// `EROFS` when nothing may be changed through this mount.
    pub fn want_write(&self) -> Result<()> {
        if self.has(MountFlags::READ_ONLY) || self.superblock.is_read_only() {
            return Err(Errno::EROFS);
        }
        Ok(())
    }
    /// The place it lies on.
    pub fn mountpoint(&self) -> Option<Path> {
        self.mountpoint.lock().clone()
    }
    /// Sets the place it lies on. For [`super::mount_tree`], under its lock.
    pub fn set_mountpoint(&self, place: Option<Path>) {
        let old = core::mem::replace(&mut *self.mountpoint.lock(), place);
        drop(old);
    }
    /// Whose changes it sees.
    pub fn propagation(&self) -> Propagation {
        *self.propagation.lock()
    }
    /// Sets that. For [`super::mount_tree`], under its lock.
    pub fn set_propagation(&self, state: Propagation) {
        *self.propagation.lock() = state;
    }
    /// The name of a nameless file, as `/proc/<pid>/fd` shows it.
    pub fn nameless(&self, dentry: &Dentry) -> Option<Vec<u8>> {
        self.nameless.then(|| super::anonymous::display_name(dentry))
    }
}

/// A file system type, by name: `mount(2)` makes instances through it.
pub trait FileSystemType: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Makes (or for single-instance types, returns) an instance.
    fn mount(&self, source: &[u8], data: &[u8]) -> Result<Arc<dyn FileSystem>>;
    /// Whether it needs a block device (`/proc/filesystems`).
    fn needs_device(&self) -> bool {
        false
    }
}

static TYPES: SpinLock<Vec<Arc<dyn FileSystemType>>> = SpinLock::new(&class::TABLE, Vec::new());

/// Registers a type.
pub fn register(kind: Arc<dyn FileSystemType>) {
    TYPES.lock().push(kind);
}

/// Finds a type by name; `ENODEV`.
pub fn file_system_type(name: &[u8]) -> Result<Arc<dyn FileSystemType>> {
    let types = TYPES.lock();
    types.iter().find(|kind| kind.name().as_bytes() == name).cloned().ok_or(Errno::ENODEV)
}

/// All types, for `/proc/filesystems`.
pub fn file_system_types() -> Vec<Arc<dyn FileSystemType>> {
    TYPES.lock().clone()
}

/// The mount at the top of the tree.
pub fn root_mount() -> Arc<Mount> {
    super::mount_tree::root()
}
