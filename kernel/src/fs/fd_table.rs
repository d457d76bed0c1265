//! The descriptor table: an RCU-published array and a two-level bitmap for the lowest free number. A look-up in a table
//! of one task takes no atomic; in a shared one, one conditional increment.

use super::File;
use abi::Result;
use alloc::sync::Arc;
use core::ops::Deref;

/// A descriptor number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileDesc(pub u32);

/// Descriptors of one or more tasks.
pub struct FdTable(());

/// A file found by its number; keeps it open while it lives.
pub struct FileRef<'a>(core::marker::PhantomData<&'a File>);

impl Deref for FileRef<'_> {
    type Target = Arc<File>;
    fn deref(&self) -> &Arc<File> {
        todo!()
    }
}

impl FdTable {
    /// An empty table.
    pub fn new() -> Result<Arc<FdTable>> {
        todo!()
    }
    /// A copy, for fork.
    pub fn fork(&self) -> Result<Arc<FdTable>> {
        todo!()
    }
    /// Closes what is marked close-on-exec. The table is the caller's alone.
    pub fn close_on_exec(&self) {
        todo!()
    }
    /// The file behind `fd`, as it stands in a register; `EBADF` when there is none (or an `O_PATH` one: see `get_any`).
    pub fn get(&self, _fd: i32) -> Result<FileRef<'_>> {
        todo!()
    }
    /// The same, `O_PATH` files included.
    pub fn get_any(&self, _fd: i32) -> Result<FileRef<'_>> {
        todo!()
    }
    /// Installs at the lowest free number not below `from`; `EMFILE` at the limit.
    pub fn install(&self, _file: Arc<File>, _cloexec: bool, _from: u32) -> Result<FileDesc> {
        todo!()
    }
    /// `close(2)`: takes the file out; drop it outside of locks.
    pub fn close(&self, _fd: i32) -> Result<()> {
        todo!()
    }
    /// Open descriptors in order, for `/proc/<pid>/fd`.
    pub fn snapshot(&self) -> alloc::vec::Vec<(FileDesc, Arc<File>)> {
        todo!()
    }
    /// A counted reference to one descriptor's file, from any task.
    pub fn load(&self, _fd: FileDesc) -> Option<Arc<File>> {
        todo!()
    }
}
