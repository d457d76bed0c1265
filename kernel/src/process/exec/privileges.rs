//! What `execve` makes of credentials (`execve(2)`, `capabilities(7)` "Transformation of capabilities during execve()").
//!
//! There are no file capabilities: no file system here stores them. Set-user-ID and set-group-ID programs and root's special
//! powers are honoured.

use crate::{
    fs::{File, mount::MountFlags},
    process::{Credentials, Gid, SecureBits, Task, Uid, credentials::ROOT, task::TaskFlags},
};
use alloc::sync::Arc;

/// Credentials of the new program.
pub struct Outcome {
    /// They themselves.
    pub credentials: Arc<Credentials>,
    /// Whether the program runs with more rights than its caller gave it (`AT_SECURE`).
    pub secure: bool,
    /// Whether ids changed: then the death signal is forgotten and the process is not dumpable.
    pub ids_changed: bool,
}

impl Outcome {
    /// Nothing changes: the first program.
    pub fn unchanged(task: &Task) -> Outcome {
        Outcome { credentials: task.credentials.load(), secure: false, ids_changed: false }
    }
}

/// The credentials after an `execve` of `file` by `task`.
pub fn after_exec(task: &Task, file: &File) -> Outcome {
    let old = task.credentials.load();
    let mut new = Credentials::clone(&old);
    apply_set_ids(task, file, &mut new);
    let set_uid_changed = new.euid != old.euid;
    let set_gid_changed = new.egid != old.egid;

    let root_powers = !new.securebits.contains(SecureBits::NO_ROOT);
    let mut effective = false;
    let (mut file_permitted, mut file_inheritable) = (0, 0);
    if root_powers && (new.euid == ROOT || new.uid == ROOT) {
        (file_permitted, file_inheritable) = (u64::MAX, u64::MAX);
        effective = new.euid == ROOT;
    }
    // The ambient set survives only programs that change no ids.
    if set_uid_changed || set_gid_changed {
        new.cap_ambient = 0;
    }
    new.cap_permitted = (file_permitted & old.cap_bounding)
        | (file_inheritable & old.cap_inheritable)
        | new.cap_ambient;
    new.cap_effective = if effective { new.cap_permitted } else { new.cap_ambient };
    (new.suid, new.fsuid) = (new.euid, new.euid);
    (new.sgid, new.fsgid) = (new.egid, new.egid);
    new.securebits.remove(SecureBits::KEEP_CAPS);

    // An id that is not the real one, or capabilities that root's programs get though the caller is not root.
    let secure = set_uid_changed && new.euid != old.uid
        || set_gid_changed && new.egid != old.gid
        || new.uid != new.euid
        || new.gid != new.egid
        || new.uid != ROOT && effective;
    Outcome { credentials: Arc::new(new), secure, ids_changed: set_uid_changed || set_gid_changed }
}

/// Set-user-ID and set-group-ID bits, unless the mount or `PR_SET_NO_NEW_PRIVS` says no.
fn apply_set_ids(task: &Task, file: &File, new: &mut Credentials) {
    const SET_UID: u16 = 0o4000;
    const SET_GID: u16 = 0o2000;
    const GROUP_EXECUTE: u16 = 0o010;
    if file.path().mount.has(MountFlags::NO_SUID) || task.flags().contains(TaskFlags::NO_NEW_PRIVS)
    {
        return;
    }
    let Ok(metadata) = file.inode().metadata() else { return };
    let mode = metadata.mode.0;
    if mode & SET_UID != 0 {
        new.euid = Uid(metadata.uid.0);
    }
    // Without the execute bit it is a mark for mandatory locks, not for ids.
    if mode & (SET_GID | GROUP_EXECUTE) == SET_GID | GROUP_EXECUTE {
        new.egid = Gid(metadata.gid.0);
    }
}
