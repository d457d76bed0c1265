//! Changes of user and group ids and capabilities (`setuid(2)`, `setresuid(2)`, `capset(2)`, `credentials(7)`).
//!
//! Each change makes a new record from the old one, checks it, and publishes it whole. Only the task itself changes its
//! credentials, so there is no lock.

use super::{
    Capability, Credentials, Gid, Resource, SecureBits, Task, Uid, UserAccount,
    credentials::{FS_CAPABILITIES, ROOT},
    task::TaskFlags,
};
use crate::sched;
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::sync::atomic::Ordering::Relaxed;

/// Real, effective and saved id, as the `setres*id` calls take them: `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdChange<T> {
    /// The real id.
    pub real: Option<T>,
    /// The effective id.
    pub effective: Option<T>,
    /// The saved id.
    pub saved: Option<T>,
}

/// Publishes new credentials of the current task.
pub(super) fn commit(task: &Task, new: Arc<Credentials>) {
    let old = task.credentials.load();
    if old.uid != new.uid {
        new.account.thread_begins();
        old.account.thread_ends();
    }
    let more = new.cap_permitted & !old.cap_permitted != 0;
    if old.euid != new.euid
        || old.egid != new.egid
        || old.fsuid != new.fsuid
        || old.fsgid != new.fsgid
        || more
    {
        task.process.dumpable.store(0, Relaxed);
        task.parent_death_signal.store(0, Relaxed);
    }
    task.credentials.store(new);
}

/// Changes a copy of the current credentials and publishes it.
fn change(edit: impl FnOnce(&Credentials, &mut Credentials) -> Result<()>) -> Result<()> {
    let task = sched::current();
    let old = task.credentials.load();
    let mut new = Credentials::clone(&old);
    edit(&old, &mut new)?;
    if new.uid != old.uid {
        new.account = UserAccount::of(new.uid);
    }
    commit(&task, Arc::new(new));
    Ok(())
}

/// Whether the task's user has more threads than the task's limit allows: checked at `execve` after ids changed.
pub(super) fn over_process_limit(task: &Task) -> bool {
    let credentials = task.credentials.load();
    let limit = task.process.limits().soft(Resource::Processes);
    let exempt = credentials.uid == ROOT
        || credentials.has(Capability::SysResource)
        || credentials.has(Capability::SysAdmin);
    !exempt && credentials.account.threads.load(Relaxed) > limit
}

/// A user whose limit is exceeded by this change is told at the next `execve` (Linux, since 3.1).
fn note_process_limit(task: &Task) {
    if over_process_limit(task) {
        task.set_flags(TaskFlags::OVER_PROCESS_LIMIT);
    } else {
        task.clear_flags(TaskFlags::OVER_PROCESS_LIMIT);
    }
}

/// What changes of user ids do to capabilities (`capabilities(7)`), unless the secure bits say otherwise.
fn fix_capabilities(old: &Credentials, new: &mut Credentials) {
    if new.securebits.contains(SecureBits::NO_SETUID_FIXUP) {
        return;
    }
    let had_root = [old.uid, old.euid, old.suid].contains(&ROOT);
    let has_root = [new.uid, new.euid, new.suid].contains(&ROOT);
    if had_root && !has_root {
        if !new.securebits.contains(SecureBits::KEEP_CAPS) {
            new.cap_permitted = 0;
            new.cap_effective = 0;
        }
        new.cap_ambient = 0;
    }
    if old.euid == ROOT && new.euid != ROOT {
        new.cap_effective = 0;
    }
    if old.euid != ROOT && new.euid == ROOT {
        new.cap_effective = new.cap_permitted;
    }
}

fn change_uids(edit: impl FnOnce(&Credentials, &mut Credentials) -> Result<()>) -> Result<()> {
    change(|old, new| {
        edit(old, new)?;
        new.fsuid = new.euid;
        fix_capabilities(old, new);
        Ok(())
    })?;
    note_process_limit(&sched::current());
    Ok(())
}

/// `setuid(2)`.
pub fn set_uid(uid: Uid) -> Result<()> {
    change_uids(|old, new| {
        if old.has(Capability::Setuid) {
            (new.uid, new.suid) = (uid, uid);
        } else if uid != old.uid && uid != old.suid {
            return Err(Errno::EPERM);
        }
        new.euid = uid;
        Ok(())
    })
}

/// `setreuid(2)`.
pub fn set_reuid(real: Option<Uid>, effective: Option<Uid>) -> Result<()> {
    change_uids(|old, new| {
        let free = old.has(Capability::Setuid);
        if let Some(uid) = real {
            require(free || [old.uid, old.euid].contains(&uid))?;
            new.uid = uid;
        }
        if let Some(uid) = effective {
            require(free || [old.uid, old.euid, old.suid].contains(&uid))?;
            new.euid = uid;
        }
        if real.is_some() || effective.is_some_and(|uid| uid != old.uid) {
            new.suid = new.euid;
        }
        Ok(())
    })
}

/// `setresuid(2)`.
pub fn set_resuid(ids: IdChange<Uid>) -> Result<()> {
    change_uids(|old, new| {
        let mine = [old.uid, old.euid, old.suid];
        let free = old.has(Capability::Setuid);
        for id in [ids.real, ids.effective, ids.saved].into_iter().flatten() {
            require(free || mine.contains(&id))?;
        }
        new.uid = ids.real.unwrap_or(old.uid);
        new.euid = ids.effective.unwrap_or(old.euid);
        new.suid = ids.saved.unwrap_or(old.suid);
        Ok(())
    })
}

/// `setfsuid(2)`: the old id, whether or not it was changed.
pub fn set_fsuid(uid: Option<Uid>) -> Uid {
    let old = sched::current().credentials.load().fsuid;
    let changed = uid.ok_or(Errno::EINVAL).and_then(|uid| {
        change(|old, new| {
            let mine = [old.uid, old.euid, old.suid, old.fsuid].contains(&uid);
            require(mine || old.has(Capability::Setuid))?;
            new.fsuid = uid;
            if !new.securebits.contains(SecureBits::NO_SETUID_FIXUP) {
                if old.fsuid == ROOT && uid != ROOT {
                    new.cap_effective &= !FS_CAPABILITIES;
                }
                if old.fsuid != ROOT && uid == ROOT {
                    new.cap_effective |= new.cap_permitted & FS_CAPABILITIES;
                }
            }
            Ok(())
        })
    });
    // The call has no way to report an error: that is how it is specified.
    let _ = changed;
    old
}

/// `setgid(2)`.
pub fn set_gid(gid: Gid) -> Result<()> {
    change(|old, new| {
        if old.has(Capability::Setgid) {
            (new.gid, new.sgid) = (gid, gid);
        } else if gid != old.gid && gid != old.sgid {
            return Err(Errno::EPERM);
        }
        (new.egid, new.fsgid) = (gid, gid);
        Ok(())
    })
}

/// `setregid(2)`.
pub fn set_regid(real: Option<Gid>, effective: Option<Gid>) -> Result<()> {
    change(|old, new| {
        let free = old.has(Capability::Setgid);
        if let Some(gid) = real {
            require(free || [old.gid, old.egid].contains(&gid))?;
            new.gid = gid;
        }
        if let Some(gid) = effective {
            require(free || [old.gid, old.egid, old.sgid].contains(&gid))?;
            new.egid = gid;
        }
        if real.is_some() || effective.is_some_and(|gid| gid != old.gid) {
            new.sgid = new.egid;
        }
        new.fsgid = new.egid;
        Ok(())
    })
}

/// `setresgid(2)`.
pub fn set_resgid(ids: IdChange<Gid>) -> Result<()> {
    change(|old, new| {
        let mine = [old.gid, old.egid, old.sgid];
        let free = old.has(Capability::Setgid);
        for id in [ids.real, ids.effective, ids.saved].into_iter().flatten() {
            require(free || mine.contains(&id))?;
        }
        new.gid = ids.real.unwrap_or(old.gid);
        new.egid = ids.effective.unwrap_or(old.egid);
        new.sgid = ids.saved.unwrap_or(old.sgid);
        new.fsgid = new.egid;
        Ok(())
    })
}

/// `setfsgid(2)`: the old id, whether or not it was changed.
pub fn set_fsgid(gid: Option<Gid>) -> Gid {
    let old = sched::current().credentials.load().fsgid;
    let changed = gid.ok_or(Errno::EINVAL).and_then(|gid| {
        change(|old, new| {
            let mine = [old.gid, old.egid, old.sgid, old.fsgid].contains(&gid);
            require(mine || old.has(Capability::Setgid))?;
            new.fsgid = gid;
            Ok(())
        })
    });
    // As in `set_fsuid`.
    let _ = changed;
    old
}

/// `setgroups(2)`, after the check for the capability.
pub fn set_groups(mut groups: Vec<Gid>) -> Result<()> {
    groups.sort_unstable();
    change(|_, new| {
        new.groups = Arc::from(groups);
        Ok(())
    })
}

/// Three sets of capabilities.
#[derive(Clone, Copy, Debug)]
pub struct CapabilitySets {
    /// What is used.
    pub effective: u64,
    /// What may be used.
    pub permitted: u64,
    /// What `execve` may hand on.
    pub inheritable: u64,
}

/// `capset(2)`.
pub fn set_capabilities(sets: CapabilitySets) -> Result<()> {
    change(|old, new| {
        let within = |set: u64, bound: u64| require(set & !bound == 0);
        if !old.has(Capability::Setpcap) {
            within(sets.inheritable, old.cap_inheritable | old.cap_permitted)?;
        }
        within(sets.inheritable, old.cap_inheritable | old.cap_bounding)?;
        within(sets.permitted, old.cap_permitted)?;
        within(sets.effective, sets.permitted)?;
        new.cap_effective = sets.effective;
        new.cap_permitted = sets.permitted;
        new.cap_inheritable = sets.inheritable;
        new.cap_ambient &= sets.permitted & sets.inheritable;
        Ok(())
    })
}

/// `PR_CAPBSET_DROP`.
pub fn drop_bounding(capability: u32) -> Result<()> {
    change(|old, new| {
        require(old.has(Capability::Setpcap))?;
        new.cap_bounding &= !(1 << capability);
        Ok(())
    })
}

/// `PR_SET_SECUREBITS`: locked bits stay, locks are never taken away.
pub fn set_securebits(bits: u32) -> Result<()> {
    change(|old, new| {
        let old_bits = old.securebits.bits();
        let locked_changes = (old_bits & SecureBits::LOCKS) >> 1 & (old_bits ^ bits);
        let locks_lost = old_bits & SecureBits::LOCKS & !bits;
        let known = SecureBits::from_bits(bits);
        require(locked_changes == 0 && locks_lost == 0 && old.has(Capability::Setpcap))?;
        new.securebits = known.ok_or(Errno::EPERM)?;
        Ok(())
    })
}

/// `PR_SET_KEEPCAPS`.
pub fn set_keep_capabilities(keep: bool) -> Result<()> {
    change(|old, new| {
        require(!old.securebits.contains(SecureBits::KEEP_CAPS_LOCKED))?;
        new.securebits.set(SecureBits::KEEP_CAPS, keep);
        Ok(())
    })
}

/// `PR_CAP_AMBIENT_RAISE`.
pub fn raise_ambient(capability: u32) -> Result<()> {
    change(|old, new| {
        let bit = 1 << capability;
        let allowed = old.cap_permitted & old.cap_inheritable & bit != 0
            && !old.securebits.contains(SecureBits::NO_CAP_AMBIENT_RAISE);
        require(allowed)?;
        new.cap_ambient |= bit;
        Ok(())
    })
}

/// `PR_CAP_AMBIENT_LOWER` of these capabilities.
pub fn lower_ambient(set: u64) -> Result<()> {
    change(|_, new| {
        new.cap_ambient &= !set;
        Ok(())
    })
}

fn require(condition: bool) -> Result<()> {
    if condition { Ok(()) } else { Err(Errno::EPERM) }
}
