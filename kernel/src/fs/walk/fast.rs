//! The walk through the cache alone, under RCU.
//!
//! It borrows every dentry and mount on the way and counts only the two at the end. That is sound as it stands (what the cache
//! lets go of lives until the read-side section ends), and right if no rename or mount change happened meanwhile, which the
//! sequence count tells at the end; and if the last dentry was not evicted before it was counted, which the dentry tells.

use super::{AT_FDCWD, LookupFlags, NAME_MAX};
use crate::{
    fs::{
        Dentry, FileType, Mount, Path, dcache, mount_tree,
        permission::{self, Access},
        rename_lock,
    },
    sched,
    sync::rcu,
};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// The result; `None` when the slow walk must find it.
pub fn lookup(base: i32, name: &[u8], flags: LookupFlags) -> Result<Option<Path>> {
    let simple = LookupFlags::FOLLOW | LookupFlags::DIRECTORY;
    let absolute = match name.first() {
        Some(b'/') => true,
        Some(_) if base == AT_FDCWD => false,
        _ => return Ok(None),
    };
    if !simple.contains(flags) {
        return Ok(None);
    }
    let current = sched::current();
    let Some(context) = current.fs.try_borrow() else { return Ok(None) };
    let sequence = rename_lock::read_begin();
    let guard = rcu::read();
    let who = current.credentials.get(&guard);
    let directories = context.directories_rcu(&guard);
    let start = if absolute { &directories.root } else { &directories.cwd };
    let mut mount: &Arc<Mount> = &start.mount;
    let mut dentry: &Arc<Dentry> = &start.dentry;
    let mut rest = name;
    let mut must_be_dir = flags.contains(LookupFlags::DIRECTORY);
    loop {
        let slashes = rest.iter().take_while(|&&byte| byte == b'/').count();
        rest = &rest[slashes..];
        if rest.is_empty() {
            must_be_dir |= slashes > 0;
            break;
        }
        let len = rest.iter().take_while(|&&byte| byte != b'/').count();
        let component;
        (component, rest) = rest.split_at(len);
        let inode = dentry.inode();
        if inode.file_type() != FileType::Directory || len > NAME_MAX {
            return Ok(None);
        }
        permission::check(inode, who, Access::EXEC)?;
        match component {
            b"." => continue,
            b".." => return Ok(None),
            _ => {}
        }
        let Some(entry) = dcache::find(&guard, dentry, component) else { return Ok(None) };
        let Some(child) = entry.dentry() else {
            // A missing name is only sure if nothing moved.
            return if rename_lock::read_retry(sequence) { Ok(None) } else { Err(Errno::ENOENT) };
        };
        dentry = child;
        while dentry.is_mountpoint() {
            let Some(mounted) = mount_tree::mounted_on_rcu(&guard, mount, dentry) else { break };
            (mount, dentry) = (mounted, mounted.root());
        }
        let last = rest.is_empty();
        if dentry.inode().file_type() == FileType::Symlink
            && (!last || flags.contains(LookupFlags::FOLLOW))
        {
            return Ok(None);
        }
    }
    if must_be_dir && dentry.inode().file_type() != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    let path = Path { mount: mount.clone(), dentry: dentry.clone() };
    if path.dentry.was_evicted() || rename_lock::read_retry(sequence) {
        drop(guard);
        return Ok(None);
    }
    Ok(Some(path))
}
