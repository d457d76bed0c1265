//! Open file descriptions (`open(2)`), and the one place where reads and writes wait.

use super::{Inode, IoSink, IoSource, Path};
use crate::{
    mm::PageSource,
    sync::{PollEvents, PollTable},
};
use abi::{Errno, Result};
use alloc::sync::Arc;

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
        self.bits() & 3 != 1 && !self.contains(OpenFlags::PATH)
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
    /// `lseek(2)`; the default handles SET, CUR and END by the inode's size.
    fn seek(&self, file: &File, offset: i64, whence: u32) -> Result<u64> {
        Err(Errno::ESPIPE)
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
    /// `fsync(2)`.
    fn sync(&self, file: &File, data_only: bool) -> Result<()> {
        Err(Errno::EINVAL)
    }
    /// Each `close(2)` of a descriptor (not only the last).
    fn flush(&self, file: &File) -> Result<()> {
        Ok(())
    }
    /// The last reference is gone.
    fn release(&self, file: &File) {}
    /// For downcasts by the subsystem that made it (epoll, sockets, terminals, pipes).
    fn as_any(&self) -> &dyn core::any::Any;
}

/// An open file description.
pub struct File(());

impl File {
    /// Opens `path`'s inode through `ops` (the end of every open).
    pub fn new(_path: Path, _flags: OpenFlags, _ops: Arc<dyn FileOps>) -> Result<Arc<File>> {
        todo!()
    }
    /// A file without a name in the tree (pipes, sockets, event files); `name` shows in `/proc/<pid>/fd` as `name:[ino]` or
    /// `anon_inode:name`.
    pub fn anonymous(_name: &str, _flags: OpenFlags, _ops: Arc<dyn FileOps>) -> Result<Arc<File>> {
        todo!()
    }
    /// Its operations.
    pub fn ops(&self) -> &Arc<dyn FileOps> {
        todo!()
    }
    /// Where it was opened.
    pub fn path(&self) -> &Path {
        todo!()
    }
    /// Its inode.
    pub fn inode(&self) -> &Arc<Inode> {
        todo!()
    }
    /// Access mode and status flags now.
    pub fn flags(&self) -> OpenFlags {
        todo!()
    }
    /// Changes status flags (`F_SETFL`).
    pub fn set_flags(&self, _flags: OpenFlags) {
        todo!()
    }
    /// Reads at the file's position, waiting when the file is a blocking one. `EBADF` when not readable.
    pub fn read(&self, _dst: &mut IoSink<'_>) -> Result<usize> {
        todo!()
    }
    /// Writes at the file's position, waiting until all is written unless non-blocking or interrupted. `EBADF`.
    pub fn write(&self, _src: &mut IoSource<'_>) -> Result<usize> {
        todo!()
    }
    /// `pread(2)`.
    pub fn read_at(&self, _dst: &mut IoSink<'_>, _offset: u64) -> Result<usize> {
        todo!()
    }
    /// `pwrite(2)`.
    pub fn write_at(&self, _src: &mut IoSource<'_>, _offset: u64) -> Result<usize> {
        todo!()
    }
    /// Runs a try operation until it no longer says `EAGAIN`, sleeping on the file's queues for `events`;
    /// at once when the file is non-blocking.
    pub fn wait_for<R>(
        &self,
        _events: PollEvents,
        _attempt: impl FnMut() -> Result<R>,
    ) -> Result<R> {
        todo!()
    }
    /// Events now, with registration.
    pub fn poll(&self, _table: &mut PollTable) -> PollEvents {
        todo!()
    }
}
