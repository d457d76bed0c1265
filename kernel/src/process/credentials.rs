//! Credentials (`credentials(7)`, `capabilities(7)`): immutable, replaced as a whole.
//!
//! How the system calls change them is in [`super::set_ids`]; what `execve` makes of them in [`super::exec`].

use super::{TaskFlags, UserAccount};
use alloc::sync::Arc;

/// A user id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Uid(pub u32);
/// A group id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Gid(pub u32);

/// The super-user.
pub const ROOT: Uid = Uid(0);

/// A capability, by its number.
#[expect(dead_code, reason = "all that `capabilities(7)` names, for system calls to come")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Capability {
    Chown = 0,
    DacOverride = 1,
    DacReadSearch = 2,
    Fowner = 3,
    Fsetid = 4,
    Kill = 5,
    Setgid = 6,
    Setuid = 7,
    Setpcap = 8,
    LinuxImmutable = 9,
    NetBindService = 10,
    NetBroadcast = 11,
    NetAdmin = 12,
    NetRaw = 13,
    IpcLock = 14,
    IpcOwner = 15,
    SysModule = 16,
    SysRawio = 17,
    SysChroot = 18,
    SysPtrace = 19,
    SysPacct = 20,
    SysAdmin = 21,
    SysBoot = 22,
    SysNice = 23,
    SysResource = 24,
    SysTime = 25,
    SysTtyConfig = 26,
    Mknod = 27,
    Lease = 28,
    AuditWrite = 29,
    AuditControl = 30,
    Setfcap = 31,
    MacOverride = 32,
    MacAdmin = 33,
    Syslog = 34,
    WakeAlarm = 35,
    BlockSuspend = 36,
    AuditRead = 37,
    Perfmon = 38,
    Bpf = 39,
    CheckpointRestore = 40,
}

/// The highest capability (`/proc/sys/kernel/cap_last_cap`).
pub const LAST_CAPABILITY: u32 = Capability::CheckpointRestore as u32;

/// Every capability there is.
pub const ALL_CAPABILITIES: u64 = (1 << (LAST_CAPABILITY + 1)) - 1;

/// The capabilities that go with file system user ids (`capabilities(7)`, "Effect of user ID changes").
pub const FS_CAPABILITIES: u64 = Capability::Chown.bit()
    | Capability::DacOverride.bit()
    | Capability::DacReadSearch.bit()
    | Capability::Fowner.bit()
    | Capability::Fsetid.bit()
    | Capability::LinuxImmutable.bit()
    | Capability::Mknod.bit()
    | Capability::MacOverride.bit();

impl Capability {
    /// Its bit in a set.
    pub const fn bit(self) -> u64 {
        1 << self as u8
    }
}

bitflags::bitflags! {
    /// `SECBIT_*`; each has a lock in the next bit.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct SecureBits: u32 {
        /// Root has no special powers at `execve`.
        const NO_ROOT = 1;
        const NO_ROOT_LOCKED = 2;
        /// No capability changes when user ids change.
        const NO_SETUID_FIXUP = 4;
        const NO_SETUID_FIXUP_LOCKED = 8;
        /// Permitted capabilities survive the loss of all root ids.
        const KEEP_CAPS = 0x10;
        const KEEP_CAPS_LOCKED = 0x20;
        /// Ambient capabilities cannot be raised.
        const NO_CAP_AMBIENT_RAISE = 0x40;
        const NO_CAP_AMBIENT_RAISE_LOCKED = 0x80;
    }
}

impl SecureBits {
    /// The locks among the bits.
    pub const LOCKS: u32 = 0xaa;
}

/// What a task may do.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub uid: Uid,
    pub euid: Uid,
    pub suid: Uid,
    pub fsuid: Uid,
    pub gid: Gid,
    pub egid: Gid,
    pub sgid: Gid,
    pub fsgid: Gid,
    /// Supplementary groups, in ascending order.
    pub groups: Arc<[Gid]>,
    pub cap_inheritable: u64,
    pub cap_permitted: u64,
    pub cap_effective: u64,
    pub cap_bounding: u64,
    pub cap_ambient: u64,
    pub securebits: SecureBits,
    /// The real user's counts.
    pub account: Arc<UserAccount>,
}

impl Credentials {
    /// Root with every capability: the first process.
    pub fn root() -> Arc<Credentials> {
        Arc::new(Credentials {
            uid: ROOT,
            euid: ROOT,
            suid: ROOT,
            fsuid: ROOT,
            gid: Gid(0),
            egid: Gid(0),
            sgid: Gid(0),
            fsgid: Gid(0),
            groups: Arc::from([]),
            cap_inheritable: 0,
            cap_permitted: ALL_CAPABILITIES,
            cap_effective: ALL_CAPABILITIES,
            cap_bounding: ALL_CAPABILITIES,
            cap_ambient: 0,
            securebits: SecureBits::empty(),
            account: UserAccount::of(ROOT),
        })
    }
    /// Whether the capability is effective.
    pub fn has(&self, capability: Capability) -> bool {
        self.cap_effective & capability.bit() != 0
    }
    /// Whether `gid` is the file-system group or a supplementary one.
    pub fn in_group(&self, gid: Gid) -> bool {
        self.fsgid == gid || self.groups.binary_search(&gid).is_ok()
    }
}

/// Whether the current task has the capability; that it has used one is noted.
pub fn capable(capability: Capability) -> bool {
    let task = crate::sched::current();
    let has = task.credentials.get(&crate::sync::rcu::read()).has(capability);
    if has && !task.flags().contains(TaskFlags::SUPER) {
        task.set_flags(TaskFlags::SUPER);
    }
    has
}
