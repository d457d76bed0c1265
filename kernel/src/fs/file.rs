//! Open file descriptions (`open(2)`), and the one place where reads and writes wait.
//!
//! Lock: the position's (class `FILE_POSITION`, outside of everything a read or write may take), held around whole operations
//! that use the position, so that two of them do not meet (POSIX.1-2008 2.9.7).

use super::{FileType, Inode, IoSink, IoSource, Path};
use crate::{
    mm::{PageSource, SharedWriting, try_alloc},
    sync::{Mutex, MutexGuard, PollEvents, PollTable, SpinLock, class},
    time::{self, Instant},
};
use abi::{Errno, Result};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

bitflags::bitflags! {
    /// `O_*` flags (x86-64 values). The access mode is in the low two bits: see [`OpenFlags::readable`].
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct OpenFlags: u32 {
        const WRONLY = 0o1;
        const RDWR = 0o2;
        const CREAT = 0o100;
        const EXCL = 0o200;
        const NOCTTY = 0o400;
        const TRUNC = 0o1000;
        const APPEND = 0o2000;
        const NONBLOCK = 0o4000;
        const DSYNC = 0o10000;
        const ASYNC = 0o20000;
        const DIRECT = 0o40000;
        const LARGEFILE = 0o100000;
        const DIRECTORY = 0o200000;
        const NOFOLLOW = 0o400000;
        const NOATIME = 0o1000000;
        const CLOEXEC = 0o2000000;
        const SYNC = 0o4000000;
        const PATH = 0o10000000;
        const TMPFILE = 0o20000000;
    }
}

impl OpenFlags {
    /// Opened for reading.
    pub fn readable(self) -> bool {
        matches!(self.bits() & 3, 0 | 2) && !self.contains(OpenFlags::PATH)
    }
    /// Opened for writing.
    pub fn writable(self) -> bool {
        matches!(self.bits() & 3, 1 | 2) && !self.contains(OpenFlags::PATH)
    }
}

/// What an open file can do: one implementation for each kind of file. All operations are of the try form.
#[expect(unused_variables, reason = "defaults refuse")]
pub trait FileOps: Send + Sync {
    /// Reads at `*offset` (which the call advances) or, for streams, from the front.
    fn read(&self, file: &File, dst: &mut IoSink<'_>, offset: &mut u64) -> Result<usize> {
        Err(Errno::EINVAL)
    }
    /// Until when a read of a stream that began at `started` waits; `None`: for ever. Asked before each sleep.
    fn read_deadline(&self, file: &File, started: Instant) -> Option<Instant> {
        None
    }
    /// When a write that began to wait at `started` gives up; `None`: never.
    fn write_deadline(&self, file: &File, started: Instant) -> Option<Instant> {
        None
    }
    /// What a read returns whose deadline has passed.
    fn read_late(&self, file: &File, dst: &mut IoSink<'_>) -> Result<usize> {
        Err(Errno::EAGAIN)
    }
    /// Writes at `*offset`; `O_APPEND` is already in it for regular files through [`FileOps::write`]'s own inode lock.
    fn write(&self, file: &File, src: &mut IoSource<'_>, offset: &mut u64) -> Result<usize> {
        Err(Errno::EINVAL)
    }
    /// Events now; registers on the queues that will tell of more.
    fn poll(&self, file: &File, table: &mut PollTable) -> PollEvents {
        PollEvents::IN | PollEvents::OUT | PollEvents::RDNORM | PollEvents::WRNORM
    }
    /// Whether `epoll(7)` may watch the file: not regular files and directories, which are always ready.
    fn pollable(&self) -> bool {
        true
    }
    /// Whether the file has a position (`lseek`, `pread`): streams say `ESPIPE`.
    fn seekable(&self) -> bool {
        false
    }
    /// `lseek(2)`; the default handles SET, CUR and END by the inode's size. The position lock is held.
    fn seek(&self, file: &File, offset: i64, whence: u32) -> Result<u64> {
        super::seek::by_size(file, offset, whence)
    }
    /// Directory entries from the file's position (`getdents64(2)`).
    fn read_dir(&self, file: &File, sink: &mut dyn super::DirSink) -> Result<()> {
        Err(Errno::ENOTDIR)
    }
    /// `ioctl(2)`; `ENOTTY` when unknown.
    fn ioctl(&self, file: &File, command: u32, argument: usize) -> Result<usize> {
        Err(Errno::ENOTTY)
    }
    /// Where mappings of the file get their pages; `ENODEV` when it cannot be mapped.
    fn page_source(&self, file: &File) -> Result<Arc<dyn PageSource>> {
        Err(Errno::ENODEV)
    }
    /// Where `splice(2)` and `sendfile(2)` get the file's pages, which they do not write; `ENODEV` when it has none to lend.
    fn lent_pages(&self, file: &File) -> Result<Arc<dyn PageSource>> {
        self.page_source(file)
    }
    /// Takes up to `count` bytes off a stream in at most `most` references to pages (`splice(2)`): none at its end. `EOPNOTSUPP` for files
    /// whose bytes have to be copied.
    fn take_pages(
        &self,
        file: &File,
        count: usize,
        most: usize,
    ) -> Result<Vec<super::pipe::Buffer>> {
        Err(Errno::EOPNOTSUPP)
    }
    /// The largest size the file may grow to by `write(2)` and its kin.
    fn max_size(&self) -> u64 {
        i64::MAX as u64
    }
    /// `fallocate(2)`; the mode was checked to be a known one, the range to lie in a file's limits.
    fn fallocate(&self, file: &File, mode: u32, offset: u64, len: u64) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }
    /// Seals of `fcntl(2)` (`F_GET_SEALS`); `EINVAL` for files that have none.
    fn seals(&self) -> Result<&AtomicU32> {
        Err(Errno::EINVAL)
    }
    /// Adds seals (`F_ADD_SEALS`); `EINVAL` for files that have none, `EPERM` once sealed against it, `EBUSY`.
    fn add_seals(&self, file: &File, seals: u32) -> Result<()> {
        Err(Errno::EINVAL)
    }
    /// What a shared mapping that may be written has to keep, for files that care; `EPERM` when sealed against it.
    fn shared_writing(&self) -> Result<Option<Arc<dyn SharedWriting>>> {
        Ok(None)
    }
    /// `fsync(2)`.
    fn sync(&self, file: &File, data_only: bool) -> Result<()> {
        Err(Errno::EINVAL)
    }
    /// Each `close(2)` of a descriptor (not only the last).
    fn flush(&self, file: &File) -> Result<()> {
        Ok(())
    }
    /// The lines of `/proc/<pid>/fdinfo/<fd>` that only this kind of file has.
    fn show_info(&self, out: &mut String) -> fmt::Result {
        Ok(())
    }
    /// The open file exists: what `release` will undo.
    fn opened(&self, file: &File) {}
    /// The last reference is gone.
    fn release(&self, file: &File) {}
    /// For downcasts by the subsystem that made it (epoll, sockets, terminals, pipes).
    fn as_any(&self) -> &dyn core::any::Any;
}

/// Status flags that `F_SETFL` changes.
const CHANGEABLE: OpenFlags = OpenFlags::APPEND
    .union(OpenFlags::NONBLOCK)
    .union(OpenFlags::ASYNC)
    .union(OpenFlags::DIRECT)
    .union(OpenFlags::NOATIME);

/// Flags that act at open and are not kept.
const OPEN_ONLY: OpenFlags = OpenFlags::CREAT
    .union(OpenFlags::EXCL)
    .union(OpenFlags::NOCTTY)
    .union(OpenFlags::TRUNC)
    .union(OpenFlags::CLOEXEC);

/// How an open file counts at its inode.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    None,
    /// As one that writes.
    Write,
    /// As one that runs a program and forbids writing.
    DenyWrite,
}

/// Who is signalled about the file (`F_SETOWN`, `F_SETSIG`).
#[derive(Clone, Copy, Default)]
pub struct Owner {
    /// A process, or a group when negative; 0 is nobody.
    pub pid: i32,
    /// The signal, 0 for SIGIO.
    pub signal: i32,
}

/// An open file description.
// Has a slab cache, which knows it by its alignment.
#[repr(align(16))]
pub struct File {
    path: Path,
    ops: Arc<dyn FileOps>,
    flags: AtomicU32,
    position: AtomicU64,
    /// Held around whatever uses the position.
    position_lock: Mutex<()>,
    claim: Claim,
    owner: SpinLock<Owner>,
    /// Whether `flock(2)` or an open file description lock was ever taken through this.
    pub(super) locked: AtomicBool,
}

impl File {
    /// Opens `path`'s inode through `ops` (the end of every open). Programs may run from the file whether or not this one writes to it.
    pub fn new(path: Path, flags: OpenFlags, ops: Arc<dyn FileOps>) -> Result<Arc<File>> {
        if flags.writable() && path.inode().file_type() == FileType::Regular {
            path.inode().writers().add_uncounted();
        }
        File::with_claim(path, flags, ops, Claim::None)
    }

    fn with_claim(
        path: Path,
        flags: OpenFlags,
        ops: Arc<dyn FileOps>,
        claim: Claim,
    ) -> Result<Arc<File>> {
        let file = File {
            path,
            ops,
            flags: AtomicU32::new((flags - OPEN_ONLY).bits()),
            position: AtomicU64::new(0),
            position_lock: Mutex::new(&class::FILE_POSITION, ()),
            claim,
            owner: SpinLock::new(&class::TABLE, Owner::default()),
            locked: AtomicBool::new(false),
        };
        file.ops.opened(&file);
        try_alloc::arc(file)
    }

    /// The same for a regular file opened for writing: `ETXTBSY` while a program runs from it.
    pub fn new_writer(path: Path, flags: OpenFlags, ops: Arc<dyn FileOps>) -> Result<Arc<File>> {
        path.inode().writers().get_write()?;
        File::with_claim(path, flags, ops, Claim::Write)
    }

    /// The same for a program: while it lives nobody can open the file for writing. `ETXTBSY` when somebody has.
    pub fn new_program(path: Path, ops: Arc<dyn FileOps>) -> Result<Arc<File>> {
        path.inode().writers().deny_write()?;
        File::with_claim(path, OpenFlags::LARGEFILE, ops, Claim::DenyWrite)
    }

    /// A file without a name in the tree (pipes, sockets, event files); `name` shows in `/proc/<pid>/fd` as `name:[ino]` or
    /// `anon_inode:name`.
    pub fn anonymous(name: &str, flags: OpenFlags, ops: Arc<dyn FileOps>) -> Result<Arc<File>> {
        File::with_claim(super::anonymous::new_path(name), flags, ops, Claim::None)
    }

    /// Its operations.
    pub fn ops(&self) -> &Arc<dyn FileOps> {
        &self.ops
    }
    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Its inode.
    pub fn inode(&self) -> &Arc<Inode> {
        self.path.inode()
    }
    /// Access mode and status flags now.
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }
    /// Changes status flags (`F_SETFL`): those that can change.
    pub fn set_flags(&self, flags: OpenFlags) {
        let change = |old: u32| {
            let kept = OpenFlags::from_bits_retain(old) - CHANGEABLE;
            Some((kept | flags & CHANGEABLE).bits())
        };
        // The closure always gives a value.
        let _ = self.flags.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }
    /// Who is signalled.
    pub fn owner(&self) -> Owner {
        *self.owner.lock()
    }
    /// Changes who is signalled.
    pub fn set_owner(&self, owner: Owner) {
        *self.owner.lock() = owner;
    }

    /// The position, for code that holds its lock (directory listings, seeks).
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }
    /// Moves it, for code that holds its lock.
    pub fn set_position(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
    }
    /// Takes the lock of the position.
    pub fn lock_position(&self) -> MutexGuard<'_, ()> {
        self.position_lock.lock()
    }

    /// The same where POSIX has reads and writes not meet: regular files, but no devices.
    fn lock_shared_position(&self) -> Option<MutexGuard<'_, ()>> {
        let kept_apart =
            matches!(self.inode().file_type(), FileType::Regular | FileType::Directory);
        kept_apart.then(|| self.position_lock.lock())
    }

    /// Reads at the file's position, waiting when the file is a blocking one. `EBADF` when not readable.
    pub fn read(&self, dst: &mut IoSink<'_>) -> Result<usize> {
        if !self.flags().readable() {
            return Err(Errno::EBADF);
        }
        if !self.ops.seekable() {
            return self.read_stream(dst);
        }
        let _lock = self.lock_shared_position();
        let mut offset = self.position();
        let n = self.wait_for(READ_EVENTS, || self.ops.read(self, dst, &mut offset))?;
        self.set_position(offset);
        self.accessed();
        Ok(n)
    }

    /// Writes at the file's position, waiting until all is written unless non-blocking or interrupted. `EBADF`.
    pub fn write(&self, src: &mut IoSource<'_>) -> Result<usize> {
        if !self.flags().writable() {
            return Err(Errno::EBADF);
        }
        if !self.ops.seekable() {
            return self.write_stream(src);
        }
        let _lock = self.lock_shared_position();
        let mut offset = self.position();
        self.limit_growth(src, offset)?;
        let n = self.wait_for(WRITE_EVENTS, || self.ops.write(self, src, &mut offset))?;
        self.set_position(offset);
        Ok(n)
    }

    /// A stream may bound the wait for bytes (terminals do).
    fn read_stream(&self, dst: &mut IoSink<'_>) -> Result<usize> {
        let mut started = None;
        let deadline = || {
            let started = *started.get_or_insert_with(time::monotonic);
            self.ops.read_deadline(self, started)
        };
        match self.wait_with(deadline, || self.ops.read(self, dst, &mut 0))? {
            Some(n) => Ok(n),
            None => self.ops.read_late(self, dst),
        }
    }

    /// Streams take what they have room for; the rest waits.
    fn write_stream(&self, src: &mut IoSource<'_>) -> Result<usize> {
        let mut done = 0;
        let mut started = None;
        loop {
            let deadline = || {
                let started = *started.get_or_insert_with(time::monotonic);
                self.ops.write_deadline(self, started)
            };
            match self.wait_with(deadline, || self.ops.write(self, src, &mut 0)) {
                Ok(Some(0)) => return Ok(done),
                Ok(Some(n)) => done += n,
                Ok(None) if done > 0 => return Ok(done),
                Ok(None) => return Err(Errno::EAGAIN),
                Err(_) if done > 0 => return Ok(done),
                Err(errno) => return Err(errno),
            }
            if src.remaining() == 0 {
                return Ok(done);
            }
        }
    }

    /// Runs `f` on the file's position and keeps where `f` leaves it. For transfers between two files, which do not take
    /// the position's lock, as on Linux: they would need an order of the two, and may wait long.
    pub fn with_position<R>(&self, f: impl FnOnce(&mut u64) -> R) -> R {
        let mut offset = self.position();
        let result = f(&mut offset);
        self.set_position(offset);
        result
    }

    /// The same on a position of the caller's, where there is one.
    pub fn with_offset<R>(&self, offset: Option<&mut u64>, f: impl FnOnce(&mut u64) -> R) -> R {
        match offset {
            Some(offset) => f(offset),
            None => self.with_position(f),
        }
    }

    /// `pread(2)`.
    pub fn read_at(&self, dst: &mut IoSink<'_>, mut offset: u64) -> Result<usize> {
        self.check_positioned()?;
        if !self.flags().readable() {
            return Err(Errno::EBADF);
        }
        let n = self.wait_for(READ_EVENTS, || self.ops.read(self, dst, &mut offset))?;
        self.accessed();
        Ok(n)
    }

    /// `pwrite(2)`.
    pub fn write_at(&self, src: &mut IoSource<'_>, mut offset: u64) -> Result<usize> {
        self.check_positioned()?;
        if !self.flags().writable() {
            return Err(Errno::EBADF);
        }
        self.limit_growth(src, offset)?;
        self.wait_for(WRITE_EVENTS, || self.ops.write(self, src, &mut offset))
    }

    fn check_positioned(&self) -> Result<()> {
        if self.ops.seekable() { Ok(()) } else { Err(Errno::ESPIPE) }
    }

    /// Bounds a write by `RLIMIT_FSIZE` (`EFBIG` and SIGXFSZ beyond it) and by the file's own limit.
    fn limit_growth(&self, src: &mut IoSource<'_>, mut offset: u64) -> Result<()> {
        if self.inode().file_type() != FileType::Regular || src.remaining() == 0 {
            return Ok(());
        }
        if self.flags().contains(OpenFlags::APPEND) {
            offset = self.inode().metadata()?.size;
        }
        let end = super::check_file_size_limit(offset)?.min(self.ops.max_size());
        if offset >= end {
            return Err(Errno::EFBIG);
        }
        src.limit(usize::try_from(end - offset).unwrap_or(usize::MAX));
        Ok(())
    }

    /// Notes the access time, where the mount and the file's flags want it.
    pub fn accessed(&self) {
        if !self.flags().contains(OpenFlags::NOATIME) {
            super::times::accessed(&self.path);
        }
    }

    /// Runs a try operation until it no longer says `EAGAIN`, sleeping on the file's queues for `events`;
    /// at once when the file is non-blocking.
    pub fn wait_for<R>(
        &self,
        _events: PollEvents,
        attempt: impl FnMut() -> Result<R>,
    ) -> Result<R> {
        // Without a deadline a wait ends with a result.
        self.wait_with(|| None, attempt).and_then(|result| result.ok_or(Errno::EAGAIN))
    }

    /// The same, until the time that `deadline` names before each sleep; `None` when that has passed.
    fn wait_with<R>(
        &self,
        mut deadline: impl FnMut() -> Option<Instant>,
        mut attempt: impl FnMut() -> Result<R>,
    ) -> Result<Option<R>> {
        let first = attempt();
        if !matches!(first, Err(Errno::EAGAIN)) || self.flags().contains(OpenFlags::NONBLOCK) {
            return first.map(Some);
        }
        // Register first, look again after: no wake-up is lost between the two.
        let mut table = PollTable::for_current();
        self.ops.poll(self, &mut table);
        table.stop_registering();
        loop {
            let result = attempt();
            if !matches!(result, Err(Errno::EAGAIN)) {
                return result.map(Some);
            }
            if !table.wait(deadline())? {
                return Ok(None);
            }
        }
    }

    /// Events now, with registration.
    pub fn poll(&self, table: &mut PollTable) -> PollEvents {
        self.ops.poll(self, table)
    }
}

const READ_EVENTS: PollEvents = PollEvents::IN.union(PollEvents::RDNORM);
const WRITE_EVENTS: PollEvents = PollEvents::OUT.union(PollEvents::WRNORM);

impl Drop for File {
    fn drop(&mut self) {
        if self.locked.load(Ordering::Relaxed) {
            super::locks::release_file(self);
        }
        let ops = self.ops.clone();
        ops.release(self);
        match self.claim {
            Claim::None => {}
            Claim::Write => self.inode().writers().put_write(),
            Claim::DenyWrite => self.inode().writers().allow_write(),
        }
    }
}
