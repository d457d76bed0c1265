//! `mq_open(2)`, `mq_unlink(2)`, `mq_getsetattr(2)`: names are looked up in the file system's directory, with the VFS's rules.

use super::{FILE_SYSTEM, queue_of};
use crate::fs::{
    File, FileMode, OpenFlags, Path, context, current_credentials, dcache, modify,
    permission::{self, Access},
    walk,
};
use abi::{Errno, Result, mqueue::MqAttr};
use alloc::sync::Arc;

/// The directory.
fn root() -> Path {
    let mount = &FILE_SYSTEM.1;
    Path { mount: Arc::clone(mount), dentry: Arc::clone(mount.root()) }
}

/// One component: `ENOENT` for none, `EACCES` for what is a path.
fn check_name(name: &[u8]) -> Result<()> {
    match name {
        b"" => Err(Errno::ENOENT),
        b"." | b".." => Err(Errno::EACCES),
        name if name.contains(&b'/') => Err(Errno::EACCES),
        _ => Ok(()),
    }
}

/// What an access mode asks of a queue; 3 is none.
fn wanted(flags: OpenFlags) -> Result<Access> {
    match flags.bits() & 3 {
        0 => Ok(Access::READ),
        1 => Ok(Access::WRITE),
        2 => Ok(Access::READ | Access::WRITE),
        _ => Err(Errno::EINVAL),
    }
}

/// Opens the queue of a name (without the slash), made with `mode` and of a size (messages and bytes) if `flags` say so.
pub fn open(
    name: &[u8],
    flags: OpenFlags,
    mode: FileMode,
    size: Option<(i64, i64)>,
) -> Result<Arc<File>> {
    check_name(name)?;
    let root = root();
    let who = current_credentials();
    let dir = root.inode();
    permission::check(dir, &who, Access::EXEC)?;
    let dentry = {
        let _lock = dir.lock().write();
        match walk::find_child_locked(&root.dentry, name)? {
            Some(found) => {
                if flags.contains(OpenFlags::CREAT | OpenFlags::EXCL) {
                    return Err(Errno::EEXIST);
                }
                permission::check(found.inode(), &who, wanted(flags)?)?;
                found
            }
            None if !flags.contains(OpenFlags::CREAT) => return Err(Errno::ENOENT),
            None => {
                modify::may_create(&root, &who)?;
                let mode = FileMode(mode.0 & !context::current().umask().0);
                let directory = FILE_SYSTEM.0.directory();
                let made = directory.make(dir, name, mode, size, &who)?;
                dcache::add(&root.dentry, name, made)
            }
        }
    };
    let path = Path { mount: Arc::clone(&root.mount), dentry };
    let ops = path.inode().ops().open(path.inode(), flags)?;
    File::new(path, flags, ops)
}

/// Removes the name of a queue; the queue lives until its last descriptor is closed.
pub fn unlink(name: &[u8]) -> Result<()> {
    check_name(name)?;
    let root = root();
    permission::check(root.inode(), &current_credentials(), Access::EXEC)?;
    modify::unlink_child(&root, name, false)
}

/// `O_NONBLOCK`, the only flag of `struct mq_attr`.
const NONBLOCK: i64 = OpenFlags::NONBLOCK.bits() as i64;

/// `EINVAL` for other flags.
pub fn check_attributes(new: Option<&MqAttr>) -> Result<()> {
    match new {
        Some(new) if new.flags & !NONBLOCK != 0 => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

/// The queue's attributes; with `new`, the file becomes blocking or non-blocking after that.
pub fn attributes(file: &File, new: Option<&MqAttr>) -> Result<MqAttr> {
    let queue = queue_of(file)?;
    let mut state = queue.state.lock();
    let old = MqAttr {
        flags: i64::from(file.flags().bits()) & NONBLOCK,
        maxmsg: queue.capacity.messages as i64,
        msgsize: queue.capacity.size as i64,
        curmsgs: state.len() as i64,
        ..MqAttr::default()
    };
    if let Some(new) = new {
        let mut flags = file.flags();
        flags.set(OpenFlags::NONBLOCK, new.flags & NONBLOCK != 0);
        file.set_flags(flags);
        state.touch(false);
    }
    Ok(old)
}
