//! A tmpfs inode: attributes and content.

use super::{Shared, departure::Departure, directory::Directory, file::FileBody};
use crate::{
    fs::{
        DeviceId, File, FileMode, FileOps, FileSystem, FileType, Inode, InodeOps, Metadata,
        OpenFlags, Ownership, SetAttr, permission, times, xattr::XattrStore,
    },
    mm::{PAGE_SIZE, try_alloc},
    process::{Credentials, Gid, Uid},
    sync::{Once, SeqLock},
    time::{self, Timespec},
};
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::sync::atomic::{AtomicBool, Ordering};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What `st_size` of a directory counts for each entry, as on Linux.
pub const DIRENT_SIZE: u64 = 20;
/// A longer target of a symbolic link takes a page.
const SHORT_LINK: usize = 128;

/// Plain numbers, as the sequence lock wants them.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Attributes {
    mode: u32,
    uid: u32,
    gid: u32,
    nlink: u32,
    atime: Timespec,
    mtime: Timespec,
    ctime: Timespec,
}

enum Body {
    Directory(Directory),
    File(Arc<FileBody>),
    Link(Box<[u8]>),
    /// A device, FIFO or socket.
    Special(DeviceId),
}

/// What a new inode starts with.
pub enum Content {
    /// Nothing.
    Empty,
    /// The target of a symbolic link.
    Target(Box<[u8]>),
}

/// An inode's own part.
// Has a slab cache, which knows it by its alignment.
#[repr(align(16))]
pub struct Node {
    shared: Arc<Shared>,
    fs: Weak<super::Tmpfs>,
    attributes: SeqLock<Attributes>,
    created: Timespec,
    body: Body,
    xattrs: Once<Box<XattrStore>>,
    /// Whether a file without a name may get one (`O_TMPFILE` without `O_EXCL`).
    linkable: AtomicBool,
    departure: Departure,
}

/// Makes an inode with the next free number; it was counted.
pub fn new_inode(
    fs: Weak<super::Tmpfs>,
    shared: &Arc<Shared>,
    kind: FileType,
    owner: Ownership,
    device: DeviceId,
    content: Content,
) -> Arc<Inode> {
    let ino = shared.next_ino.fetch_add(1, Ordering::Relaxed);
    let node = new_node(fs.clone(), shared, kind, owner, device, content);
    let fs: Weak<dyn FileSystem> = fs;
    Inode::with_weak(fs, ino, kind, Arc::new(node))
}

/// Makes a file with no name and a number of the caller's.
pub fn new_unnamed(fs: &Arc<super::Tmpfs>, ino: u64, owner: Ownership) -> Result<Arc<Inode>> {
    fs.shared.charge_inode()?;
    let weak = Arc::downgrade(fs);
    let (kind, device) = (FileType::Regular, DeviceId::default());
    let node = new_node(weak.clone(), &fs.shared, kind, owner, device, Content::Empty);
    node.add_links(-1);
    node.linkable.store(false, Ordering::Relaxed);
    let weak: Weak<dyn FileSystem> = weak;
    Ok(Inode::with_weak(weak, ino, kind, Arc::new(node)))
}

fn new_node(
    fs: Weak<super::Tmpfs>,
    shared: &Arc<Shared>,
    kind: FileType,
    owner: Ownership,
    device: DeviceId,
    content: Content,
) -> Node {
    let now = time::realtime();
    let body = match (kind, content) {
        (FileType::Directory, _) => Body::Directory(Directory::new()),
        (FileType::Regular, _) => Body::File(Arc::new(FileBody::new(shared.clone()))),
        (FileType::Symlink, Content::Target(target)) => Body::Link(target),
        _ => Body::Special(device),
    };
    let node = Node {
        shared: shared.clone(),
        fs,
        attributes: SeqLock::zeroed(),
        created: now,
        body,
        xattrs: Once::new(),
        linkable: AtomicBool::new(true),
        departure: Departure::default(),
    };
    node.attributes.update(|attributes| {
        *attributes = Attributes {
            mode: owner.mode.0.into(),
            uid: owner.uid.0,
            gid: owner.gid.0,
            nlink: if kind == FileType::Directory { 2 } else { 1 },
            atime: now,
            mtime: now,
            ctime: now,
        };
    });
    node
}

/// The tmpfs part of an inode.
pub fn of(inode: &Inode) -> Option<&Node> {
    inode.ops().as_any().downcast_ref()
}

impl Node {
    /// The content of a regular file.
    pub fn file(&self) -> Option<&Arc<FileBody>> {
        match &self.body {
            Body::File(file) => Some(file),
            _ => None,
        }
    }

    /// The entries of a directory.
    pub fn directory(&self) -> Result<&Directory> {
        match &self.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// Notes a change of content.
    pub fn modified(&self) {
        let now = time::realtime();
        self.attributes.update(|attributes| {
            (attributes.mtime, attributes.ctime) = (now, now);
        });
    }

    fn changed(&self) {
        let now = time::realtime();
        self.attributes.update(|attributes| attributes.ctime = now);
    }

    fn add_links(&self, change: i32) -> u32 {
        let now = time::realtime();
        self.attributes.update(|attributes| {
            attributes.ctime = now;
            attributes.nlink = attributes.nlink.saturating_add_signed(change);
            attributes.nlink
        })
    }

    /// Sets the mode while nobody else sees the inode, or because a write takes set-id bits away.
    pub fn set_mode(&self, mode: FileMode) {
        self.attributes.update(|attributes| attributes.mode = mode.0.into());
    }

    fn new_child(
        &self,
        dir: &Inode,
        kind: FileType,
        mode: FileMode,
        device: DeviceId,
        content: Content,
        who: &Credentials,
    ) -> Result<Arc<Inode>> {
        let owner = permission::new_ownership(&self.ownership(dir)?, kind, mode, who);
        self.shared.charge_inode()?;
        Ok(new_inode(self.fs.clone(), &self.shared, kind, owner, device, content))
    }

    /// Adds an entry with all that goes with it.
    fn enter(&self, name: &[u8], inode: &Arc<Inode>) -> Result<()> {
        self.directory()?.insert(name, inode)?;
        if inode.is_dir() {
            self.add_links(1);
        }
        self.modified();
        Ok(())
    }

    /// Takes an entry out, with all that goes with it but the inode's own count.
    fn leave(&self, name: &[u8], inode: &Inode) -> Result<()> {
        self.directory()?.remove(name)?;
        if inode.is_dir() {
            self.add_links(-1);
        }
        self.modified();
        Ok(())
    }

    /// Somebody opened the file.
    pub fn opened(&self) {
        self.departure.opened(&self.shared.departed);
    }

    /// Somebody closed it.
    pub fn closed(&self) {
        if self.departure.closed() && self.attributes.read().nlink == 0 {
            self.depart();
        }
    }

    /// The last name is gone, or what was open without one was closed.
    fn depart(&self) {
        self.shared.note_removal();
        let pages = self.file().map_or(0, |file| file.pages());
        self.departure.depart(&self.shared.departed, pages);
    }

    /// One name of `inode` is gone.
    fn drop_link(inode: &Inode) {
        if let Some(node) = of(inode) {
            let left = node.add_links(if inode.is_dir() { -2 } else { -1 });
            if left > 0 && !inode.is_dir() {
                node.shared.uncharge_inode();
            } else {
                node.depart();
            }
        }
    }
}

impl InodeOps for Node {
    fn lookup(&self, _: &Inode, name: &[u8]) -> Result<Arc<Inode>> {
        self.directory()?.find(name).ok_or(Errno::ENOENT)
    }

    fn create(
        &self,
        dir: &Inode,
        name: &[u8],
        kind: FileType,
        mode: FileMode,
        device: DeviceId,
        who: &Credentials,
    ) -> Result<Arc<Inode>> {
        let child = self.new_child(dir, kind, mode, device, Content::Empty, who)?;
        self.enter(name, &child)?;
        Ok(child)
    }

    fn symlink(
        &self,
        dir: &Inode,
        name: &[u8],
        target: &[u8],
        who: &Credentials,
    ) -> Result<Arc<Inode>> {
        let content = Content::Target(target.into());
        let (kind, mode) = (FileType::Symlink, FileMode(0o777));
        let child = self.new_child(dir, kind, mode, DeviceId::default(), content, who)?;
        self.enter(name, &child)?;
        Ok(child)
    }

    fn create_unnamed(
        &self,
        dir: &Inode,
        mode: FileMode,
        linkable: bool,
        who: &Credentials,
    ) -> Result<Arc<Inode>> {
        let (kind, device) = (FileType::Regular, DeviceId::default());
        let child = self.new_child(dir, kind, mode, device, Content::Empty, who)?;
        if let Some(node) = of(&child) {
            node.add_links(-1);
            node.linkable.store(linkable, Ordering::Relaxed);
        }
        Ok(child)
    }

    fn link(&self, _: &Inode, name: &[u8], target: &Arc<Inode>) -> Result<()> {
        let node = of(target).ok_or(Errno::EXDEV)?;
        let unnamed = node.attributes.read().nlink == 0;
        if unnamed && !node.linkable.load(Ordering::Relaxed) {
            return Err(Errno::ENOENT);
        }
        if !unnamed {
            self.shared.charge_inode()?;
        }
        node.add_links(1);
        node.departure.take_back(&self.shared.departed);
        self.enter(name, target)
    }

    fn unlink(&self, _: &Inode, name: &[u8], target: &Arc<Inode>) -> Result<()> {
        self.leave(name, target)?;
        if let Some(node) = of(target) {
            // A file whose last name is gone is gone: a descriptor cannot bring it back.
            node.linkable.store(false, Ordering::Relaxed);
        }
        Node::drop_link(target);
        Ok(())
    }

    fn rmdir(&self, _: &Inode, name: &[u8], target: &Arc<Inode>) -> Result<()> {
        if !of(target).ok_or(Errno::ENOTDIR)?.directory()?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.leave(name, target)?;
        Node::drop_link(target);
        Ok(())
    }

    fn rename(
        &self,
        _: &Inode,
        from: &[u8],
        to_dir: &Inode,
        to: &[u8],
        exchange: bool,
    ) -> Result<()> {
        let to_node = of(to_dir).ok_or(Errno::EXDEV)?;
        let source = self.directory()?.find(from).ok_or(Errno::ENOENT)?;
        let target = to_node.directory()?.find(to);
        if let Some(target) = &target {
            if target.is_dir() && !exchange {
                self.check_empty(target)?;
            }
            to_node.leave(to, target)?;
            if !exchange {
                Node::drop_link(target);
            }
        }
        self.leave(from, &source)?;
        to_node.enter(to, &source)?;
        if let Some(target) = target.filter(|_| exchange) {
            self.enter(from, &target)?;
            if let Some(node) = of(&target) {
                node.changed();
            }
        }
        if let Some(node) = of(&source) {
            node.changed();
        }
        Ok(())
    }

    fn read_link(&self, _: &Inode) -> Result<Vec<u8>> {
        match &self.body {
            Body::Link(target) => Ok(target.to_vec()),
            _ => Err(Errno::EINVAL),
        }
    }

    fn metadata(&self, inode: &Inode) -> Result<Metadata> {
        let attributes = self.attributes.read();
        let (size, blocks) = match &self.body {
            Body::Directory(directory) => ((directory.len() as u64 + 2) * DIRENT_SIZE, 0),
            Body::File(file) => (file.size(), file.pages() * (PAGE_SIZE as u64 / 512)),
            Body::Link(target) => {
                let page = if target.len() >= SHORT_LINK { PAGE_SIZE as u64 / 512 } else { 0 };
                (target.len() as u64, page)
            }
            Body::Special(_) => (0, 0),
        };
        Ok(Metadata {
            dev: self.shared.device,
            ino: inode.ino(),
            file_type: inode.file_type(),
            mode: FileMode::from_raw(attributes.mode),
            nlink: attributes.nlink,
            uid: Uid(attributes.uid),
            gid: Gid(attributes.gid),
            rdev: match self.body {
                Body::Special(device) => device,
                _ => DeviceId::default(),
            },
            size,
            block_size: PAGE_SIZE as u32,
            blocks,
            atime: attributes.atime,
            mtime: attributes.mtime,
            ctime: attributes.ctime,
            btime: Some(self.created),
        })
    }

    fn ownership(&self, _: &Inode) -> Result<Ownership> {
        let Attributes { mode, uid, gid, .. } = self.attributes.read();
        Ok(Ownership { mode: FileMode::from_raw(mode), uid: Uid(uid), gid: Gid(gid) })
    }

    fn accessed(&self, _: &Inode) {
        let now = time::realtime();
        let Attributes { atime, mtime, ctime, .. } = self.attributes.read();
        if times::relatime_moves(atime, mtime, ctime, now) {
            self.attributes.update(|attributes| attributes.atime = now);
        }
    }

    fn set_attr(&self, inode: &Inode, change: &SetAttr) -> Result<()> {
        if let Some(size) = change.size {
            let file = self.file().ok_or(Errno::EINVAL)?;
            let _lock = inode.lock().write();
            file.resize(size)?;
            self.modified();
        }
        let now = time::realtime();
        self.attributes.update(|attributes| {
            attributes.mode = change.mode.map_or(attributes.mode, |mode| mode.0.into());
            attributes.uid = change.uid.map_or(attributes.uid, |uid| uid.0);
            attributes.gid = change.gid.map_or(attributes.gid, |gid| gid.0);
            attributes.atime = change.atime.unwrap_or(attributes.atime);
            attributes.mtime = change.mtime.unwrap_or(attributes.mtime);
            attributes.ctime = now;
        });
        Ok(())
    }

    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        match &self.body {
            Body::Directory(_) => Ok(Arc::new(super::directory::OpenDirectory)),
            Body::File(file) => Ok(file.clone()),
            _ => Err(Errno::ENXIO),
        }
    }

    fn xattrs(&self) -> Result<&XattrStore> {
        if let Some(store) = self.xattrs.get() {
            return Ok(store);
        }
        let store = try_alloc::boxed(XattrStore::new())?;
        Ok(self.xattrs.call_once(|| store))
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

impl Node {
    fn check_empty(&self, target: &Inode) -> Result<()> {
        match of(target).ok_or(Errno::ENOTDIR)?.directory()?.is_empty() {
            true => Ok(()),
            false => Err(Errno::ENOTEMPTY),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.departure.take_back(&self.shared.departed);
        self.shared.uncharge_inode();
        // A tree is taken down level by level, not by recursion: user space decides how deep it is.
        let Body::Directory(directory) = &self.body else { return };
        let mut doomed = directory.take_all();
        while let Some(inode) = doomed.pop() {
            if Arc::strong_count(&inode) == 1
                && let Some(below) = of(&inode).and_then(|node| node.directory().ok())
            {
                doomed.extend(below.take_all());
            }
        }
    }
}

/// The tmpfs node behind an open file.
pub fn of_file(file: &File) -> Result<&Node> {
    of(file.inode()).ok_or(Errno::EINVAL)
}
