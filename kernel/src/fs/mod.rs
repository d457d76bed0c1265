//! Files: the virtual file system, the page cache, and one folder a file system.
//!
//! A table of contents:
//!
//! | what | where |
//! |---|---|
//! | names: places, the cache of names, walks, mounts | [`dentry`], [`dcache`], [`walk`], [`mount`], [`mount_tree`], [`propagation`] |
//! | files: inodes, rights, changes of names and attributes | [`inode`], [`permission`], [`modify`], [`rename`] |
//! | open files: opening, descriptors, reading and writing, locks | [`open`], [`fd_table`], [`file`], [`io_buf`], [`locks`] |
//! | file systems | [`tmpfs`], [`synthetic`] and what is built on it |
//! | files without names | [`pipe`], [`event`], [`epoll`], [`anonymous`] |
//!
//! Every file operation has a try form: it returns `EAGAIN` instead of sleeping. Waiting is done once, in
//! [`file`], through the wait queues that `poll` registers on.
#![forbid(unsafe_code)]

pub mod anonymous;
pub mod attr;
pub mod context;
pub mod dcache;
pub mod dentry;
pub mod devpts;
pub mod devtmpfs;
pub mod epoll;
pub mod event;
pub mod fd_table;
pub mod file;
pub mod initramfs;
pub mod inode;
pub mod io_buf;
pub mod locks;
pub mod modify;
pub mod mount;
pub mod mount_tree;
pub mod open;
pub mod permission;
pub mod pipe;
pub mod poll;
pub mod procfs;
pub mod propagation;
pub mod rename;
mod rename_lock;
pub mod seek;
pub mod splice;
pub mod synthetic;
pub mod sysfs;
pub mod times;
pub mod tmpfs;
pub mod walk;
mod writers;
pub mod xattr;

pub use attr::{DeviceId, FileMode, FileType, Metadata, Ownership, SetAttr};
pub use context::FsContext;
pub use dentry::{Dentry, Path};
pub use fd_table::{FdTable, FileDesc, FileLookups, FileRef};
pub use file::{File, FileOps, OpenFlags};
pub use inode::{DirSink, Inode, InodeOps, NameCaching};
pub use io_buf::{IoSink, IoSource};
pub use mount::{FileSystem, Mount};
pub use open::{OpenHow, open, open_exec};
pub use walk::{AT_FDCWD, LookupFlags, lookup};

use crate::{
    mm::PhysAddr,
    process::{
        Credentials, Resource,
        signal::{self, SigInfo, Signal},
    },
    sched,
};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// Makes the root file system, from the initramfs that lies at `physical`. Boot calls it once.
pub fn init_root(initramfs: &'static [u8], physical: PhysAddr) -> initramfs::Outcome {
    dcache::init();
    tmpfs::register();
    let root = tmpfs::Tmpfs::new("rootfs", tmpfs::Options::defaults());
    let outcome = initramfs::unpack(&root.root(), initramfs, physical);
    let fs: Arc<dyn FileSystem> = root;
    mount_tree::set_root(&fs);
    outcome
}

/// Makes the file system types known that user space mounts on `/dev`, `/proc` and `/sys`. Boot calls it once, before the first
/// process and after the heap.
pub fn init_special() -> Result<()> {
    devtmpfs::init()?;
    devpts::init();
    procfs::init();
    sysfs::init();
    Ok(())
}

/// The current task's credentials.
pub fn current_credentials() -> Arc<Credentials> {
    sched::current().credentials.load()
}

/// The end of the range below `RLIMIT_FSIZE`; SIGXFSZ and `EFBIG` when `offset` is beyond it.
pub fn check_file_size_limit(offset: u64) -> Result<u64> {
    let current = sched::current();
    let limit = current.process.limits().soft(Resource::FileSize);
    if offset >= limit {
        // A full signal queue loses the signal on Linux too; the error still tells.
        let _ = signal::send_task(&current.to_arc(), SigInfo::kernel(Signal::SIGXFSZ));
        return Err(Errno::EFBIG);
    }
    Ok(limit)
}
