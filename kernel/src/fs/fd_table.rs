//! The descriptor table: an RCU-published array and a two-level bitmap for the lowest free number. A look-up in a table
//! of one task takes no atomic; in a shared one, one conditional increment. The mechanism, with its proof and tests, is
//! `rcu_collections::FdMap`.
//!
//! Lock: the map's own, a leaf. Files are dropped outside of it.

use super::{File, OpenFlags};
use crate::{process::Resource, sched, sync::KernelRcu};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::ops::Deref;
use rcu_collections::{FdMap, Full, Lent, Lookups};

/// A descriptor number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileDesc(pub u32);

/// Where descriptors end whatever the limits say (`/proc/sys/fs/nr_open`).
pub const NR_OPEN: u32 = 1 << 20;

/// Descriptors of one or more tasks.
pub struct FdTable {
    map: FdMap<File, KernelRcu>,
}

/// A file found by its number; keeps it open while it lives.
pub struct FileRef<'a>(Lent<'a, File, KernelRcu>);

impl Deref for FileRef<'_> {
    type Target = Arc<File>;
    fn deref(&self) -> &Arc<File> {
        &self.0
    }
}

/// Many files found by their numbers, one after the other.
pub struct FileLookups<'a>(Lookups<'a, File, KernelRcu>);

impl FileLookups<'_> {
    /// What `f` says of the file behind `fd`; `EBADF` as for [`FdTable::get`].
    #[inline]
    pub fn with<U>(&self, fd: u32, f: impl FnOnce(&File) -> U) -> Result<U> {
        let open = |file: &File| (!file.flags().contains(OpenFlags::PATH)).then(|| f(file));
        self.0.with(fd, open).flatten().ok_or(Errno::EBADF)
    }
}

/// A number taken for a file that is about to be opened; given back when dropped.
pub struct Reserved<'a> {
    table: &'a FdTable,
    fd: u32,
}

impl Reserved<'_> {
    /// The number.
    pub fn number(&self) -> FileDesc {
        FileDesc(self.fd)
    }
    /// Puts the file there.
    pub fn fill(self, file: Arc<File>, cloexec: bool) -> FileDesc {
        let fd = self.fd;
        self.table.map.fill(fd, file, cloexec);
        core::mem::forget(self);
        FileDesc(fd)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.table.map.unreserve(self.fd);
    }
}

fn full(why: Full) -> Errno {
    match why {
        Full::Limit => Errno::EMFILE,
        Full::Memory => Errno::ENOMEM,
    }
}

/// One more than the highest number the current task may open.
pub fn limit() -> u32 {
    let limit = sched::current().process.limits().soft(Resource::OpenFiles);
    u32::try_from(limit).unwrap_or(NR_OPEN).min(NR_OPEN)
}

fn number(fd: i32) -> Result<u32> {
    u32::try_from(fd).map_err(|_| Errno::EBADF)
}

impl FdTable {
    /// An empty table.
    pub fn new() -> Result<Arc<FdTable>> {
        Ok(Arc::new(FdTable { map: FdMap::new().map_err(full)? }))
    }
    /// A copy, for fork.
    pub fn fork(&self) -> Result<Arc<FdTable>> {
        Ok(Arc::new(FdTable { map: self.map.fork().map_err(full)? }))
    }
    /// From now on several tasks use the table (`CLONE_FILES`). Called by the task that has it, before the other runs. A
    /// forgotten call costs memory: files that are closed are then released with the table.
    pub fn share(&self) {
        self.map.share();
    }
    /// Closes what is marked close-on-exec. The table is the caller's alone.
    pub fn close_on_exec(&self) {
        let mut from = 0;
        while let Some(fd) = self.map.next_cloexec(from) {
            self.close_number(fd);
            from = fd + 1;
        }
    }
    /// The file behind `fd`, as it stands in a register; `EBADF` when there is none (or an `O_PATH` one: see `get_any`).
    #[inline]
    pub fn get(&self, fd: i32) -> Result<FileRef<'_>> {
        let file = self.get_any(fd)?;
        if file.flags().contains(OpenFlags::PATH) { Err(Errno::EBADF) } else { Ok(file) }
    }
    /// The same, `O_PATH` files included.
    #[inline]
    pub fn get_any(&self, fd: i32) -> Result<FileRef<'_>> {
        self.map.lend(number(fd)?).map(FileRef).ok_or(Errno::EBADF)
    }
    /// The same as [`FdTable::get`] for many files in a row.
    pub fn lookups(&self) -> FileLookups<'_> {
        FileLookups(self.map.lookups())
    }
    /// Takes the lowest free number not below `from`; `EMFILE` at the limit.
    pub fn reserve(&self, from: u32) -> Result<Reserved<'_>> {
        let fd = self.map.reserve(from, limit()).map_err(full)?;
        Ok(Reserved { table: self, fd })
    }
    /// Installs at the lowest free number not below `from`; `EMFILE` at the limit.
    pub fn install(&self, file: Arc<File>, cloexec: bool, from: u32) -> Result<FileDesc> {
        Ok(self.reserve(from)?.fill(file, cloexec))
    }
    /// Puts `file` at `fd`, closing what was there (`dup2(2)`). `EBADF` beyond the limit, `EBUSY` when an open is about
    /// to use the number.
    pub fn place(&self, file: Arc<File>, fd: i32, cloexec: bool) -> Result<()> {
        let fd = number(fd)?;
        if fd >= limit() {
            return Err(Errno::EBADF);
        }
        let old =
            self.map.place(fd, file, cloexec).map_err(|why| why.map_or(Errno::EBUSY, full))?;
        if let Some(old) = old {
            // dup2(2): errors of the implied close are lost.
            let _ = self.finish_close(&old);
        }
        Ok(())
    }
    /// `close(2)`: takes the file out; drop it outside of locks.
    pub fn close(&self, fd: i32) -> Result<()> {
        let file = self.map.remove(number(fd)?).ok_or(Errno::EBADF)?;
        self.finish_close(&file)
    }

    fn close_number(&self, fd: u32) {
        if let Some(file) = self.map.remove(fd) {
            // Nobody is there to be told of the error.
            let _ = self.finish_close(&file);
        }
    }

    fn finish_close(&self, file: &Arc<File>) -> Result<()> {
        let result = if file.flags().contains(OpenFlags::PATH) {
            Ok(())
        } else {
            super::locks::release_process(file, self);
            file.ops().flush(file)
        };
        match result {
            // The descriptor is gone: there is nothing to restart.
            Err(Errno::ERESTARTSYS | Errno::ERESTARTNOINTR) => Err(Errno::EINTR),
            result => result,
        }
    }
    /// Closes `first` to `last` (`close_range(2)`).
    pub fn close_range(&self, first: u32, last: u32) {
        let mut from = first;
        while let Some(fd) = self.map.next_open(from).filter(|&fd| fd <= last) {
            self.close_number(fd);
            let Some(next) = fd.checked_add(1) else { break };
            from = next;
        }
    }
    /// Marks `first` to `last` close-on-exec (`CLOSE_RANGE_CLOEXEC`).
    pub fn mark_range(&self, first: u32, last: u32) {
        let mut from = first;
        while let Some(fd) = self.map.next_open(from).filter(|&fd| fd <= last) {
            self.map.set_cloexec(fd, true);
            let Some(next) = fd.checked_add(1) else { break };
            from = next;
        }
    }
    /// The close-on-exec flag; `EBADF`.
    pub fn cloexec(&self, fd: i32) -> Result<bool> {
        self.map.cloexec(number(fd)?).ok_or(Errno::EBADF)
    }
    /// Sets it; `EBADF`.
    pub fn set_cloexec(&self, fd: i32, on: bool) -> Result<()> {
        if self.map.set_cloexec(number(fd)?, on) { Ok(()) } else { Err(Errno::EBADF) }
    }
    /// Open descriptors in order, for `/proc/<pid>/fd`.
    pub fn snapshot(&self) -> Vec<(FileDesc, Arc<File>)> {
        let mut all = Vec::new();
        let mut from = 0;
        while let Some(fd) = self.map.next_open(from) {
            all.extend(self.map.load(fd).map(|file| (FileDesc(fd), file)));
            from = fd + 1;
        }
        all
    }
    /// A counted reference to one descriptor's file, from any task.
    pub fn load(&self, fd: FileDesc) -> Option<Arc<File>> {
        self.map.load(fd.0)
    }
}

impl Drop for FdTable {
    fn drop(&mut self) {
        // The last task that used the table is gone: what each close does besides dropping.
        let mut from = 0;
        while let Some((fd, file)) = self.map.take_next(from) {
            // Nobody is there to be told of the error.
            let _ = self.finish_close(&file);
            from = fd + 1;
        }
    }
}
