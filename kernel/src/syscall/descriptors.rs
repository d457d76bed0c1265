//! Descriptors: close, dup, fcntl, ioctl, flock.

use super::table::calls;
use crate::{
    fs::{
        File, OpenFlags,
        file::Owner,
        locks::{self, LockKind, LockOwner, RecordLock, Waiting},
        pipe,
    },
    mm::{UserAddr, user},
    process::signal::Signal,
    sched,
};
use abi::{Errno, Result};
use core::sync::atomic::Ordering;
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    close => close;
    close_range => close_range;
    dup => dup;
    dup2 => dup2;
    dup3 => dup3;
    fcntl => fcntl;
    flock => flock;
    ioctl => ioctl;
}

/// `close(2)`.
fn close(args: &[usize; 6]) -> Result<usize> {
    sched::current().files.borrow().close(args[0] as i32)?;
    Ok(0)
}

/// `close_range(2)`.
fn close_range(args: &[usize; 6]) -> Result<usize> {
    /// `CLOSE_RANGE_UNSHARE`.
    const UNSHARE: usize = 2;
    /// `CLOSE_RANGE_CLOEXEC`.
    const CLOEXEC: usize = 4;
    let (first, last) = (args[0] as u32, args[1] as u32);
    if args[2] & !(UNSHARE | CLOEXEC) != 0 || first > last {
        return Err(Errno::EINVAL);
    }
    let current = sched::current();
    if args[2] & UNSHARE != 0 {
        let own = current.files.borrow().fork()?;
        drop(current.files.replace(Some(own)));
    }
    let files = current.files.borrow();
    if args[2] & CLOEXEC != 0 {
        files.mark_range(first, last);
    } else {
        files.close_range(first, last);
    }
    Ok(0)
}

/// `dup(2)`.
fn dup(args: &[usize; 6]) -> Result<usize> {
    duplicate(args[0], 0, false)
}

/// Installs another number for a file at the lowest free place not below `from`.
fn duplicate(fd: usize, from: u32, cloexec: bool) -> Result<usize> {
    let current = sched::current();
    let files = current.files.borrow();
    let file = (*files.get_any(fd as i32)?).clone();
    Ok(files.install(file, cloexec, from)?.0 as usize)
}

/// `dup2(2)`: the same number twice only checks it.
fn dup2(args: &[usize; 6]) -> Result<usize> {
    if args[0] as i32 == args[1] as i32 {
        sched::current().files.borrow().get_any(args[0] as i32)?;
        return Ok(args[1] as i32 as usize);
    }
    place(args[0], args[1], false)
}

/// `dup3(2)`.
fn dup3(args: &[usize; 6]) -> Result<usize> {
    let flags = args[2] as u32;
    if flags & !OpenFlags::CLOEXEC.bits() != 0 || args[0] as i32 == args[1] as i32 {
        return Err(Errno::EINVAL);
    }
    place(args[0], args[1], flags != 0)
}

fn place(from: usize, to: usize, cloexec: bool) -> Result<usize> {
    let current = sched::current();
    let files = current.files.borrow();
    let file = (*files.get_any(from as i32)?).clone();
    files.place(file, to as i32, cloexec)?;
    Ok(to as i32 as usize)
}

/// Commands of `fcntl(2)`, by their numbers.
mod command {
    pub const DUPFD: u32 = 0;
    pub const GETFD: u32 = 1;
    pub const SETFD: u32 = 2;
    pub const GETFL: u32 = 3;
    pub const SETFL: u32 = 4;
    pub const GETLK: u32 = 5;
    pub const SETLK: u32 = 6;
    pub const SETLKW: u32 = 7;
    pub const SETOWN: u32 = 8;
    pub const GETOWN: u32 = 9;
    pub const SETSIG: u32 = 10;
    pub const GETSIG: u32 = 11;
    pub const OFD_GETLK: u32 = 36;
    pub const OFD_SETLK: u32 = 37;
    pub const OFD_SETLKW: u32 = 38;
    pub const DUPFD_CLOEXEC: u32 = 1030;
    pub const SETPIPE_SZ: u32 = 1031;
    pub const GETPIPE_SZ: u32 = 1032;
    pub const ADD_SEALS: u32 = 1033;
    pub const GET_SEALS: u32 = 1034;
}

/// `fcntl(2)`.
fn fcntl(args: &[usize; 6]) -> Result<usize> {
    let (what, argument) = (args[1] as u32, args[2]);
    match what {
        command::DUPFD | command::DUPFD_CLOEXEC => {
            let from = u32::try_from(argument as i32).map_err(|_| Errno::EINVAL)?;
            if from >= crate::fs::fd_table::limit() {
                sched::current().files.borrow().get_any(args[0] as i32)?;
                return Err(Errno::EINVAL);
            }
            return duplicate(args[0], from, what == command::DUPFD_CLOEXEC);
        }
        _ => {}
    }
    let current = sched::current();
    let files = current.files.borrow();
    let file = files.get_any(args[0] as i32)?;
    let path_only = file.flags().contains(OpenFlags::PATH);
    match what {
        command::GETFD => return Ok(usize::from(files.cloexec(args[0] as i32)?)),
        command::SETFD => {
            files.set_cloexec(args[0] as i32, argument & 1 != 0)?;
            return Ok(0);
        }
        command::GETFL => return Ok(file.flags().bits() as usize),
        _ if path_only => return Err(Errno::EBADF),
        _ => {}
    }
    match what {
        command::SETFL => {
            set_status(&file, OpenFlags::from_bits_truncate(argument as u32))?;
            Ok(0)
        }
        command::GETLK => get_lock(&file, UserAddr(argument), LockOwner::process(&files)),
        command::OFD_GETLK => get_lock(&file, UserAddr(argument), LockOwner::description(&file)),
        command::SETLK | command::SETLKW => {
            let owner = LockOwner::process(&files);
            set_lock(&file, UserAddr(argument), owner, what == command::SETLKW)
        }
        command::OFD_SETLK | command::OFD_SETLKW => {
            let owner = LockOwner::description(&file);
            set_lock(&file, UserAddr(argument), owner, what == command::OFD_SETLKW)
        }
        command::GETOWN => Ok(file.owner().pid as isize as usize),
        command::SETOWN => {
            file.set_owner(Owner { pid: argument as i32, ..file.owner() });
            Ok(0)
        }
        command::GETSIG => Ok(file.owner().signal as usize),
        command::SETSIG => {
            if argument != 0 && Signal::new(argument).is_none() {
                return Err(Errno::EINVAL);
            }
            file.set_owner(Owner { signal: argument as i32, ..file.owner() });
            Ok(0)
        }
        command::GETPIPE_SZ => pipe::size(&file),
        command::SETPIPE_SZ => pipe::set_size(&file, argument as u32 as usize),
        command::GET_SEALS => Ok(file.ops().seals()?.load(Ordering::Acquire) as usize),
        command::ADD_SEALS => {
            if !file.flags().writable() {
                return Err(Errno::EPERM);
            }
            file.ops().add_seals(&file, argument as u32)?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

fn set_status(file: &File, flags: OpenFlags) -> Result<()> {
    let inode = file.inode();
    if flags.contains(OpenFlags::NOATIME) && !file.flags().contains(OpenFlags::NOATIME) {
        let current = sched::current();
        let who = current.credentials.load();
        if !crate::fs::permission::is_owner(inode, &who)? {
            return Err(Errno::EPERM);
        }
    }
    file.set_flags(flags);
    Ok(())
}

/// `struct flock`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Flock {
    kind: i16,
    whence: i16,
    pad: u32,
    start: i64,
    len: i64,
    pid: i32,
    tail: u32,
}

const F_RDLCK: i16 = 0;
const F_WRLCK: i16 = 1;
const F_UNLCK: i16 = 2;

impl Flock {
    /// The range it names, in absolute bytes.
    fn to_record(self, file: &File, owner: LockOwner) -> Result<RecordLock> {
        let base = match self.whence {
            0 => 0,
            1 => file.position() as i64,
            2 => file.inode().metadata()?.size as i64,
            _ => return Err(Errno::EINVAL),
        };
        let start = base.checked_add(self.start).ok_or(Errno::EOVERFLOW)?;
        let (start, end) = match self.len {
            0 => (start, i64::MAX),
            1.. => (start, start.checked_add(self.len - 1).ok_or(Errno::EOVERFLOW)?),
            _ => (start.checked_add(self.len).ok_or(Errno::EINVAL)?, start - 1),
        };
        let pid = match owner {
            LockOwner::Process(_) => locks::current_pid(),
            LockOwner::Description(_) => -1,
        };
        Ok(RecordLock {
            owner,
            pid,
            start: u64::try_from(start).map_err(|_| Errno::EINVAL)?,
            end: u64::try_from(end).map_err(|_| Errno::EINVAL)?,
            kind: if self.kind == F_WRLCK { LockKind::Exclusive } else { LockKind::Shared },
        })
    }
}

/// `F_GETLK`.
fn get_lock(file: &File, addr: UserAddr, owner: LockOwner) -> Result<usize> {
    let mut flock: Flock = user::read(addr)?;
    if !matches!(flock.kind, F_RDLCK | F_WRLCK) || (flock.pid != 0 && is_description(owner)) {
        return Err(Errno::EINVAL);
    }
    let wanted = flock.to_record(file, owner)?;
    match file.inode().file_locks().find_conflict(&wanted) {
        None => flock.kind = F_UNLCK,
        Some(lock) => {
            flock.kind = if lock.kind == LockKind::Exclusive { F_WRLCK } else { F_RDLCK };
            flock.whence = 0;
            flock.start = lock.start as i64;
            flock.len =
                if lock.end == i64::MAX as u64 { 0 } else { (lock.end - lock.start + 1) as i64 };
            flock.pid = lock.pid;
        }
    }
    user::write(addr, &flock)?;
    Ok(0)
}

fn is_description(owner: LockOwner) -> bool {
    matches!(owner, LockOwner::Description(_))
}

/// `F_SETLK`, `F_SETLKW`.
fn set_lock(file: &File, addr: UserAddr, owner: LockOwner, wait: bool) -> Result<usize> {
    let flock: Flock = user::read(addr)?;
    if flock.pid != 0 && is_description(owner) {
        return Err(Errno::EINVAL);
    }
    let wanted = flock.to_record(file, owner)?;
    let waiting = if wait { Waiting::Yes } else { Waiting::No };
    match flock.kind {
        F_UNLCK => {
            file.inode().file_locks().unlock_record(wanted);
            return Ok(0);
        }
        F_RDLCK if file.flags().readable() => {}
        F_WRLCK if file.flags().writable() => {}
        F_RDLCK | F_WRLCK => return Err(Errno::EBADF),
        _ => return Err(Errno::EINVAL),
    }
    locks::mark(file);
    file.inode().file_locks().lock_record(wanted, waiting)?;
    Ok(0)
}

/// `flock(2)`.
fn flock(args: &[usize; 6]) -> Result<usize> {
    /// `LOCK_NB`.
    const NONBLOCK: u32 = 4;
    let operation = args[1] as u32;
    let waiting = if operation & NONBLOCK != 0 { Waiting::No } else { Waiting::Yes };
    let kind = match operation & !NONBLOCK {
        1 => Some(LockKind::Shared),
        2 => Some(LockKind::Exclusive),
        8 => None,
        _ => return Err(Errno::EINVAL),
    };
    let current = sched::current();
    let files = current.files.borrow();
    let file = files.get(args[0] as i32)?;
    let owner = LockOwner::description(&file);
    match kind {
        None => file.inode().file_locks().unlock_whole(owner),
        Some(kind) => {
            locks::mark(&file);
            file.inode().file_locks().lock_whole(owner, kind, waiting)?;
        }
    }
    Ok(0)
}

/// Commands of `ioctl(2)` that every file has.
mod common {
    pub const FIONCLEX: u32 = 0x5450;
    pub const FIOCLEX: u32 = 0x5451;
    pub const FIONBIO: u32 = 0x5421;
    pub const FIOASYNC: u32 = 0x5452;
    pub const FIONREAD: u32 = 0x541b;
}

/// `ioctl(2)`.
fn ioctl(args: &[usize; 6]) -> Result<usize> {
    let current = sched::current();
    let files = current.files.borrow();
    let file = files.get(args[0] as i32)?;
    let command = args[1] as u32;
    match command {
        common::FIOCLEX | common::FIONCLEX => {
            files.set_cloexec(args[0] as i32, command == common::FIOCLEX)?;
            Ok(0)
        }
        common::FIONBIO | common::FIOASYNC => {
            let on: i32 = user::read(UserAddr(args[2]))?;
            let flag =
                if command == common::FIONBIO { OpenFlags::NONBLOCK } else { OpenFlags::ASYNC };
            let flags = if on != 0 { file.flags() | flag } else { file.flags() - flag };
            file.set_flags(flags);
            Ok(0)
        }
        common::FIONREAD if file.inode().file_type() == crate::fs::FileType::Regular => {
            let left = file.inode().metadata()?.size.saturating_sub(file.position());
            user::write(UserAddr(args[2]), &i32::try_from(left).unwrap_or(i32::MAX))?;
            Ok(0)
        }
        _ => file.ops().ioctl(&file, command, args[2]),
    }
}
