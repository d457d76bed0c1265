//! Path resolution (`path_resolution(7)`).
//!
//! A walk first tries the cache alone, under RCU, touching no count and no lock (see [`fast`]); whatever is unusual (a name not
//! cached, a symbolic link, `..` out of a mount, a rename meanwhile) makes it start again here, with counted references.
//!
//! Locks: a directory's lock for reading around a look-up in the file system.

use super::{
    Dentry, FileType, Inode, Path, context, dcache,
    inode::NameCaching,
    mount::MountFlags,
    mount_tree,
    permission::{self, Access},
};
use crate::{process::Credentials, sched, sync::rcu};
use abi::{Errno, Result};
use alloc::{borrow::Cow, sync::Arc, vec::Vec};
use smallvec::SmallVec;

mod fast;

/// The longest name of one component.
pub const NAME_MAX: usize = 255;
/// How many symbolic links one walk follows.
const LINKS_MAX: u32 = 40;
/// The base of a walk that starts at the working directory (`AT_FDCWD`).
pub const AT_FDCWD: i32 = -100;

bitflags::bitflags! {
    /// How a name is to be resolved.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct LookupFlags: u32 {
        /// Follow a symbolic link in the last component.
        const FOLLOW = 1;
        /// The result must be a directory (`ENOTDIR`).
        const DIRECTORY = 2;
        /// An empty name is the base itself (`AT_EMPTY_PATH`).
        const EMPTY = 4;
        /// `RESOLVE_NO_XDEV`.
        const NO_XDEV = 8;
        /// `RESOLVE_NO_MAGICLINKS`.
        const NO_MAGICLINKS = 0x10;
        /// `RESOLVE_NO_SYMLINKS`.
        const NO_SYMLINKS = 0x20;
        /// `RESOLVE_BENEATH`.
        const BENEATH = 0x40;
        /// `RESOLVE_IN_ROOT`.
        const IN_ROOT = 0x80;
        /// `RESOLVE_CACHED`.
        const CACHED = 0x100;
    }
}

/// The last component of a name, when its directory was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Last {
    /// A name, and whether slashes follow it.
    Name(Vec<u8>, bool),
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// The name was `/`.
    Root,
}

/// Resolves a name from `base` (a descriptor or `AT_FDCWD`).
pub fn lookup(base: i32, name: &[u8], flags: LookupFlags) -> Result<Path> {
    if let Some(path) = fast::lookup(base, name, flags)? {
        return Ok(path);
    }
    let mut walk = Walk::new(base, name, flags)?;
    walk.run(Want::Target)?;
    Ok(walk.here)
}

/// Resolves all but the last component.
pub fn lookup_parent(base: i32, name: &[u8], flags: LookupFlags) -> Result<(Path, Last)> {
    let mut walk = Walk::new(base, name, flags - LookupFlags::EMPTY)?;
    let last = walk.run(Want::Parent)?;
    Ok((walk.here, last))
}

/// The place a walk starts from.
pub fn start_of(base: i32, name: &[u8]) -> Result<Path> {
    if name.first() == Some(&b'/') {
        return Ok(context::current_root());
    }
    if base == AT_FDCWD {
        return Ok(context::current().cwd());
    }
    let files = sched::current().files.load().ok_or(Errno::EBADF)?;
    let file = files.get_any(base)?;
    Ok(file.path().clone())
}

/// What a walk is to find.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// What the name names.
    Target,
    /// The directory of the last component, and that component.
    Parent,
}

/// A string still to be walked: the name itself or a link's target.
struct Segment<'a> {
    text: Cow<'a, [u8]>,
    at: usize,
}

impl Segment<'_> {
    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }
}

/// A walk under way, with counted references.
pub struct Walk<'a> {
    /// Where it is.
    pub here: Path,
    /// Where `/` and `..` end.
    root: Path,
    who: Arc<Credentials>,
    flags: LookupFlags,
    links: u32,
    segments: SmallVec<[Segment<'a>; 2]>,
}

impl<'a> Walk<'a> {
    /// A walk that is to start. `ENOENT` for an empty name unless the flags allow it.
    pub fn new(base: i32, name: &'a [u8], flags: LookupFlags) -> Result<Walk<'a>> {
        if name.is_empty() && !flags.contains(LookupFlags::EMPTY) {
            return Err(Errno::ENOENT);
        }
        let confined = flags.intersects(LookupFlags::BENEATH | LookupFlags::IN_ROOT);
        let absolute = name.first() == Some(&b'/');
        if absolute && flags.contains(LookupFlags::BENEATH) {
            return Err(Errno::EXDEV);
        }
        let here = start_of(base, if confined { b"" } else { name })?;
        if !name.is_empty() && !here.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let root = if confined { here.clone() } else { context::current_root() };
        let mut segments = SmallVec::new();
        segments.push(Segment { text: Cow::Borrowed(name), at: 0 });
        let who = sched::current().credentials.load();
        Ok(Walk { here, root, who, flags, links: 0, segments })
    }

    /// Who walks.
    pub fn who(&self) -> &Arc<Credentials> {
        &self.who
    }

    /// The next component, whether it is the last, and whether slashes follow it.
    fn next(&mut self) -> Option<(Vec<u8>, bool, bool)> {
        loop {
            let segment = self.segments.last_mut()?;
            segment.at += segment.rest().iter().take_while(|&&byte| byte == b'/').count();
            if segment.rest().is_empty() {
                self.segments.pop();
                continue;
            }
            let len = segment.rest().iter().take_while(|&&byte| byte != b'/').count();
            let name = segment.rest()[..len].to_vec();
            segment.at += len;
            let rest = || self.segments.iter().flat_map(Segment::rest);
            let last = rest().all(|&byte| byte == b'/');
            let slashes = rest().any(|&byte| byte == b'/');
            return Some((name, last, slashes));
        }
    }

    /// Walks to the end. After [`Want::Parent`] the walk can go on: see [`Walk::follow`].
    pub fn run(&mut self, want: Want) -> Result<Last> {
        let mut must_be_dir = self.flags.contains(LookupFlags::DIRECTORY);
        while let Some((name, last, slashes)) = self.next() {
            if !self.here.is_dir() {
                return Err(Errno::ENOTDIR);
            }
            permission::check(self.here.inode(), &self.who, Access::EXEC)?;
            match name.as_slice() {
                b"." if last && want == Want::Parent => return Ok(Last::Dot),
                b".." if last && want == Want::Parent => return Ok(Last::DotDot),
                b"." => continue,
                b".." => {
                    self.up()?;
                    continue;
                }
                _ => {}
            }
            if name.len() > NAME_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            if last && want == Want::Parent {
                return Ok(Last::Name(name, slashes));
            }
            if last {
                must_be_dir |= slashes;
            }
            let dentry = find_child(&self.here.dentry, &name)?.ok_or(Errno::ENOENT)?;
            let child = Path { mount: self.here.mount.clone(), dentry };
            let trailing = last && !slashes;
            if child.inode().file_type() == FileType::Symlink
                && (!trailing || self.flags.contains(LookupFlags::FOLLOW))
            {
                self.follow(&child)?;
            } else {
                self.here = self.cross(child)?;
            }
        }
        if must_be_dir && !self.here.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        Ok(Last::Root)
    }

    /// Steps to the root of what is mounted on a place.
    pub fn cross(&self, child: Path) -> Result<Path> {
        if !child.dentry.is_mountpoint() {
            return Ok(child);
        }
        let mount = child.mount.clone();
        let path = mount_tree::descend(child);
        if self.flags.contains(LookupFlags::NO_XDEV) && !Arc::ptr_eq(&mount, &path.mount) {
            return Err(Errno::EXDEV);
        }
        Ok(path)
    }

    fn up(&mut self) -> Result<()> {
        if self.here == self.root {
            if self.flags.contains(LookupFlags::BENEATH) {
                return Err(Errno::EXDEV);
            }
            return Ok(());
        }
        let foot = self.here.climb_mounts();
        if self.flags.contains(LookupFlags::NO_XDEV) && !Arc::ptr_eq(&foot.mount, &self.here.mount)
        {
            return Err(Errno::EXDEV);
        }
        let parent = Path { dentry: foot.dentry.parent(), mount: foot.mount };
        self.here = mount_tree::descend(parent);
        Ok(())
    }

    /// Takes a symbolic link: the walk goes on with its target.
    pub fn follow(&mut self, link: &Path) -> Result<()> {
        self.links += 1;
        if self.links > LINKS_MAX
            || self.flags.contains(LookupFlags::NO_SYMLINKS)
            || link.mount.has(MountFlags::NO_SYMFOLLOW)
        {
            return Err(Errno::ELOOP);
        }
        let inode = link.inode();
        if let Some(target) = inode.ops().follow_magic(inode) {
            if self.flags.contains(LookupFlags::NO_MAGICLINKS) {
                return Err(Errno::ELOOP);
            }
            if self.flags.intersects(LookupFlags::BENEATH | LookupFlags::IN_ROOT) {
                return Err(Errno::EXDEV);
            }
            let target = target?;
            if self.flags.contains(LookupFlags::NO_XDEV)
                && !Arc::ptr_eq(&target.mount, &self.here.mount)
            {
                return Err(Errno::EXDEV);
            }
            self.here = target;
            return Ok(());
        }
        let target = inode.ops().read_link(inode)?;
        inode.ops().accessed(inode);
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if target[0] == b'/' {
            if self.flags.contains(LookupFlags::BENEATH) {
                return Err(Errno::EXDEV);
            }
            if self.flags.contains(LookupFlags::NO_XDEV)
                && !Arc::ptr_eq(&self.root.mount, &self.here.mount)
            {
                return Err(Errno::EXDEV);
            }
            self.here = self.root.clone();
        }
        self.segments.push(Segment { text: Cow::Owned(target), at: 0 });
        Ok(())
    }
}

/// The dentry of `name` in a directory, `None` when the name does not exist. May sleep.
pub fn find_child(dir: &Arc<Dentry>, name: &[u8]) -> Result<Option<Arc<Dentry>>> {
    if let Some(known) = find_cached(dir, name) {
        return Ok(known);
    }
    let _lock = dir.inode().lock().read();
    find_child_locked(dir, name)
}

/// What the cache knows: `Some(None)` is a name that does not exist.
fn find_cached(dir: &Dentry, name: &[u8]) -> Option<Option<Arc<Dentry>>> {
    loop {
        let guard = rcu::read();
        let known = dcache::find(&guard, dir, name)?.dentry().cloned();
        if known.as_ref().is_some_and(|dentry| dentry.was_evicted()) {
            continue;
        }
        return Some(known);
    }
}

/// The same as [`find_child`] with the directory's lock held.
pub fn find_child_locked(dir: &Arc<Dentry>, name: &[u8]) -> Result<Option<Arc<Dentry>>> {
    if let Some(known) = find_cached(dir, name) {
        return Ok(known);
    }
    let inode: &Arc<Inode> = dir.inode();
    let caching = inode.ops().name_caching();
    match inode.ops().lookup(inode, name) {
        Ok(found) if caching == NameCaching::Never => {
            Ok(Some(Dentry::new(Some(dir.clone()), name, found)))
        }
        Ok(found) => Ok(Some(dcache::add_found(dir, name, found))),
        Err(Errno::ENOENT) => {
            if caching == NameCaching::All && !dir.is_deleted() {
                dcache::add_negative(dir, name);
            }
            Ok(None)
        }
        Err(errno) => Err(errno),
    }
}
