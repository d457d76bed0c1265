//! File systems: mount, umount2, pivot_root, statfs, sync.

use super::{
    names::{lookup_at, path_at},
    table::calls,
};
use crate::{
    fs::{
        AT_FDCWD, LookupFlags, Mount, Path, context, lookup,
        mount::{self, MountFlags},
        mount_tree::{self, Busy},
        propagation::Kind,
    },
    mm::{PAGE_SIZE, UserAddr, user},
    process::{Capability, capable, pid},
    sched,
};
use abi::{Errno, Result};
use alloc::vec::Vec;
use zerocopy::{Immutable, IntoBytes};

calls! {
    mount => mount_call;
    umount2 => umount2;
    pivot_root => pivot_root;
    statfs => statfs;
    fstatfs => fstatfs;
    sync => sync;
    syncfs => syncfs;
}

const MS_REMOUNT: usize = 32;
const MS_BIND: usize = 4096;
const MS_MOVE: usize = 8192;
const MS_REC: usize = 16384;
const MS_SILENT: usize = 32768;
const MS_UNBINDABLE: usize = 1 << 17;
const MS_PRIVATE: usize = 1 << 18;
const MS_SLAVE: usize = 1 << 19;
const MS_SHARED: usize = 1 << 20;
const MS_PROPAGATION: usize = MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED;

/// The options of a mount out of the flags of the call; access times are relative unless it says otherwise.
fn mount_flags(flags: usize) -> MountFlags {
    let mut options = MountFlags::from_bits_truncate(flags as u32);
    options.remove(MountFlags::REL_ATIME | MountFlags::STRICT_ATIME);
    if flags & MountFlags::STRICT_ATIME.bits() as usize != 0 {
        options |= MountFlags::STRICT_ATIME;
    } else if !options.contains(MountFlags::NO_ATIME) {
        options |= MountFlags::REL_ATIME;
    }
    options
}

/// An optional string argument.
fn string(addr: usize) -> Result<Vec<u8>> {
    if addr == 0 {
        return Ok(Vec::new());
    }
    user::read_cstr(UserAddr(addr), PAGE_SIZE, Errno::EINVAL)
}

/// `mount(2)`.
fn mount_call(args: &[usize; 6]) -> Result<usize> {
    /// Old programs put this in the upper half.
    const MAGIC: usize = 0xc0ed_0000;
    let kind = string(args[2])?;
    let source = string(args[0])?;
    let data = string(args[4])?;
    let mut flags = args[3];
    if flags & 0xffff_0000 == MAGIC {
        flags &= 0xffff;
    }
    let target = lookup_at(AT_FDCWD as usize, args[1], 0)?;
    if !capable(Capability::SysAdmin) {
        return Err(Errno::EPERM);
    }
    let options = mount_flags(flags);
    if flags & MS_REMOUNT != 0 {
        remount(&target, flags, options, &data)?;
    } else if flags & MS_BIND != 0 {
        if source.is_empty() {
            return Err(Errno::EINVAL);
        }
        let source = lookup(AT_FDCWD, &source, LookupFlags::FOLLOW)?;
        mount_tree::bind(&source, target, flags & MS_REC != 0)?;
    } else if flags & MS_PROPAGATION != 0 {
        if flags & !(MS_PROPAGATION | MS_REC | MS_SILENT) != 0 {
            return Err(Errno::EINVAL);
        }
        let kind = match flags & MS_PROPAGATION {
            MS_SHARED => Kind::Shared,
            MS_SLAVE => Kind::Slave,
            MS_PRIVATE => Kind::Private,
            MS_UNBINDABLE => Kind::Unbindable,
            _ => return Err(Errno::EINVAL),
        };
        mount_tree::set_propagation(&target, kind, flags & MS_REC != 0)?;
    } else if flags & MS_MOVE != 0 {
        if source.is_empty() {
            return Err(Errno::EINVAL);
        }
        let source = lookup(AT_FDCWD, &source, LookupFlags::FOLLOW)?;
        mount_tree::move_mount(&source, target)?;
    } else {
        if kind.is_empty() {
            return Err(Errno::EINVAL);
        }
        let fs = mount::file_system_type(&kind)?.mount(&source, &data)?;
        let read_only = options.contains(MountFlags::READ_ONLY);
        let source = if source.is_empty() { b"none".as_slice() } else { &source };
        mount_tree::mount_new(&fs, source, options, read_only, target)?;
    }
    Ok(0)
}

/// `MS_REMOUNT`; with `MS_BIND` only of this mount's own options.
fn remount(target: &Path, flags: usize, mut options: MountFlags, data: &[u8]) -> Result<()> {
    let mount: &Mount = &target.mount;
    if !alloc::sync::Arc::ptr_eq(&target.dentry, mount.root()) {
        return Err(Errno::EINVAL);
    }
    // Access time options stay unless the call names some.
    let atime = MountFlags::NO_ATIME
        | MountFlags::NO_DIR_ATIME
        | MountFlags::REL_ATIME
        | MountFlags::STRICT_ATIME;
    if flags & atime.bits() as usize == 0 {
        options = (options - atime) | (mount.flags() & atime);
    }
    if flags & MS_BIND == 0 {
        mount.file_system().reconfigure(data)?;
        mount.superblock().set_read_only(options.contains(MountFlags::READ_ONLY));
    }
    mount.set_flags(options);
    Ok(())
}

/// `umount2(2)`.
fn umount2(args: &[usize; 6]) -> Result<usize> {
    const FORCE: usize = 1;
    const DETACH: usize = 2;
    const NOFOLLOW: usize = 8;
    let flags = args[1];
    if flags & !(FORCE | DETACH | NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut how = LookupFlags::empty();
    how.set(LookupFlags::FOLLOW, flags & NOFOLLOW == 0);
    let path = lookup(AT_FDCWD, &path_at(args[0])?, how)?;
    if !capable(Capability::SysAdmin) {
        return Err(Errno::EPERM);
    }
    let busy = if flags & DETACH != 0 { Busy::Detach } else { Busy::Fail };
    mount_tree::unmount(path, busy)?;
    Ok(0)
}

/// `pivot_root(2)`.
fn pivot_root(args: &[usize; 6]) -> Result<usize> {
    if !capable(Capability::SysAdmin) {
        return Err(Errno::EPERM);
    }
    let dir =
        |name| lookup(AT_FDCWD, &path_at(name)?, LookupFlags::FOLLOW | LookupFlags::DIRECTORY);
    let (new, put_old) = (dir(args[0])?, dir(args[1])?);
    let root = context::current_root();
    mount_tree::pivot_root(&new, &put_old, &root)?;
    // Every task that stood at the old root stands at the new one.
    for process in pid::processes_from(pid::Pid(0), usize::MAX) {
        for task in process.threads() {
            if let Some(context) = task.fs.load() {
                context.move_root(&root, &new);
            }
        }
    }
    Ok(0)
}

/// `struct statfs`.
#[repr(C)]
#[derive(IntoBytes, Immutable)]
struct Statfs {
    magic: u64,
    block_size: u64,
    blocks: u64,
    blocks_free: u64,
    blocks_available: u64,
    files: u64,
    files_free: u64,
    id: [u32; 2],
    name_max: u64,
    fragment_size: u64,
    flags: u64,
    spare: [u64; 4],
}

fn write_statfs(mount: &Mount, addr: usize) -> Result<usize> {
    /// `ST_VALID`: the flags mean something.
    const VALID: u64 = 0x20;
    let stat = mount.file_system().stat()?;
    let flags = mount.flags();
    let read_only = mount.want_write().is_err();
    let pairs = [
        (MountFlags::NO_SUID, 2),
        (MountFlags::NO_DEV, 4),
        (MountFlags::NO_EXEC, 8),
        (MountFlags::SYNCHRONOUS, 16),
        (MountFlags::NO_ATIME, 1024),
        (MountFlags::NO_DIR_ATIME, 2048),
        (MountFlags::REL_ATIME, 4096),
        (MountFlags::NO_SYMFOLLOW, 8192),
    ];
    let shown: u64 =
        pairs.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, bit)| bit).sum();
    let statfs = Statfs {
        magic: stat.magic,
        block_size: stat.block_size,
        blocks: stat.blocks,
        blocks_free: stat.blocks_free,
        blocks_available: stat.blocks_available,
        files: stat.files,
        files_free: stat.files_free,
        id: [mount.file_system().device().minor, 0],
        name_max: stat.name_max,
        fragment_size: stat.block_size,
        flags: VALID | u64::from(read_only) | shown,
        spare: [0; 4],
    };
    user::write(UserAddr(addr), &statfs)?;
    Ok(0)
}

/// `statfs(2)`.
fn statfs(args: &[usize; 6]) -> Result<usize> {
    write_statfs(&lookup_at(AT_FDCWD as usize, args[0], 0)?.mount, args[1])
}

/// `fstatfs(2)`.
fn fstatfs(args: &[usize; 6]) -> Result<usize> {
    let mount = {
        let current = sched::current();
        let files = current.files.borrow();
        files.get_any(args[0] as i32)?.path().mount.clone()
    };
    write_statfs(&mount, args[1])
}

/// `sync(2)`.
fn sync(_args: &[usize; 6]) -> Result<usize> {
    for superblock in mount::superblocks() {
        // sync(2) has nobody to tell.
        let _ = superblock.fs.sync();
    }
    Ok(0)
}

/// `syncfs(2)`.
fn syncfs(args: &[usize; 6]) -> Result<usize> {
    let mount = {
        let current = sched::current();
        let files = current.files.borrow();
        files.get(args[0] as i32)?.path().mount.clone()
    };
    mount.file_system().sync()?;
    Ok(0)
}
