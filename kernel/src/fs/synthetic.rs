//! A base for file systems whose files are made up by the kernel (procfs, sysfs, devpts): fixed and computed directories,
//! generated text files, symbolic and magic links.
//!
//! A file system makes one [`SyntheticFs`], then its inodes through the methods on it. A text file is generated when it is
//! read at offset 0 (or first) and kept for the open file, so that a reader that takes it piece by piece sees one state.
//! Lock: each open text file's buffer, around its generator; generators may take any lock of rank PAGE and later.

use super::{
    DeviceId, DirSink, File, FileMode, FileOps, FileSystem, FileType, Inode, InodeOps, IoSink,
    IoSource, Metadata, NameCaching, OpenFlags, Ownership, Path, SetAttr, inode, mount::StatFs,
};
use crate::{
    process::{Gid, Process, Uid},
    sync::{Mutex, Once, SpinLock, class},
    time::{self, Timespec},
};
use abi::{Errno, Result};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::sync::atomic::{AtomicU64, Ordering};

/// Mode, owner and inode number of a synthetic inode.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    /// Permission bits.
    pub mode: FileMode,
    /// Owner.
    pub uid: Uid,
    /// Group.
    pub gid: Gid,
    /// Number; the next free one when `None`.
    pub ino: Option<u64>,
    /// `st_nlink`.
    pub nlink: u32,
}

impl Attributes {
    /// Root's, with `mode` and the next free inode number.
    pub const fn root(mode: u16) -> Attributes {
        Attributes { mode: FileMode(mode), uid: Uid(0), gid: Gid(0), ino: None, nlink: 1 }
    }
    /// With an owner.
    pub const fn owned_by(self, uid: Uid, gid: Gid) -> Attributes {
        Attributes { uid, gid, ..self }
    }
    /// With a fixed inode number, for inodes that are made anew at each look-up.
    pub const fn numbered(self, ino: u64) -> Attributes {
        Attributes { ino: Some(ino), ..self }
    }
    /// With a link count.
    pub const fn links(self, nlink: u32) -> Attributes {
        Attributes { nlink, ..self }
    }
}

/// Makes a file's text.
pub type Show = Box<dyn Fn(&mut String) -> Result<()> + Send + Sync>;
/// Finds out at an open what the file will show, or why it may not be opened.
pub type OpenText = Box<dyn Fn() -> Result<Show> + Send + Sync>;
/// Opens a file: what is read and written then.
pub type OpenFile = Box<dyn Fn() -> Result<Arc<dyn FileOps>> + Send + Sync>;
/// Takes what was written to a file in one call (at most a page).
pub type Store = Box<dyn Fn(&[u8]) -> Result<()> + Send + Sync>;

/// Takes an entry of a listing: name, inode number, type, cookie. False when there is no room for it.
pub type ListEntry<'a> = &'a mut dyn FnMut(&[u8], u64, FileType, u64) -> bool;

/// A directory whose entries are computed.
pub trait DynamicDir: Send + Sync {
    /// Finds a name; `ENOENT`. Called at each look-up, nothing is cached.
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>>;
    /// Lists entries in the order of their cookies (at least 2, growing), from the first with cookie `from` or later, until
    /// `entry(name, inode number, type, cookie)` returns false.
    fn list(&self, from: u64, entry: ListEntry<'_>) -> Result<()>;
    /// The process that the directory is about, if it is `/proc/<pid>`: a descriptor of it can serve as a pidfd. `EBADF`.
    fn process(&self) -> Result<Arc<Process>> {
        Err(Errno::EBADF)
    }
    /// Whether the caller may know its attributes.
    fn check_attributes(&self) -> Result<()> {
        Ok(())
    }
    /// Whether the caller may use it, whatever its mode says.
    fn check_entry(&self) -> Result<()> {
        Ok(())
    }
}

/// The process behind a descriptor of a `/proc/<pid>` directory (`pidfd_send_signal(2)`); `EBADF` for any other file.
pub fn process_of(file: &File) -> Result<Arc<Process>> {
    file.ops().as_any().downcast_ref::<DirFile>().ok_or(Errno::EBADF)?.dir.process()
}

/// A synthetic file system instance.
pub struct SyntheticFs {
    type_name: &'static str,
    magic: u64,
    device: DeviceId,
    root: Once<Arc<Inode>>,
    next_ino: AtomicU64,
    options: Once<Arc<dyn Options>>,
}

/// What mounts of an instance can be told.
pub trait Options: Send + Sync {
    /// As `/proc/mounts` shows it: each option with a comma before it.
    fn show(&self, out: &mut String);
    /// `MS_REMOUNT`; `EINVAL` for what is unknown or malformed.
    fn change(&self, data: &[u8]) -> Result<()>;
}

impl FileSystem for SyntheticFs {
    fn type_name(&self) -> &'static str {
        self.type_name
    }
    fn root(&self) -> Arc<Inode> {
        // `new` sets it before anybody else sees the file system.
        self.root.wait().clone()
    }
    fn device(&self) -> DeviceId {
        self.device
    }
    fn stat(&self) -> Result<StatFs> {
        Ok(StatFs { magic: self.magic, block_size: 4096, name_max: 255, ..StatFs::default() })
    }
    fn show_options(&self, out: &mut String) {
        if let Some(options) = self.options.get() {
            options.show(out);
        }
    }
    fn reconfigure(&self, data: &[u8]) -> Result<()> {
        self.options.get().map_or(Ok(()), |options| options.change(data))
    }
}

impl SyntheticFs {
    /// An instance of type `type_name` whose `statfs` magic is `magic`; `build` makes its root directory.
    pub fn new(
        type_name: &'static str,
        magic: u64,
        build: impl FnOnce(&Arc<SyntheticFs>) -> Arc<Inode>,
    ) -> Arc<SyntheticFs> {
        let fs = Arc::new(SyntheticFs {
            type_name,
            magic,
            device: super::mount::next_anonymous_device(),
            root: Once::new(),
            next_ino: AtomicU64::new(1),
            options: Once::new(),
        });
        let root = build(&fs);
        fs.root.call_once(|| root);
        fs
    }

    /// Gives it options. Once.
    pub fn set_options(&self, options: Arc<dyn Options>) {
        self.options.call_once(|| options);
    }

    /// The next free inode number.
    pub fn next_ino(&self) -> u64 {
        self.next_ino.fetch_add(1, Ordering::Relaxed)
    }

    /// An inode with operations of the caller's own; `make` gets the common part, which answers `metadata`.
    pub fn inode(
        self: &Arc<Self>,
        kind: FileType,
        attributes: Attributes,
        make: impl FnOnce(Common) -> Arc<dyn InodeOps>,
    ) -> Arc<Inode> {
        let ino = attributes.ino.unwrap_or_else(|| self.next_ino());
        let common = Common {
            device: self.device,
            attributes: SpinLock::new(&class::TABLE, attributes),
            created: time::realtime(),
            rdev: DeviceId::default(),
        };
        let fs: Arc<dyn FileSystem> = self.clone();
        Inode::new(&fs, ino, kind, make(common))
    }

    /// A directory with fixed entries; more can be added later with [`StaticDir::add`].
    pub fn dir(
        self: &Arc<Self>,
        attributes: Attributes,
        entries: Vec<(&'static str, Arc<Inode>)>,
    ) -> (Arc<Inode>, Arc<StaticDir>) {
        let entries =
            entries.into_iter().map(|(name, inode)| (name.as_bytes().into(), inode)).collect();
        let dir = Arc::new(StaticDir { entries: SpinLock::new(&class::TABLE, entries) });
        let inode = self.dir_inode(attributes, dir.clone(), NameCaching::Found);
        (inode, dir)
    }

    /// A directory with computed entries.
    pub fn dynamic_dir(
        self: &Arc<Self>,
        attributes: Attributes,
        dir: Arc<dyn DynamicDir>,
    ) -> Arc<Inode> {
        self.dir_inode(attributes, dir, NameCaching::Never)
    }

    fn dir_inode(
        self: &Arc<Self>,
        attributes: Attributes,
        dir: Arc<dyn DynamicDir>,
        caching: NameCaching,
    ) -> Arc<Inode> {
        self.inode(FileType::Directory, attributes, |common| {
            Arc::new(DirNode { common, caching, dir })
        })
    }

    /// A read-only text file.
    pub fn text(
        self: &Arc<Self>,
        attributes: Attributes,
        show: impl Fn(&mut String) -> Result<()> + Send + Sync + 'static,
    ) -> Arc<Inode> {
        let text = Arc::new(Text { show: Some(Box::new(show)), store: None, strict: false });
        self.inode(FileType::Regular, attributes, |common| Arc::new(TextNode { common, text }))
    }

    /// A read-only text file about what `open` finds when the file is opened.
    pub fn text_of_open(self: &Arc<Self>, attributes: Attributes, open: OpenText) -> Arc<Inode> {
        let open_text = move || {
            let text = Arc::new(Text { show: Some(open()?), store: None, strict: false });
            Ok(text_file(text))
        };
        self.opened(attributes, Box::new(open_text))
    }

    /// A regular file whose operations `open` finds when it is opened.
    pub fn opened(self: &Arc<Self>, attributes: Attributes, open: OpenFile) -> Arc<Inode> {
        self.inode(FileType::Regular, attributes, |common| Arc::new(OpenedNode { common, open }))
    }

    /// A text file that can be written.
    pub fn writable_text(
        self: &Arc<Self>,
        attributes: Attributes,
        show: Option<Show>,
        store: Store,
    ) -> Arc<Inode> {
        let text = Arc::new(Text { show, store: Some(store), strict: false });
        self.inode(FileType::Regular, attributes, |common| Arc::new(TextNode { common, text }))
    }

    /// A text file of `/proc/sys`: its mode binds the privileged too.
    pub fn setting(
        self: &Arc<Self>,
        attributes: Attributes,
        show: Show,
        store: Option<Store>,
    ) -> Arc<Inode> {
        let text = Arc::new(Text { show: Some(show), store, strict: true });
        self.inode(FileType::Regular, attributes, |common| Arc::new(TextNode { common, text }))
    }

    /// A symbolic link with a computed target.
    pub fn symlink(
        self: &Arc<Self>,
        attributes: Attributes,
        target: impl Fn() -> Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Arc<Inode> {
        self.inode(FileType::Symlink, attributes, |common| {
            Arc::new(LinkNode { common, target: Box::new(target), follow: None })
        })
    }

    /// A link that leads to an object rather than a name (`/proc/<pid>/fd/N`).
    pub fn magic_link(
        self: &Arc<Self>,
        attributes: Attributes,
        target: impl Fn() -> Result<Vec<u8>> + Send + Sync + 'static,
        follow: impl Fn() -> Result<Path> + Send + Sync + 'static,
    ) -> Arc<Inode> {
        self.inode(FileType::Symlink, attributes, |common| {
            Arc::new(LinkNode { common, target: Box::new(target), follow: Some(Box::new(follow)) })
        })
    }

    /// A device node.
    pub fn device_node(
        self: &Arc<Self>,
        attributes: Attributes,
        kind: FileType,
        device: DeviceId,
    ) -> Arc<Inode> {
        self.inode(kind, attributes, |mut common| {
            common.rdev = device;
            Arc::new(DeviceNode { common })
        })
    }
}

/// What every synthetic inode has: attributes, and the answers that need nothing else.
pub struct Common {
    device: DeviceId,
    attributes: SpinLock<Attributes>,
    created: Timespec,
    rdev: DeviceId,
}

impl Common {
    /// For [`InodeOps::metadata`].
    pub fn metadata(&self, inode: &Inode, size: u64) -> Metadata {
        let attributes = *self.attributes.lock();
        Metadata {
            dev: self.device,
            ino: inode.ino(),
            file_type: inode.file_type(),
            mode: attributes.mode,
            nlink: attributes.nlink,
            uid: attributes.uid,
            gid: attributes.gid,
            rdev: self.rdev,
            size,
            block_size: 1024,
            blocks: 0,
            atime: self.created,
            mtime: self.created,
            ctime: self.created,
            btime: None,
        }
    }
    /// For [`InodeOps::set_attr`]: mode and owner can be changed, a new size is ignored (`O_TRUNC` on `/proc` files),
    /// times are not kept.
    pub fn set_attr(&self, change: &SetAttr) {
        let mut attributes = self.attributes.lock();
        attributes.mode = change.mode.unwrap_or(attributes.mode);
        attributes.uid = change.uid.unwrap_or(attributes.uid);
        attributes.gid = change.gid.unwrap_or(attributes.gid);
    }
}

/// A directory with a list of entries that only grows.
pub struct StaticDir {
    entries: SpinLock<Vec<StaticEntry>>,
}

type StaticEntry = (Box<[u8]>, Arc<Inode>);

impl StaticDir {
    /// Adds an entry, or replaces the one of this name.
    pub fn add(&self, name: &[u8], inode: Arc<Inode>) {
        let mut entries = self.entries.lock();
        match entries.iter_mut().find(|(have, _)| &**have == name) {
            Some(entry) => entry.1 = inode,
            None => entries.push((name.into(), inode)),
        }
    }
}

impl DynamicDir for StaticDir {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>> {
        let entries = self.entries.lock();
        let found = entries.iter().find(|(have, _)| &**have == name);
        found.map(|(_, inode)| inode.clone()).ok_or(Errno::ENOENT)
    }
    fn list(&self, from: u64, entry: ListEntry<'_>) -> Result<()> {
        let mut cookie = from.max(2);
        loop {
            // The lock is not held around `entry`, which copies to user memory.
            let index = usize::try_from(cookie - 2).map_err(|_| Errno::EINVAL)?;
            let Some((name, inode)) = self.entries.lock().get(index).cloned() else {
                return Ok(());
            };
            if !entry(&name, inode.ino(), inode.file_type(), cookie) {
                return Ok(());
            }
            cookie += 1;
        }
    }
}

struct DirNode {
    common: Common,
    caching: NameCaching,
    dir: Arc<dyn DynamicDir>,
}

impl InodeOps for DirNode {
    fn lookup(&self, _: &Inode, name: &[u8]) -> Result<Arc<Inode>> {
        self.dir.lookup(name)
    }
    fn name_caching(&self) -> NameCaching {
        self.caching
    }
    fn metadata(&self, inode: &Inode) -> Result<Metadata> {
        self.dir.check_attributes()?;
        Ok(self.common.metadata(inode, 0))
    }
    fn ownership(&self, inode: &Inode) -> Result<Ownership> {
        self.dir.check_entry()?;
        let Metadata { mode, uid, gid, .. } = self.common.metadata(inode, 0);
        Ok(Ownership { mode, uid, gid })
    }
    fn set_attr(&self, _: &Inode, change: &SetAttr) -> Result<()> {
        self.common.set_attr(change);
        Ok(())
    }
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Ok(Arc::new(DirFile { dir: self.dir.clone() }))
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

struct DirFile {
    dir: Arc<dyn DynamicDir>,
}

impl FileOps for DirFile {
    fn read(&self, _: &File, _: &mut IoSink<'_>, _: &mut u64) -> Result<usize> {
        Err(Errno::EISDIR)
    }
    fn seekable(&self) -> bool {
        true
    }
    fn read_dir(&self, file: &File, sink: &mut dyn DirSink) -> Result<()> {
        if !inode::emit_dots(file, sink) {
            return Ok(());
        }
        self.dir.list(file.position(), &mut |name, ino, kind, cookie| {
            let taken = sink.entry(name, ino, kind, cookie + 1);
            if taken {
                file.set_position(cookie + 1);
            }
            taken
        })
    }
    fn sync(&self, _: &File, _: bool) -> Result<()> {
        Ok(())
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

struct Text {
    show: Option<Show>,
    store: Option<Store>,
    /// Not even the privileged get around its mode.
    strict: bool,
}

struct TextNode {
    common: Common,
    text: Arc<Text>,
}

impl InodeOps for TextNode {
    fn metadata(&self, inode: &Inode) -> Result<Metadata> {
        Ok(self.common.metadata(inode, 0))
    }
    fn set_attr(&self, _: &Inode, change: &SetAttr) -> Result<()> {
        self.common.set_attr(change);
        Ok(())
    }
    fn binds_the_privileged(&self) -> bool {
        self.text.strict
    }
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Ok(text_file(self.text.clone()))
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

struct OpenedNode {
    common: Common,
    open: OpenFile,
}

impl InodeOps for OpenedNode {
    fn metadata(&self, inode: &Inode) -> Result<Metadata> {
        Ok(self.common.metadata(inode, 0))
    }
    fn set_attr(&self, _: &Inode, change: &SetAttr) -> Result<()> {
        self.common.set_attr(change);
        Ok(())
    }
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        (self.open)()
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

struct TextFile {
    text: Arc<Text>,
    shown: Mutex<Option<String>>,
}

fn text_file(text: Arc<Text>) -> Arc<dyn FileOps> {
    Arc::new(TextFile { text, shown: Mutex::new(&class::FILE_BUFFER, None) })
}

impl FileOps for TextFile {
    fn read(&self, _: &File, dst: &mut IoSink<'_>, offset: &mut u64) -> Result<usize> {
        let show = self.text.show.as_ref().ok_or(Errno::EINVAL)?;
        let mut shown = self.shown.lock();
        if *offset == 0 {
            *shown = None;
        }
        let text = match &mut *shown {
            Some(text) => text,
            empty => {
                let mut text = String::new();
                show(&mut text)?;
                empty.insert(text)
            }
        };
        let start = usize::try_from(*offset).unwrap_or(usize::MAX).min(text.len());
        let n = dst.write(&text.as_bytes()[start..])?;
        *offset += n as u64;
        Ok(n)
    }
    fn write(&self, _: &File, src: &mut IoSource<'_>, offset: &mut u64) -> Result<usize> {
        let store = self.text.store.as_ref().ok_or(Errno::EIO)?;
        let mut bytes = alloc::vec![0; src.remaining().min(4096)];
        let n = src.read(&mut bytes)?;
        store(&bytes[..n])?;
        *offset += n as u64;
        Ok(n)
    }
    fn seekable(&self) -> bool {
        true
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

type Target = Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>;
type Follow = Box<dyn Fn() -> Result<Path> + Send + Sync>;

struct LinkNode {
    common: Common,
    target: Target,
    follow: Option<Follow>,
}

impl InodeOps for LinkNode {
    fn read_link(&self, _: &Inode) -> Result<Vec<u8>> {
        (self.target)()
    }
    fn follow_magic(&self, _: &Inode) -> Option<Result<Path>> {
        self.follow.as_ref().map(|follow| follow())
    }
    fn metadata(&self, inode: &Inode) -> Result<Metadata> {
        Ok(self.common.metadata(inode, if self.follow.is_some() { 64 } else { 0 }))
    }
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Err(Errno::ELOOP)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

struct DeviceNode {
    common: Common,
}

impl InodeOps for DeviceNode {
    fn metadata(&self, inode: &Inode) -> Result<Metadata> {
        Ok(self.common.metadata(inode, 0))
    }
    fn set_attr(&self, _: &Inode, change: &SetAttr) -> Result<()> {
        self.common.set_attr(change);
        Ok(())
    }
    fn open(&self, _: &Arc<Inode>, _: OpenFlags) -> Result<Arc<dyn FileOps>> {
        Err(Errno::ENXIO)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
