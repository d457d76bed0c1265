//! Opening: `open(2)`, `openat2(2)`, `O_CREAT`, `O_TMPFILE`, programs for exec.
//!
//! Locks: a directory's for writing while a name is made in it.

use super::{
    Dentry, File, FileMode, FileOps, FileType, OpenFlags, Path, SetAttr, context, dcache, inode,
    modify,
    mount::MountFlags,
    permission::{self, Access},
    pipe,
    walk::{self, Last, LookupFlags, Want},
};
use crate::process::Credentials;
use abi::{Errno, Result};
use alloc::sync::Arc;

/// How to open: `struct open_how`.
#[derive(Clone, Copy, Debug)]
pub struct OpenHow {
    /// `O_*`.
    pub flags: OpenFlags,
    /// Mode of a file that is made; the umask applies.
    pub mode: FileMode,
    /// `RESOLVE_*` as look-up flags.
    pub resolve: LookupFlags,
}

impl OpenHow {
    /// An `open(2)` without `O_CREAT`.
    pub const fn flags(flags: OpenFlags) -> OpenHow {
        OpenHow { flags, mode: FileMode(0), resolve: LookupFlags::empty() }
    }
}

/// Opens a name from `base` (a descriptor or `AT_FDCWD`).
pub fn open(base: i32, name: &[u8], how: &OpenHow) -> Result<Arc<File>> {
    let flags = how.flags;
    let mut lookup = how.resolve;
    if !flags.contains(OpenFlags::NOFOLLOW) {
        lookup |= LookupFlags::FOLLOW;
    }
    if flags.contains(OpenFlags::DIRECTORY) {
        lookup |= LookupFlags::DIRECTORY;
    }
    if flags.contains(OpenFlags::TMPFILE) {
        return open_unnamed(walk::lookup(base, name, lookup)?, how);
    }
    if flags.contains(OpenFlags::PATH) {
        let path = walk::lookup(base, name, lookup)?;
        return File::new(path, flags, Arc::new(PathOnly));
    }
    if flags.contains(OpenFlags::CREAT) {
        return open_or_create(base, name, how, lookup);
    }
    let path = walk::lookup(base, name, lookup)?;
    open_path(path, flags, Fresh::No)
}

/// Whether the file was made by this open: then permission and truncation are no question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fresh {
    No,
    Yes,
}

fn open_or_create(base: i32, name: &[u8], how: &OpenHow, lookup: LookupFlags) -> Result<Arc<File>> {
    let mut walk = walk::Walk::new(base, name, lookup - LookupFlags::DIRECTORY)?;
    loop {
        let (component, slashes) = match walk.run(Want::Parent)? {
            Last::Name(component, slashes) => (component, slashes),
            // `.`, `..`, `/` and what a magic link led to exist.
            _ if how.flags.contains(OpenFlags::EXCL) => return Err(Errno::EEXIST),
            Last::Root if !walk.here.is_dir() => {
                return open_path(walk.here, how.flags, Fresh::No);
            }
            _ => return Err(Errno::EISDIR),
        };
        if slashes {
            return Err(Errno::EISDIR);
        }
        let (path, fresh) = find_or_create(&walk.here, &component, how, walk.who())?;
        if fresh == Fresh::Yes {
            return open_path(path, how.flags, fresh);
        }
        if how.flags.contains(OpenFlags::EXCL) {
            return Err(Errno::EEXIST);
        }
        let path = walk.cross(path)?;
        if path.inode().file_type() == FileType::Symlink && !how.flags.contains(OpenFlags::NOFOLLOW)
        {
            walk.follow(&path)?;
            continue;
        }
        if path.is_dir() {
            return Err(Errno::EISDIR);
        }
        if how.flags.contains(OpenFlags::DIRECTORY) {
            return Err(Errno::ENOTDIR);
        }
        return open_path(path, how.flags, Fresh::No);
    }
}

/// The last component, made if it is missing.
fn find_or_create(
    dir: &Path,
    name: &[u8],
    how: &OpenHow,
    who: &Credentials,
) -> Result<(Path, Fresh)> {
    let at = |dentry: Arc<Dentry>| Path { mount: dir.mount.clone(), dentry };
    if let Some(found) = walk::find_child(&dir.dentry, name)? {
        return Ok((at(found), Fresh::No));
    }
    let inode = dir.inode();
    let _lock = inode.lock().write();
    if let Some(found) = walk::find_child_locked(&dir.dentry, name)? {
        return Ok((at(found), Fresh::No));
    }
    if dir.dentry.is_deleted() {
        return Err(Errno::ENOENT);
    }
    dir.mount.want_write()?;
    permission::check(inode, who, Access::WRITE | Access::EXEC)?;
    let mode = FileMode(how.mode.0 & !context::current().umask().0 & 0o7777);
    let made = inode.ops().create(
        inode,
        name,
        FileType::Regular,
        mode,
        super::DeviceId::default(),
        who,
    )?;
    Ok((at(dcache::add(&dir.dentry, name, made)), Fresh::Yes))
}

fn open_unnamed(dir: Path, how: &OpenHow) -> Result<Arc<File>> {
    let who = super::current_credentials();
    let inode = dir.inode();
    if !inode.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    permission::check_path(&dir, &who, Access::WRITE | Access::EXEC)?;
    dir.mount.want_write()?;
    let mode = FileMode(how.mode.0 & !context::current().umask().0 & 0o7777);
    let linkable = !how.flags.contains(OpenFlags::EXCL);
    let made = inode.ops().create_unnamed(inode, mode, linkable, &who)?;
    let name = alloc::format!("#{}", made.ino());
    let dentry = Dentry::new(Some(dir.dentry.clone()), name.as_bytes(), made);
    dentry.set_deleted();
    open_path(Path { mount: dir.mount, dentry }, how.flags, Fresh::Yes)
}

/// What an access mode asks of the inode.
fn wanted(flags: OpenFlags) -> Access {
    let mut access = match flags.bits() & 3 {
        0 => Access::READ,
        1 => Access::WRITE,
        // 3 asks for both and gives neither (an old ioctl-only mode).
        _ => Access::READ | Access::WRITE,
    };
    if flags.contains(OpenFlags::TRUNC) {
        access |= Access::WRITE;
    }
    access
}

/// Opens what lies at a place.
fn open_path(path: Path, flags: OpenFlags, fresh: Fresh) -> Result<Arc<File>> {
    let inode = path.inode().clone();
    let kind = inode.file_type();
    let access = wanted(flags);
    let who = super::current_credentials();
    match kind {
        FileType::Symlink => return Err(Errno::ELOOP),
        FileType::Directory if access.contains(Access::WRITE) => return Err(Errno::EISDIR),
        FileType::CharDevice | FileType::BlockDevice if path.mount.has(MountFlags::NO_DEV) => {
            return Err(Errno::EACCES);
        }
        _ => {}
    }
    // O_TMPFILE's own bit comes with O_DIRECTORY, which is about the directory that the file is made in.
    let wants_directory =
        flags.contains(OpenFlags::DIRECTORY) && !flags.contains(OpenFlags::TMPFILE);
    if wants_directory && kind != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    if fresh == Fresh::No {
        permission::check_path(&path, &who, access)?;
        if flags.contains(OpenFlags::NOATIME)
            && !permission::owner_or_capable(&inode.ownership()?, &who)
        {
            return Err(Errno::EPERM);
        }
    }
    if kind == FileType::Regular && access.contains(Access::WRITE) {
        path.mount.want_write()?;
    }
    match kind {
        FileType::CharDevice => {
            let device = inode.metadata()?.rdev;
            let driver = inode::char_device_driver(device)?;
            let ops = driver.open(&inode, device, flags)?;
            let file = File::new(path, flags, ops)?;
            driver.opened(&file)?;
            Ok(file)
        }
        FileType::BlockDevice | FileType::Socket => Err(Errno::ENXIO),
        FileType::Fifo => File::new(path, flags, pipe::open_fifo(inode.fifo(), flags)?),
        FileType::Regular if access.contains(Access::WRITE) => {
            // Counted before the truncation: a running program is neither truncated nor written.
            let ops = inode.ops().open(&inode, flags)?;
            let file = File::new_writer(path, flags, ops)?;
            if flags.contains(OpenFlags::TRUNC) && fresh == Fresh::No {
                modify::set_attr(
                    file.path(),
                    &SetAttr { size: Some(0), ..modify::without_privilege(&inode)? },
                )?;
            }
            Ok(file)
        }
        _ => {
            let ops = inode.ops().open(&inode, flags)?;
            File::new(path, flags, ops)
        }
    }
}

/// Opens a program for exec (`execveat(2)`): a regular file, executable by the caller, on a mount that allows it (`EACCES`), not
/// open for writing (`ETXTBSY`). While the file lives, nobody can open it for writing.
pub fn open_exec(base: i32, name: &[u8], flags: LookupFlags) -> Result<Arc<File>> {
    let path = walk::lookup(base, name, flags)?;
    open_exec_path(path)
}

/// The same for a place at hand.
pub fn open_exec_path(path: Path) -> Result<Arc<File>> {
    let inode = path.inode().clone();
    match inode.file_type() {
        FileType::Regular => {}
        FileType::Symlink => return Err(Errno::ELOOP),
        _ => return Err(Errno::EACCES),
    }
    if path.mount.has(MountFlags::NO_EXEC) {
        return Err(Errno::EACCES);
    }
    permission::check_path(&path, &super::current_credentials(), Access::EXEC)?;
    let ops = inode.ops().open(&inode, OpenFlags::empty())?;
    File::new_program(path, ops)
}

/// Operations of an `O_PATH` file: none.
struct PathOnly;

impl FileOps for PathOnly {
    fn poll(&self, _: &File, _: &mut crate::sync::PollTable) -> crate::sync::PollEvents {
        crate::sync::PollEvents::NVAL
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
