//! A task's view of the tree: root, working directory, umask (`CLONE_FS` shares it).
//!
//! Lock: one for changes, a leaf; readers follow the pair of directories under RCU.

use super::{FileMode, Path, mount_tree};
use crate::{
    sched,
    sync::{SpinLock, class, rcu, rcu::RcuArc},
};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU16, Ordering};

/// The two directories that walks start from.
#[derive(Clone)]
pub struct Directories {
    /// Where `/` is.
    pub root: Path,
    /// Where names without a leading slash start.
    pub cwd: Path,
}

/// Root, working directory and umask.
pub struct FsContext {
    directories: RcuArc<Directories>,
    changes: SpinLock<()>,
    umask: AtomicU16,
}

impl FsContext {
    fn with(directories: Directories, umask: u16) -> Arc<FsContext> {
        Arc::new(FsContext {
            directories: RcuArc::new(Arc::new(directories)),
            changes: SpinLock::new(&class::TABLE, ()),
            umask: AtomicU16::new(umask),
        })
    }
    /// The first process's: the root of the first mount.
    pub fn initial() -> Arc<FsContext> {
        let mount = mount_tree::root();
        let root = mount_tree::descend(Path { dentry: mount.root().clone(), mount });
        FsContext::with(Directories { root: root.clone(), cwd: root }, 0o022)
    }
    /// A copy, for fork.
    pub fn fork(&self) -> Arc<FsContext> {
        FsContext::with((*self.directories.load()).clone(), self.umask.load(Ordering::Relaxed))
    }
    /// Root and working directory together.
    pub fn directories(&self) -> Arc<Directories> {
        self.directories.load()
    }
    /// The same, borrowed under RCU.
    pub fn directories_rcu<'g>(&'g self, guard: &'g rcu::RcuGuard) -> &'g Directories {
        self.directories.get(guard)
    }
    /// The root.
    pub fn root(&self) -> Path {
        self.directories.load().root.clone()
    }
    /// The working directory.
    pub fn cwd(&self) -> Path {
        self.directories.load().cwd.clone()
    }
    /// `chroot(2)`.
    pub fn set_root(&self, root: Path) {
        let _changes = self.changes.lock();
        let cwd = self.cwd();
        self.directories.store(Arc::new(Directories { root, cwd }));
    }
    /// `chdir(2)`.
    pub fn set_cwd(&self, cwd: Path) {
        let _changes = self.changes.lock();
        let root = self.root();
        self.directories.store(Arc::new(Directories { root, cwd }));
    }
    /// Where the old root is either of the two, the new one takes its place (`pivot_root(2)`).
    pub fn move_root(&self, old: &Path, new: &Path) {
        let _changes = self.changes.lock();
        let mut directories = (*self.directories.load()).clone();
        for place in [&mut directories.root, &mut directories.cwd] {
            if place == old {
                *place = new.clone();
            }
        }
        self.directories.store(Arc::new(directories));
    }
    /// The umask.
    pub fn umask(&self) -> FileMode {
        FileMode(self.umask.load(Ordering::Relaxed))
    }
    /// Replaces the umask (its permission bits); the old one.
    pub fn set_umask(&self, umask: FileMode) -> FileMode {
        FileMode(self.umask.swap(umask.0 & 0o777, Ordering::Relaxed))
    }
}

/// The current task's context; kernel threads see the first process's.
pub fn current() -> Arc<FsContext> {
    sched::current().fs.load().unwrap_or_else(FsContext::initial)
}

/// The current task's root.
pub fn current_root() -> Path {
    current().root()
}
