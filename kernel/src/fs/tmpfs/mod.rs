//! tmpfs: files that live in the page cache and nowhere else. The root file system, `/tmp`, `/dev/shm` and memfds are this.
//!
//! Locks: the VFS's inode lock orders changes. Inside, attributes are a sequence lock, a directory's entries a leaf spin lock, a
//! file's pages a tree read under RCU; the instance's counts are atomics.

use super::{
    DeviceId, FileMode, FileSystem, FileType, Inode,
    mount::{self, FileSystemType, StatFs},
};
use crate::{
    mm::{self, MemoryStats, PAGE_SIZE},
    process::{Gid, Uid},
    sync::rcu,
};
use abi::{Errno, Result};
use alloc::{string::String, sync::Arc};
use core::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

mod departure;
mod directory;
mod file;
mod node;

use departure::Departed;

pub use file::{is_write_sealed, new_memfd, new_segment};
pub use node::{Node, of as node_of};

const TMPFS_MAGIC: u64 = 0x0102_1994;
/// An instance looks at free memory once in so many pages and inodes.
const LOOK_EVERY: u64 = 32;

/// Limits and counts of an instance. Zero limits are none.
pub struct Shared {
    device: DeviceId,
    max_pages: AtomicU64,
    pages: AtomicU64,
    /// How many files lost their last name, and how many of them had when a grace period was last waited for.
    removed: AtomicU64,
    settled: AtomicU64,
    max_inodes: AtomicU64,
    inodes: AtomicU64,
    next_ino: AtomicU64,
    departed: Departed,
}

impl Shared {
    /// Counts `n` pages; `ENOSPC` over the limit, and when they would take what memory is left for all else. The same of an inode.
    fn charge_pages(&self, n: u64) -> Result<()> {
        self.charge(&self.pages, &self.max_pages, n)
    }
    fn uncharge_pages(&self, n: u64) {
        self.pages.fetch_sub(n, Ordering::Relaxed);
    }
    fn charge_inode(&self) -> Result<()> {
        self.charge(&self.inodes, &self.max_inodes, 1)
    }
    fn uncharge_inode(&self) {
        self.inodes.fetch_sub(1, Ordering::Relaxed);
    }

    /// Before the limit is reported, what was removed gives back what it had.
    fn charge(&self, count: &AtomicU64, max: &AtomicU64, n: u64) -> Result<()> {
        let before = try_charge(count, max, n).or_else(|_| {
            self.settle();
            try_charge(count, max, n)
        })?;
        if before % LOOK_EVERY < n && !mm::files_may_grow() {
            count.fetch_sub(n, Ordering::Relaxed);
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    /// Notes that a file lost its last name.
    fn note_removal(&self) {
        self.removed.fetch_add(1, Ordering::Relaxed);
    }

    /// Files that were removed give their pages and inodes back after a grace period: waits for one, unless nothing was removed
    /// since the last.
    fn settle(&self) {
        let removed = self.removed.load(Ordering::Relaxed);
        if self.settled.load(Ordering::Relaxed) != removed {
            rcu::barrier();
            self.settled.store(removed, Ordering::Relaxed);
        }
    }
}

fn try_charge(count: &AtomicU64, max: &AtomicU64, n: u64) -> Result<u64> {
    let max = max.load(Ordering::Relaxed);
    let before = count.fetch_add(n, Ordering::Relaxed);
    if max != 0 && before + n > max {
        count.fetch_sub(n, Ordering::Relaxed);
        return Err(Errno::ENOSPC);
    }
    Ok(before)
}

/// Options of `mount -t tmpfs -o …`.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `size=` or `nr_blocks=`, in pages; 0 is no limit.
    pub max_pages: u64,
    /// `nr_inodes=`; 0 is no limit.
    pub max_inodes: u64,
    /// `mode=` of the root.
    pub mode: FileMode,
    /// `uid=` of the root.
    pub uid: Uid,
    /// `gid=` of the root.
    pub gid: Gid,
}

impl Options {
    /// Half of memory, half as many inodes as pages, a root that anybody may use.
    pub fn defaults() -> Options {
        let half = (MemoryStats::now().total / 2) as u64;
        let mode = FileMode(0o1777);
        Options { max_pages: half, max_inodes: half, mode, uid: Uid(0), gid: Gid(0) }
    }

    /// Parses the data of `mount(2)`; `EINVAL` for what is unknown or malformed.
    pub fn parse(data: &[u8], base: Options) -> Result<Options> {
        let mut options = base;
        let text = core::str::from_utf8(data).map_err(|_| Errno::EINVAL)?;
        for option in text.split(',').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match key {
                "size" => {
                    options.max_pages = match value.strip_suffix('%') {
                        Some(percent) => {
                            let percent: u64 = percent.parse().map_err(|_| Errno::EINVAL)?;
                            MemoryStats::now().total as u64 * percent.min(1 << 20) / 100
                        }
                        None => parse_size(value)?.div_ceil(PAGE_SIZE as u64),
                    }
                }
                "nr_blocks" => options.max_pages = parse_size(value)?,
                "nr_inodes" => options.max_inodes = parse_size(value)?,
                "mode" => {
                    let mode = u16::from_str_radix(value, 8).map_err(|_| Errno::EINVAL)?;
                    options.mode = FileMode(mode & 0o7777);
                }
                "uid" => options.uid = Uid(value.parse().map_err(|_| Errno::EINVAL)?),
                "gid" => options.gid = Gid(value.parse().map_err(|_| Errno::EINVAL)?),
                // Accepted and without effect on Linux builds without huge pages in tmpfs or NUMA, too.
                "inode32" | "inode64" => {}
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(options)
    }
}

/// A number with a suffix K, M, G, T, P or E (`memparse`).
fn parse_size(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        "e" => 60,
        _ => return Err(Errno::EINVAL),
    };
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    number.ok().and_then(|n: u64| n.checked_mul(1 << shift)).ok_or(Errno::EINVAL)
}

/// An instance.
pub struct Tmpfs {
    shared: Arc<Shared>,
    root: Arc<Inode>,
    type_name: &'static str,
    options: Options,
}

impl Tmpfs {
    /// A new, empty instance; `type_name` is what `/proc/mounts` calls it.
    pub fn new(type_name: &'static str, options: Options) -> Arc<Tmpfs> {
        let shared = Arc::new(Shared {
            device: mount::next_anonymous_device(),
            max_pages: AtomicU64::new(options.max_pages),
            pages: AtomicU64::new(0),
            removed: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            max_inodes: AtomicU64::new(options.max_inodes),
            inodes: AtomicU64::new(1),
            next_ino: AtomicU64::new(1),
            departed: Departed::default(),
        });
        Arc::new_cyclic(|weak: &alloc::sync::Weak<Tmpfs>| {
            let owner = super::Ownership { mode: options.mode, uid: options.uid, gid: options.gid };
            let root = node::new_inode(
                weak.clone(),
                &shared,
                FileType::Directory,
                owner,
                DeviceId::default(),
                node::Content::Empty,
            );
            Tmpfs { shared: shared.clone(), root, type_name, options }
        })
    }

    /// Pages in use, for `/proc/meminfo`.
    pub fn pages(&self) -> u64 {
        self.shared.pages.load(Ordering::Relaxed)
    }
}

impl FileSystem for Tmpfs {
    fn type_name(&self) -> &'static str {
        self.type_name
    }
    fn root(&self) -> Arc<Inode> {
        self.root.clone()
    }
    fn device(&self) -> DeviceId {
        self.shared.device
    }
    fn stat(&self) -> Result<StatFs> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let shared = &self.shared;
        let (pages, inodes) = shared.departed.counts();
        let blocks = load(&shared.max_pages);
        let free = blocks.saturating_sub(load(&shared.pages).saturating_sub(pages));
        let files = load(&shared.max_inodes);
        Ok(StatFs {
            magic: TMPFS_MAGIC,
            block_size: PAGE_SIZE as u64,
            blocks,
            blocks_free: free,
            blocks_available: free,
            files,
            files_free: files.saturating_sub(load(&shared.inodes).saturating_sub(inodes)),
            name_max: 255,
        })
    }
    fn show_options(&self, out: &mut String) {
        let Options { max_pages, max_inodes, mode, uid, gid } = self.options;
        let mut show = |text: core::fmt::Arguments<'_>| {
            // Writing to a String does not fail.
            let _ = out.write_fmt(text);
        };
        // As on Linux: what is the default is not shown.
        let defaults = Options::defaults();
        if max_pages != defaults.max_pages {
            show(format_args!(",size={}k", max_pages * (PAGE_SIZE as u64 / 1024)));
        }
        if max_inodes != defaults.max_inodes {
            show(format_args!(",nr_inodes={max_inodes}"));
        }
        if mode.0 != 0o1777 {
            show(format_args!(",mode={:03o}", mode.0));
        }
        if uid.0 != 0 {
            show(format_args!(",uid={}", uid.0));
        }
        if gid.0 != 0 {
            show(format_args!(",gid={}", gid.0));
        }
        show(format_args!(",inode64"));
    }
    fn reconfigure(&self, data: &[u8]) -> Result<()> {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let now = Options {
            max_pages: load(&self.shared.max_pages),
            max_inodes: load(&self.shared.max_inodes),
            ..self.options
        };
        let new = Options::parse(data, now)?;
        let too_small = |max, used| max != 0 && max < used;
        if too_small(new.max_pages, self.pages())
            || too_small(new.max_inodes, load(&self.shared.inodes))
        {
            return Err(Errno::EINVAL);
        }
        self.shared.max_pages.store(new.max_pages, Ordering::Relaxed);
        self.shared.max_inodes.store(new.max_inodes, Ordering::Relaxed);
        Ok(())
    }
}

/// `mount -t tmpfs`.
struct TmpfsType(&'static str);

impl FileSystemType for TmpfsType {
    fn name(&self) -> &'static str {
        self.0
    }
    fn mount(&self, _source: &[u8], data: &[u8]) -> Result<Arc<dyn FileSystem>> {
        let base = match self.0 {
            // ramfs has no limits, and takes no notice of options it does not know.
            "ramfs" => Options { max_pages: 0, max_inodes: 0, ..Options::defaults() },
            _ => Options::defaults(),
        };
        Ok(Tmpfs::new(self.0, Options::parse(data, base)?))
    }
}

/// Registers the types that are tmpfs.
pub fn register() {
    mount::register(Arc::new(TmpfsType("tmpfs")));
    mount::register(Arc::new(TmpfsType("ramfs")));
}
