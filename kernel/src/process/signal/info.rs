//! What travels with a signal (`siginfo_t`, `sigaction(2)`).

use super::Signal;
use crate::{mm::UserAddr, process::Pid, sched};
use abi::Result;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `si_code` values that say who sent a signal.
pub mod code {
    /// `kill(2)`.
    pub const SI_USER: i32 = 0;
    /// The kernel.
    pub const SI_KERNEL: i32 = 0x80;
    /// A POSIX timer.
    pub const SI_TIMER: i32 = -2;
    /// A message came to an empty queue (`mq_notify(2)`).
    pub const SI_MESGQ: i32 = -3;
    /// `tkill(2)`, `tgkill(2)`.
    pub const SI_TKILL: i32 = -6;
}

/// What is sent: number, code and the union's content (`siginfo_t`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SigInfo {
    /// Which signal.
    pub signal: Signal,
    /// `si_code`.
    pub code: i32,
    /// `si_errno`.
    pub errno: i32,
    /// The part of the union after the three leading words and padding that any signal uses; user space sees zeros
    /// behind it.
    pub payload: [u64; 4],
}

/// `siginfo_t` as it lies in user memory.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
pub struct UserSigInfo {
    signo: i32,
    errno: i32,
    code: i32,
    pad: i32,
    payload: [u64; 4],
    unused: [u64; 10],
}

const _: () = assert!(size_of::<UserSigInfo>() == 128);

impl SigInfo {
    /// One whose payload is two 32-bit ids, as `kill(2)` and its family fill it.
    fn with_sender(signal: Signal, code: i32, pid: Pid, uid: u32) -> SigInfo {
        let ids = u64::from(pid.0) | u64::from(uid) << 32;
        SigInfo { signal, code, errno: 0, payload: [ids, 0, 0, 0] }
    }

    /// From the kernel itself (`SI_KERNEL`).
    pub fn kernel(signal: Signal) -> SigInfo {
        SigInfo { signal, code: code::SI_KERNEL, errno: 0, payload: [0; 4] }
    }

    /// From a process (`SI_USER`, or `SI_TKILL`).
    pub fn from_current(signal: Signal, code: i32) -> SigInfo {
        let task = sched::current();
        let uid = task.credentials.get(&crate::sync::rcu::read()).uid;
        SigInfo::with_sender(signal, code, task.process.pid, uid.0)
    }

    /// A message that the current process sent (`mq_notify(2)`), with the value that was registered.
    pub fn message_queue(signal: Signal, value: u64) -> SigInfo {
        let mut info = SigInfo::from_current(signal, code::SI_MESGQ);
        info.payload[1] = value;
        info
    }

    /// A fault at `addr`.
    pub fn fault(signal: Signal, code: i32, addr: usize) -> SigInfo {
        SigInfo { signal, code, errno: 0, payload: [addr as u64, 0, 0, 0] }
    }

    /// A system call that the thread has sent to itself: the address behind it, and its number.
    pub fn user_dispatch(address: usize, number: usize) -> SigInfo {
        const SYS_USER_DISPATCH: i32 = 2;
        const AUDIT_ARCH_X86_64: u64 = 0xc000_003e;
        let call = u64::from(number as u32) | AUDIT_ARCH_X86_64 << 32;
        SigInfo {
            signal: Signal::SIGSYS,
            code: SYS_USER_DISPATCH,
            errno: 0,
            payload: [address as u64, call, 0, 0],
        }
    }

    /// A child's change of state: `status` is an exit code or a signal number, the times are in clock ticks.
    pub fn child(
        signal: Signal,
        code: i32,
        pid: Pid,
        uid: u32,
        status: i32,
        times: (u64, u64),
    ) -> SigInfo {
        let mut info = SigInfo::with_sender(signal, code, pid, uid);
        // The status is a word of its own; the times follow, each aligned to eight bytes.
        info.payload[1] = u64::from(status.cast_unsigned());
        info.payload[2] = times.0;
        info.payload[3] = times.1;
        info
    }

    /// A POSIX timer's expiry (`timer_create(2)`): the timer's id, its overrun count and the value it was made with.
    pub fn timer(signal: Signal, id: i32, overrun: i32, value: u64) -> SigInfo {
        let ids = u64::from(id.cast_unsigned()) | u64::from(overrun.cast_unsigned()) << 32;
        SigInfo { signal, code: code::SI_TIMER, errno: 0, payload: [ids, value, 0, 0] }
    }

    /// Whether it comes from the kernel (`si_code` above `SI_USER`) rather than from a user process.
    pub fn is_from_kernel(&self) -> bool {
        self.code > code::SI_USER
    }

    /// As user space sees it.
    pub fn to_user(self) -> UserSigInfo {
        UserSigInfo {
            signo: i32::from(self.signal.0),
            errno: self.errno,
            code: self.code,
            pad: 0,
            payload: self.payload,
            unused: [0; 10],
        }
    }

    /// Reads what `rt_sigqueueinfo(2)` is given; the number in it is replaced by `signal`.
    pub fn read_from_user(addr: UserAddr, signal: Signal) -> Result<SigInfo> {
        let user: UserSigInfo = crate::mm::user::read(addr)?;
        Ok(SigInfo { signal, code: user.code, errno: user.errno, payload: user.payload })
    }
}
