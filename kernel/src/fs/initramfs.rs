//! Unpacks the initramfs into the root file system: newc archives in a row, later files over earlier ones.
//!
//! Where a file's data lies at page boundaries in the boot module, its whole pages are used in place; the rest is copied. The
//! module's memory is never freed, so a page in use there may also be written. Runs once, before anything else uses files.

use super::{
    DeviceId, FileMode, FileType, Inode, SetAttr,
    tmpfs::{self, Node},
};
use crate::{
    mm::{Frame, PAGE_SIZE, PageKind, PhysAddr},
    process::{Credentials, Gid, Uid},
    time::Timespec,
};
use abi::{Errno, Result};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use cpio::{Entry, Reader};

/// What came of unpacking.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Entries unpacked.
    pub entries: usize,
    /// Pages used in place.
    pub pages_in_place: usize,
    /// The archive was unreadable from some point on.
    pub error: Option<cpio::Error>,
    /// Entries that could not be made (no memory, a name below a file).
    pub skipped: usize,
}

/// Names of one file, by archive, device and inode number.
type LinkKey = (usize, (u32, u32), u32);

struct Unpacker<'a> {
    root: Arc<Inode>,
    who: Arc<Credentials>,
    /// Where the input lies in physical memory.
    physical: PhysAddr,
    input: &'a [u8],
    links: BTreeMap<LinkKey, Arc<Inode>>,
    /// Directories' times, set at the end: unpacking into them would move them.
    directory_times: Vec<(Arc<Inode>, u32)>,
    outcome: Outcome,
}

/// Unpacks `input`, which lies at `physical`, below `root`.
pub fn unpack(root: &Arc<Inode>, input: &'static [u8], physical: PhysAddr) -> Outcome {
    let mut unpacker = Unpacker {
        root: root.clone(),
        who: Credentials::root(),
        physical,
        input,
        links: BTreeMap::new(),
        directory_times: Vec::new(),
        outcome: Outcome::default(),
    };
    for entry in Reader::new(input) {
        match entry {
            Ok(entry) => match unpacker.entry(&entry) {
                Ok(()) => unpacker.outcome.entries += 1,
                Err(_) => unpacker.outcome.skipped += 1,
            },
            Err(error) => unpacker.outcome.error = Some(error),
        }
    }
    for (inode, mtime) in core::mem::take(&mut unpacker.directory_times) {
        // Times of a directory are not worth failing for.
        let _ = set_times(&inode, mtime);
    }
    unpacker.outcome
}

fn set_times(inode: &Inode, mtime: u32) -> Result<()> {
    let time = Timespec { tv_sec: mtime.into(), tv_nsec: 0 };
    let times = SetAttr { atime: Some(time), mtime: Some(time), ..SetAttr::default() };
    inode.ops().set_attr(inode, &times)
}

impl Unpacker<'_> {
    /// The directory a name is in and the last component; `None` for the root itself.
    fn locate<'n>(&self, name: &'n [u8]) -> Result<Option<(Arc<Inode>, &'n [u8])>> {
        let mut components =
            name.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b".")).peekable();
        let mut dir = self.root.clone();
        while let Some(component) = components.next() {
            if component == b".." || component.len() > 255 {
                return Err(Errno::EINVAL);
            }
            if components.peek().is_none() {
                return Ok(Some((dir, component)));
            }
            dir = dir.ops().lookup(&dir, component)?;
        }
        Ok(None)
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<()> {
        let kind = FileType::from_mode(entry.mode).ok_or(Errno::EINVAL)?;
        let owner = SetAttr {
            mode: Some(FileMode::from_raw(entry.mode)),
            uid: Some(Uid(entry.uid)),
            gid: Some(Gid(entry.gid)),
            ..SetAttr::default()
        };
        let Some((dir, name)) = self.locate(entry.name)? else {
            self.directory_times.push((self.root.clone(), entry.mtime));
            return self.root.ops().set_attr(&self.root, &owner);
        };
        let existing = dir.ops().lookup(&dir, name).ok();
        let inode = match existing {
            Some(inode) if kind == FileType::Directory && inode.is_dir() => inode,
            existing => {
                if let Some(old) = existing {
                    remove(&dir, name, &old)?;
                }
                match self.make(&dir, name, kind, entry)? {
                    Some(inode) => inode,
                    None => return Ok(()),
                }
            }
        };
        let owner = if kind == FileType::Symlink { SetAttr { mode: None, ..owner } } else { owner };
        inode.ops().set_attr(&inode, &owner)?;
        if kind == FileType::Directory {
            self.directory_times.push((inode, entry.mtime));
            return Ok(());
        }
        set_times(&inode, entry.mtime)
    }

    /// Makes the inode; `None` if the name became another link of a file that is there.
    fn make(
        &mut self,
        dir: &Arc<Inode>,
        name: &[u8],
        kind: FileType,
        entry: &Entry<'_>,
    ) -> Result<Option<Arc<Inode>>> {
        if kind == FileType::Symlink {
            return dir.ops().symlink(dir, name, entry.data, &self.who).map(Some);
        }
        let key = (entry.archive, entry.device, entry.ino);
        let linked = entry.nlink > 1 && kind != FileType::Directory;
        if linked && let Some(first) = self.links.get(&key).cloned() {
            dir.ops().link(dir, name, &first)?;
            if !entry.data.is_empty() {
                self.fill(&first, entry)?;
                set_times(&first, entry.mtime)?;
            }
            return Ok(None);
        }
        let device = DeviceId { major: entry.rdev.0, minor: entry.rdev.1 };
        let mode = FileMode::from_raw(entry.mode);
        let inode = dir.ops().create(dir, name, kind, mode, device, &self.who)?;
        if linked {
            self.links.insert(key, inode.clone());
        }
        if kind == FileType::Regular {
            self.fill(&inode, entry)?;
        }
        Ok(Some(inode))
    }

    /// Gives a file its content.
    fn fill(&mut self, inode: &Inode, entry: &Entry<'_>) -> Result<()> {
        let node: &Node = tmpfs::node_of(inode).ok_or(Errno::EINVAL)?;
        let body = node.file().ok_or(Errno::EINVAL)?;
        body.resize(0)?;
        let offset = entry.data.as_ptr() as usize - self.input.as_ptr() as usize;
        let start = self.physical.0 + offset;
        for (index, page) in entry.data.chunks(PAGE_SIZE).enumerate() {
            let frame = if start.is_multiple_of(PAGE_SIZE) && page.len() == PAGE_SIZE {
                self.outcome.pages_in_place += 1;
                Frame::from_reserved(PhysAddr(start + index * PAGE_SIZE))
            } else {
                let frame = Frame::alloc_zeroed(PageKind::Shmem)?;
                frame.write(0, page);
                frame
            };
            body.adopt(index as u64, frame)?;
        }
        body.resize(entry.data.len() as u64)
    }
}

/// Makes room for an entry that replaces another.
fn remove(dir: &Inode, name: &[u8], old: &Arc<Inode>) -> Result<()> {
    if old.is_dir() { dir.ops().rmdir(dir, name, old) } else { dir.ops().unlink(dir, name, old) }
}
