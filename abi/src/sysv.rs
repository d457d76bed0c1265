//! System V IPC: `<linux/ipc.h>`, `<linux/sem.h>`, `<linux/msg.h>`, `<linux/shm.h>` in their 64-bit forms.
#![expect(missing_docs, reason = "the names are the headers' own")]

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Make the object if there is none (`semget` and its family).
pub const IPC_CREAT: u32 = 0o1000;
/// Fail if there is one.
pub const IPC_EXCL: u32 = 0o2000;
/// Do not wait.
pub const IPC_NOWAIT: u32 = 0o4000;
/// The key that always makes a new object.
pub const IPC_PRIVATE: i32 = 0;

/// Commands that all three `*ctl` calls have.
pub const IPC_RMID: u32 = 0;
pub const IPC_SET: u32 = 1;
pub const IPC_STAT: u32 = 2;
pub const IPC_INFO: u32 = 3;

/// `semop(2)`: taken back when the process ends.
pub const SEM_UNDO: u16 = 0x1000;
/// Commands of `semctl(2)`.
pub const GETPID: u32 = 11;
pub const GETVAL: u32 = 12;
pub const GETALL: u32 = 13;
pub const GETNCNT: u32 = 14;
pub const GETZCNT: u32 = 15;
pub const SETVAL: u32 = 16;
pub const SETALL: u32 = 17;
pub const SEM_STAT: u32 = 18;
pub const SEM_INFO: u32 = 19;
pub const SEM_STAT_ANY: u32 = 20;

/// `msgrcv(2)`: a message that is too long is cut.
pub const MSG_NOERROR: u32 = 0o10000;
/// The first message that is not of the type.
pub const MSG_EXCEPT: u32 = 0o20000;
/// A copy of the message at a position.
pub const MSG_COPY: u32 = 0o40000;
/// Commands of `msgctl(2)`.
pub const MSG_STAT: u32 = 11;
pub const MSG_INFO: u32 = 12;
pub const MSG_STAT_ANY: u32 = 13;

/// `shmget(2)`: of huge pages, whose size is at [`SHM_HUGE_SHIFT`].
pub const SHM_HUGETLB: u32 = 0o4000;
/// No memory is promised.
pub const SHM_NORESERVE: u32 = 0o10000;
/// Where the logarithm of the huge page size is.
pub const SHM_HUGE_SHIFT: u32 = 26;
pub const SHM_HUGE_MASK: u32 = 0x3f;
/// `shmat(2)`: for reading only.
pub const SHM_RDONLY: u32 = 0o10000;
/// The address is rounded down.
pub const SHM_RND: u32 = 0o20000;
/// In place of what is mapped there.
pub const SHM_REMAP: u32 = 0o40000;
/// Executable.
pub const SHM_EXEC: u32 = 0o100000;
/// Commands of `shmctl(2)`.
pub const SHM_LOCK: u32 = 11;
pub const SHM_UNLOCK: u32 = 12;
pub const SHM_STAT: u32 = 13;
pub const SHM_INFO: u32 = 14;
pub const SHM_STAT_ANY: u32 = 15;
/// In a segment's mode: removed, and lives until its last detach.
pub const SHM_DEST: u32 = 0o1000;
/// In a segment's mode: locked in memory.
pub const SHM_LOCKED: u32 = 0o2000;

/// `struct ipc64_perm`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct IpcPerm {
    pub key: i32,
    pub uid: u32,
    pub gid: u32,
    pub cuid: u32,
    pub cgid: u32,
    pub mode: u32,
    pub seq: u16,
    pub pad: [u16; 3],
    pub unused: [u64; 2],
}

/// `struct sembuf`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct Sembuf {
    pub sem_num: u16,
    pub sem_op: i16,
    pub sem_flg: u16,
}

/// `struct semid64_ds`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct SemidDs {
    pub perm: IpcPerm,
    pub otime: i64,
    pub unused1: u64,
    pub ctime: i64,
    pub unused2: u64,
    pub nsems: u64,
    pub unused3: [u64; 2],
}

/// `struct seminfo`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct Seminfo {
    pub semmap: i32,
    pub semmni: i32,
    pub semmns: i32,
    pub semmnu: i32,
    pub semmsl: i32,
    pub semopm: i32,
    pub semume: i32,
    pub semusz: i32,
    pub semvmx: i32,
    pub semaem: i32,
}

/// `struct msqid64_ds`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct MsqidDs {
    pub perm: IpcPerm,
    pub stime: i64,
    pub rtime: i64,
    pub ctime: i64,
    pub cbytes: u64,
    pub qnum: u64,
    pub qbytes: u64,
    pub lspid: u32,
    pub lrpid: u32,
    pub unused: [u64; 2],
}

/// `struct msginfo`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct Msginfo {
    pub msgpool: i32,
    pub msgmap: i32,
    pub msgmax: i32,
    pub msgmnb: i32,
    pub msgmni: i32,
    pub msgssz: i32,
    pub msgtql: i32,
    pub msgseg: u16,
    pub pad: u16,
}

/// `struct shmid64_ds`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct ShmidDs {
    pub perm: IpcPerm,
    pub segsz: u64,
    pub atime: i64,
    pub dtime: i64,
    pub ctime: i64,
    pub cpid: u32,
    pub lpid: u32,
    pub nattch: u64,
    pub unused: [u64; 2],
}

/// `struct shminfo64`: the limits.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct Shminfo {
    pub shmmax: u64,
    pub shmmin: u64,
    pub shmmni: u64,
    pub shmseg: u64,
    pub shmall: u64,
    pub unused: [u64; 4],
}

/// `struct shm_info`: what is in use.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct ShmUse {
    pub used_ids: i32,
    pub pad: i32,
    pub total: u64,
    pub resident: u64,
    pub swapped: u64,
    pub swap_attempts: u64,
    pub swap_successes: u64,
}

const _: () = {
    assert!(size_of::<IpcPerm>() == 48);
    assert!(size_of::<Sembuf>() == 6);
    assert!(size_of::<SemidDs>() == 104);
    assert!(size_of::<Seminfo>() == 40);
    assert!(size_of::<MsqidDs>() == 120);
    assert!(size_of::<Msginfo>() == 32);
    assert!(size_of::<ShmidDs>() == 112);
    assert!(size_of::<Shminfo>() == 72);
    assert!(size_of::<ShmUse>() == 48);
};
