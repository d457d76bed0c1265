//! Attributes of files: stat, access, chmod, chown, times, extended attributes.

use super::{
    names::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, lookup_at, path_at},
    table::calls,
};
use crate::{
    fs::{
        AT_FDCWD, FileMode, FileType, LookupFlags, Metadata, Path, current_credentials, lookup,
        modify::{self, NewTime},
        permission::{self, Access},
        xattr::{self, SetMode},
    },
    mm::{UserAddr, user},
    process::{Credentials, Gid, Uid},
    sched,
    time::Timespec,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use zerocopy::{Immutable, IntoBytes};

calls! {
    stat => stat;
    lstat => lstat;
    fstat => fstat;
    newfstatat => newfstatat;
    statx => statx;
    access => access;
    faccessat => faccessat;
    faccessat2 => faccessat2;
    chmod => chmod;
    fchmod => fchmod;
    fchmodat => fchmodat;
    fchmodat2 => fchmodat2;
    chown => chown;
    lchown => lchown;
    fchown => fchown;
    fchownat => fchownat;
    utime => utime;
    utimes => utimes;
    futimesat => futimesat;
    utimensat => utimensat;
    truncate => truncate;
    setxattr => setxattr;
    lsetxattr => lsetxattr;
    fsetxattr => fsetxattr;
    getxattr => getxattr;
    lgetxattr => lgetxattr;
    fgetxattr => fgetxattr;
    listxattr => listxattr;
    llistxattr => llistxattr;
    flistxattr => flistxattr;
    removexattr => removexattr;
    lremovexattr => lremovexattr;
    fremovexattr => fremovexattr;
}

/// `AT_FDCWD` as it stands in a register.
const CWD: usize = AT_FDCWD as usize;

/// `struct stat`.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct Stat {
    dev: u64,
    ino: u64,
    nlink: u64,
    mode: u32,
    uid: u32,
    gid: u32,
    pad: u32,
    rdev: u64,
    size: u64,
    block_size: u64,
    blocks: u64,
    atime: Timespec,
    mtime: Timespec,
    ctime: Timespec,
    unused: [u64; 3],
}

fn write_stat(metadata: &Metadata, addr: usize) -> Result<usize> {
    let stat = Stat {
        dev: metadata.dev.encode(),
        ino: metadata.ino,
        nlink: metadata.nlink.into(),
        mode: metadata.raw_mode(),
        uid: metadata.uid.0,
        gid: metadata.gid.0,
        pad: 0,
        rdev: metadata.rdev.encode(),
        size: metadata.size,
        block_size: metadata.block_size.into(),
        blocks: metadata.blocks,
        atime: metadata.atime,
        mtime: metadata.mtime,
        ctime: metadata.ctime,
        unused: [0; 3],
    };
    user::write(UserAddr(addr), &stat)?;
    Ok(0)
}

/// The place behind a descriptor that was really opened.
fn opened_place_of(fd: usize) -> Result<Path> {
    Ok(sched::current().files.borrow().get(fd as i32)?.path().clone())
}

/// `stat(2)`.
fn stat(args: &[usize; 6]) -> Result<usize> {
    write_stat(&lookup_at(CWD, args[0], 0)?.inode().metadata()?, args[1])
}

/// `lstat(2)`.
fn lstat(args: &[usize; 6]) -> Result<usize> {
    write_stat(&lookup_at(CWD, args[0], AT_SYMLINK_NOFOLLOW)?.inode().metadata()?, args[1])
}

/// `fstat(2)`.
fn fstat(args: &[usize; 6]) -> Result<usize> {
    let metadata = {
        let current = sched::current();
        let files = current.files.borrow();
        files.get_any(args[0] as i32)?.inode().metadata()?
    };
    write_stat(&metadata, args[1])
}

/// `AT_NO_AUTOMOUNT`: there are no automounts.
const AT_NO_AUTOMOUNT: usize = 0x800;

/// `fstatat(2)`.
fn newfstatat(args: &[usize; 6]) -> Result<usize> {
    let flags = args[3];
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    write_stat(&lookup_at(args[0], args[1], flags)?.inode().metadata()?, args[2])
}

/// `struct statx_timestamp`.
#[repr(C)]
#[derive(Clone, Copy, Default, IntoBytes, Immutable)]
struct StatxTime {
    seconds: i64,
    nanos: u32,
    pad: u32,
}

impl From<Timespec> for StatxTime {
    fn from(time: Timespec) -> Self {
        StatxTime { seconds: time.tv_sec, nanos: time.tv_nsec as u32, pad: 0 }
    }
}

/// `struct statx`.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct Statx {
    mask: u32,
    block_size: u32,
    attributes: u64,
    nlink: u32,
    uid: u32,
    gid: u32,
    mode: u16,
    spare: u16,
    ino: u64,
    size: u64,
    blocks: u64,
    attributes_mask: u64,
    atime: StatxTime,
    btime: StatxTime,
    ctime: StatxTime,
    mtime: StatxTime,
    rdev: [u32; 2],
    dev: [u32; 2],
    mount_id: u64,
    rest: [u64; 13],
}

/// `statx(2)`.
fn statx(args: &[usize; 6]) -> Result<usize> {
    const SYNC_TYPE: usize = 0x6000;
    const BASIC: u32 = 0x7ff;
    const BTIME: u32 = 0x800;
    const MOUNT_ID: u32 = 0x1000;
    const RESERVED: usize = 0x8000_0000;
    const MOUNT_ROOT: u64 = 0x2000;
    let flags = args[2];
    let known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | SYNC_TYPE;
    if args[3] & RESERVED != 0 || flags & SYNC_TYPE == SYNC_TYPE || flags & !known != 0 {
        return Err(Errno::EINVAL);
    }
    let path = lookup_at(args[0], args[1], flags)?;
    let metadata = path.inode().metadata()?;
    let is_root = Arc::ptr_eq(&path.dentry, path.mount.root());
    let statx = Statx {
        mask: BASIC | MOUNT_ID | if metadata.btime.is_some() { BTIME } else { 0 },
        block_size: metadata.block_size,
        attributes: if is_root { MOUNT_ROOT } else { 0 },
        nlink: metadata.nlink,
        uid: metadata.uid.0,
        gid: metadata.gid.0,
        mode: metadata.raw_mode() as u16,
        spare: 0,
        ino: metadata.ino,
        size: metadata.size,
        blocks: metadata.blocks,
        attributes_mask: MOUNT_ROOT,
        atime: metadata.atime.into(),
        btime: metadata.btime.unwrap_or_default().into(),
        ctime: metadata.ctime.into(),
        mtime: metadata.mtime.into(),
        rdev: [metadata.rdev.major, metadata.rdev.minor],
        dev: [metadata.dev.major, metadata.dev.minor],
        mount_id: path.mount.id().into(),
        rest: [0; 13],
    };
    user::write(UserAddr(args[4]), &statx)?;
    Ok(0)
}

/// The credentials that `access(2)` checks: the real ids, with root's capabilities or none.
fn real_credentials() -> Credentials {
    let mut who = (*current_credentials()).clone();
    (who.fsuid, who.fsgid) = (who.uid, who.gid);
    who.cap_effective = if who.uid == Uid(0) { who.cap_permitted } else { 0 };
    who
}

fn check_access(base: usize, name: usize, mode: usize, flags: usize) -> Result<usize> {
    const AT_EACCESS: usize = 0x200;
    let access = u16::try_from(mode).ok().and_then(Access::from_bits).ok_or(Errno::EINVAL)?;
    if flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let path = lookup_at(base, name, flags)?;
    if access.is_empty() {
        return Ok(0);
    }
    let who =
        if flags & AT_EACCESS != 0 { (*current_credentials()).clone() } else { real_credentials() };
    permission::check_path(&path, &who, access)?;
    let special = matches!(
        path.inode().file_type(),
        FileType::CharDevice | FileType::BlockDevice | FileType::Fifo | FileType::Socket
    );
    if access.contains(Access::WRITE) && !special {
        path.mount.want_write()?;
    }
    Ok(0)
}

/// `access(2)`.
fn access(args: &[usize; 6]) -> Result<usize> {
    check_access(CWD, args[0], args[1], 0)
}

/// `faccessat(2)`, the call: it has no flags.
fn faccessat(args: &[usize; 6]) -> Result<usize> {
    check_access(args[0], args[1], args[2], 0)
}

/// `faccessat2(2)`.
fn faccessat2(args: &[usize; 6]) -> Result<usize> {
    check_access(args[0], args[1], args[2], args[3])
}

/// `chmod(2)`.
fn chmod(args: &[usize; 6]) -> Result<usize> {
    fchmodat(&[CWD, args[0], args[1], 0, 0, 0])
}

/// `fchmod(2)`.
fn fchmod(args: &[usize; 6]) -> Result<usize> {
    modify::change_mode(&opened_place_of(args[0])?, FileMode::from_raw(args[1] as u32))?;
    Ok(0)
}

/// `fchmodat(2)`, the call: it has no flags.
fn fchmodat(args: &[usize; 6]) -> Result<usize> {
    fchmodat2(&[args[0], args[1], args[2], 0, 0, 0])
}

/// `fchmodat2(2)`.
fn fchmodat2(args: &[usize; 6]) -> Result<usize> {
    if args[3] & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let path = lookup_at(args[0], args[1], args[3])?;
    modify::change_mode(&path, FileMode::from_raw(args[2] as u32))?;
    Ok(0)
}

fn change_owner(path: &Path, uid: usize, gid: usize) -> Result<usize> {
    let id = |value: usize| Some(value as u32).filter(|&id| id != u32::MAX);
    modify::change_owner(path, id(uid).map(Uid), id(gid).map(Gid))?;
    Ok(0)
}

/// `chown(2)`.
fn chown(args: &[usize; 6]) -> Result<usize> {
    change_owner(&lookup_at(CWD, args[0], 0)?, args[1], args[2])
}

/// `lchown(2)`.
fn lchown(args: &[usize; 6]) -> Result<usize> {
    change_owner(&lookup_at(CWD, args[0], AT_SYMLINK_NOFOLLOW)?, args[1], args[2])
}

/// `fchown(2)`.
fn fchown(args: &[usize; 6]) -> Result<usize> {
    change_owner(&opened_place_of(args[0])?, args[1], args[2])
}

/// `fchownat(2)`.
fn fchownat(args: &[usize; 6]) -> Result<usize> {
    if args[4] & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    change_owner(&lookup_at(args[0], args[1], args[4])?, args[2], args[3])
}

/// What stands in a `timespec` of `utimensat(2)`.
fn new_time(time: Timespec) -> Result<NewTime> {
    const NOW: i64 = 0x3fff_ffff;
    const OMIT: i64 = 0x3fff_fffe;
    match time.tv_nsec {
        NOW => Ok(NewTime::Now),
        OMIT => Ok(NewTime::Keep),
        0..1_000_000_000 => Ok(NewTime::At(time)),
        _ => Err(Errno::EINVAL),
    }
}

/// Two `timeval`s as times; both now when there are none.
fn read_timevals(addr: usize) -> Result<[NewTime; 2]> {
    if addr == 0 {
        return Ok([NewTime::Now; 2]);
    }
    let times: [[i64; 2]; 2] = user::read(UserAddr(addr))?;
    let mut out = [NewTime::Now; 2];
    for (out, [tv_sec, micros]) in out.iter_mut().zip(times) {
        if !(0..1_000_000).contains(&micros) {
            return Err(Errno::EINVAL);
        }
        *out = NewTime::At(Timespec { tv_sec, tv_nsec: micros * 1000 });
    }
    Ok(out)
}

/// `utime(2)`: whole seconds.
fn utime(args: &[usize; 6]) -> Result<usize> {
    let [atime, mtime] = match args[1] {
        0 => [NewTime::Now; 2],
        addr => user::read::<[i64; 2]>(UserAddr(addr))?
            .map(|tv_sec| NewTime::At(Timespec { tv_sec, tv_nsec: 0 })),
    };
    modify::change_times(&lookup_at(CWD, args[0], 0)?, atime, mtime)?;
    Ok(0)
}

/// `utimes(2)`.
fn utimes(args: &[usize; 6]) -> Result<usize> {
    futimesat(&[CWD, args[0], args[1], 0, 0, 0])
}

/// `futimesat(2)`.
fn futimesat(args: &[usize; 6]) -> Result<usize> {
    let [atime, mtime] = read_timevals(args[2])?;
    let path = match args[1] {
        0 => opened_place_of(args[0])?,
        name => lookup_at(args[0], name, 0)?,
    };
    modify::change_times(&path, atime, mtime)?;
    Ok(0)
}

/// `utimensat(2)`: without a name, the descriptor's file.
fn utimensat(args: &[usize; 6]) -> Result<usize> {
    let (base, name, times, flags) = (args[0], args[1], args[2], args[3]);
    let [atime, mtime] = match times {
        0 => [NewTime::Now; 2],
        addr => {
            let [atime, mtime]: [[i64; 2]; 2] = user::read(UserAddr(addr))?;
            let time = |[tv_sec, tv_nsec]: [i64; 2]| new_time(Timespec { tv_sec, tv_nsec });
            [time(atime)?, time(mtime)?]
        }
    };
    // Nothing to do, not even to look the name up.
    if atime == NewTime::Keep && mtime == NewTime::Keep {
        return Ok(0);
    }
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let path = match name {
        0 if base as i32 == AT_FDCWD => return Err(Errno::EFAULT),
        0 if flags != 0 => return Err(Errno::EINVAL),
        0 => opened_place_of(base)?,
        name => lookup_at(base, name, flags)?,
    };
    modify::change_times(&path, atime, mtime)?;
    Ok(0)
}

/// `truncate(2)`.
fn truncate(args: &[usize; 6]) -> Result<usize> {
    let size = u64::try_from(args[1] as i64).map_err(|_| Errno::EINVAL)?;
    modify::truncate(&lookup_at(CWD, args[0], 0)?, size)?;
    Ok(0)
}

fn xattr_name(addr: usize) -> Result<Vec<u8>> {
    let name = user::read_cstr(UserAddr(addr), xattr::XATTR_NAME_MAX + 1, Errno::ERANGE)?;
    if name.is_empty() { Err(Errno::ERANGE) } else { Ok(name) }
}

fn xattr_path(name: usize, follow: LookupFlags) -> Result<Path> {
    lookup(AT_FDCWD, &path_at(name)?, follow)
}

fn set_xattr(path: &Path, args: &[usize; 6]) -> Result<usize> {
    let mode = match args[4] {
        0 => SetMode::Any,
        1 => SetMode::Create,
        2 => SetMode::Replace,
        _ => return Err(Errno::EINVAL),
    };
    let name = xattr_name(args[1])?;
    if args[3] > xattr::XATTR_SIZE_MAX {
        return Err(Errno::E2BIG);
    }
    let value = user::read_array::<u8>(UserAddr(args[2]), args[3])?;
    xattr::set(path, &name, &value, mode, &current_credentials())?;
    Ok(0)
}

/// Hands a value or list out; a size of 0 only asks for its length.
fn give(value: &[u8], addr: usize, size: usize) -> Result<usize> {
    if size != 0 {
        if value.len() > size {
            return Err(Errno::ERANGE);
        }
        user::copy_to_user(UserAddr(addr), value)?;
    }
    Ok(value.len())
}

fn get_xattr(path: &Path, args: &[usize; 6]) -> Result<usize> {
    let value = xattr::get(path, &xattr_name(args[1])?, &current_credentials())?;
    give(&value, args[2], args[3])
}

fn list_xattr(path: &Path, args: &[usize; 6]) -> Result<usize> {
    give(&xattr::list(path, &current_credentials())?, args[1], args[2])
}

fn remove_xattr(path: &Path, args: &[usize; 6]) -> Result<usize> {
    xattr::remove(path, &xattr_name(args[1])?, &current_credentials())?;
    Ok(0)
}

/// `setxattr(2)`.
fn setxattr(args: &[usize; 6]) -> Result<usize> {
    set_xattr(&xattr_path(args[0], LookupFlags::FOLLOW)?, args)
}
/// `lsetxattr(2)`.
fn lsetxattr(args: &[usize; 6]) -> Result<usize> {
    set_xattr(&xattr_path(args[0], LookupFlags::empty())?, args)
}
/// `fsetxattr(2)`.
fn fsetxattr(args: &[usize; 6]) -> Result<usize> {
    set_xattr(&opened_place_of(args[0])?, args)
}
/// `getxattr(2)`.
fn getxattr(args: &[usize; 6]) -> Result<usize> {
    get_xattr(&xattr_path(args[0], LookupFlags::FOLLOW)?, args)
}
/// `lgetxattr(2)`.
fn lgetxattr(args: &[usize; 6]) -> Result<usize> {
    get_xattr(&xattr_path(args[0], LookupFlags::empty())?, args)
}
/// `fgetxattr(2)`.
fn fgetxattr(args: &[usize; 6]) -> Result<usize> {
    get_xattr(&opened_place_of(args[0])?, args)
}
/// `listxattr(2)`.
fn listxattr(args: &[usize; 6]) -> Result<usize> {
    list_xattr(&xattr_path(args[0], LookupFlags::FOLLOW)?, args)
}
/// `llistxattr(2)`.
fn llistxattr(args: &[usize; 6]) -> Result<usize> {
    list_xattr(&xattr_path(args[0], LookupFlags::empty())?, args)
}
/// `flistxattr(2)`.
fn flistxattr(args: &[usize; 6]) -> Result<usize> {
    list_xattr(&opened_place_of(args[0])?, args)
}
/// `removexattr(2)`.
fn removexattr(args: &[usize; 6]) -> Result<usize> {
    remove_xattr(&xattr_path(args[0], LookupFlags::FOLLOW)?, args)
}
/// `lremovexattr(2)`.
fn lremovexattr(args: &[usize; 6]) -> Result<usize> {
    remove_xattr(&xattr_path(args[0], LookupFlags::empty())?, args)
}
/// `fremovexattr(2)`.
fn fremovexattr(args: &[usize; 6]) -> Result<usize> {
    remove_xattr(&opened_place_of(args[0])?, args)
}
