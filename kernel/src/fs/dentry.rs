//! Dentries: names in the tree, cached in a hash that walks read under RCU.

use super::{Inode, Mount};
use alloc::{sync::Arc, vec::Vec};

/// A name in a directory and the inode (or nothing) behind it.
pub struct Dentry(());

/// A place: a dentry in a mount.
#[derive(Clone)]
pub struct Path {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The dentry in it.
    pub dentry: Arc<Dentry>,
}

impl Path {
    /// The inode here. A path always has one.
    pub fn inode(&self) -> &Arc<Inode> {
        todo!()
    }
    /// The name from the current root, as `getcwd(2)` and `/proc/<pid>/fd` show it (` (deleted)` appended where Linux does).
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
}
