//! A task's view of the tree: root, working directory, umask (`CLONE_FS` shares it).

use super::{FileMode, Path};
use alloc::sync::Arc;

/// Root, working directory and umask.
pub struct FsContext(());

impl FsContext {
    /// The first process's: the root of the first mount.
    pub fn initial() -> Arc<FsContext> {
        todo!()
    }
    /// A copy, for fork.
    pub fn fork(&self) -> Arc<FsContext> {
        todo!()
    }
    /// The root.
    pub fn root(&self) -> Path {
        todo!()
    }
    /// The working directory.
    pub fn cwd(&self) -> Path {
        todo!()
    }
    /// The umask.
    pub fn umask(&self) -> FileMode {
        todo!()
    }
}
