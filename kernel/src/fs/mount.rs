//! Mounts, and what a file system type provides.

use super::{DeviceId, Inode};
use abi::Result;
use alloc::{string::String, sync::Arc};

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

/// A file system at a place in the tree.
pub struct Mount(());

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

/// Registers a type.
pub fn register(_kind: Arc<dyn FileSystemType>) {
    todo!()
}
