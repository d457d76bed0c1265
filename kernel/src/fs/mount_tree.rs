//! The tree of mounts: what lies where, and the changes of `mount(2)`, `umount2(2)` and `pivot_root(2)`.
//!
//! A walk asks [`mounted_on`], which reads a hash under RCU and is only asked for dentries marked as mount points. Changes take
//! the tree's lock (class `MOUNT`), which also orders the list for `/proc/mounts`.

use super::{
    Dentry, Path,
    mount::{self, FileSystem, Mount, MountFlags, Superblock},
    propagation::{self, CopyGroups, Kind},
};
use crate::sync::{KernelRcu, Lazy, Mutex, Once, class, rcu};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use rcu_collections::RcuHash;

struct Attached {
    at: Path,
    mount: Arc<Mount>,
}

static LIST: Mutex<Vec<Arc<Mount>>> = Mutex::new(&class::MOUNT, Vec::new());
static HASH: Lazy<RcuHash<Arc<Attached>, KernelRcu>> = Lazy::new(|| RcuHash::new(8));
static ROOT: Once<Arc<Mount>> = Once::new();

fn key(mount: &Mount, dentry: &Dentry) -> u64 {
    let word =
        core::ptr::from_ref(mount) as u64 ^ (core::ptr::from_ref(dentry) as u64).rotate_left(17);
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn is_at(at: &Path, mount: &Mount, dentry: &Dentry) -> bool {
    core::ptr::eq(&*at.mount, mount) && core::ptr::eq(&*at.dentry, dentry)
}

/// Makes the first mount, at boot.
pub fn set_root(fs: &Arc<dyn FileSystem>) -> Arc<Mount> {
    let mount = Mount::new(mount::superblock_of(fs), None, b"rootfs", MountFlags::empty());
    LIST.lock().push(mount.clone());
    ROOT.call_once(|| mount).clone()
}

/// The mount at the top of the tree.
pub fn root() -> Arc<Mount> {
    ROOT.wait().clone()
}

/// The mount that lies on a place.
pub fn mounted_on(mount: &Mount, dentry: &Dentry) -> Option<Arc<Mount>> {
    let guard = rcu::read();
    mounted_on_rcu(&guard, mount, dentry).cloned()
}

/// The same, borrowed under RCU.
pub fn mounted_on_rcu<'g>(
    guard: &'g rcu::RcuGuard,
    mount: &Mount,
    dentry: &Dentry,
) -> Option<&'g Arc<Mount>> {
    if !dentry.is_mountpoint() {
        return None;
    }
    let found = HASH.get(guard, key(mount, dentry), |entry| is_at(&entry.at, mount, dentry))?;
    Some(&found.mount)
}

/// From a place, the root of what is mounted there, as often as something is.
pub fn descend(mut path: Path) -> Path {
    while let Some(mount) = mounted_on(&path.mount, &path.dentry) {
        path = Path { dentry: mount.root().clone(), mount };
    }
    path
}

/// All mounts of the tree in the order they were made.
pub fn all() -> Vec<Arc<Mount>> {
    LIST.lock().clone()
}

fn link(mount: &Arc<Mount>, at: Path) {
    at.dentry.add_mount();
    mount.set_mountpoint(Some(at.clone()));
    let hash = key(&at.mount, &at.dentry);
    let entry = Arc::new(Attached { at, mount: mount.clone() });
    HASH.replace(hash, |_| false, entry);
}

fn unlink(mount: &Arc<Mount>) {
    let Some(at) = mount.mountpoint() else { return };
    at.dentry.remove_mount();
    HASH.remove(key(&at.mount, &at.dentry), |entry| Arc::ptr_eq(&entry.mount, mount));
    mount.set_mountpoint(None);
}

/// Puts a mount on a place: a directory on a directory, anything else on a non-directory (`ENOTDIR`). The name must still exist
/// (`ENOENT`).
pub fn attach(mount: Arc<Mount>, at: Path) -> Result<()> {
    let mut list = LIST.lock();
    attach_locked(&mut list, mount, &[], at)
}

/// Attaches a mount, what lies below it, and copies of both where the place is shared.
fn attach_locked(
    list: &mut Vec<Arc<Mount>>,
    mount: Arc<Mount>,
    below: &[(Arc<Mount>, Path)],
    at: Path,
) -> Result<()> {
    // Somebody may have mounted something there since the walk.
    let at = descend(at);
    if at.is_dir() != mount.root().inode().is_dir() {
        return Err(Errno::ENOTDIR);
    }
    // With its lock held, the place is either gone by now or stays.
    let inode = at.inode().clone();
    let _place = inode.lock().write();
    if at.dentry.is_deleted() {
        return Err(Errno::ENOENT);
    }
    link(&mount, at.clone());
    list.push(mount.clone());
    for (mount, at) in below {
        link(mount, at.clone());
        list.push(mount.clone());
    }
    propagate(list, &mount, &at);
    Ok(())
}

/// Copies a tree that was just linked at `at` to all mounts that receive what happens there.
fn propagate(list: &mut Vec<Arc<Mount>>, top: &Arc<Mount>, at: &Path) {
    if at.mount.propagation().group.is_none() {
        return;
    }
    let tree = subtree(list, top);
    propagation::share_all(&tree);
    let mut groups = CopyGroups::default();
    for receiver in propagation::receivers(list, &at.mount) {
        // A bind of another part of the file system does not have the place; what comes along is no receiver.
        let is_new = tree.iter().any(|mount| Arc::ptr_eq(mount, &receiver));
        if is_new || !at.dentry.is_below(receiver.root()) {
            continue;
        }
        let mut copies: Vec<(Arc<Mount>, Arc<Mount>)> = Vec::new();
        for mount in &tree {
            let place = if Arc::ptr_eq(mount, top) {
                descend(Path { mount: receiver.clone(), dentry: at.dentry.clone() })
            } else {
                let Some(place) = mount.mountpoint() else { continue };
                let parent = copies.iter().find(|(old, _)| Arc::ptr_eq(old, &place.mount));
                let Some((_, parent)) = parent else { continue };
                Path { mount: parent.clone(), dentry: place.dentry }
            };
            let fresh = copy_of(mount, mount.root());
            fresh.set_propagation(groups.state_of_copy(mount, &at.mount, &receiver));
            link(&fresh, place);
            list.push(fresh.clone());
            copies.push((mount.clone(), fresh));
        }
    }
}

/// Another mount of (part of) the same file system, of the same kind.
fn copy_of(mount: &Arc<Mount>, root: &Arc<Dentry>) -> Arc<Mount> {
    let root = Some(root.clone());
    let copy = Mount::new(mount.superblock().clone(), root, mount.source(), mount.flags());
    copy.set_propagation(mount.propagation());
    copy
}

/// `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE` and `MS_UNBINDABLE`, with all below when `recursive`.
pub fn set_propagation(path: &Path, kind: Kind, recursive: bool) -> Result<()> {
    let list = LIST.lock();
    if !Arc::ptr_eq(&path.dentry, path.mount.root()) {
        return Err(Errno::EINVAL);
    }
    let tree =
        if recursive { subtree(&list, &path.mount) } else { alloc::vec![path.mount.clone()] };
    for mount in &tree {
        propagation::change(&list, mount, kind);
    }
    Ok(())
}

fn children<'a>(
    list: &'a [Arc<Mount>],
    of: &'a Arc<Mount>,
) -> impl Iterator<Item = &'a Arc<Mount>> {
    list.iter().filter(move |mount| mount.mountpoint().is_some_and(|at| Arc::ptr_eq(&at.mount, of)))
}

/// A mount and everything below it, parents first.
fn subtree(list: &[Arc<Mount>], top: &Arc<Mount>) -> Vec<Arc<Mount>> {
    let mut found = alloc::vec![top.clone()];
    let mut next = 0;
    while let Some(mount) = found.get(next).cloned() {
        found.extend(children(list, &mount).cloned());
        next += 1;
    }
    found
}

/// Mounts a new or existing instance.
pub fn mount_new(
    fs: &Arc<dyn FileSystem>,
    source: &[u8],
    flags: MountFlags,
    read_only_fs: bool,
    at: Path,
) -> Result<()> {
    let superblock: Arc<Superblock> = mount::superblock_of(fs);
    // Like Linux: the same file system twice on one place is refused.
    if Arc::ptr_eq(at.mount.superblock(), &superblock) && Arc::ptr_eq(&at.dentry, at.mount.root()) {
        return Err(Errno::EBUSY);
    }
    if read_only_fs {
        superblock.set_read_only(true);
    }
    attach(Mount::new(superblock, None, source, flags), at)
}

/// `MS_BIND`, with `MS_REC` when `recursive`.
pub fn bind(source: &Path, at: Path, recursive: bool) -> Result<()> {
    let mut list = LIST.lock();
    propagation::check_bindable(&source.mount)?;
    let top = copy_of(&source.mount, &source.dentry);
    let mut copies = alloc::vec![(source.mount.clone(), top.clone())];
    let mut pairs = Vec::new();
    if recursive {
        for mount in subtree(&list, &source.mount).into_iter().skip(1) {
            let Some(place) = mount.mountpoint() else { continue };
            // Only what lies below the source.
            let Some((_, parent)) = copies.iter().find(|(old, _)| Arc::ptr_eq(old, &place.mount))
            else {
                continue;
            };
            if Arc::ptr_eq(&place.mount, &source.mount) && !place.dentry.is_below(&source.dentry) {
                continue;
            }
            if propagation::check_bindable(&mount).is_err() {
                continue;
            }
            let parent = parent.clone();
            let fresh = copy_of(&mount, mount.root());
            pairs.push((fresh.clone(), Path { mount: parent, dentry: place.dentry }));
            copies.push((mount, fresh));
        }
    }
    attach_locked(&mut list, top, &pairs, at)
}

/// `MS_MOVE`.
pub fn move_mount(from: &Path, to: Path) -> Result<()> {
    let mut list = LIST.lock();
    if !Arc::ptr_eq(&from.dentry, from.mount.root()) || from.mount.mountpoint().is_none() {
        return Err(Errno::EINVAL);
    }
    propagation::check_movable(&from.mount)?;
    let to = descend(to);
    let shared = to.mount.propagation().group.is_some();
    if shared && subtree(&list, &from.mount).iter().any(|one| one.propagation().unbindable) {
        return Err(Errno::EINVAL);
    }
    if to.is_dir() != from.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    // Not below itself.
    let mut at = to.mount.clone();
    loop {
        if Arc::ptr_eq(&at, &from.mount) {
            return Err(Errno::ELOOP);
        }
        let Some(place) = at.mountpoint() else { break };
        at = place.mount;
    }
    unlink(&from.mount);
    link(&from.mount, to.clone());
    list.retain(|mount| !Arc::ptr_eq(mount, &from.mount));
    list.push(from.mount.clone());
    propagate(&mut list, &from.mount, &to);
    Ok(())
}

/// How `umount2(2)` treats a busy mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Busy {
    /// Refuse.
    Fail,
    /// Take it and what is below out of the tree; it lives on until its last user is gone (`MNT_DETACH`).
    Detach,
}

/// Whether somebody besides the list, the hash and the caller has the mount.
fn is_used(mount: &Arc<Mount>) -> bool {
    if Arc::strong_count(mount) > 3 {
        // What was let go of under RCU (a mount that lay on this one) still counts until the grace period is over.
        rcu::barrier();
    }
    Arc::strong_count(mount) > 3
}

/// The copies of a mount that lie on the receivers of its place, to be unmounted with it.
fn copies_elsewhere(list: &[Arc<Mount>], mount: &Arc<Mount>) -> Vec<Arc<Mount>> {
    let Some(at) = mount.mountpoint() else { return Vec::new() };
    let same = |other: &Arc<Mount>| {
        Arc::ptr_eq(other.superblock(), mount.superblock())
            && Arc::ptr_eq(other.root(), mount.root())
    };
    propagation::receivers(list, &at.mount)
        .iter()
        .filter_map(|receiver| mounted_on(receiver, &at.dentry))
        .filter(|other| same(other) && !Arc::ptr_eq(other, mount))
        .collect()
}

/// `umount2(2)` of the mount whose root is `path`, which is given up. `EINVAL` when it is no mount's root, `EBUSY`.
pub fn unmount(path: Path, busy: Busy) -> Result<()> {
    let mount = path.mount.clone();
    if !Arc::ptr_eq(&path.dentry, mount.root()) {
        return Err(Errno::EINVAL);
    }
    drop(path);
    let mut list = LIST.lock();
    if !list.iter().any(|other| Arc::ptr_eq(other, &mount)) {
        return Err(Errno::EINVAL);
    }
    if mount.mountpoint().is_none() {
        // The root of the tree: Linux would remount it read-only.
        return Err(Errno::EBUSY);
    }
    let gone = match busy {
        Busy::Fail => {
            if children(&list, &mount).next().is_some() || is_used(&mount) {
                return Err(Errno::EBUSY);
            }
            let copies = copies_elsewhere(&list, &mount);
            let mut gone = alloc::vec![mount];
            for copy in copies {
                // One that something lies on stays, one that is used keeps all of them.
                if children(&list, &copy).next().is_none() {
                    if is_used(&copy) {
                        return Err(Errno::EBUSY);
                    }
                    gone.push(copy);
                }
            }
            gone
        }
        Busy::Detach => {
            let mut gone = subtree(&list, &mount);
            for copy in copies_elsewhere(&list, &mount) {
                gone.extend(subtree(&list, &copy));
            }
            gone
        }
    };
    for mount in gone.iter().rev() {
        unlink(mount);
    }
    list.retain(|mount| !gone.iter().any(|gone| Arc::ptr_eq(gone, mount)));
    drop(list);
    Ok(())
}

/// `pivot_root(2)`: `new` becomes the root of the tree, the old root goes to `put_old`. Both were checked to be directories.
pub fn pivot_root(new: &Path, put_old: &Path, root: &Path) -> Result<()> {
    let mut list = LIST.lock();
    let (new_mount, old_mount) = (&new.mount, &root.mount);
    if Arc::ptr_eq(new_mount, old_mount) || Arc::ptr_eq(&put_old.mount, old_mount) {
        return Err(Errno::EBUSY);
    }
    if !Arc::ptr_eq(&new.dentry, new_mount.root()) || !Arc::ptr_eq(&root.dentry, old_mount.root()) {
        return Err(Errno::EINVAL);
    }
    // The initramfs cannot be pivoted away; nor can a tree that is not below its root.
    let Some(old_place) = old_mount.mountpoint() else { return Err(Errno::EINVAL) };
    let mut at = put_old.clone();
    while !Arc::ptr_eq(&at.mount, new_mount) {
        at = at.mount.mountpoint().ok_or(Errno::EINVAL)?;
    }
    if !at.dentry.is_below(&new.dentry) {
        return Err(Errno::EINVAL);
    }
    propagation::check_movable(new_mount)?;
    propagation::check_movable(old_mount)?;
    if old_mount.propagation().group.is_some() || new_mount.propagation().group.is_some() {
        return Err(Errno::EINVAL);
    }
    unlink(new_mount);
    unlink(old_mount);
    link(old_mount, put_old.clone());
    link(new_mount, old_place);
    list.retain(|mount| !Arc::ptr_eq(mount, new_mount));
    list.push(new_mount.clone());
    Ok(())
}
