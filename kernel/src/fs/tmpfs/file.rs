//! A tmpfs file's content: a tree of pages, sparse, and a size.
//!
//! Reads take no lock: they look at the size and the tree as they are. Writes, truncation and `fallocate(2)` hold the inode's
//! lock for writing. Page faults of mappings take neither; they add pages to the tree, which settles who comes first.

use super::{Options, Shared, Tmpfs, node};
use crate::{
    fs::{
        File, FileMode, FileOps, InodeOps, IoSink, IoSource, OpenFlags, Ownership, Path, anonymous,
        dentry::Dentry, modify, seek,
    },
    mm::{
        Commitment, Copies, Frame, Mappings, PAGE_SIZE, PageIndex, PageKind, PageSource,
        SharedWriting, overcommit,
        page_cache::{CachedPages, PageCache},
    },
    process::{Gid, Uid},
    sync::{Lazy, Once},
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::{
    ops::Range,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering},
};

const PAGE: u64 = PAGE_SIZE as u64;
/// The largest size of a file (`MAX_LFS_FILESIZE`).
const MAX_SIZE: u64 = i64::MAX as u64;

const FALLOC_KEEP_SIZE: u32 = 1;
const FALLOC_PUNCH_HOLE: u32 = 2;

bitflags::bitflags! {
    /// `F_SEAL_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Seals: u32 {
        /// No further seals.
        const SEAL = 1;
        /// Not smaller.
        const SHRINK = 2;
        /// Not larger.
        const GROW = 4;
        /// Not written.
        const WRITE = 8;
        /// Not written, but by mappings that exist.
        const FUTURE_WRITE = 16;
    }
}

/// The content of a regular file.
pub struct FileBody {
    shared: Arc<Shared>,
    pages: PageCache,
    /// Who maps it.
    mappings: Mappings,
    size: AtomicU64,
    seals: AtomicU32,
    /// Shared mappings that may be written; for files that can be sealed.
    writers: Once<Arc<Writers>>,
    /// Whether pages of the boot module may be among the pages: those are not part of the memory that is counted.
    has_reserved: AtomicBool,
    /// The memory that was promised for all of it at once; else each page is as it comes.
    promise: Once<Commitment>,
}

impl FileBody {
    /// An empty file.
    pub fn new(shared: Arc<Shared>) -> FileBody {
        FileBody {
            shared,
            pages: PageCache::new(),
            mappings: Mappings::new(),
            size: AtomicU64::new(0),
            // Only memfds may be sealed; everything else starts with the seal of seals.
            seals: AtomicU32::new(Seals::SEAL.bits()),
            writers: Once::new(),
            has_reserved: AtomicBool::new(false),
            promise: Once::new(),
        }
    }
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }
    /// Pages it has.
    pub fn pages(&self) -> u64 {
        self.pages.len() as u64
    }

    fn sealed(&self, seals: Seals) -> bool {
        Seals::from_bits_retain(self.seals.load(Ordering::Acquire)).intersects(seals)
    }

    /// Adds a page at `index` unless there is one; the page that is there then.
    fn add_page(&self, index: u64, frame: Frame) -> Result<Frame> {
        self.charge_page()?;
        let address = frame.addr();
        match self.pages.get_or_insert(index, frame) {
            Ok(there) => {
                if there.addr() != address {
                    self.uncharge_pages(1, 0);
                }
                Ok(there)
            }
            Err(_) => {
                self.uncharge_pages(1, 0);
                Err(Errno::ENOMEM)
            }
        }
    }

    /// Counts a page that is to come; `ENOSPC` when the instance is full, or so much memory may not be promised.
    fn charge_page(&self) -> Result<()> {
        self.shared.charge_pages(1)?;
        if self.promise.get().is_none() && overcommit::promise_object(1).is_err() {
            self.shared.uncharge_pages(1);
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    /// Takes pages off the counts, of which `reserved` are the boot module's.
    fn uncharge_pages(&self, pages: usize, reserved: usize) {
        self.shared.uncharge_pages(pages as u64);
        if self.promise.get().is_none() {
            overcommit::take_back(pages - reserved);
        }
    }

    fn page_or_zeroed(&self, index: u64) -> Result<Frame> {
        match self.pages.get(index) {
            Some(frame) => Ok(frame),
            None => self.add_page(index, Frame::alloc_zeroed(PageKind::Shmem)?),
        }
    }

    fn remove_pages(&self, range: Range<u64>) {
        let reserved = self.reserved_pages(range.clone());
        let removed = self.pages.remove_range(range);
        self.uncharge_pages(removed, reserved.min(removed));
    }

    /// The first page from `from` on that holds data, before `end`.
    fn next_data(&self, from: u64, end: u64) -> Option<u64> {
        let mut found = None;
        self.pages.for_each(from..end, |index, frame| {
            found = (!frame.is_set_aside()).then_some(index);
            found.is_none()
        });
        found
    }

    /// The first page from `from` on that holds none; `end` if all do.
    fn next_hole(&self, from: u64, end: u64) -> u64 {
        let mut next = from;
        self.pages.for_each(from..end, |index, frame| {
            let goes_on = index == next && !frame.is_set_aside();
            next += u64::from(goes_on);
            goes_on
        });
        next.min(end)
    }

    /// Pages of the boot module in a range.
    fn reserved_pages(&self, range: Range<u64>) -> usize {
        let mut reserved = 0;
        if self.has_reserved.load(Ordering::Relaxed) {
            self.pages.for_each(range, |_, frame| {
                reserved += usize::from(frame.is_reserved());
                true
            });
        }
        reserved
    }

    /// Zeroes part of a page, if it is there.
    fn zero_part(&self, at: u64, len: u64) {
        if len > 0
            && let Some(frame) = self.pages.get(at / PAGE)
        {
            frame.zero((at % PAGE) as usize, len as usize);
        }
    }

    /// Changes the size. The inode's lock is held. `EPERM` when sealed against it, `EFBIG`.
    pub fn resize(&self, size: u64) -> Result<()> {
        if size > MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        let old = self.size();
        if size < old && self.sealed(Seals::SHRINK) || size > old && self.sealed(Seals::GROW) {
            return Err(Errno::EPERM);
        }
        self.size.store(size, Ordering::Release);
        if size < old {
            let gone = size.div_ceil(PAGE)..u64::MAX;
            self.mappings.unmap(gone.clone(), Copies::Too);
            self.remove_pages(gone);
            if !size.is_multiple_of(PAGE) {
                self.zero_part(size, PAGE - size % PAGE);
            }
        }
        Ok(())
    }

    /// Puts a page of the initramfs in place. Only before anybody else sees the file.
    pub fn adopt(&self, index: u64, frame: Frame) -> Result<()> {
        if frame.is_reserved() {
            self.has_reserved.store(true, Ordering::Relaxed);
            // It takes none of the memory that is counted.
            overcommit::take_back(1);
        }
        self.add_page(index, frame).map(drop)
    }

    /// One page's part of a write; how many bytes.
    fn write_page(&self, src: &mut IoSource<'_>, offset: u64, len: usize) -> Result<usize> {
        let (index, start) = (offset / PAGE, (offset % PAGE) as usize);
        if let Some(frame) = self.pages.get(index) {
            frame.put_to_use();
            return src.read_frame(&frame, start, len);
        }
        // A new page is filled before anybody can see it.
        let frame = if len == PAGE_SIZE {
            Frame::alloc_uninit(PageKind::Shmem)?
        } else {
            Frame::alloc_zeroed(PageKind::Shmem)?
        };
        let done = src.read_frame(&frame, start, len)?;
        if len == PAGE_SIZE {
            frame.zero(done, PAGE_SIZE - done);
        }
        let there = self.add_page(index, frame.clone())?;
        if there.addr() != frame.addr() {
            // A mapping faulted the page in meanwhile.
            let mut chunk = [0; 256];
            for at in (0..done).step_by(chunk.len()) {
                let n = chunk.len().min(done - at);
                frame.read(start + at, &mut chunk[..n]);
                there.write(start + at, &chunk[..n]);
            }
        }
        Ok(done)
    }

    fn write_pages(&self, src: &mut IoSource<'_>, offset: &mut u64) -> Result<usize> {
        let mut done = 0;
        while src.remaining() > 0 {
            let len = (PAGE_SIZE - (*offset % PAGE) as usize).min(src.remaining());
            match self.write_page(src, *offset, len) {
                Ok(n) => {
                    done += n;
                    *offset += n as u64;
                    self.size.fetch_max(*offset, Ordering::Release);
                    if n < len {
                        break;
                    }
                }
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }
}

impl Drop for FileBody {
    fn drop(&mut self) {
        self.uncharge_pages(self.pages.len(), self.reserved_pages(0..u64::MAX));
    }
}

/// An open file has no state beyond the file's own.
impl FileOps for FileBody {
    fn read(&self, _: &File, dst: &mut IoSink<'_>, offset: &mut u64) -> Result<usize> {
        let mut done = 0;
        while dst.remaining() > 0 {
            // Looked at again for each page: a truncation meanwhile ends the read.
            let left = self.size().saturating_sub(*offset);
            let start = (*offset % PAGE) as usize;
            let len = (PAGE_SIZE - start).min(dst.remaining()) as u64;
            let len = len.min(left) as usize;
            if len == 0 {
                break;
            }
            let result = match self.pages.get(*offset / PAGE) {
                Some(frame) => dst.write_frame(&frame, start, len),
                None => dst.write_zeros(len),
            };
            match result {
                Ok(n) => {
                    done += n;
                    *offset += n as u64;
                    if n < len {
                        break;
                    }
                }
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    fn write(&self, file: &File, src: &mut IoSource<'_>, offset: &mut u64) -> Result<usize> {
        if src.remaining() == 0 {
            return Ok(0);
        }
        let inode = file.inode();
        let _lock = inode.lock().write();
        if file.flags().contains(OpenFlags::APPEND) {
            *offset = self.size();
        }
        if self.sealed(Seals::WRITE | Seals::FUTURE_WRITE) {
            return Err(Errno::EPERM);
        }
        let end = offset.checked_add(src.remaining() as u64).ok_or(Errno::EFBIG)?;
        if end > self.size() && self.sealed(Seals::GROW) {
            // As far as the present end, if there is anything before it.
            let room = self.size().saturating_sub(*offset);
            if room == 0 {
                return Err(Errno::EPERM);
            }
            src.limit(room as usize);
        }
        let node = node::of_file(file)?;
        if let Some(mode) = modify::without_privilege(inode)?.mode {
            node.set_mode(mode);
        }
        let result = self.write_pages(src, offset);
        node.modified();
        result
    }

    fn pollable(&self) -> bool {
        false
    }

    fn seekable(&self) -> bool {
        true
    }

    fn seek(&self, file: &File, offset: i64, whence: u32) -> Result<u64> {
        if !matches!(whence, seek::SEEK_DATA | seek::SEEK_HOLE) {
            return seek::by_size(file, offset, whence);
        }
        let size = self.size();
        let from = u64::try_from(offset).ok().filter(|&from| from < size).ok_or(Errno::ENXIO)?;
        let end = size.div_ceil(PAGE);
        let page = match whence {
            seek::SEEK_DATA => self.next_data(from / PAGE, end).ok_or(Errno::ENXIO)?,
            _ => self.next_hole(from / PAGE, end),
        };
        let to = from.max(page * PAGE).min(size);
        file.set_position(to);
        Ok(to)
    }

    fn page_source(&self, file: &File) -> Result<Arc<dyn PageSource>> {
        let node = node::of_file(file)?;
        let body = node.file().ok_or(Errno::ENODEV)?;
        Ok(body.clone())
    }

    fn fallocate(&self, file: &File, mode: u32, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len).filter(|&end| end <= MAX_SIZE).ok_or(Errno::EFBIG)?;
        let _lock = file.inode().lock().write();
        match mode {
            m if m == FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE => {
                if self.sealed(Seals::WRITE | Seals::FUTURE_WRITE) {
                    return Err(Errno::EPERM);
                }
                let (first, last) = (offset.div_ceil(PAGE), end / PAGE);
                if first <= last {
                    self.zero_part(offset, first * PAGE - offset);
                    self.zero_part(last * PAGE, end - last * PAGE);
                    self.remove_pages(first..last);
                    self.mappings.unmap(first..last, Copies::Stay);
                } else {
                    self.zero_part(offset, len);
                }
            }
            0 | FALLOC_KEEP_SIZE => {
                let grows = end > self.size();
                if grows && mode == 0 && self.sealed(Seals::GROW) {
                    return Err(Errno::EPERM);
                }
                for index in offset / PAGE..end.div_ceil(PAGE) {
                    if self.pages.get(index).is_none() {
                        let fresh = Frame::alloc_zeroed(PageKind::Shmem)?;
                        fresh.set_aside();
                        self.add_page(index, fresh)?;
                    }
                    if crate::process::signal::pending(&crate::sched::current()) {
                        return Err(Errno::EINTR);
                    }
                }
                if mode == 0 {
                    self.size.fetch_max(end, Ordering::Release);
                }
            }
            _ => return Err(Errno::EOPNOTSUPP),
        }
        node::of_file(file)?.modified();
        Ok(())
    }

    fn seals(&self) -> Result<&AtomicU32> {
        Ok(&self.seals)
    }

    fn add_seals(&self, file: &File, seals: u32) -> Result<()> {
        let seals = Seals::from_bits(seals).ok_or(Errno::EINVAL)?;
        let _lock = file.inode().lock().write();
        if self.sealed(Seals::SEAL) {
            return Err(Errno::EPERM);
        }
        if seals.contains(Seals::WRITE) && !self.writers.get().is_none_or(|writers| writers.deny())
        {
            return Err(Errno::EBUSY);
        }
        self.seals.fetch_or(seals.bits(), Ordering::Release);
        Ok(())
    }

    fn shared_writing(&self) -> Result<Option<Arc<dyn SharedWriting>>> {
        let Some(writers) = self.writers.get() else { return Ok(None) };
        Ok(Some(writers.join().ok_or(Errno::EPERM)?))
    }

    fn sync(&self, _: &File, _: bool) -> Result<()> {
        Ok(())
    }

    fn opened(&self, file: &File) {
        if let Some(node) = node::of(file.inode()) {
            node.opened();
        }
    }

    fn release(&self, file: &File) {
        if let Some(node) = node::of(file.inode()) {
            node.closed();
        }
    }

    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

impl PageSource for FileBody {
    /// Nothing is written back, so nobody asks what is dirty.
    fn wants_write_notice(&self) -> bool {
        false
    }

    fn mappings(&self) -> Option<&Mappings> {
        Some(&self.mappings)
    }

    fn page(&self, index: PageIndex, _write: bool) -> Result<Frame> {
        let beyond = || index.0 >= self.size().div_ceil(PAGE);
        if beyond() {
            return Err(Errno::ENXIO);
        }
        let frame = self.page_or_zeroed(index.0)?;
        frame.put_to_use();
        if beyond() {
            // Truncated meanwhile, perhaps before the page was added.
            self.remove_pages(self.size().div_ceil(PAGE)..u64::MAX);
            return Err(Errno::ENXIO);
        }
        Ok(frame)
    }

    fn cached_pages(&self) -> Option<CachedPages<'_>> {
        Some(CachedPages::new(&self.pages, PageIndex(self.size().div_ceil(PAGE))))
    }
}

/// How many shared mappings of a file may be written, or that there must be none any more.
struct Writers(AtomicI64);

/// What each of these mappings keeps.
struct Writing(Arc<Writers>);

impl Writers {
    const DENIED: i64 = -1;

    fn join(self: &Arc<Writers>) -> Option<Arc<Writing>> {
        let more = |count| (count != Self::DENIED).then_some(count + 1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Arc::new(Writing(Arc::clone(self))))
    }

    /// Forbids them; whether there are none.
    fn deny(&self) -> bool {
        let old = self.0.compare_exchange(0, Self::DENIED, Ordering::AcqRel, Ordering::Acquire);
        matches!(old, Ok(_) | Err(Self::DENIED))
    }
}

impl SharedWriting for Writing {}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether seals forbid new writable shared mappings of a file.
pub fn is_write_sealed(file: &File) -> bool {
    let writes = Seals::WRITE | Seals::FUTURE_WRITE;
    file.ops().seals().is_ok_and(|seals| seals.load(Ordering::Acquire) & writes.bits() != 0)
}

/// Where memfds and segments live: an instance without limits that is mounted nowhere.
static MEMFDS: Lazy<Arc<Tmpfs>> = Lazy::new(|| {
    let mode = FileMode(0o1777);
    let options = Options { max_pages: 0, max_inodes: 0, mode, uid: Uid(0), gid: Gid(0) };
    Tmpfs::new("tmpfs", options)
});

/// The pages of a System V segment of `size` bytes, which may have been promised: a file without a name, shown as `name` with the inode
/// number `ino`. Its place and its operations.
pub fn new_segment(
    name: &[u8],
    ino: u64,
    size: u64,
    promise: Option<Commitment>,
) -> Result<(Path, Arc<dyn FileOps>)> {
    let who = crate::fs::current_credentials();
    let owner = Ownership { mode: FileMode(0o777), uid: who.euid, gid: who.egid };
    let inode = node::new_unnamed(&MEMFDS, ino, owner)?;
    let body = node::of(&inode).and_then(node::Node::file).cloned().ok_or(Errno::EINVAL)?;
    if let Some(promise) = promise {
        body.promise.call_once(|| promise);
    }
    body.resize(size)?;
    let path = Path { mount: anonymous::mount(), dentry: Dentry::new(None, name, inode) };
    Ok((path, body))
}

/// `memfd_create(2)`: a file without a name, shown as `/memfd:name (deleted)`.
pub fn new_memfd(name: &[u8], sealable: bool, executable: bool) -> Result<Arc<File>> {
    let mode = FileMode(if executable { 0o777 } else { 0o666 });
    let who = crate::fs::current_credentials();
    let root = node::of(&MEMFDS.root).ok_or(Errno::EINVAL)?;
    let inode = root.create_unnamed(&MEMFDS.root, mode, false, &who)?;
    let body = node::of(&inode).and_then(node::Node::file).cloned().ok_or(Errno::EINVAL)?;
    if sealable {
        body.writers.call_once(|| Arc::new(Writers(AtomicI64::new(0))));
        body.seals.store(0, Ordering::Release);
    }
    let shown = [b"/memfd:", name, b" (deleted)"].concat();
    let path = Path { mount: anonymous::mount(), dentry: Dentry::new(None, &shown, inode) };
    // As on Linux, no counted writer: its creator may run it.
    File::new(path, OpenFlags::RDWR | OpenFlags::LARGEFILE, body)
}
