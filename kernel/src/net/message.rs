//! A message on its way between a socket and a call: the bytes, the flags, and what travels beside them.

use super::Address;
use crate::{
    fs::{File, IoSink, IoSource},
    process::{Capability, Credentials},
    sched,
    sync::rcu,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use smallvec::SmallVec;
use zerocopy::{FromBytes, Immutable, IntoBytes};

bitflags::bitflags! {
    /// `MSG_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct MessageFlags: u32 {
        const OOB = 0x1;
        const PEEK = 0x2;
        const DONTROUTE = 0x4;
        const CTRUNC = 0x8;
        const TRUNC = 0x20;
        const DONTWAIT = 0x40;
        const EOR = 0x80;
        const WAITALL = 0x100;
        const ERRQUEUE = 0x2000;
        const NOSIGNAL = 0x4000;
        const MORE = 0x8000;
        const WAITFORONE = 0x10000;
        const CMSG_CLOEXEC = 0x4000_0000;
    }
}

/// The most files that one message carries (`SCM_MAX_FD`).
pub const MAX_RIGHTS: usize = 253;

/// `struct ucred`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable)]
pub struct UserCredentials {
    /// Process id.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl UserCredentials {
    /// Nobody: what an unconnected socket's `SO_PEERCRED` says.
    pub const NOBODY: UserCredentials = UserCredentials { pid: 0, uid: u32::MAX, gid: u32::MAX };

    fn of_current(ids: impl FnOnce(&Credentials) -> (u32, u32)) -> UserCredentials {
        let task = sched::current();
        let (uid, gid) = ids(task.credentials.get(&rcu::read()));
        UserCredentials { pid: task.process.pid.0.cast_signed(), uid, gid }
    }

    /// The current process by its real ids: what a message says of its sender.
    pub fn real() -> UserCredentials {
        UserCredentials::of_current(|who| (who.uid.0, who.gid.0))
    }

    /// The current process by its effective ids: what `SO_PEERCRED` says.
    pub fn effective() -> UserCredentials {
        UserCredentials::of_current(|who| (who.euid.0, who.egid.0))
    }

    /// Whether the current process may call itself this in a message; `EPERM`.
    pub fn check_claim(&self) -> Result<()> {
        let task = sched::current();
        let guard = rcu::read();
        let who = task.credentials.get(&guard);
        let pid = self.pid == task.process.pid.0.cast_signed() || who.has(Capability::SysAdmin);
        let uid = [who.uid, who.euid, who.suid].iter().any(|id| id.0 == self.uid)
            || who.has(Capability::Setuid);
        let gid = [who.gid, who.egid, who.sgid].iter().any(|id| id.0 == self.gid)
            || who.has(Capability::Setgid);
        if pid && uid && gid { Ok(()) } else { Err(Errno::EPERM) }
    }
}

/// A protocol's control message (`cmsg(3)`).
pub struct ControlMessage {
    /// `cmsg_level`.
    pub level: i32,
    /// `cmsg_type`.
    pub kind: i32,
    /// What is behind its header.
    pub data: SmallVec<[u8; 16]>,
}

impl ControlMessage {
    /// With a value of its own type.
    pub fn new(level: i32, kind: i32, value: &(impl IntoBytes + Immutable)) -> ControlMessage {
        ControlMessage { level, kind, data: SmallVec::from_slice(value.as_bytes()) }
    }
}

/// What `sendmsg(2)` sends.
pub struct SendMessage<'a, 'b> {
    /// The bytes; a try that succeeds has taken some.
    pub data: &'a mut IoSource<'b>,
    /// The destination, when the call names one.
    pub address: Option<&'a [u8]>,
    /// Flags.
    pub flags: MessageFlags,
    /// Files that travel along; the first successful try takes them.
    pub rights: Vec<Arc<File>>,
    /// Whom the sender says it is, checked.
    pub credentials: Option<UserCredentials>,
    /// Control messages for the protocol.
    pub controls: &'a [ControlMessage],
}

impl<'a, 'b> SendMessage<'a, 'b> {
    /// Bytes alone.
    pub fn new(data: &'a mut IoSource<'b>, flags: MessageFlags) -> SendMessage<'a, 'b> {
        SendMessage {
            data,
            address: None,
            flags,
            rights: Vec::new(),
            credentials: None,
            controls: &[],
        }
    }
}

/// What `recvmsg(2)` receives.
pub struct ReceiveMessage<'a, 'b> {
    /// Where the bytes go.
    pub data: &'a mut IoSink<'b>,
    /// Flags of the call.
    pub flags: MessageFlags,
    /// Flags to report.
    pub result_flags: MessageFlags,
    /// Who sent it.
    pub address: Option<Address>,
    /// Files that came along.
    pub rights: Vec<Arc<File>>,
    /// Who the sender is, where the socket wants to know (`SO_PASSCRED`).
    pub credentials: Option<UserCredentials>,
    /// Where the protocol's control messages go, if the call takes any.
    pub controls: Option<&'a mut Vec<ControlMessage>>,
}

impl<'a, 'b> ReceiveMessage<'a, 'b> {
    /// For bytes into `data`.
    pub fn new(data: &'a mut IoSink<'b>, flags: MessageFlags) -> ReceiveMessage<'a, 'b> {
        ReceiveMessage {
            data,
            flags,
            result_flags: MessageFlags::empty(),
            address: None,
            rights: Vec::new(),
            credentials: None,
            controls: None,
        }
    }
}
