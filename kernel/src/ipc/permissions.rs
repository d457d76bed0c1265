//! Who may do what to a System V object (`sysvipc(7)`).

use super::ids::{self, Id, Key};
use crate::{
    process::{Capability, Gid, Uid, capable},
    sched,
    sync::rcu,
};
use abi::{Errno, Result, sysv::IpcPerm};

/// The permission bits of a mode.
const MODE: u32 = 0o777;
/// Reading, as [`Permissions::check`] takes it.
pub const READ: u32 = 0o444;
/// Changing.
pub const WRITE: u32 = 0o222;

/// Owner, creator and mode (`struct ipc_perm`).
#[derive(Clone, Copy, Debug)]
pub struct Permissions {
    uid: Uid,
    gid: Gid,
    creator_uid: Uid,
    creator_gid: Gid,
    /// Permission bits, and for segments `SHM_DEST` and `SHM_LOCKED`.
    pub mode: u32,
}

impl Permissions {
    /// Of an object that the current task makes with `flags` of `semget(2)` or its like.
    pub fn of_new(flags: u32) -> Permissions {
        let task = sched::current();
        let guard = rcu::read();
        let who = task.credentials.get(&guard);
        let (uid, gid) = (who.euid, who.egid);
        Permissions { uid, gid, creator_uid: uid, creator_gid: gid, mode: flags & MODE }
    }

    /// Whether the current task may do what `wanted` asks: bits of any of the three classes. `EACCES`.
    #[inline]
    pub fn check(&self, wanted: u32) -> Result<()> {
        let wanted = wanted >> 6 | wanted >> 3 | wanted;
        let granted = {
            let task = sched::current();
            let guard = rcu::read();
            let who = task.credentials.get(&guard);
            if who.euid == self.creator_uid || who.euid == self.uid {
                self.mode >> 6
            } else if who.in_group(self.creator_gid) || who.in_group(self.gid) {
                self.mode >> 3
            } else {
                self.mode
            }
        };
        if wanted & !granted & 7 == 0 || capable(Capability::IpcOwner) {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }

    /// Whether the current task's user is owner or creator.
    pub fn is_own(&self) -> bool {
        let task = sched::current();
        let guard = rcu::read();
        let euid = task.credentials.get(&guard).euid;
        euid == self.creator_uid || euid == self.uid
    }

    /// Whether the current task may remove the object or change its owner and mode; `EPERM`.
    pub fn check_control(&self) -> Result<()> {
        if self.is_own() || capable(Capability::SysAdmin) { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// `IPC_SET`: takes owner and permission bits from `new`; `EINVAL` for no user or group.
    pub fn change(&mut self, new: &IpcPerm) -> Result<()> {
        if new.uid == u32::MAX || new.gid == u32::MAX {
            return Err(Errno::EINVAL);
        }
        (self.uid, self.gid) = (Uid(new.uid), Gid(new.gid));
        self.mode = self.mode & !MODE | new.mode & MODE;
        Ok(())
    }

    /// As user space sees them.
    pub fn to_user(self, key: Key, id: Id) -> IpcPerm {
        IpcPerm {
            key,
            uid: self.uid.0,
            gid: self.gid.0,
            cuid: self.creator_uid.0,
            cgid: self.creator_gid.0,
            mode: self.mode,
            seq: ids::sequence_of(id),
            ..IpcPerm::default()
        }
    }
}
