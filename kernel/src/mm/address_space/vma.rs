//! One mapping of an address space.

use super::{MappingWatcher, PageSource, Prot, SharedWriting};
use crate::{
    arch::paging::PteFlags,
    fs::File,
    mm::{PAGE_SIZE, PageIndex},
};
use abi::Result;
use alloc::sync::Arc;
use core::ops::Range;

bitflags::bitflags! {
    /// What a mapping allows and how it behaves (`VM_*` on Linux).
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct VmaFlags: u32 {
        /// May be read.
        const READ = 1 << 0;
        /// May be written.
        const WRITE = 1 << 1;
        /// May be executed.
        const EXEC = 1 << 2;
        /// `mprotect` may allow reading.
        const MAY_READ = 1 << 4;
        /// `mprotect` may allow writing.
        const MAY_WRITE = 1 << 5;
        /// `mprotect` may allow execution.
        const MAY_EXEC = 1 << 6;
        /// Writes go to the object.
        const SHARED = 1 << 7;
        /// Grows down when touched below.
        const GROWSDOWN = 1 << 8;
        /// `mlock`.
        const LOCKED = 1 << 9;
        /// `MLOCK_ONFAULT`: pages are locked once they come, not brought in.
        const LOCK_ON_FAULT = 1 << 10;
        /// Counted as committed memory.
        const ACCOUNTED = 1 << 11;
        /// `MAP_NORESERVE`.
        const NORESERVE = 1 << 12;
        /// `MADV_DONTFORK`.
        const DONT_COPY = 1 << 13;
        /// `MADV_WIPEONFORK`.
        const WIPE_ON_FORK = 1 << 14;
        /// `MADV_DONTDUMP`.
        const DONT_DUMP = 1 << 15;
        /// `MADV_SEQUENTIAL`.
        const SEQUENTIAL = 1 << 16;
        /// `MADV_RANDOM`.
        const RANDOM = 1 << 17;
        /// `MADV_HUGEPAGE`.
        const HUGE = 1 << 18;
        /// `MADV_NOHUGEPAGE`.
        const NO_HUGE = 1 << 19;
        /// `MADV_MERGEABLE`.
        const MERGEABLE = 1 << 20;
        /// The kernel's own: keeps its size, is not split, merged or locked.
        const SPECIAL = 1 << 21;
        /// Its pages are no memory of the space's (`VM_PFNMAP`).
        const FOREIGN = 1 << 22;
        /// New since the marks of written pages were last cleared: all of it counts as written (`VM_SOFTDIRTY`).
        const SOFT_DIRTY = 1 << 23;
        /// `mseal`: stays as it is.
        const SEALED = 1 << 24;
        /// `MAP_DROPPABLE`: its pages may go at any time.
        const DROPPABLE = 1 << 25;
    }
}

/// Any way to access.
pub const ACCESS: VmaFlags = VmaFlags::READ.union(VmaFlags::WRITE).union(VmaFlags::EXEC);

/// What is behind a mapping.
#[derive(Clone)]
pub enum Backing {
    /// Private zero pages.
    Anonymous,
    /// An object's pages.
    Object(Object),
}

/// An object that is mapped.
#[derive(Clone)]
pub struct Object {
    /// Where its pages come from.
    pub source: Arc<dyn PageSource>,
    /// The file, for files.
    pub file: Option<Arc<File>>,
    /// The page that the mapping starts with.
    pub first: u64,
    /// Who counts its mappings.
    pub watcher: Option<Arc<dyn MappingWatcher>>,
    /// Held by a shared mapping that is or may become writable, and by the parts and copies of it.
    pub writing: Option<Arc<dyn SharedWriting>>,
}

impl Object {
    /// Whether both were mapped by the same open file, or show the same memory without one.
    pub fn shows_same(&self, other: &Object) -> bool {
        let same_file = match (&self.file, &other.file) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same_file && Arc::ptr_eq(&self.source, &other.source)
    }

    /// Makes a hole of its pages.
    pub fn remove(&self, pages: Range<u64>) -> Result<()> {
        let Some(file) = &self.file else { return self.source.remove(pages) };
        let bytes = |pages| pages * PAGE_SIZE as u64;
        file.ops().fallocate(file, HOLE, bytes(pages.start), bytes(pages.end - pages.start))
    }
}

/// `FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE`.
const HOLE: u32 = 1 | 2;

/// One mapping.
#[derive(Clone)]
pub struct Vma {
    /// Permissions and behaviour.
    pub flags: VmaFlags,
    /// Content.
    pub backing: Backing,
}

impl Vma {
    /// Whether it is private memory: what is written becomes this space's own.
    pub fn is_private(&self) -> bool {
        !self.flags.contains(VmaFlags::SHARED)
    }

    /// Whether writes go to the object, or would: it was mapped by somebody who may (`VM_SHARED`).
    pub fn writes_through(&self) -> bool {
        let writable = |object: &Object| object.file.as_ref().is_none_or(|f| f.flags().writable());
        self.flags.contains(VmaFlags::SHARED)
            && matches!(&self.backing, Backing::Object(object) if writable(object))
    }

    /// Who counts the mappings of the object.
    pub fn watcher(&self) -> Option<&Arc<dyn MappingWatcher>> {
        match &self.backing {
            Backing::Object(object) => object.watcher.as_ref(),
            Backing::Anonymous => None,
        }
    }

    /// Tells whoever counts the mapping that it has gone.
    pub fn has_gone(&self) {
        if let Some(watcher) = self.watcher() {
            watcher.unmapped();
        }
    }

    /// The object's page shown at `addr` of a mapping that starts at `start`.
    pub fn page_index(&self, start: usize, addr: usize) -> PageIndex {
        let first = match &self.backing {
            Backing::Object(object) => object.first,
            Backing::Anonymous => 0,
        };
        PageIndex(first + ((addr - start) / PAGE_SIZE) as u64)
    }

    /// The same mapping from `offset` bytes on: for the upper part of a split.
    pub fn starting_at(&self, offset: usize) -> Vma {
        let mut vma = self.clone();
        if let Backing::Object(object) = &mut vma.backing {
            object.first += (offset / PAGE_SIZE) as u64;
        }
        vma
    }

    /// Whether the mapping `above`, which starts where this one of `len` bytes ends, goes on with the same: they can be one.
    pub fn continues_in(&self, len: usize, above: &Vma) -> bool {
        let differ = self.flags ^ above.flags;
        if !VmaFlags::SOFT_DIRTY.contains(differ) || self.flags.contains(VmaFlags::SPECIAL) {
            return false;
        }
        match (&self.backing, &above.backing) {
            (Backing::Anonymous, Backing::Anonymous) => true,
            (Backing::Object(a), Backing::Object(b)) => {
                // Those that are counted stay as many as they are.
                a.watcher.is_none()
                    && b.watcher.is_none()
                    && a.shows_same(b)
                    && a.first + (len / PAGE_SIZE) as u64 == b.first
            }
            _ => false,
        }
    }

    /// The page-table flags of a page that may not be written (yet).
    pub fn protection(&self) -> PteFlags {
        protection(self.flags)
    }

    /// Pages that count as committed memory.
    pub fn committed(&self, range: Range<usize>) -> usize {
        if self.flags.contains(VmaFlags::ACCOUNTED) { range.len() / PAGE_SIZE } else { 0 }
    }

    /// The protection bits, as `PROT_*`.
    pub fn prot(&self) -> Prot {
        Prot::from_bits_truncate(self.flags.bits())
    }
}

/// A page mapped but with all access forbidden: not present for the CPU, and told from an empty entry by this bit.
pub const FORBIDDEN: PteFlags = PteFlags::GLOBAL;

/// The page-table flags for a mapping's flags, without the right to write.
pub fn protection(flags: VmaFlags) -> PteFlags {
    if !flags.intersects(ACCESS) {
        return FORBIDDEN | PteFlags::USER | PteFlags::NO_EXECUTE;
    }
    let base = PteFlags::PRESENT | PteFlags::USER;
    if flags.contains(VmaFlags::EXEC) { base } else { base | PteFlags::NO_EXECUTE }
}

/// `PROT_*` as mapping flags.
pub fn access_flags(prot: Prot) -> VmaFlags {
    VmaFlags::from_bits_truncate(prot.bits()) & ACCESS
}
