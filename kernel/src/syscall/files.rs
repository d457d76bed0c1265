//! Open files: read, write, lseek, truncate, sync, sendfile, splice, directory listings.

use super::table::calls;
use crate::{
    fs::{
        DirSink, File, FileRef, FileType, IoSink, IoSource, OpenFlags,
        io_buf::MAX_RW_COUNT,
        modify,
        splice::{self, Blocking, End},
    },
    mm::{UserAddr, user},
    sched,
};
use abi::{Errno, Result};
use alloc::vec::Vec;

calls! {
    read => read;
    write => write;
    readv => readv;
    writev => writev;
    pread64 => pread64;
    pwrite64 => pwrite64;
    preadv => preadv;
    pwritev => pwritev;
    preadv2 => preadv2;
    pwritev2 => pwritev2;
    lseek => lseek;
    ftruncate => ftruncate;
    fallocate => fallocate;
    fsync => fsync;
    fdatasync => fdatasync;
    sync_file_range => sync_file_range;
    fadvise64 => fadvise64;
    readahead => readahead;
    getdents => getdents;
    getdents64 => getdents64;
    sendfile => sendfile;
    splice => splice;
    tee => tee;
    vmsplice => vmsplice;
    copy_file_range => copy_file_range;
}

/// Runs `f` on the file behind a descriptor; `EBADF`.
pub(super) fn with_file<R>(fd: usize, f: impl FnOnce(&FileRef<'_>) -> Result<R>) -> Result<R> {
    let current = sched::current();
    let files = current.files.borrow();
    f(&files.get(fd as i32)?)
}

/// An offset as the caller gave it; `EINVAL` when negative.
fn offset(value: usize) -> Result<u64> {
    u64::try_from(value as i64).map_err(|_| Errno::EINVAL)
}

/// `read(2)`.
fn read(args: &[usize; 6]) -> Result<usize> {
    let mut sink = IoSink::user(UserAddr(args[1]), args[2].min(MAX_RW_COUNT));
    with_file(args[0], |file| file.read(&mut sink))
}

/// `write(2)`.
fn write(args: &[usize; 6]) -> Result<usize> {
    let mut source = IoSource::user(UserAddr(args[1]), args[2].min(MAX_RW_COUNT));
    with_file(args[0], |file| file.write(&mut source))
}

/// `pread(2)`.
fn pread64(args: &[usize; 6]) -> Result<usize> {
    let at = offset(args[3])?;
    let mut sink = IoSink::user(UserAddr(args[1]), args[2].min(MAX_RW_COUNT));
    with_file(args[0], |file| file.read_at(&mut sink, at))
}

/// `pwrite(2)`.
fn pwrite64(args: &[usize; 6]) -> Result<usize> {
    let at = offset(args[3])?;
    let mut source = IoSource::user(UserAddr(args[1]), args[2].min(MAX_RW_COUNT));
    with_file(args[0], |file| file.write_at(&mut source, at))
}

/// Copies an iovec in: at most 1024 buffers, each of non-negative length, in all no more than one call moves.
fn read_iovec(addr: usize, count: usize) -> Result<Vec<(UserAddr, usize)>> {
    /// `UIO_MAXIOV`.
    const MOST: usize = 1024;
    if count > MOST {
        return Err(Errno::EINVAL);
    }
    let raw = user::read_array::<[usize; 2]>(UserAddr(addr), count)?;
    let mut left = MAX_RW_COUNT;
    let mut vectors = Vec::new();
    vectors.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    for [base, len] in raw {
        if isize::try_from(len).is_err() {
            return Err(Errno::EINVAL);
        }
        let len = len.min(left);
        left -= len;
        vectors.push((UserAddr(base), len));
    }
    Ok(vectors)
}

/// `readv(2)`.
fn readv(args: &[usize; 6]) -> Result<usize> {
    with_file(args[0], |file| file.read(&mut IoSink::user_vec(&read_iovec(args[1], args[2])?)))
}

/// `writev(2)`.
fn writev(args: &[usize; 6]) -> Result<usize> {
    with_file(args[0], |file| file.write(&mut IoSource::user_vec(&read_iovec(args[1], args[2])?)))
}

/// `preadv(2)`.
fn preadv(args: &[usize; 6]) -> Result<usize> {
    let at = offset(args[3])?;
    with_file(args[0], |file| {
        file.read_at(&mut IoSink::user_vec(&read_iovec(args[1], args[2])?), at)
    })
}

/// `pwritev(2)`.
fn pwritev(args: &[usize; 6]) -> Result<usize> {
    let at = offset(args[3])?;
    with_file(args[0], |file| {
        file.write_at(&mut IoSource::user_vec(&read_iovec(args[1], args[2])?), at)
    })
}

/// Flags of `preadv2(2)` that change nothing here: a hint, and synchronous writing to memory.
const HINTS: usize = 0x1 | 0x2 | 0x4;

/// `preadv2(2)`: an offset of -1 is the file's position.
fn preadv2(args: &[usize; 6]) -> Result<usize> {
    check_rw_flags(args[5])?;
    if args[3] as i64 == -1 { readv(args) } else { preadv(args) }
}

/// `pwritev2(2)`.
fn pwritev2(args: &[usize; 6]) -> Result<usize> {
    check_rw_flags(args[5])?;
    if args[3] as i64 == -1 { writev(args) } else { pwritev(args) }
}

fn check_rw_flags(flags: usize) -> Result<()> {
    if flags & !HINTS == 0 { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}

/// `lseek(2)`.
fn lseek(args: &[usize; 6]) -> Result<usize> {
    with_file(args[0], |file| {
        if !file.ops().seekable() {
            return Err(Errno::ESPIPE);
        }
        let _lock = file.lock_position();
        Ok(file.ops().seek(file, args[1] as i64, args[2] as u32)? as usize)
    })
}

/// `ftruncate(2)`.
fn ftruncate(args: &[usize; 6]) -> Result<usize> {
    let size = offset(args[1])?;
    with_file(args[0], |file| {
        if file.inode().file_type() != FileType::Regular || !file.flags().writable() {
            return Err(Errno::EINVAL);
        }
        modify::resize(file.path(), size)?;
        Ok(0)
    })
}

/// `fallocate(2)`.
fn fallocate(args: &[usize; 6]) -> Result<usize> {
    /// `FALLOC_FL_KEEP_SIZE`, `FALLOC_FL_PUNCH_HOLE`, `FALLOC_FL_ZERO_RANGE`.
    const KNOWN: u32 = 0x1 | 0x2 | 0x10;
    let (mode, at, len) = (args[1] as u32, args[2] as i64, args[3] as i64);
    if at < 0 || len <= 0 {
        return Err(Errno::EINVAL);
    }
    if mode & !KNOWN != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    with_file(args[0], |file| {
        if !file.flags().writable() {
            return Err(Errno::EBADF);
        }
        match file.inode().file_type() {
            FileType::Regular => {}
            FileType::Directory => return Err(Errno::EISDIR),
            FileType::Fifo => return Err(Errno::ESPIPE),
            _ => return Err(Errno::ENODEV),
        }
        let end = at.checked_add(len).ok_or(Errno::EFBIG)?;
        if end as u64 > file.ops().max_size() {
            return Err(Errno::EFBIG);
        }
        file.ops().fallocate(file, mode, at as u64, len as u64)?;
        Ok(0)
    })
}

/// `fsync(2)`.
fn fsync(args: &[usize; 6]) -> Result<usize> {
    with_file(args[0], |file| file.ops().sync(file, false).map(|()| 0))
}

/// `fdatasync(2)`.
fn fdatasync(args: &[usize; 6]) -> Result<usize> {
    with_file(args[0], |file| file.ops().sync(file, true).map(|()| 0))
}

/// `sync_file_range(2)`.
fn sync_file_range(args: &[usize; 6]) -> Result<usize> {
    let (at, len) = (args[1] as i64, args[2] as i64);
    if args[3] & !7 != 0 || at < 0 || len < 0 || at.checked_add(len).is_none() {
        return Err(Errno::EINVAL);
    }
    with_file(args[0], |file| match file.inode().file_type() {
        FileType::Regular | FileType::BlockDevice | FileType::Directory | FileType::Symlink => {
            file.ops().sync(file, true).map(|()| 0)
        }
        _ => Err(Errno::ESPIPE),
    })
}

/// `posix_fadvise(2)`: advice is checked; memory-backed files need none.
fn fadvise64(args: &[usize; 6]) -> Result<usize> {
    with_file(args[0], |file| {
        if file.inode().file_type() == FileType::Fifo {
            return Err(Errno::ESPIPE);
        }
        if (args[2] as i64) < 0 || args[3] > 5 {
            return Err(Errno::EINVAL);
        }
        Ok(0)
    })
}

/// `readahead(2)`.
fn readahead(args: &[usize; 6]) -> Result<usize> {
    with_file(args[0], |file| {
        if !file.flags().readable() {
            return Err(Errno::EBADF);
        }
        file.ops().page_source(file).map_err(|_| Errno::EINVAL)?;
        Ok(0)
    })
}

/// How `getdents64` and the older `getdents` lay an entry out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryForm {
    /// `struct linux_dirent`: the type is the last byte.
    Old,
    /// `struct linux_dirent64`.
    Large,
}

/// Collects directory entries in the caller's format.
struct Entries {
    form: EntryForm,
    bytes: Vec<u8>,
    room: usize,
    /// An entry did not fit although nothing was there: the buffer is too small for it.
    too_small: bool,
}

impl DirSink for Entries {
    fn entry(&mut self, name: &[u8], ino: u64, kind: FileType, next: u64) -> bool {
        /// Inode number, position, record length.
        const HEADER: usize = 18;
        let len = (HEADER + 1 + name.len() + 1).next_multiple_of(8);
        let start = self.bytes.len();
        if start + len > self.room || self.bytes.try_reserve(len).is_err() {
            self.too_small |= start == 0;
            return false;
        }
        self.bytes.extend_from_slice(&ino.to_ne_bytes());
        self.bytes.extend_from_slice(&next.to_ne_bytes());
        self.bytes.extend_from_slice(&(len as u16).to_ne_bytes());
        if self.form == EntryForm::Large {
            self.bytes.push(kind.dirent_type());
        }
        self.bytes.extend_from_slice(name);
        self.bytes.resize(start + len, 0);
        if self.form == EntryForm::Old {
            self.bytes[start + len - 1] = kind.dirent_type();
        }
        true
    }
}

fn list(args: &[usize; 6], form: EntryForm) -> Result<usize> {
    /// Listed by one call at most; the caller asks again.
    const MOST: usize = 64 * 1024;
    with_file(args[0], |file| {
        if file.inode().file_type() != FileType::Directory {
            return Err(Errno::ENOTDIR);
        }
        let room = (args[2] as u32 as usize).min(MOST);
        let mut entries = Entries { form, bytes: Vec::new(), room, too_small: false };
        let _lock = file.lock_position();
        let start = file.position();
        file.ops().read_dir(file, &mut entries)?;
        file.accessed();
        if entries.too_small {
            return Err(Errno::EINVAL);
        }
        user::copy_to_user(UserAddr(args[1]), &entries.bytes)
            .inspect_err(|_| file.set_position(start))?;
        Ok(entries.bytes.len())
    })
}

/// `getdents(2)`.
fn getdents(args: &[usize; 6]) -> Result<usize> {
    list(args, EntryForm::Old)
}

/// `getdents64(2)`.
fn getdents64(args: &[usize; 6]) -> Result<usize> {
    list(args, EntryForm::Large)
}

/// A position that the caller keeps in its own memory, if it does.
struct UserOffset {
    addr: UserAddr,
    value: Option<u64>,
}

impl UserOffset {
    fn read(addr: usize) -> Result<UserOffset> {
        let addr = UserAddr(addr);
        let value = match addr.is_null() {
            true => None,
            false => {
                let value: i64 = user::read(addr)?;
                Some(u64::try_from(value).map_err(|_| Errno::EINVAL)?)
            }
        };
        Ok(UserOffset { addr, value })
    }

    fn write_back(&self) -> Result<()> {
        self.value.map_or(Ok(()), |value| user::write(self.addr, &value))
    }
}

/// `sendfile(2)`.
fn sendfile(args: &[usize; 6]) -> Result<usize> {
    let count = args[3].min(MAX_RW_COUNT);
    let current = sched::current();
    let files = current.files.borrow();
    let (output, input) = (files.get(args[0] as i32)?, files.get(args[1] as i32)?);
    let mut offset = UserOffset::read(args[2])?;
    let sent = match &mut offset.value {
        Some(offset) => splice::sendfile(&output, &input, offset, count),
        None => input.with_position(|offset| splice::sendfile(&output, &input, offset, count)),
    };
    offset.write_back()?;
    sent
}

/// `SPLICE_F_NONBLOCK`.
const NONBLOCK: usize = 2;

/// Checks the flags of the splice family.
fn splice_blocking(flags: usize) -> Result<Blocking> {
    /// MOVE, NONBLOCK, MORE, GIFT.
    const KNOWN: usize = 0xf;
    match flags {
        _ if flags & !KNOWN != 0 => Err(Errno::EINVAL),
        _ if flags & NONBLOCK != 0 => Ok(Blocking::No),
        _ => Ok(Blocking::Yes),
    }
}

/// `splice(2)`.
fn splice(args: &[usize; 6]) -> Result<usize> {
    let blocking = splice_blocking(args[5])?;
    let count = args[4].min(MAX_RW_COUNT);
    if count == 0 {
        return Ok(0);
    }
    let current = sched::current();
    let files = current.files.borrow();
    let (input, output) = (files.get(args[0] as i32)?, files.get(args[2] as i32)?);
    let is_pipe = |file: &File| crate::fs::pipe::of_file(file).is_some();
    if (args[1] != 0 && is_pipe(&input)) || (args[3] != 0 && is_pipe(&output)) {
        return Err(Errno::ESPIPE);
    }
    let (mut from, mut to) = (UserOffset::read(args[1])?, UserOffset::read(args[3])?);
    let moved = splice::splice(
        End { file: &input, offset: from.value.as_mut() },
        End { file: &output, offset: to.value.as_mut() },
        count,
        blocking,
    )?;
    from.write_back()?;
    to.write_back()?;
    Ok(moved)
}

/// `tee(2)`.
fn tee(args: &[usize; 6]) -> Result<usize> {
    let blocking = splice_blocking(args[3])?;
    if args[2] == 0 {
        return Ok(0);
    }
    let current = sched::current();
    let files = current.files.borrow();
    let (input, output) = (files.get(args[0] as i32)?, files.get(args[1] as i32)?);
    splice::tee(&input, &output, args[2].min(MAX_RW_COUNT), blocking)
}

/// `vmsplice(2)`: into a pipe's write end, or out of its read end.
fn vmsplice(args: &[usize; 6]) -> Result<usize> {
    splice_blocking(args[3])?;
    with_file(args[0], |file| {
        crate::fs::pipe::of_file(file).ok_or(Errno::EBADF)?;
        let iov = read_iovec(args[1], args[2])?;
        if file.flags().writable() {
            file.write(&mut IoSource::user_vec(&iov))
        } else {
            file.read(&mut IoSink::user_vec(&iov))
        }
    })
}

/// `copy_file_range(2)`.
fn copy_file_range(args: &[usize; 6]) -> Result<usize> {
    if args[5] != 0 {
        return Err(Errno::EINVAL);
    }
    let current = sched::current();
    let files = current.files.borrow();
    let (input, output) = (files.get(args[0] as i32)?, files.get(args[2] as i32)?);
    for file in [&input, &output] {
        match file.inode().file_type() {
            FileType::Regular => {}
            FileType::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
    }
    if !input.flags().readable()
        || !output.flags().writable()
        || output.flags().contains(OpenFlags::APPEND)
    {
        return Err(Errno::EBADF);
    }
    let (mut from, mut to) = (UserOffset::read(args[1])?, UserOffset::read(args[3])?);
    let count = args[4].min(MAX_RW_COUNT);
    let copied = input.with_offset(from.value.as_mut(), |from| {
        output.with_offset(to.value.as_mut(), |to| {
            splice::copy_range(&input, from, &output, to, count)
        })
    })?;
    from.write_back()?;
    to.write_back()?;
    Ok(copied)
}
