//! `madvise(2)`, `msync(2)`, `mincore(2)`.

use super::{
    AddressSpace, Map,
    huge::Part,
    map::{page_align, page_range},
    tables::is_mapped,
    tlb::Gather,
    vma::{Backing, Vma, VmaFlags},
};
use crate::{
    arch::paging::PteFlags,
    mm::{PAGE_SIZE, PageIndex, fault::Access, huge::HUGE_SIZE, try_alloc},
};
use abi::{Errno, Result};
use alloc::vec::Vec;
use core::ops::Range;

/// `MADV_*`: what is advised of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Advice {
    /// No particular order of access.
    Normal = 0,
    /// Random access.
    Random = 1,
    /// Sequential access.
    Sequential = 2,
    /// Will be used soon.
    WillNeed = 3,
    /// Private changes are given up; the next access starts afresh.
    DontNeed = 4,
    /// The content may go when memory is short.
    Free = 8,
    /// The object gives up what is shown: a hole in the file.
    Remove = 9,
    /// Not in children.
    DontFork = 10,
    /// In children again.
    DoFork = 11,
    /// Pages may be merged with equal ones.
    Mergeable = 12,
    /// Not merged any more.
    Unmergeable = 13,
    /// Huge pages are welcome.
    HugePage = 14,
    /// No huge pages.
    NoHugePage = 15,
    /// Not in core dumps.
    DontDump = 16,
    /// In core dumps again.
    DoDump = 17,
    /// Zeros in children.
    WipeOnFork = 18,
    /// Copied to children again.
    KeepOnFork = 19,
    /// Not used for a while.
    Cold = 20,
    /// Not used for long.
    PageOut = 21,
    /// Bring in for reading.
    PopulateRead = 22,
    /// Bring in for writing.
    PopulateWrite = 23,
    /// As `DontNeed`, of locked memory too.
    DontNeedLocked = 24,
    /// Huge pages, now.
    Collapse = 25,
}

impl Advice {
    /// By number; `EINVAL`.
    pub fn from_number(number: i32) -> Result<Advice> {
        use Advice::*;
        [
            Normal,
            Random,
            Sequential,
            WillNeed,
            DontNeed,
            Free,
            Remove,
            DontFork,
            DoFork,
            Mergeable,
            Unmergeable,
            HugePage,
            NoHugePage,
            DontDump,
            DoDump,
            WipeOnFork,
            KeepOnFork,
            Cold,
            PageOut,
            PopulateRead,
            PopulateWrite,
            DontNeedLocked,
            Collapse,
        ]
        .into_iter()
        .find(|&advice| advice as i32 == number)
        .ok_or(Errno::EINVAL)
    }

    /// The flags that the advice sets and clears.
    fn flag_change(self) -> Option<(VmaFlags, VmaFlags)> {
        const NONE: VmaFlags = VmaFlags::empty();
        let order = VmaFlags::RANDOM | VmaFlags::SEQUENTIAL;
        Some(match self {
            Advice::Normal => (NONE, order),
            Advice::Random => (VmaFlags::RANDOM, order),
            Advice::Sequential => (VmaFlags::SEQUENTIAL, order),
            Advice::DontFork => (VmaFlags::DONT_COPY, NONE),
            Advice::DoFork => (NONE, VmaFlags::DONT_COPY),
            Advice::Mergeable => (VmaFlags::MERGEABLE, NONE),
            Advice::Unmergeable => (NONE, VmaFlags::MERGEABLE),
            Advice::HugePage => (VmaFlags::HUGE, VmaFlags::NO_HUGE),
            Advice::NoHugePage => (VmaFlags::NO_HUGE, VmaFlags::HUGE),
            Advice::DontDump => (VmaFlags::DONT_DUMP, NONE),
            Advice::DoDump => (NONE, VmaFlags::DONT_DUMP),
            Advice::WipeOnFork => (VmaFlags::WIPE_ON_FORK, NONE),
            Advice::KeepOnFork => (NONE, VmaFlags::WIPE_ON_FORK),
            _ => return None,
        })
    }
}

impl AddressSpace {
    /// `madvise(2)`.
    pub fn advise(&self, addr: usize, len: usize, advice: Advice) -> Result<()> {
        let range = page_range(addr, len)?;
        if range.is_empty() {
            return Ok(());
        }
        match advice {
            Advice::Remove => self.remove(range),
            Advice::Collapse => self.collapse(range),
            Advice::PopulateRead => self.populate_for(range, Some(Access::Read)),
            Advice::PopulateWrite => self.populate_for(range, Some(Access::Write)),
            _ => match advice.flag_change() {
                Some((set, clear)) => self.advise_flags(range, advice, set, clear),
                None => {
                    let result = self.advise_pages(range, advice);
                    if advice == Advice::Free {
                        self.may_be_freed_lazily();
                    }
                    result
                }
            },
        }
    }

    /// `MADV_REMOVE`: of shared mappings that are writable, or may be made so.
    fn remove(&self, range: Range<usize>) -> Result<()> {
        let (mut at, mut hole) = (range.start, false);
        while at < range.end {
            let (object, pages) = {
                let map = self.read_map();
                let Some(entry) = map.vmas.find(at).filter(|entry| entry.start < range.end) else {
                    break;
                };
                hole |= entry.start > at;
                let start = at.max(entry.start);
                at = entry.end.min(range.end);
                let Backing::Object(object) = &entry.value.backing else {
                    return Err(Errno::EINVAL);
                };
                let flags = entry.value.flags;
                if flags.contains(VmaFlags::LOCKED) {
                    return Err(Errno::EINVAL);
                }
                if !flags.contains(VmaFlags::SHARED | VmaFlags::MAY_WRITE) {
                    return Err(Errno::EACCES);
                }
                let first = entry.value.page_index(entry.start, start).0;
                (object.clone(), first..first + ((at - start) / PAGE_SIZE) as u64)
            };
            // Without the lock: the object takes the pages out of all spaces that show them.
            object.remove(pages)?;
        }
        if hole || at < range.end { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Advice that is remembered with the mapping.
    fn advise_flags(
        &self,
        range: Range<usize>,
        advice: Advice,
        set: VmaFlags,
        clear: VmaFlags,
    ) -> Result<()> {
        let mut map = self.write_map_killable()?;
        let (mut at, mut hole) = (range.start, false);
        let mut result = Ok(());
        while at < range.end
            && let Some(entry) = map.vmas.find(at).filter(|entry| entry.start < range.end)
        {
            hole |= entry.start > at;
            let part = at.max(entry.start)..entry.end.min(range.end);
            let old = entry.value.flags;
            result = may_flag(&entry.value, advice);
            if result.is_err() {
                break;
            }
            let new = old.difference(clear) | set;
            if new != old {
                let split = map.split_at(part.start).and_then(|()| map.split_at(part.end));
                if split.is_err() {
                    result = Err(Errno::ENOMEM);
                    break;
                }
                map.set_flags(part.start, new);
            }
            at = part.end;
        }
        map.merge_range(range.start..at.max(range.start));
        match advice {
            Advice::HugePage => self.note_small_pages(),
            Advice::NoHugePage => {
                // As on Linux, no huge page is in a mapping that refuses them and in one that does not.
                let cut = |addr: &usize| !addr.is_multiple_of(HUGE_SIZE);
                [range.start, range.end].into_iter().filter(cut).for_each(|at| self.split_at(at));
            }
            _ => {}
        }
        result?;
        if hole || at < range.end { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Advice about the pages there are now.
    fn advise_pages(&self, range: Range<usize>, advice: Advice) -> Result<()> {
        if advice == Advice::DontNeedLocked {
            // Pages of locked mappings go only while none comes.
            let map = self.write_map_killable()?;
            return self.advise_held(&map, range, advice);
        }
        self.advise_held(&self.read_map(), range, advice)
    }

    fn advise_held(&self, map: &Map, range: Range<usize>, advice: Advice) -> Result<()> {
        let mut gather = Gather::new(self);
        let (mut at, mut hole) = (range.start, false);
        for entry in map.vmas.overlapping(range.clone()) {
            hole |= entry.start > at;
            let part = entry.start.max(range.start)..entry.end.min(range.end);
            let vma = &entry.value;
            vma.check_advice(advice)?;
            match advice {
                Advice::DontNeed | Advice::Free
                    if vma.flags.intersects(VmaFlags::LOCKED | VmaFlags::FOREIGN) =>
                {
                    return Err(Errno::EINVAL);
                }
                Advice::DontNeedLocked if vma.flags.contains(VmaFlags::FOREIGN) => {
                    return Err(Errno::EINVAL);
                }
                Advice::DontNeed | Advice::DontNeedLocked => {
                    self.before_zap(vma, part.clone(), |_| true);
                    self.zap(part.clone(), &mut gather);
                }
                Advice::Free => {
                    if !matches!(vma.backing, Backing::Anonymous) {
                        return Err(Errno::EINVAL);
                    }
                    let marks = PteFlags::DIRTY | PteFlags::ACCESSED;
                    self.clear_marks(part.clone(), marks, &mut gather);
                }
                Advice::Cold | Advice::PageOut if vma.flags.contains(VmaFlags::LOCKED) => {
                    return Err(Errno::EINVAL);
                }
                Advice::Cold => self.clear_marks(part.clone(), PteFlags::ACCESSED, &mut gather),
                Advice::PageOut if vma.flags.contains(VmaFlags::DROPPABLE) => {
                    self.zap(part.clone(), &mut gather);
                }
                // What is read in soon is what faults bring in, and there is no swap to page out to.
                _ => {}
            }
            at = part.end;
        }
        if hole || at < range.end { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// Takes flags from the entries of a range.
    pub(super) fn clear_marks(
        &self,
        range: Range<usize>,
        marks: PteFlags,
        gather: &mut Gather<'_>,
    ) {
        // The visit never fails.
        let _ = self.for_each_whole(range.clone(), |part| {
            let leaf = match part {
                Part::Leaf(leaf) => leaf,
                Part::Huge(huge) => {
                    if huge.entry().flags().intersects(marks) {
                        huge.clear_flags(marks);
                        gather.touch_huge(huge.range().start);
                    }
                    return Ok(());
                }
            };
            let _guard = leaf.lock();
            for index in leaf.indices(&range) {
                if leaf.table().load(index).flags().intersects(marks) {
                    leaf.table().clear_flags(index, marks);
                    gather.touch(leaf.addr_of(index));
                }
            }
            Ok(())
        });
    }

    /// `msync(2)` of a range: `invalidate` is refused for locked pages; `write_back` waits for files.
    pub fn sync(&self, addr: usize, len: usize, invalidate: bool, write_back: bool) -> Result<()> {
        if !addr.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let end = page_align(len).and_then(|len| addr.checked_add(len)).ok_or(Errno::ENOMEM)?;
        let mut at = addr;
        let mut hole = false;
        while at < end {
            let file = {
                let map = self.read_map();
                let Some(entry) = map.vmas.find(at).filter(|entry| entry.start < end) else {
                    return Err(Errno::ENOMEM);
                };
                hole |= entry.start > at;
                let flags = entry.value.flags;
                if invalidate && flags.contains(VmaFlags::LOCKED) {
                    return Err(Errno::EBUSY);
                }
                at = entry.end;
                match &entry.value.backing {
                    Backing::Object(object) if write_back && flags.contains(VmaFlags::SHARED) => {
                        object.file.clone()
                    }
                    _ => None,
                }
            };
            if let Some(file) = file {
                file.ops().sync(&file, true)?;
            }
        }
        if hole { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// `mincore(2)`: a byte a page, 1 for those in memory. `ENOMEM` where nothing is mapped.
    pub fn resident_pages(&self, range: Range<usize>) -> Result<Vec<u8>> {
        let mut pages = try_alloc::zeroed_bytes(range.len() / PAGE_SIZE)?;
        let map = self.read_map();
        let mut at = range.start;
        for entry in map.vmas.overlapping(range.clone()) {
            if entry.start > at {
                return Err(Errno::ENOMEM);
            }
            let part = at..entry.end.min(range.end);
            let slots =
                (part.start - range.start) / PAGE_SIZE..(part.end - range.start) / PAGE_SIZE;
            self.mark_resident(&entry.value, entry.start, part.clone(), &mut pages[slots]);
            at = part.end;
        }
        if at < range.end { Err(Errno::ENOMEM) } else { Ok(pages) }
    }

    fn mark_resident(&self, vma: &Vma, start: usize, part: Range<usize>, pages: &mut [u8]) {
        if let Backing::Object(object) = &vma.backing {
            let first = vma.page_index(start, part.start);
            let last = PageIndex(first.0 + pages.len() as u64);
            if let Some(cached) = object.source.cached_pages() {
                cached.for_each(first..last, |index, frame| {
                    if !frame.is_set_aside()
                        && let Some(page) = pages.get_mut((index.0 - first.0) as usize)
                    {
                        *page = 1;
                    }
                });
            }
        }
        // The visit never fails.
        let _ = self.tables.for_each_part(part.clone(), |tables| {
            let leaf = match tables {
                Part::Leaf(leaf) => leaf,
                Part::Huge(huge) => {
                    for (addr, _) in huge.entries_in(&part) {
                        pages[(addr - part.start) / PAGE_SIZE] = 1;
                    }
                    return Ok(());
                }
            };
            for index in leaf.indices(&part) {
                if is_mapped(leaf.table().load(index)) {
                    pages[(leaf.addr_of(index) - part.start) / PAGE_SIZE] = 1;
                }
            }
            Ok(())
        });
    }
}

/// Whether a mapping may be flagged so: `EPERM`, `EINVAL`.
fn may_flag(vma: &Vma, advice: Advice) -> Result<()> {
    vma.check_advice(advice)?;
    let has = |flags| vma.flags.intersects(flags);
    let wrong = match advice {
        Advice::WipeOnFork => !matches!(vma.backing, Backing::Anonymous),
        Advice::KeepOnFork => has(VmaFlags::DROPPABLE),
        Advice::DoDump => has(VmaFlags::DROPPABLE | VmaFlags::SPECIAL | VmaFlags::FOREIGN),
        _ => false,
    };
    if wrong { Err(Errno::EINVAL) } else { Ok(()) }
}
