//! What a file is: type, mode, ids, times (`inode(7)`).

use crate::{
    process::{Gid, Uid},
    time::Timespec,
};

/// The type bits of `st_mode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum FileType {
    Fifo = 0o010000,
    CharDevice = 0o020000,
    Directory = 0o040000,
    BlockDevice = 0o060000,
    Regular = 0o100000,
    Symlink = 0o120000,
    Socket = 0o140000,
}

/// Permission bits with set-id and sticky bits: `st_mode & 07777`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileMode(pub u16);

/// A device number, in the kernel's split form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct DeviceId {
    /// Driver.
    pub major: u32,
    /// Unit.
    pub minor: u32,
}

impl DeviceId {
    /// As `st_rdev` and `mknod(2)` encode it.
    pub const fn encode(self) -> u64 {
        let (major, minor) = (self.major as u64, self.minor as u64);
        (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & !0xff) << 12) | ((major & !0xfff) << 32)
    }
    /// As Linux has it in its own text files (`sdev` of fdinfo): twelve bits of driver, twenty of unit.
    pub const fn packed(self) -> u32 {
        self.major << 20 | self.minor
    }
    /// The reverse of [`DeviceId::encode`].
    pub const fn decode(dev: u64) -> DeviceId {
        DeviceId {
            major: (((dev >> 8) & 0xfff) | ((dev >> 32) & !0xfff)) as u32,
            minor: ((dev & 0xff) | ((dev >> 12) & 0xffff_ff00)) as u32,
        }
    }
}

/// What `stat(2)` and `statx(2)` report of an inode.
#[derive(Clone, Copy, Debug)]
pub struct Metadata {
    pub dev: DeviceId,
    pub ino: u64,
    pub file_type: FileType,
    pub mode: FileMode,
    pub nlink: u32,
    pub uid: Uid,
    pub gid: Gid,
    pub rdev: DeviceId,
    pub size: u64,
    pub block_size: u32,
    /// In units of 512 bytes.
    pub blocks: u64,
    pub atime: Timespec,
    pub mtime: Timespec,
    pub ctime: Timespec,
    pub btime: Option<Timespec>,
}

/// A change of attributes; `None` leaves a field as it is. Permission was checked before.
#[derive(Clone, Copy, Default, Debug)]
pub struct SetAttr {
    pub mode: Option<FileMode>,
    pub uid: Option<Uid>,
    pub gid: Option<Gid>,
    pub size: Option<u64>,
    pub atime: Option<Timespec>,
    pub mtime: Option<Timespec>,
}

impl FileType {
    /// The type in `st_mode`'s upper bits; `None` for zero or a meaningless value.
    pub const fn from_mode(mode: u32) -> Option<FileType> {
        Some(match mode & 0o170000 {
            0o010000 => FileType::Fifo,
            0o020000 => FileType::CharDevice,
            0o040000 => FileType::Directory,
            0o060000 => FileType::BlockDevice,
            0o100000 => FileType::Regular,
            0o120000 => FileType::Symlink,
            0o140000 => FileType::Socket,
            _ => return None,
        })
    }
    /// `d_type` of `getdents64(2)`.
    pub const fn dirent_type(self) -> u8 {
        (self as u32 >> 12) as u8
    }
}

impl FileMode {
    /// The set-user-id bit.
    pub const SETUID: u16 = 0o4000;
    /// The set-group-id bit.
    pub const SETGID: u16 = 0o2000;
    /// The sticky bit.
    pub const STICKY: u16 = 0o1000;

    /// From `mode_t`, less the type.
    pub const fn from_raw(mode: u32) -> FileMode {
        FileMode((mode & 0o7777) as u16)
    }
    /// Whether all of `bits` are set.
    pub const fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }
}

impl Metadata {
    /// `st_mode`: type and permission bits.
    pub const fn raw_mode(&self) -> u32 {
        self.file_type as u32 | self.mode.0 as u32
    }
}

/// What a permission check looks at.
#[derive(Clone, Copy, Debug)]
pub struct Ownership {
    pub mode: FileMode,
    pub uid: Uid,
    pub gid: Gid,
}
