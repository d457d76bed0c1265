//! Names in the tree: open, mkdir, rename, link, chdir and their *at forms. Their attributes are in [`super::attributes`].

use super::table::calls;
use crate::{
    fs::{
        AT_FDCWD, DeviceId, FdTable, File, FileMode, FileType, LookupFlags, OpenFlags, OpenHow,
        Path, context,
        fd_table::FileDesc,
        lookup, modify, mount_tree, open, permission,
        permission::Access,
        rename::{self, Target},
        tmpfs,
    },
    mm::{UserAddr, user},
    process::{Capability, capable},
    sched,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};

calls! {
    open => open_call;
    openat => openat;
    openat2 => openat2;
    creat => creat;
    memfd_create => memfd_create;
    mkdir => mkdir;
    mkdirat => mkdirat;
    mknod => mknod;
    mknodat => mknodat;
    symlink => symlink;
    symlinkat => symlinkat;
    link => link;
    linkat => linkat;
    unlink => unlink;
    unlinkat => unlinkat;
    rmdir => rmdir;
    rename => rename_call;
    renameat => renameat;
    renameat2 => renameat2;
    readlink => readlink;
    readlinkat => readlinkat;
    chdir => chdir;
    fchdir => fchdir;
    chroot => chroot;
    getcwd => getcwd;
    umask => umask;
}

/// `AT_SYMLINK_NOFOLLOW`.
pub const AT_SYMLINK_NOFOLLOW: usize = 0x100;
/// `AT_SYMLINK_FOLLOW`.
const AT_SYMLINK_FOLLOW: usize = 0x400;
/// `AT_REMOVEDIR`.
const AT_REMOVEDIR: usize = 0x200;
/// `AT_EMPTY_PATH`.
pub const AT_EMPTY_PATH: usize = 0x1000;

/// A path argument. An empty one is the callee's business.
pub fn path_at(addr: usize) -> Result<Vec<u8>> {
    user::read_path(UserAddr(addr))
}

/// Resolves what an `*at` call names, with the flags that most of them share.
pub fn lookup_at(base: usize, name: usize, flags: usize) -> Result<Path> {
    let name = path_at(name)?;
    let mut how = LookupFlags::empty();
    how.set(LookupFlags::FOLLOW, flags & AT_SYMLINK_NOFOLLOW == 0);
    how.set(LookupFlags::EMPTY, flags & AT_EMPTY_PATH != 0);
    lookup(base as i32, &name, how)
}

/// Opens into the lowest free descriptor, which is taken first: a full table makes no file.
fn install(cloexec: bool, opener: impl FnOnce() -> Result<Arc<File>>) -> Result<usize> {
    let current = sched::current();
    let files: &FdTable = &current.files.borrow();
    let reserved = files.reserve(0)?;
    let FileDesc(fd) = reserved.fill(opener()?, cloexec);
    Ok(fd as usize)
}

/// What `open(2)` makes of its flags: unknown ones are ignored; what makes no sense is `EINVAL`.
fn decode_flags(raw: u32) -> Result<OpenFlags> {
    let flags = OpenFlags::from_bits_truncate(raw);
    if flags.contains(OpenFlags::PATH) {
        return Ok(flags
            & (OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NOFOLLOW | OpenFlags::CLOEXEC));
    }
    if flags.contains(OpenFlags::TMPFILE) {
        let writes = matches!(raw & 3, 1 | 2);
        if !flags.contains(OpenFlags::DIRECTORY) || flags.contains(OpenFlags::CREAT) || !writes {
            return Err(Errno::EINVAL);
        }
    }
    if flags.contains(OpenFlags::CREAT | OpenFlags::DIRECTORY) {
        return Err(Errno::EINVAL);
    }
    Ok(flags | OpenFlags::LARGEFILE)
}

fn open_at(base: usize, name: usize, flags: usize, mode: usize) -> Result<usize> {
    let flags = decode_flags(flags as u32)?;
    let makes = flags.intersects(OpenFlags::CREAT | OpenFlags::TMPFILE);
    let mode = FileMode::from_raw(if makes { mode as u32 } else { 0 });
    let name = path_at(name)?;
    if name.is_empty() {
        return Err(Errno::ENOENT);
    }
    let how = OpenHow { flags, mode, resolve: LookupFlags::empty() };
    install(flags.contains(OpenFlags::CLOEXEC), || open(base as i32, &name, &how))
}

/// `open(2)`.
fn open_call(args: &[usize; 6]) -> Result<usize> {
    open_at(AT_FDCWD as usize, args[0], args[1], args[2])
}

/// `openat(2)`.
fn openat(args: &[usize; 6]) -> Result<usize> {
    open_at(args[0], args[1], args[2], args[3])
}

/// `creat(2)`.
fn creat(args: &[usize; 6]) -> Result<usize> {
    let flags = OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC;
    open_at(AT_FDCWD as usize, args[0], flags.bits() as usize, args[1])
}

/// `openat2(2)`: nothing unknown is let through.
fn openat2(args: &[usize; 6]) -> Result<usize> {
    /// Flags, mode, resolve.
    const SIZE: usize = 24;
    let size = args[3];
    if size < SIZE {
        return Err(Errno::EINVAL);
    }
    if size > crate::mm::PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let [flags, mode, resolve] = user::read::<[u64; 3]>(UserAddr(args[2]))?;
    let rest = user::read_array::<u8>(UserAddr(args[2]).add(SIZE), size - SIZE)?;
    if rest.iter().any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    let known = u64::from((OpenFlags::all() | OpenFlags::RDWR).bits() | 3);
    if flags & !known != 0 || resolve & !0x3f != 0 {
        return Err(Errno::EINVAL);
    }
    let raw = flags as u32;
    let makes = raw & (OpenFlags::CREAT | OpenFlags::TMPFILE).bits() != 0;
    if mode & !0o7777 != 0 || (mode != 0 && !makes) {
        return Err(Errno::EINVAL);
    }
    if raw & OpenFlags::PATH.bits() != 0 {
        let with_path =
            OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NOFOLLOW | OpenFlags::CLOEXEC;
        if raw & !with_path.bits() != 0 {
            return Err(Errno::EINVAL);
        }
    }
    // RESOLVE_BENEATH and RESOLVE_IN_ROOT exclude one another.
    if resolve & 0x18 == 0x18 {
        return Err(Errno::EINVAL);
    }
    let pairs = [
        (0x01, LookupFlags::NO_XDEV),
        (0x02, LookupFlags::NO_MAGICLINKS),
        (0x04, LookupFlags::NO_SYMLINKS),
        (0x08, LookupFlags::BENEATH),
        (0x10, LookupFlags::IN_ROOT),
        (0x20, LookupFlags::CACHED),
    ];
    let resolve = pairs
        .into_iter()
        .filter(|(bit, _)| resolve & bit != 0)
        .fold(LookupFlags::empty(), |all, (_, flag)| all | flag);
    let flags = decode_flags(raw)?;
    if resolve.contains(LookupFlags::CACHED)
        && flags.intersects(OpenFlags::TRUNC | OpenFlags::CREAT | OpenFlags::TMPFILE)
    {
        return Err(Errno::EAGAIN);
    }
    let name = path_at(args[1])?;
    if name.is_empty() {
        return Err(Errno::ENOENT);
    }
    let how = OpenHow { flags, mode: FileMode::from_raw(mode as u32), resolve };
    install(flags.contains(OpenFlags::CLOEXEC), || open(args[0] as i32, &name, &how))
}

/// `memfd_create(2)`.
fn memfd_create(args: &[usize; 6]) -> Result<usize> {
    const CLOEXEC: usize = 1;
    const ALLOW_SEALING: usize = 2;
    const NOEXEC_SEAL: usize = 8;
    const EXEC: usize = 16;
    /// The name's limit: `NAME_MAX` less `memfd:`.
    const NAME_MAX: usize = 249;
    let flags = args[1];
    if flags & !(CLOEXEC | ALLOW_SEALING | NOEXEC_SEAL | EXEC) != 0
        || flags & (NOEXEC_SEAL | EXEC) == NOEXEC_SEAL | EXEC
    {
        return Err(Errno::EINVAL);
    }
    let name = user::read_cstr(UserAddr(args[0]), NAME_MAX + 1, Errno::EINVAL)?;
    let sealable = flags & (ALLOW_SEALING | NOEXEC_SEAL) != 0;
    install(flags & CLOEXEC != 0, || tmpfs::new_memfd(&name, sealable, flags & NOEXEC_SEAL == 0))
}

/// `mkdir(2)`.
fn mkdir(args: &[usize; 6]) -> Result<usize> {
    modify::make_dir(AT_FDCWD, &path_at(args[0])?, FileMode::from_raw(args[1] as u32))?;
    Ok(0)
}

/// `mkdirat(2)`.
fn mkdirat(args: &[usize; 6]) -> Result<usize> {
    modify::make_dir(args[0] as i32, &path_at(args[1])?, FileMode::from_raw(args[2] as u32))?;
    Ok(0)
}

fn make_node(base: i32, name: usize, mode: usize, device: usize) -> Result<usize> {
    let mode = mode as u32;
    let kind = match mode & 0o170000 {
        0 => FileType::Regular,
        _ => FileType::from_mode(mode).ok_or(Errno::EINVAL)?,
    };
    let device = match kind {
        FileType::CharDevice | FileType::BlockDevice => DeviceId::decode(u64::from(device as u32)),
        _ => DeviceId::default(),
    };
    modify::make_node(base, &path_at(name)?, kind, FileMode::from_raw(mode), device)?;
    Ok(0)
}

/// `mknod(2)`.
fn mknod(args: &[usize; 6]) -> Result<usize> {
    make_node(AT_FDCWD, args[0], args[1], args[2])
}

/// `mknodat(2)`.
fn mknodat(args: &[usize; 6]) -> Result<usize> {
    make_node(args[0] as i32, args[1], args[2], args[3])
}

/// `symlink(2)`.
fn symlink(args: &[usize; 6]) -> Result<usize> {
    modify::make_symlink(&path_at(args[0])?, AT_FDCWD, &path_at(args[1])?)?;
    Ok(0)
}

/// `symlinkat(2)`.
fn symlinkat(args: &[usize; 6]) -> Result<usize> {
    modify::make_symlink(&path_at(args[0])?, args[1] as i32, &path_at(args[2])?)?;
    Ok(0)
}

/// `link(2)`.
fn link(args: &[usize; 6]) -> Result<usize> {
    let old = lookup(AT_FDCWD, &path_at(args[0])?, LookupFlags::empty())?;
    modify::make_link(&old, AT_FDCWD, &path_at(args[1])?)?;
    Ok(0)
}

/// `linkat(2)`.
fn linkat(args: &[usize; 6]) -> Result<usize> {
    let flags = args[4];
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    if flags & AT_EMPTY_PATH != 0 && !capable(Capability::DacReadSearch) {
        return Err(Errno::ENOENT);
    }
    let mut how = LookupFlags::empty();
    how.set(LookupFlags::FOLLOW, flags & AT_SYMLINK_FOLLOW != 0);
    how.set(LookupFlags::EMPTY, flags & AT_EMPTY_PATH != 0);
    let old = lookup(args[0] as i32, &path_at(args[1])?, how)?;
    modify::make_link(&old, args[2] as i32, &path_at(args[3])?)?;
    Ok(0)
}

/// `unlink(2)`.
fn unlink(args: &[usize; 6]) -> Result<usize> {
    modify::unlink(AT_FDCWD, &path_at(args[0])?)?;
    Ok(0)
}

/// `rmdir(2)`.
fn rmdir(args: &[usize; 6]) -> Result<usize> {
    modify::remove_dir(AT_FDCWD, &path_at(args[0])?)?;
    Ok(0)
}

/// `unlinkat(2)`.
fn unlinkat(args: &[usize; 6]) -> Result<usize> {
    match args[2] {
        0 => modify::unlink(args[0] as i32, &path_at(args[1])?)?,
        AT_REMOVEDIR => modify::remove_dir(args[0] as i32, &path_at(args[1])?)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// `rename(2)`.
fn rename_call(args: &[usize; 6]) -> Result<usize> {
    let (old, new) = (path_at(args[0])?, path_at(args[1])?);
    rename::rename(AT_FDCWD, &old, AT_FDCWD, &new, Target::Replace)?;
    Ok(0)
}

/// `renameat(2)`.
fn renameat(args: &[usize; 6]) -> Result<usize> {
    let (old, new) = (path_at(args[1])?, path_at(args[3])?);
    rename::rename(args[0] as i32, &old, args[2] as i32, &new, Target::Replace)?;
    Ok(0)
}

/// `renameat2(2)`. `RENAME_WHITEOUT` is refused as file systems without whiteouts do.
fn renameat2(args: &[usize; 6]) -> Result<usize> {
    let target = match args[4] as u32 {
        0 => Target::Replace,
        1 => Target::Keep,
        2 => Target::Exchange,
        _ => return Err(Errno::EINVAL),
    };
    let (old, new) = (path_at(args[1])?, path_at(args[3])?);
    rename::rename(args[0] as i32, &old, args[2] as i32, &new, target)?;
    Ok(0)
}

fn read_link(base: i32, name: usize, buffer: usize, size: usize) -> Result<usize> {
    let size = usize::try_from(size as i32).ok().filter(|&size| size > 0).ok_or(Errno::EINVAL)?;
    let name = path_at(name)?;
    let path = lookup(base, &name, LookupFlags::EMPTY)?;
    if name.is_empty() && path.inode().file_type() != FileType::Symlink {
        return Err(Errno::ENOENT);
    }
    let target = path.inode().ops().read_link(path.inode())?;
    crate::fs::times::accessed(&path);
    let shown = &target[..target.len().min(size)];
    user::copy_to_user(UserAddr(buffer), shown)?;
    Ok(shown.len())
}

/// `readlink(2)`.
fn readlink(args: &[usize; 6]) -> Result<usize> {
    read_link(AT_FDCWD, args[0], args[1], args[2])
}

/// `readlinkat(2)`.
fn readlinkat(args: &[usize; 6]) -> Result<usize> {
    read_link(args[0] as i32, args[1], args[2], args[3])
}

fn searchable_dir(name: usize) -> Result<Path> {
    let how = LookupFlags::FOLLOW | LookupFlags::DIRECTORY;
    let path = lookup(AT_FDCWD, &path_at(name)?, how)?;
    permission::check(path.inode(), &crate::fs::current_credentials(), Access::EXEC)?;
    Ok(path)
}

/// `chdir(2)`.
fn chdir(args: &[usize; 6]) -> Result<usize> {
    let path = searchable_dir(args[0])?;
    context::current().set_cwd(path);
    Ok(0)
}

/// `fchdir(2)`.
fn fchdir(args: &[usize; 6]) -> Result<usize> {
    let current = sched::current();
    let files = current.files.borrow();
    let file = files.get_any(args[0] as i32)?;
    if !file.path().is_dir() {
        return Err(Errno::ENOTDIR);
    }
    permission::check(file.inode(), &crate::fs::current_credentials(), Access::EXEC)?;
    context::current().set_cwd(file.path().clone());
    Ok(0)
}

/// `chroot(2)`.
fn chroot(args: &[usize; 6]) -> Result<usize> {
    let path = searchable_dir(args[0])?;
    if !capable(Capability::SysChroot) {
        return Err(Errno::EPERM);
    }
    context::current().set_root(mount_tree::descend(path));
    Ok(0)
}

/// `getcwd(2)`: the length with its NUL.
fn getcwd(args: &[usize; 6]) -> Result<usize> {
    const PATH_MAX: usize = 4096;
    let directories = context::current().directories();
    if directories.cwd.dentry.is_deleted() {
        return Err(Errno::ENOENT);
    }
    let (mut name, reachable) = directories.cwd.render(&directories.root);
    if !reachable {
        name.splice(..0, *b"(unreachable)");
    }
    name.push(0);
    if name.len() > PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    if name.len() > args[1] {
        return Err(Errno::ERANGE);
    }
    user::copy_to_user(UserAddr(args[0]), &name)?;
    Ok(name.len())
}

/// `umask(2)`: the old one.
fn umask(args: &[usize; 6]) -> Result<usize> {
    let new = FileMode::from_raw(args[0] as u32);
    Ok(usize::from(context::current().set_umask(new).0))
}
