//! Dentries: names in the tree, and places made of them.
//!
//! A dentry always has an inode; that a name does *not* exist is remembered by an entry of the [`dcache`](super::dcache) without
//! a dentry. Its place (parent and name) changes when it is renamed; readers follow it under RCU. A directory's dentry holds
//! its parent's, so the way up never breaks.
//!
//! No locks of its own: places change under the parents' directory locks and the rename lock.

use super::{FileType, Inode, Mount, dcache::Children, mount};
use crate::sync::rcu::RcuArc;
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Where a dentry is.
pub struct Place {
    /// The directory; none for the root of a file system and for nameless files.
    pub parent: Option<Arc<Dentry>>,
    /// The name in it.
    pub name: Box<[u8]>,
}

impl Drop for Place {
    /// Lets go of a long chain of parents one by one, not by recursion: user space decides how long it is.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(dentry) = next {
            next = Arc::into_inner(dentry).and_then(|dentry| {
                let place = dentry.place.load();
                drop(dentry);
                Arc::into_inner(place).and_then(|mut place| place.parent.take())
            });
        }
    }
}

/// A name in a directory and the inode behind it.
pub struct Dentry {
    place: RcuArc<Place>,
    inode: Arc<Inode>,
    /// How many mounts lie on it.
    mounts: AtomicU32,
    /// Its name was removed: it shows as ` (deleted)`, and nothing can be made below it.
    deleted: AtomicBool,
    /// The cache has given it up: a walk that found it without counting must look again.
    evicted: AtomicBool,
    /// What the cache knows of names in it.
    children: Children,
}

impl Dentry {
    /// A dentry for `inode` at a place.
    pub fn new(parent: Option<Arc<Dentry>>, name: &[u8], inode: Arc<Inode>) -> Arc<Dentry> {
        Dentry::at(Arc::new(Place { parent, name: name.into() }), inode)
    }
    /// The same, sharing the place.
    pub fn at(place: Arc<Place>, inode: Arc<Inode>) -> Arc<Dentry> {
        Arc::new(Dentry {
            place: RcuArc::new(place),
            inode,
            mounts: AtomicU32::new(0),
            deleted: AtomicBool::new(false),
            evicted: AtomicBool::new(false),
            children: Children::default(),
        })
    }
    /// Its inode.
    pub fn inode(&self) -> &Arc<Inode> {
        &self.inode
    }
    /// For the cache: its list of names in this directory.
    pub fn children(&self) -> &Children {
        &self.children
    }
    /// Parent and name now.
    pub fn place(&self) -> Arc<Place> {
        self.place.load()
    }
    /// Moves it (rename).
    pub fn set_place(&self, place: Arc<Place>) {
        self.place.store(place);
    }
    /// Its parent; itself at a root.
    pub fn parent(self: &Arc<Self>) -> Arc<Dentry> {
        self.place().parent.clone().unwrap_or_else(|| self.clone())
    }
    /// Whether something is mounted on it.
    pub fn is_mountpoint(&self) -> bool {
        self.mounts.load(Ordering::Acquire) != 0
    }
    /// One mount more on it.
    pub fn add_mount(&self) {
        self.mounts.fetch_add(1, Ordering::Release);
    }
    /// One less.
    pub fn remove_mount(&self) {
        self.mounts.fetch_sub(1, Ordering::Release);
    }
    /// Whether its name was removed.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }
    /// Notes that its name was removed.
    pub fn set_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
    }
    /// The cache gives it up, if nobody but the cache has it. Pairs with [`Dentry::was_evicted`]: one of the two sees the other.
    pub fn evict(self: &Arc<Self>) -> bool {
        self.evicted.store(true, Ordering::SeqCst);
        core::sync::atomic::fence(Ordering::SeqCst);
        let alone = Arc::strong_count(self) == 1;
        if !alone {
            self.evicted.store(false, Ordering::SeqCst);
        }
        alone
    }
    /// Whether the cache gave it up before the caller's reference counted.
    pub fn was_evicted(&self) -> bool {
        core::sync::atomic::fence(Ordering::SeqCst);
        self.evicted.load(Ordering::SeqCst)
    }
    /// Whether `other` is this dentry or one above it.
    pub fn is_below(self: &Arc<Self>, other: &Arc<Dentry>) -> bool {
        let mut at = self.clone();
        loop {
            if Arc::ptr_eq(&at, other) {
                return true;
            }
            let Some(parent) = at.place().parent.clone() else { return false };
            at = parent;
        }
    }
}

/// A place: a dentry in a mount.
#[derive(Clone)]
pub struct Path {
    /// The mount.
    pub mount: Arc<Mount>,
    /// The dentry in it.
    pub dentry: Arc<Dentry>,
}

impl PartialEq for Path {
    fn eq(&self, other: &Path) -> bool {
        Arc::ptr_eq(&self.mount, &other.mount) && Arc::ptr_eq(&self.dentry, &other.dentry)
    }
}

impl Path {
    /// The inode here. A path always has one.
    pub fn inode(&self) -> &Arc<Inode> {
        self.dentry.inode()
    }

    /// Whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.inode().file_type() == FileType::Directory
    }

    /// The inode number of the directory above, across mounts: what `..` has in listings.
    pub fn parent_ino(&self) -> u64 {
        self.climb_mounts().dentry.parent().inode().ino()
    }

    /// From the root of a mount, the place it is mounted on, as long as that is a root again.
    pub fn climb_mounts(&self) -> Path {
        let mut at = self.clone();
        while Arc::ptr_eq(&at.dentry, at.mount.root()) {
            let Some(mountpoint) = at.mount.mountpoint() else { break };
            at = mountpoint;
        }
        at
    }

    /// The name from the current root, as `getcwd(2)` and `/proc/<pid>/fd` show it (` (deleted)` appended where Linux does).
    pub fn to_bytes(&self) -> Vec<u8> {
        self.render(&super::context::current_root()).0
    }

    /// The name from `root`, and whether `root` was met on the way up (`getcwd(2)` says `(unreachable)` otherwise).
    pub fn render(&self, root: &Path) -> (Vec<u8>, bool) {
        if let Some(name) = self.mount.nameless(&self.dentry) {
            return (name, true);
        }
        let mut parts: Vec<Arc<Place>> = Vec::new();
        let mut at = self.clone();
        let mut deleted = at.dentry.is_deleted();
        let reachable = loop {
            if at == *root {
                break true;
            }
            if Arc::ptr_eq(&at.dentry, at.mount.root()) {
                match at.mount.mountpoint() {
                    Some(mountpoint) => at = mountpoint,
                    None => break Arc::ptr_eq(&at.mount, &mount::root_mount()),
                }
                continue;
            }
            let place = at.dentry.place();
            let Some(parent) = place.parent.clone() else { break false };
            deleted |= parent.is_deleted();
            parts.push(place);
            at.dentry = parent;
        };
        let mut text = Vec::new();
        for place in parts.iter().rev() {
            text.push(b'/');
            text.extend_from_slice(&place.name);
        }
        if text.is_empty() {
            text.push(b'/');
        }
        if deleted {
            text.extend_from_slice(b" (deleted)");
        }
        (text, reachable)
    }
}
