//! Changes of names: `mkdir(2)`, `mknod(2)`, `symlink(2)`, `link(2)`, `unlink(2)`, `rmdir(2)`; and of attributes: `chmod(2)`,
//! `chown(2)`, `utimensat(2)`, `truncate(2)`. Renames are in [`super::rename`].
//!
//! Locks: the directory's, for writing, around each change; a directory that goes is locked too, so that nothing is made in it
//! meanwhile. The order of checks is Linux's: it decides the errno.

use super::{
    Dentry, DeviceId, FileMode, FileType, Inode, Ownership, Path, SetAttr, context,
    current_credentials, dcache,
    inode::NameCaching,
    permission::{self, Access},
    walk::{self, Last, LookupFlags},
};
use crate::{
    process::{Capability, Credentials, Gid, Uid},
    time::Timespec,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};

/// A name about to be made: its directory, and the component.
struct NewName {
    dir: Path,
    name: Vec<u8>,
    slashes: bool,
}

fn new_name(base: i32, name: &[u8]) -> Result<NewName> {
    match walk::lookup_parent(base, name, LookupFlags::empty())? {
        (dir, Last::Name(name, slashes)) => Ok(NewName { dir, name, slashes }),
        _ => Err(Errno::EEXIST),
    }
}

impl NewName {
    /// Runs `make` with the directory locked, after the checks that all makers share; the name then exists.
    fn make(
        &self,
        kind: FileType,
        make: impl FnOnce(&Arc<Inode>, &Credentials) -> Result<Arc<Inode>>,
    ) -> Result<Arc<Dentry>> {
        let who = current_credentials();
        let inode = self.dir.inode();
        let _lock = inode.lock().write();
        if walk::find_child_locked(&self.dir.dentry, &self.name)?.is_some() {
            return Err(Errno::EEXIST);
        }
        if self.slashes && kind != FileType::Directory {
            return Err(Errno::ENOENT);
        }
        self.dir.mount.want_write()?;
        may_create(&self.dir, &who)?;
        let made = make(inode, &who)?;
        Ok(dcache::add(&self.dir.dentry, &self.name, made))
    }
}

/// Whether names may be made in a directory.
pub fn may_create(dir: &Path, who: &Credentials) -> Result<()> {
    if dir.dentry.is_deleted() {
        return Err(Errno::ENOENT);
    }
    permission::check_path(dir, who, Access::WRITE | Access::EXEC)
}

/// Whether `victim` may be removed from `dir`, as a directory or as something else.
pub fn may_delete(dir: &Path, victim: &Dentry, as_dir: bool, who: &Credentials) -> Result<()> {
    permission::check_path(dir, who, Access::WRITE | Access::EXEC)?;
    let (dir_owner, owner) = (dir.inode().ownership()?, victim.inode().ownership()?);
    if permission::sticky_forbids(&dir_owner, &owner, who) {
        return Err(Errno::EPERM);
    }
    match (as_dir, victim.inode().is_dir()) {
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        _ if dir.dentry.is_deleted() => Err(Errno::ENOENT),
        _ => Ok(()),
    }
}

fn masked(mode: FileMode) -> FileMode {
    FileMode(mode.0 & !context::current().umask().0)
}

/// `mkdirat(2)`.
pub fn make_dir(base: i32, name: &[u8], mode: FileMode) -> Result<()> {
    let new = new_name(base, name)?;
    let mode = FileMode(masked(mode).0 & (0o777 | FileMode::STICKY));
    new.make(FileType::Directory, |dir, who| {
        dir.ops().create(dir, &new.name, FileType::Directory, mode, DeviceId::default(), who)
    })?;
    Ok(())
}

/// `mknodat(2)`. `EPERM` for a directory, or a device without `CAP_MKNOD`.
pub fn make_node(
    base: i32,
    name: &[u8],
    kind: FileType,
    mode: FileMode,
    device: DeviceId,
) -> Result<()> {
    match kind {
        FileType::Directory => return Err(Errno::EPERM),
        FileType::Symlink => return Err(Errno::EINVAL),
        _ => {}
    }
    let new = new_name(base, name)?;
    let mode = masked(mode);
    new.make(kind, |dir, who| {
        if matches!(kind, FileType::CharDevice | FileType::BlockDevice)
            && !who.has(Capability::Mknod)
        {
            return Err(Errno::EPERM);
        }
        dir.ops().create(dir, &new.name, kind, mode, device, who)
    })?;
    Ok(())
}

/// Makes a socket's name (`bind(2)`): the place, for the socket to hang itself on the inode. `EADDRINUSE` when it exists.
pub fn make_socket(name: &[u8], mode: FileMode) -> Result<Path> {
    let new = new_name(walk::AT_FDCWD, name)?;
    let mode = masked(mode);
    let dentry = new.make(FileType::Socket, |dir, who| {
        dir.ops().create(dir, &new.name, FileType::Socket, mode, DeviceId::default(), who)
    });
    match dentry {
        Ok(dentry) => Ok(Path { mount: new.dir.mount.clone(), dentry }),
        Err(Errno::EEXIST) => Err(Errno::EADDRINUSE),
        Err(errno) => Err(errno),
    }
}

/// `symlinkat(2)`. `ENOENT` for an empty target.
pub fn make_symlink(target: &[u8], base: i32, name: &[u8]) -> Result<()> {
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    let new = new_name(base, name)?;
    new.make(FileType::Symlink, |dir, who| dir.ops().symlink(dir, &new.name, target, who))?;
    Ok(())
}

/// `linkat(2)`: another name for what lies at `old`.
pub fn make_link(old: &Path, base: i32, name: &[u8]) -> Result<()> {
    let new = new_name(base, name)?;
    let target = old.inode();
    new.make(target.file_type(), |dir, _| {
        if !Arc::ptr_eq(&old.mount, &new.dir.mount) {
            return Err(Errno::EXDEV);
        }
        if target.is_dir() {
            return Err(Errno::EPERM);
        }
        dir.ops().link(dir, &new.name, target)?;
        Ok(target.clone())
    })?;
    Ok(())
}

/// The cache learns that a name is gone.
pub fn forget_name(dir: &Path, name: &[u8]) {
    if dir.inode().ops().name_caching() == NameCaching::All {
        dcache::add_negative(&dir.dentry, name);
    } else {
        dcache::forget(&dir.dentry, name);
    }
}

/// `unlinkat(2)` without `AT_REMOVEDIR`.
pub fn unlink(base: i32, name: &[u8]) -> Result<()> {
    let (dir, last) = walk::lookup_parent(base, name, LookupFlags::empty())?;
    let Last::Name(name, slashes) = last else { return Err(Errno::EISDIR) };
    unlink_child(&dir, &name, slashes)
}

/// The same for a name in a directory at hand; `slashes` came after it.
pub fn unlink_child(dir: &Path, name: &[u8], slashes: bool) -> Result<()> {
    remove_name(dir, name, Removal::Name { slashes })
}

/// `rmdir(2)`.
pub fn remove_dir(base: i32, name: &[u8]) -> Result<()> {
    let (dir, last) = walk::lookup_parent(base, name, LookupFlags::empty())?;
    let name = match last {
        Last::Name(name, _) => name,
        Last::Dot => return Err(Errno::EINVAL),
        Last::DotDot => return Err(Errno::ENOTEMPTY),
        Last::Root => return Err(Errno::EBUSY),
    };
    remove_name(&dir, &name, Removal::Directory)
}

/// What is removed from a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// A name that is no directory's; whether slashes followed it, which only a directory may have.
    Name { slashes: bool },
    /// An empty directory.
    Directory,
}

fn remove_name(dir: &Path, name: &[u8], what: Removal) -> Result<()> {
    dir.mount.want_write()?;
    let who = current_credentials();
    // Kept until after the lock: dropping it may free the file.
    let victim;
    {
        let inode = dir.inode();
        let _lock = inode.lock().write();
        victim = walk::find_child_locked(&dir.dentry, name)?.ok_or(Errno::ENOENT)?;
        if what == (Removal::Name { slashes: true }) {
            return Err(if victim.inode().is_dir() { Errno::EISDIR } else { Errno::ENOTDIR });
        }
        may_delete(dir, &victim, what == Removal::Directory, &who)?;
        let _victim_lock = victim.inode().lock().write();
        if victim.is_mountpoint() {
            return Err(Errno::EBUSY);
        }
        match what {
            Removal::Name { .. } => inode.ops().unlink(inode, name, victim.inode())?,
            Removal::Directory => inode.ops().rmdir(inode, name, victim.inode())?,
        }
        victim.set_deleted();
        dcache::forget_below(&victim);
        forget_name(dir, name);
    }
    drop(victim);
    Ok(())
}

/// Changes attributes without a check of rights.
pub fn set_attr(path: &Path, change: &SetAttr) -> Result<()> {
    path.inode().ops().set_attr(path.inode(), change)
}

/// The change that takes set-id bits from a file that is written by somebody without `CAP_FSETID`.
pub fn without_privilege(inode: &Inode) -> Result<SetAttr> {
    let mode = inode.ownership()?.mode;
    let stripped = permission::without_set_id(mode);
    let strip = stripped != mode && !current_credentials().has(Capability::Fsetid);
    Ok(SetAttr { mode: strip.then_some(stripped), ..SetAttr::default() })
}

/// A change of owner or times: the file must be on a mount that can be written, and the caller its owner.
fn owned(path: &Path) -> Result<(Arc<Credentials>, Ownership)> {
    path.mount.want_write()?;
    Ok((current_credentials(), path.inode().ownership()?))
}

/// `fchmodat(2)` of what lies at `path`.
pub fn change_mode(path: &Path, mut mode: FileMode) -> Result<()> {
    let (who, owner) = owned(path)?;
    if path.inode().file_type() == FileType::Symlink {
        return Err(Errno::EOPNOTSUPP);
    }
    if !permission::owner_or_capable(&owner, &who) {
        return Err(Errno::EPERM);
    }
    if !who.in_group(owner.gid) && !who.has(Capability::Fsetid) {
        mode.0 &= !FileMode::SETGID;
    }
    set_attr(path, &SetAttr { mode: Some(mode), ..SetAttr::default() })
}

/// `fchownat(2)` of what lies at `path`.
pub fn change_owner(path: &Path, uid: Option<Uid>, gid: Option<Gid>) -> Result<()> {
    let (who, owner) = owned(path)?;
    permission::check_chown(&owner, &who, uid, gid)?;
    let stripped = permission::without_set_id(owner.mode);
    let strip = !path.inode().is_dir() && stripped != owner.mode;
    set_attr(path, &SetAttr { uid, gid, mode: strip.then_some(stripped), ..SetAttr::default() })
}

/// What `utimensat(2)` does to one of the times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewTime {
    /// `UTIME_NOW`.
    Now,
    /// `UTIME_OMIT`.
    Keep,
    /// A given time.
    At(Timespec),
}

/// `utimensat(2)` of what lies at `path`.
pub fn change_times(path: &Path, atime: NewTime, mtime: NewTime) -> Result<()> {
    if atime == NewTime::Keep && mtime == NewTime::Keep {
        return Ok(());
    }
    let (who, owner) = owned(path)?;
    if !permission::owner_or_capable(&owner, &who) {
        if atime != NewTime::Now || mtime != NewTime::Now {
            return Err(Errno::EPERM);
        }
        permission::check_path(path, &who, Access::WRITE)?;
    }
    let now = crate::time::realtime();
    let time = |new| match new {
        NewTime::Now => Some(now),
        NewTime::Keep => None,
        NewTime::At(time) => Some(time),
    };
    set_attr(path, &SetAttr { atime: time(atime), mtime: time(mtime), ..SetAttr::default() })
}

/// `truncate(2)`.
pub fn truncate(path: &Path, size: u64) -> Result<()> {
    let inode = path.inode();
    match inode.file_type() {
        FileType::Regular => {}
        FileType::Directory => return Err(Errno::EISDIR),
        _ => return Err(Errno::EINVAL),
    }
    path.mount.want_write()?;
    permission::check_path(path, &current_credentials(), Access::WRITE)?;
    inode.writers().get_write()?;
    let result = resize(path, size);
    inode.writers().put_write();
    result
}

/// Changes the size of a file that is open for writing (`ftruncate(2)`), within `RLIMIT_FSIZE`.
pub fn resize(path: &Path, size: u64) -> Result<()> {
    if size > path.inode().metadata()?.size {
        super::check_file_size_limit(size.saturating_sub(1))?;
    }
    let change = SetAttr { size: Some(size), ..without_privilege(path.inode())? };
    set_attr(path, &change)
}
