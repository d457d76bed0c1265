//! Who may do what to an inode (`path_resolution(7)`, `capabilities(7)`). No locks.

use super::{FileMode, FileType, Inode, Ownership, Path, mount::MountFlags};
use crate::process::{Capability, Credentials, Gid, Uid};
use abi::{Errno, Result};

bitflags::bitflags! {
    /// What is asked for; the values are those of `access(2)`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Access: u16 {
        /// Execute a file, search a directory.
        const EXEC = 1;
        /// Write.
        const WRITE = 2;
        /// Read.
        const READ = 4;
    }
}

/// `EACCES` unless `who` may do `access` to `inode`.
pub fn check(inode: &Inode, who: &Credentials, access: Access) -> Result<()> {
    let owner = inode.ownership()?;
    let bits = if owner.uid == who.fsuid {
        owner.mode.0 >> 6
    } else if who.in_group(owner.gid) {
        owner.mode.0 >> 3
    } else {
        owner.mode.0
    };
    if access.bits() & !bits & 7 == 0 {
        return Ok(());
    }
    if inode.ops().binds_the_privileged() {
        return Err(Errno::EACCES);
    }
    let allowed = if inode.file_type() == FileType::Directory {
        !access.contains(Access::WRITE) && who.has(Capability::DacReadSearch)
            || who.has(Capability::DacOverride)
    } else {
        access == Access::READ && who.has(Capability::DacReadSearch)
            || (!access.contains(Access::EXEC) || owner.mode.0 & 0o111 != 0)
                && who.has(Capability::DacOverride)
    };
    if allowed { Ok(()) } else { Err(Errno::EACCES) }
}

/// The check with what the mount forbids: writing to a read-only file system (not to its devices and pipes), `EROFS`.
pub fn check_path(path: &Path, who: &Credentials, access: Access) -> Result<()> {
    let inode = path.inode();
    let content =
        matches!(inode.file_type(), FileType::Regular | FileType::Directory | FileType::Symlink);
    if access.contains(Access::WRITE) && content && path.mount.superblock().is_read_only() {
        return Err(Errno::EROFS);
    }
    if access.contains(Access::EXEC)
        && inode.file_type() == FileType::Regular
        && path.mount.has(MountFlags::NO_EXEC)
    {
        return Err(Errno::EACCES);
    }
    check(inode, who, access)
}

/// Whether `who` owns the inode, or acts as if.
pub fn owner_or_capable(owner: &Ownership, who: &Credentials) -> bool {
    owner.uid == who.fsuid || who.has(Capability::Fowner)
}

/// The same for an inode.
pub fn is_owner(inode: &Inode, who: &Credentials) -> Result<bool> {
    Ok(owner_or_capable(&inode.ownership()?, who))
}

/// Whether the sticky directory `dir` keeps `who` from removing `victim`.
pub fn sticky_forbids(dir: &Ownership, victim: &Ownership, who: &Credentials) -> bool {
    dir.mode.has(FileMode::STICKY)
        && victim.uid != who.fsuid
        && dir.uid != who.fsuid
        && !who.has(Capability::Fowner)
}

/// Owner, group and mode of something new in `dir` (`inode_init_owner`): a set-group-id directory hands its group down, and to
/// directories its bit; others lose the bit unless the creator is in the group.
pub fn new_ownership(
    dir: &Ownership,
    kind: FileType,
    mode: FileMode,
    who: &Credentials,
) -> Ownership {
    let mut new = Ownership { mode, uid: who.fsuid, gid: who.fsgid };
    if dir.mode.has(FileMode::SETGID) {
        new.gid = dir.gid;
        if kind == FileType::Directory {
            new.mode.0 |= FileMode::SETGID;
        } else if mode.has(FileMode::SETGID | 0o010)
            && !who.in_group(dir.gid)
            && !who.has(Capability::Fsetid)
        {
            new.mode.0 &= !FileMode::SETGID;
        }
    }
    new
}

/// The mode after a write or change of owner by `who`: set-id bits fall (`write(2)`, `chown(2)`).
pub fn without_set_id(mode: FileMode) -> FileMode {
    let mut kept = mode.0 & !FileMode::SETUID;
    // Without group execution, the set-group-id bit once meant mandatory locking, and stays.
    if mode.has(FileMode::SETGID | 0o010) {
        kept &= !FileMode::SETGID;
    }
    FileMode(kept)
}

/// `chown(2)`'s rule: `EPERM` unless the owner gives the file to one of its own groups, or a capability says so.
pub fn check_chown(
    owner: &Ownership,
    who: &Credentials,
    uid: Option<Uid>,
    gid: Option<Gid>,
) -> Result<()> {
    if who.has(Capability::Chown) {
        return Ok(());
    }
    let mine = owner.uid == who.fsuid;
    let uid_ok = uid.is_none_or(|uid| mine && uid == owner.uid);
    let gid_ok = gid.is_none_or(|gid| mine && (gid == owner.gid || who.in_group(gid)));
    if uid_ok && gid_ok { Ok(()) } else { Err(Errno::EPERM) }
}
