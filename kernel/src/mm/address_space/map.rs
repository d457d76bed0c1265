//! `mmap(2)`: checks, placement, and the map's own book-keeping.

use super::{
    AddressSpace, MMAP_MIN_ADDR, Map, MapKind, MapRequest, MmapFlags, Prot, Removed,
    STACK_GUARD_GAP, max_map_count,
    shmem::Shmem,
    tlb::Gather,
    vma::{Backing, Object, Vma, VmaFlags, access_flags},
};
use crate::{
    fs::{self, mount::MountFlags},
    mm::{PAGE_SIZE, USER_END, UserAddr, huge::HUGE_SIZE, overcommit},
    process::{self, Capability, Resource},
    sched,
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::ops::Range;
use vma_tree::{Entry, RangeMap};

/// `MAP_TYPE`: the bits that choose between shared and private.
const TYPE_MASK: u32 = 0xf;
const SHARED_VALIDATE: u32 = 3;
/// What `MAP_SHARED_VALIDATE` lets pass (`LEGACY_MAP_MASK`).
const KNOWN_TO_VALIDATE: u32 = MmapFlags::all().difference(MmapFlags::FIXED_NOREPLACE).bits()
    | DENYWRITE
    | EXECUTABLE
    | HUGETLB;
const DENYWRITE: u32 = 0x800;
const EXECUTABLE: u32 = 0x1000;
const HUGETLB: u32 = 0x4_0000;

/// Where the search from below starts (`TASK_UNMAPPED_BASE`).
const BOTTOM_UP_BASE: usize = (USER_END / 3) & !(PAGE_SIZE - 1);
/// `MAP_32BIT` searches here.
const LOW_2G: Range<usize> = 0x4000_0000..0x8000_0000;

/// The least and most room left for the stack.
const MIN_STACK_ROOM: u64 = 128 << 20;
const MAX_STACK_ROOM: u64 = USER_END as u64 / 6 * 5;
/// How far the stack's own place may move down.
const STACK_RANDOM: u64 = 0x3f_ffff << 12;
/// Bits of randomness in the place of mappings (`vm.mmap_rnd_bits`).
const RANDOM_BITS: u32 = 28;

pub(super) fn default_top() -> usize {
    top(8 << 20, None)
}

pub(super) fn top(stack_limit: u64, random: Option<u64>) -> usize {
    let pad = STACK_GUARD_GAP as u64 + if random.is_some() { STACK_RANDOM } else { 0 };
    let room = stack_limit.saturating_add(pad).clamp(MIN_STACK_ROOM, MAX_STACK_ROOM);
    let down = random.map_or(0, |random| random & ((1 << RANDOM_BITS) - 1)) << 12;
    let top = USER_END as u64 - room - down.min(USER_END as u64 / 6);
    top as usize & !(PAGE_SIZE - 1)
}

/// Rounds up to pages; `None` on overflow.
pub(super) fn page_align(len: usize) -> Option<usize> {
    len.checked_next_multiple_of(PAGE_SIZE)
}

/// The pages from `addr` on that hold `len` bytes. `EINVAL` unless `addr` is a page's and they end within all addresses.
pub(super) fn page_range(addr: usize, len: usize) -> Result<Range<usize>> {
    let end = page_align(len).and_then(|len| addr.checked_add(len));
    let end = end.filter(|_| addr.is_multiple_of(PAGE_SIZE)).ok_or(Errno::EINVAL)?;
    Ok(addr..end)
}

pub(super) fn limit_pages(resource: Resource) -> usize {
    let bytes = sched::current().process.limits().soft(resource);
    usize::try_from(bytes / PAGE_SIZE as u64).unwrap_or(usize::MAX)
}

pub(super) fn may_lock_any() -> bool {
    process::capable(Capability::IpcLock)
}

/// Adds a mapping where nothing is mapped; whoever counts it is told.
pub(super) fn insert(vmas: &mut RangeMap<Vma>, range: Range<usize>, vma: Vma) -> Result<()> {
    let watcher = vma.watcher().cloned();
    vmas.insert(range.start, range.end, vma).map_err(|_| Errno::ENOMEM)?;
    if let Some(watcher) = watcher {
        watcher.mapped();
    }
    Ok(())
}

/// Leaves the guard gap below a stack free.
fn clear_of_stack(gap: Range<usize>, above: Option<&Entry<Vma>>) -> Range<usize> {
    match above {
        Some(above)
            if above.value.flags.contains(VmaFlags::GROWSDOWN) && gap.end == above.start =>
        {
            gap.start..gap.end.saturating_sub(STACK_GUARD_GAP)
        }
        _ => gap,
    }
}

impl Map {
    /// Counts a mapping that comes or goes.
    pub(super) fn account(&mut self, vma: &Vma, pages: usize, comes: bool) {
        let add = |count: &mut usize| {
            *count = if comes { *count + pages } else { count.saturating_sub(pages) };
        };
        add(&mut self.total);
        if vma.flags.contains(VmaFlags::LOCKED) {
            add(&mut self.locked);
        }
        if is_data(vma.flags) {
            add(&mut self.data);
        }
        if vma.flags.contains(VmaFlags::GROWSDOWN) {
            add(&mut self.stack);
        } else if vma.flags.contains(VmaFlags::EXEC)
            && !vma.flags.contains(VmaFlags::WRITE)
            && matches!(vma.backing, Backing::Object(_))
        {
            add(&mut self.text);
        }
    }

    /// Whether `pages` more of a mapping with `flags` stay within RLIMIT_AS and RLIMIT_DATA.
    pub(super) fn may_expand(&self, flags: VmaFlags, pages: usize) -> bool {
        self.total.saturating_add(pages) <= limit_pages(Resource::AddressSpace)
            && (!is_data(flags) || self.data.saturating_add(pages) <= limit_pages(Resource::Data))
    }

    /// Whether `pages` more may be locked; `EAGAIN`.
    pub(super) fn may_lock(&self, pages: usize) -> Result<()> {
        if self.locked.saturating_add(pages) > limit_pages(Resource::MemoryLocked)
            && !may_lock_any()
        {
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }

    /// Adds a mapping, as part of a neighbour where that goes on with the same.
    pub(super) fn link(&mut self, range: Range<usize>, vma: Vma) -> Result<()> {
        self.vmas.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.account(&vma, range.len() / PAGE_SIZE, true);
        let start = range.start;
        insert(&mut self.vmas, range.clone(), vma)?;
        self.merge_at(range.end);
        self.merge_at(start);
        Ok(())
    }

    /// Joins the mappings that meet at `addr`, if they show the same.
    pub(super) fn merge_at(&mut self, addr: usize) {
        let Some((below, above)) = self.vmas.meeting_at(addr) else { return };
        let end = above.end;
        if below.value.continues_in(addr - below.start, &above.value) {
            let start = below.start;
            let written = above.value.flags & VmaFlags::SOFT_DIRTY;
            // The file is kept by the part below, so this releases nothing.
            self.vmas.remove(addr);
            self.vmas.set_bounds(start, start..end);
            if let Some((_, vma)) = self.vmas.find_mut(start) {
                vma.flags |= written;
            }
        }
    }

    /// Makes `addr` a border between mappings. Cannot fail after room for one more was reserved.
    pub(super) fn split_at(&mut self, addr: usize) -> Result<()> {
        let Some(entry) = self.vmas.get(addr).filter(|entry| entry.start < addr) else {
            return Ok(());
        };
        if entry.value.flags.contains(VmaFlags::SPECIAL) {
            return Err(Errno::EINVAL);
        }
        if self.vmas.len() >= max_map_count() {
            return Err(Errno::ENOMEM);
        }
        let (start, end) = (entry.start, entry.end);
        let upper = entry.value.starting_at(addr - start);
        self.vmas.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.vmas.set_bounds(start, start..addr);
        insert(&mut self.vmas, addr..end, upper)
    }

    /// Takes out the mappings within `range`, at whose ends there are borders; `each` is called with what goes.
    pub(super) fn unlink(
        &mut self,
        range: Range<usize>,
        removed: &mut Removed,
        each: impl Fn(Range<usize>, &Vma),
    ) -> Result<()> {
        removed
            .try_reserve(self.vmas.overlapping(range.clone()).count())
            .map_err(|_| Errno::ENOMEM)?;
        while let Some(start) =
            self.vmas.find(range.start).map(|e| e.start).filter(|&start| start < range.end)
        {
            let Some(entry) = self.vmas.remove(start) else { break };
            self.account(&entry.value, (entry.end - entry.start) / PAGE_SIZE, false);
            overcommit::take_back(entry.value.committed(entry.start..entry.end));
            entry.value.has_gone();
            each(entry.start..entry.end, &entry.value);
            removed.push(entry.value);
        }
        Ok(())
    }

    /// Replaces the flags of the mapping that starts at `start`.
    pub(super) fn set_flags(&mut self, start: usize, flags: VmaFlags) {
        let Some(entry) = self.vmas.get(start) else { return };
        let pages = (entry.end - entry.start) / PAGE_SIZE;
        let mut vma = entry.value.clone();
        self.account(&vma, pages, false);
        vma.flags = flags;
        self.account(&vma, pages, true);
        if let Some((_, place)) = self.vmas.find_mut(start) {
            place.flags = flags;
        }
    }

    /// Changes the bounds of a mapping: it stays clear of its neighbours.
    pub(super) fn resize(&mut self, start: usize, new: Range<usize>) {
        let Some(entry) = self.vmas.get(start) else { return };
        let old = entry.end - entry.start;
        let vma = entry.value.clone();
        self.account(&vma, old / PAGE_SIZE, false);
        self.account(&vma, new.len() / PAGE_SIZE, true);
        self.vmas.set_bounds(start, new);
    }

    /// Finds a place (`arch_get_unmapped_area_topdown` on Linux).
    pub(super) fn find_area(&self, hint: usize, len: usize, flags: MmapFlags) -> Result<usize> {
        if len > USER_END {
            return Err(Errno::ENOMEM);
        }
        let hint = hint & !(PAGE_SIZE - 1);
        if hint != 0 {
            let hint = hint.max(MMAP_MIN_ADDR);
            let end = hint.saturating_add(len);
            if end <= USER_END && self.is_free(hint..end) {
                return Ok(hint);
            }
        }
        if flags.contains(MmapFlags::LOW_2G) {
            return self.vmas.find_gap_up(len, LOW_2G, clear_of_stack).ok_or(Errno::ENOMEM);
        }
        self.vmas
            .find_gap_down(len, MMAP_MIN_ADDR..self.mmap_top, clear_of_stack)
            .or_else(|| self.vmas.find_gap_up(len, BOTTOM_UP_BASE..USER_END, clear_of_stack))
            .ok_or(Errno::ENOMEM)
    }

    /// The same for private memory: what is made up of huge pages starts at one, unless there is a hint.
    pub(super) fn find_private_area(
        &self,
        hint: usize,
        len: usize,
        flags: MmapFlags,
    ) -> Result<usize> {
        if hint == 0 && len.is_multiple_of(HUGE_SIZE) && !flags.contains(MmapFlags::LOW_2G) {
            let padded = len.saturating_add(HUGE_SIZE);
            if let Ok(start) = self.find_area(0, padded, flags) {
                return Ok((start + HUGE_SIZE) & !(HUGE_SIZE - 1));
            }
        }
        self.find_area(hint, len, flags)
    }

    /// Whether nothing is mapped in `range`, nor a stack right above it.
    pub(super) fn is_free(&self, range: Range<usize>) -> bool {
        self.vmas.find(range.start).is_none_or(|next| {
            let gap = clear_of_stack(0..next.start, Some(next));
            range.end <= gap.end
        })
    }
}

fn is_data(flags: VmaFlags) -> bool {
    flags.contains(VmaFlags::WRITE)
        && !flags.intersects(VmaFlags::SHARED.union(VmaFlags::GROWSDOWN))
}

/// A mapping that was made.
pub(super) struct Mapped {
    range: Range<usize>,
    /// Its pages are to be brought in.
    populate: bool,
    /// They may go at any time.
    droppable: bool,
}

impl AddressSpace {
    /// Maps; the address. (`mmap(2)` with all its errors, RLIMIT_AS and overcommit included)
    pub fn map(&self, mut request: MapRequest) -> Result<UserAddr> {
        if request.len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = page_align(request.len).ok_or(Errno::ENOMEM)?;
        request.len = len;
        if let MapKind::File(_, offset) = request.kind
            && (offset / PAGE_SIZE as u64).checked_add((len / PAGE_SIZE) as u64).is_none()
        {
            return Err(Errno::EOVERFLOW);
        }
        // Asked before the lock is taken: the file's locks come first in the order.
        let object = prepare(&request.kind, request.flags, len);
        let mut removed = Removed::new();
        let mut map = self.write_map_killable()?;
        let mapped = self.map_held(&mut map, &request, object, &mut removed);
        drop(map);
        drop(removed);
        mapped.map(|mapped| self.bring_in_new(mapped))
    }

    /// Where a mapping of `len` bytes without a place of its own would go now. `ENOMEM`
    pub fn find_place(&self, len: usize) -> Result<usize> {
        let len = page_align(len).ok_or(Errno::ENOMEM)?;
        self.read_map().find_area(0, len, MmapFlags::empty())
    }

    /// The mapping exists; pages that cannot come now come, or fail, when they are touched.
    pub(super) fn bring_in_new(&self, mapped: Mapped) -> UserAddr {
        let addr = mapped.range.start;
        if mapped.populate {
            let _ = self.populate(mapped.range);
        }
        if mapped.droppable {
            self.may_be_freed_lazily();
        }
        UserAddr(addr)
    }

    /// Maps `object`, with the map held for writing; the length is in whole pages. The caller drops `removed` after the lock.
    pub(super) fn map_held(
        &self,
        map: &mut Map,
        request: &MapRequest,
        mut object: Result<Backing>,
        removed: &mut Removed,
    ) -> Result<Mapped> {
        let &MapRequest { addr, len, prot, flags, ref kind } = request;
        if map.vmas.len() >= max_map_count() {
            return Err(Errno::ENOMEM);
        }
        let fixed = flags.intersects(MmapFlags::FIXED | MmapFlags::FIXED_NOREPLACE);
        let addr = match &object {
            _ if fixed => check_fixed(addr, len)?,
            Ok(Backing::Anonymous) => map.find_private_area(addr, len, flags)?,
            _ => map.find_area(addr, len, flags)?,
        };
        let range = addr..addr + len;
        if flags.contains(MmapFlags::FIXED_NOREPLACE)
            && map.vmas.overlapping(range.clone()).next().is_some()
        {
            return Err(Errno::EEXIST);
        }
        let mut vma_flags = access_flags(prot)
            | VmaFlags::MAY_READ
            | VmaFlags::MAY_WRITE
            | VmaFlags::MAY_EXEC
            | VmaFlags::SOFT_DIRTY
            | map.lock_future;
        if flags.contains(MmapFlags::LOCKED) {
            if limit_pages(Resource::MemoryLocked) == 0 && !may_lock_any() {
                return Err(Errno::EPERM);
            }
            vma_flags |= VmaFlags::LOCKED;
        }
        let pages = len / PAGE_SIZE;
        if vma_flags.contains(VmaFlags::LOCKED) {
            map.may_lock(pages)?;
        }
        vma_flags |= sharing(kind, len, prot, flags)?;
        if flags.contains(MmapFlags::GROWSDOWN) {
            vma_flags |= VmaFlags::GROWSDOWN;
        }
        if flags.contains(MmapFlags::STACK) {
            vma_flags |= VmaFlags::NO_HUGE;
        }
        // A shared mapping of a file that is open for reading only, or sealed, cannot become writable.
        if let Some((file, _)) = kind.file()
            && vma_flags.contains(VmaFlags::SHARED)
            && (!file.flags().writable() || fs::tmpfs::is_write_sealed(file))
        {
            vma_flags.remove(VmaFlags::MAY_WRITE);
        }
        let mut backing = core::mem::replace(&mut object, Ok(Backing::Anonymous))?;
        if vma_flags.contains(VmaFlags::SHARED | VmaFlags::MAY_WRITE)
            && let Backing::Object(Object { file: Some(file), writing, .. }) = &mut backing
        {
            *writing = file.ops().shared_writing()?;
        }

        let replaced: usize = if fixed { map.pages_in(range.clone()) } else { 0 };
        if !map.may_expand(vma_flags, pages.saturating_sub(replaced)) {
            return Err(Errno::ENOMEM);
        }
        if fixed {
            let mut gather = Gather::new(self);
            self.unmap_locked(map, range.clone(), &mut gather, removed)?;
        }
        if is_unreserved(flags) || vma_flags.contains(VmaFlags::DROPPABLE) {
            vma_flags |= VmaFlags::NORESERVE;
        } else if is_accountable(vma_flags) {
            vma_flags |= VmaFlags::ACCOUNTED;
            map.promise(pages)?;
        }
        // Before the first page can be mapped.
        self.register(&backing);
        let vma = Vma { flags: vma_flags, backing };
        if let Err(errno) = map.link(range.clone(), vma) {
            if vma_flags.contains(VmaFlags::ACCOUNTED) {
                overcommit::take_back(pages);
            }
            return Err(errno);
        }
        let wanted = flags.contains(MmapFlags::POPULATE) && !flags.contains(MmapFlags::NONBLOCK);
        let locked =
            vma_flags.contains(VmaFlags::LOCKED) && !vma_flags.contains(VmaFlags::LOCK_ON_FAULT);
        let droppable = vma_flags.contains(VmaFlags::DROPPABLE);
        Ok(Mapped { range, populate: wanted || locked, droppable })
    }
}

impl Map {
    /// Promises `pages` more to this space; `ENOMEM`.
    #[inline]
    pub(super) fn promise(&self, pages: usize) -> Result<()> {
        overcommit::promise(pages, || self.total)
    }

    /// Pages mapped in `range`.
    fn pages_in(&self, range: Range<usize>) -> usize {
        self.vmas
            .overlapping(range.clone())
            .map(|e| (e.end.min(range.end) - e.start.max(range.start)) / PAGE_SIZE)
            .sum()
    }
}

/// The object to be mapped, made or looked up.
pub(super) fn prepare(kind: &MapKind, flags: MmapFlags, len: usize) -> Result<Backing> {
    Ok(match kind {
        MapKind::Anonymous if flags.contains(MmapFlags::SHARED) => {
            let source = Shmem::create(len, is_unreserved(flags))?;
            Backing::Object(Object { source, file: None, first: 0, watcher: None, writing: None })
        }
        MapKind::Anonymous => Backing::Anonymous,
        MapKind::File(file, offset) => Backing::Object(Object {
            source: file.ops().page_source(file)?,
            file: Some(Arc::clone(file)),
            first: offset / PAGE_SIZE as u64,
            watcher: None,
            writing: None,
        }),
        MapKind::Watched(file, watcher) => Backing::Object(Object {
            source: file.ops().page_source(file)?,
            file: Some(Arc::clone(file)),
            first: 0,
            watcher: Some(Arc::clone(watcher)),
            writing: None,
        }),
        MapKind::Again(object) => Backing::Object(object.clone()),
    })
}

fn check_fixed(addr: usize, len: usize) -> Result<usize> {
    if len > USER_END || addr > USER_END - len {
        return Err(Errno::ENOMEM);
    }
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let privileged = || process::capable(Capability::SysRawio);
    if addr < MMAP_MIN_ADDR && !privileged() {
        return Err(Errno::EPERM);
    }
    Ok(addr)
}

/// The sharing that is asked for, checked against the file's mode.
fn sharing(kind: &MapKind, len: usize, prot: Prot, flags: MmapFlags) -> Result<VmaFlags> {
    let kind_of_sharing = flags.bits() & TYPE_MASK;
    let shared = match kind_of_sharing {
        1 => true,
        SHARED_VALIDATE if !matches!(kind, MapKind::Anonymous) => {
            if flags.bits() & !KNOWN_TO_VALIDATE & !TYPE_MASK != 0 {
                return Err(Errno::EOPNOTSUPP);
            }
            true
        }
        2 => false,
        kind_of_sharing
            if kind_of_sharing == MmapFlags::DROPPABLE.bits()
                && matches!(kind, MapKind::Anonymous)
                && !flags.intersects(MmapFlags::LOCKED | MmapFlags::GROWSDOWN) =>
        {
            // It is not worth a promise, and would be gone in a child or a dump anyhow.
            return Ok(VmaFlags::DROPPABLE
                | VmaFlags::NORESERVE
                | VmaFlags::WIPE_ON_FORK
                | VmaFlags::DONT_DUMP);
        }
        _ => return Err(Errno::EINVAL),
    };
    if let Some((file, offset)) = kind.file() {
        if offset.checked_add(len as u64).is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(Errno::EOVERFLOW);
        }
        if shared && prot.contains(Prot::WRITE) && !file.flags().writable() {
            return Err(Errno::EACCES);
        }
        if !file.flags().readable() {
            return Err(Errno::EACCES);
        }
        if prot.contains(Prot::EXEC) && file.path().mount.has(MountFlags::NO_EXEC) {
            return Err(Errno::EPERM);
        }
        if shared && prot.contains(Prot::WRITE) && fs::tmpfs::is_write_sealed(file) {
            return Err(Errno::EPERM);
        }
        if flags.contains(MmapFlags::GROWSDOWN) {
            return Err(Errno::EINVAL);
        }
    } else if shared && flags.contains(MmapFlags::GROWSDOWN) {
        return Err(Errno::EINVAL);
    }
    Ok(if shared { VmaFlags::SHARED } else { VmaFlags::empty() })
}

/// Whether `MAP_NORESERVE` is given and heeded: not where all that is promised must be there.
fn is_unreserved(flags: MmapFlags) -> bool {
    flags.contains(MmapFlags::NORESERVE) && overcommit::mode() != overcommit::Mode::Never
}

/// Private writable memory: what is shared is promised with its object.
fn is_accountable(flags: VmaFlags) -> bool {
    flags.contains(VmaFlags::WRITE) && !flags.contains(VmaFlags::SHARED)
}
