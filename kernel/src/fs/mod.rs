//! Files: the virtual file system, the page cache, and one folder a file system.
//!
//! Every file operation has a try form: it returns `EAGAIN` instead of sleeping. Waiting is done once, in
//! [`file`], through the wait queues that `poll` registers on.
#![forbid(unsafe_code)]

pub mod attr;
pub mod context;
pub mod dentry;
pub mod epoll;
pub mod event;
pub mod fd_table;
pub mod file;
pub mod inode;
pub mod io_buf;
pub mod mount;
pub mod pipe;
pub mod poll;

pub use attr::{DeviceId, FileMode, FileType, Metadata, SetAttr};
pub use context::FsContext;
pub use dentry::{Dentry, Path};
pub use fd_table::{FdTable, FileDesc, FileRef};
pub use file::{File, FileOps, OpenFlags};
pub use inode::{DirSink, Inode, InodeOps};
pub use io_buf::{IoSink, IoSource};
pub use mount::{FileSystem, Mount};
