//! `munmap(2)`, `mprotect(2)`, `brk(2)`, and growth of stacks.

use super::{
    AddressSpace, Copies, Map, Prot, Removed, STACK_GUARD_GAP,
    huge::{self, Part},
    map::{limit_pages, page_align},
    tables::{Leaf, is_mapped, is_sole_owner, take_frame},
    tlb::Gather,
    vma::{ACCESS, Backing, Vma, VmaFlags, access_flags, protection},
};
use crate::{
    arch::paging::{self, Entry, PteFlags},
    mm::{PAGE_SIZE, USER_END, overcommit},
    process::Resource,
};
use abi::{Errno, Result};
use core::ops::Range;

/// The end of what the user half's tables can map: a page above what programs may.
const USER_HALF_END: usize = USER_END + PAGE_SIZE;

impl AddressSpace {
    /// `munmap(2)`.
    pub fn unmap(&self, addr: usize, len: usize) -> Result<()> {
        let range = check_range(addr, len).ok_or(Errno::EINVAL)?;
        if range.is_empty() {
            return Err(Errno::EINVAL);
        }
        let mut removed = Removed::new();
        let mut map = self.write_map_killable()?;
        let mut gather = Gather::new(self);
        let result = self.unmap_locked(&mut map, range, &mut gather, &mut removed);
        gather.flush();
        drop(map);
        result
    }

    /// Takes out whatever is mapped in `range`. The caller drops `removed` after the lock.
    pub(super) fn unmap_locked(
        &self,
        map: &mut Map,
        range: Range<usize>,
        gather: &mut Gather<'_>,
        removed: &mut Removed,
    ) -> Result<()> {
        if map.vmas.overlapping(range.clone()).next().is_none() {
            return Ok(());
        }
        map.check_unsealed(range.clone())?;
        map.vmas.try_reserve(2).map_err(|_| Errno::ENOMEM)?;
        map.split_at(range.start)?;
        if let Err(errno) = map.split_at(range.end) {
            map.merge_at(range.start);
            return Err(errno);
        }
        map.unlink(range.clone(), removed, |range, vma| self.before_zap(vma, range, |_| true))?;
        self.zap(range.clone(), gather);
        self.free_tables(map, range, gather);
        Ok(())
    }

    /// Empties the entries of `range`.
    pub(super) fn zap(&self, range: Range<usize>, gather: &mut Gather<'_>) {
        self.zap_entries(range, Copies::Too, gather);
    }

    /// Empties the entries of `range`, or only those that show an object's own pages.
    pub(super) fn zap_entries(&self, range: Range<usize>, copies: Copies, gather: &mut Gather<'_>) {
        // The visit never fails.
        let _ = self.for_each_whole(range.clone(), |part| {
            let leaf = match part {
                Part::Leaf(leaf) => leaf,
                Part::Huge(huge) => {
                    // It is private memory.
                    if copies == Copies::Too {
                        let (addr, frame) = self.take_huge(huge);
                        gather.huge(addr, frame);
                    }
                    return Ok(());
                }
            };
            gather.make_room();
            zap_leaf(leaf, leaf.indices(&range), copies, gather);
            Ok(())
        });
    }

    /// Frees the tables that only served `range` and the free space around it.
    fn free_tables(&self, map: &Map, range: Range<usize>, gather: &mut Gather<'_>) {
        let floor = map.vmas.before(range.start).map_or(0, |below| below.end);
        let ceiling = map.vmas.find(range.end).map_or(USER_HALF_END, |above| above.start);
        if ceiling - floor >= paging::span(1) {
            let free = floor..ceiling;
            self.tables.unlink_tables(&range, &free, &mut |table| gather.table(table, range.start));
        }
    }

    /// `mprotect(2)`; `grows` is `PROT_GROWSDOWN`: from the start of the mapping, which must be a stack.
    pub fn protect(&self, addr: usize, len: usize, prot: Prot, grows: bool) -> Result<()> {
        if !addr.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let end = page_align(len).and_then(|len| addr.checked_add(len)).ok_or(Errno::ENOMEM)?;
        let mut map = self.write_map_killable()?;
        let first = map.vmas.find(addr).ok_or(Errno::ENOMEM)?;
        let mut at = addr;
        if grows {
            if first.start >= end {
                return Err(Errno::ENOMEM);
            }
            if !first.value.flags.contains(VmaFlags::GROWSDOWN) {
                return Err(Errno::EINVAL);
            }
            at = first.start;
        } else if first.start > addr {
            return Err(Errno::ENOMEM);
        }
        let mut gather = Gather::new(self);
        let first = at;
        let result = loop {
            if at >= end {
                break Ok(());
            }
            let Some(entry) = map.vmas.get(at) else { break Err(Errno::ENOMEM) };
            let range = at..entry.end.min(end);
            if let Err(errno) = self.protect_one(&mut map, range.clone(), prot, &mut gather) {
                break Err(errno);
            }
            at = range.end;
        };
        gather.flush();
        map.merge_range(first..at);
        result
    }

    /// Changes the protection of a part of one mapping.
    fn protect_one(
        &self,
        map: &mut Map,
        range: Range<usize>,
        prot: Prot,
        gather: &mut Gather<'_>,
    ) -> Result<()> {
        let Some(entry) = map.vmas.get(range.start) else { return Err(Errno::ENOMEM) };
        let old = entry.value.flags;
        let mut new = old.difference(ACCESS) | access_flags(prot);
        let may = VmaFlags::from_bits_truncate(old.bits() >> 4) & ACCESS;
        if !may.contains(new & ACCESS) {
            return Err(Errno::EACCES);
        }
        entry.value.check_unsealed()?;
        if new == old {
            return Ok(());
        }
        let pages = range.len() / PAGE_SIZE;
        let becomes_writable = new.contains(VmaFlags::WRITE) && !old.contains(VmaFlags::WRITE);
        if becomes_writable && !old.contains(VmaFlags::SHARED) {
            if !old.contains(VmaFlags::GROWSDOWN)
                && map.data.saturating_add(pages) > limit_pages(Resource::Data)
            {
                return Err(Errno::ENOMEM);
            }
            if !old.intersects(VmaFlags::ACCOUNTED | VmaFlags::NORESERVE) {
                map.promise(pages)?;
                new |= VmaFlags::ACCOUNTED;
            }
        }
        let split = map
            .vmas
            .try_reserve(2)
            .map_err(|_| Errno::ENOMEM)
            .and_then(|()| map.split_at(range.start))
            .and_then(|()| map.split_at(range.end));
        if let Err(errno) = split {
            if new.contains(VmaFlags::ACCOUNTED) && !old.contains(VmaFlags::ACCOUNTED) {
                overcommit::take_back(pages);
            }
            return Err(errno);
        }
        map.set_flags(range.start, new);
        let has_own_pages = self.protect_entries(range.clone(), new, gather);
        // Memory that was never touched and cannot be need not be there.
        if new.contains(VmaFlags::ACCOUNTED) && !new.contains(VmaFlags::WRITE) && !has_own_pages {
            map.set_flags(range.start, new.difference(VmaFlags::ACCOUNTED));
            overcommit::take_back(pages);
        }
        Ok(())
    }

    /// Changes the rights of the pages that are there; whether one of them is the space's own.
    fn protect_entries(
        &self,
        range: Range<usize>,
        flags: VmaFlags,
        gather: &mut Gather<'_>,
    ) -> bool {
        let rights = Rights::of(flags);
        let mut has_own_pages = false;
        // The visit never fails.
        let _ = self.for_each_whole(range.clone(), |part| {
            let leaf = match part {
                Part::Leaf(leaf) => leaf,
                Part::Huge(huge) => {
                    has_own_pages |= huge.entry().has(PteFlags::ANONYMOUS);
                    let new = rights.given_to(huge.entry(), huge::is_sole_owner);
                    if new != huge.entry() {
                        let old = huge.swap(new);
                        huge.set_flags(old.flags() & (PteFlags::ACCESSED | PteFlags::DIRTY));
                        gather.touch_huge(huge.range().start);
                    }
                    return Ok(());
                }
            };
            let seen = rights.give_to_leaf(leaf, leaf.indices(&range), gather);
            has_own_pages |= seen.contains(PteFlags::ANONYMOUS);
            Ok(())
        });
        has_own_pages
    }

    /// `brk(2)`: the break afterwards.
    pub fn brk(&self, addr: usize) -> usize {
        let mut removed = Removed::new();
        let mut map = self.write_map();
        let old = map.brk;
        if addr < map.brk_start || addr > USER_END {
            return old;
        }
        let layout = self.layout();
        let data = (addr - map.brk_start)
            .saturating_add(layout.end_data.saturating_sub(layout.start_data));
        if data / PAGE_SIZE > limit_pages(Resource::Data) {
            return old;
        }
        let (Some(new_end), Some(old_end)) = (page_align(addr), page_align(old)) else {
            return old;
        };
        let mut populate = None;
        if new_end < old_end {
            let mut gather = Gather::new(self);
            if self.unmap_locked(&mut map, new_end..old_end, &mut gather, &mut removed).is_err() {
                return old;
            }
        } else if new_end > old_end {
            match self.grow_heap(&mut map, old_end..new_end) {
                Ok(locked) => {
                    self.note_growth(&map, &(old_end..new_end));
                    populate = locked.then_some(old_end..new_end);
                }
                Err(_) => return old,
            }
        }
        map.brk = addr;
        drop(map);
        if let Some(range) = populate {
            // As for `mmap` of locked memory.
            let _ = self.populate(range);
        }
        addr
    }

    fn grow_heap(&self, map: &mut Map, range: Range<usize>) -> Result<bool> {
        // A page beyond, so that the heap never touches the next mapping.
        let mut flags = access_flags(Prot::READ | Prot::WRITE)
            | VmaFlags::MAY_READ
            | VmaFlags::MAY_WRITE
            | VmaFlags::MAY_EXEC
            | VmaFlags::ACCOUNTED
            | VmaFlags::SOFT_DIRTY
            | map.lock_future;
        let pages = range.len() / PAGE_SIZE;
        let end = range.end.checked_add(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
        if !map.is_free(range.start..end)
            || !map.may_expand(flags, pages)
            || map.vmas.len() >= super::max_map_count()
        {
            return Err(Errno::ENOMEM);
        }
        if flags.contains(VmaFlags::LOCKED) {
            map.may_lock(pages)?;
        } else {
            flags.remove(VmaFlags::LOCK_ON_FAULT);
        }
        map.promise(pages)?;
        if let Err(errno) = map.link(range, Vma { flags, backing: Backing::Anonymous }) {
            overcommit::take_back(pages);
            return Err(errno);
        }
        Ok(flags.contains(VmaFlags::LOCKED) && !flags.contains(VmaFlags::LOCK_ON_FAULT))
    }

    /// Places the heap, for exec.
    pub fn set_brk_start(&self, addr: usize) {
        let mut map = self.write_map();
        (map.brk_start, map.brk) = (addr, addr);
    }

    /// Grows the stack above `addr` down to it. `ENOMEM` when there is none, or no room or leave for it.
    pub(in crate::mm) fn grow_stack(&self, addr: usize) -> Result<()> {
        let addr = addr & !(PAGE_SIZE - 1);
        let mut map = self.write_map_killable()?;
        let entry = map.vmas.find(addr).ok_or(Errno::ENOMEM)?;
        if entry.start <= addr {
            return Ok(());
        }
        let (start, end, flags) = (entry.start, entry.end, entry.value.flags);
        let pages = (start - addr) / PAGE_SIZE;
        // The gap below belongs to the stack, unless what is there is inaccessible, or a stack itself.
        let gap_taken = map.vmas.before(start).is_some_and(|below| {
            below.value.flags.intersects(ACCESS)
                && !below.value.flags.contains(VmaFlags::GROWSDOWN)
                && addr - below.end.min(addr) < STACK_GUARD_GAP
                || below.end > addr
        });
        if !flags.contains(VmaFlags::GROWSDOWN)
            || gap_taken
            || addr < super::MMAP_MIN_ADDR
            || (end - addr) / PAGE_SIZE > limit_pages(Resource::Stack)
            || !map.may_expand(flags, pages)
        {
            return Err(Errno::ENOMEM);
        }
        if flags.contains(VmaFlags::LOCKED) {
            map.may_lock(pages)?;
        }
        if flags.contains(VmaFlags::ACCOUNTED) {
            map.promise(pages)?;
        }
        map.resize(start, addr..end);
        self.note_growth(&map, &(addr..start));
        if let Some((_, vma)) = map.vmas.find_mut(addr)
            && let Backing::Object(object) = &mut vma.backing
        {
            object.first = object.first.wrapping_sub(pages as u64);
        }
        Ok(())
    }
}

impl Map {
    /// Joins mappings that have become the same, at and between the ends of `range`.
    pub(super) fn merge_range(&mut self, range: Range<usize>) {
        let mut at = range.start;
        loop {
            self.merge_at(at);
            match self.vmas.find(at).map(|entry| entry.end) {
                Some(end) if end <= range.end => at = end,
                _ => break,
            }
        }
        self.merge_at(range.end);
    }
}

/// The rights that a mapping gives to its pages.
#[derive(Clone, Copy)]
struct Rights {
    /// What each page gets.
    all: PteFlags,
    /// Pages may be written.
    writes: bool,
    /// The mapping counts as written, so that a page's first write may go unseen.
    noticed: bool,
}

impl Rights {
    fn of(flags: VmaFlags) -> Rights {
        Rights {
            all: protection(flags),
            writes: flags.contains(VmaFlags::WRITE),
            noticed: flags.contains(VmaFlags::SOFT_DIRTY),
        }
    }

    /// Changes the entries of a leaf table; the flags that any of them had.
    fn give_to_leaf(
        self,
        leaf: Leaf<'_>,
        indices: Range<usize>,
        gather: &mut Gather<'_>,
    ) -> PteFlags {
        let table = leaf.table();
        let _guard = leaf.lock();
        let (mut seen, mut changed) = (PteFlags::empty(), Span::NONE);
        for index in indices {
            let entry = table.load(index);
            if !is_mapped(entry) {
                continue;
            }
            seen |= entry.flags();
            let new = self.given_to(entry, is_sole_owner);
            if new != entry {
                // The CPU may set the accessed and dirty bits until the exchange.
                let old = table.swap(index, new);
                let bits = old.flags() & (PteFlags::ACCESSED | PteFlags::DIRTY);
                if !new.has(bits) {
                    table.store(index, new.with(bits));
                }
                changed.add(index);
            }
        }
        changed.tell(leaf, gather);
        seen
    }

    /// The entry with these rights.
    #[inline]
    fn given_to(self, entry: Entry, is_sole_owner: impl Fn(Entry) -> bool) -> Entry {
        let old = PteFlags::PRESENT | PteFlags::WRITE | PteFlags::NO_EXECUTE | PteFlags::GLOBAL;
        // What may be written at once is; the rest finds out by a fault (copy-on-write, notice to the file).
        let at_once = self.writes
            && (entry.has(PteFlags::WRITE)
                || entry.has(PteFlags::DIRTY)
                    && (self.noticed || entry.has(PteFlags::SOFT_DIRTY))
                    && is_sole_owner(entry));
        let write = if at_once { PteFlags::WRITE } else { PteFlags::empty() };
        entry.without(old).with(self.all | write)
    }
}

/// The first and the last of the entries of a leaf table that were changed: told to a [`Gather`] at once, as loops over them are hot.
struct Span {
    first: usize,
    last: usize,
}

impl Span {
    const NONE: Span = Span { first: usize::MAX, last: 0 };

    /// Adds an entry behind those that were added.
    #[inline]
    fn add(&mut self, index: usize) {
        self.first = self.first.min(index);
        self.last = index;
    }

    fn tell(&self, leaf: Leaf<'_>, gather: &mut Gather<'_>) {
        if self.first != Span::NONE.first {
            gather.touch(leaf.addr_of(self.first));
            gather.touch(leaf.addr_of(self.last));
        }
    }
}

/// Empties entries of a leaf table, or only those that show an object's own pages. The gather has room for a table's worth.
fn zap_leaf(leaf: Leaf<'_>, indices: Range<usize>, copies: Copies, gather: &mut Gather<'_>) {
    let table = leaf.table();
    let _guard = leaf.lock();
    let (mut emptied, mut private, mut of_objects) = (Span::NONE, 0, 0);
    table.for_each_filled(indices, |index, entry| {
        let is_private = entry.has(PteFlags::ANONYMOUS);
        if copies == Copies::Stay && is_private {
            return;
        }
        // Not an exchange: what the CPU notes of an access until then, nobody wants to know any more.
        table.store(index, Entry::NONE);
        emptied.add(index);
        // SAFETY: the entry was taken out under the table's lock.
        if let Some(frame) = unsafe { take_frame(entry) } {
            *(if is_private { &mut private } else { &mut of_objects }) += 1;
            gather.push(frame);
        }
    });
    emptied.tell(leaf, gather);
    gather.uncount(private, of_objects);
}

/// Page-aligned, within user space; the length rounded up to pages.
pub(super) fn check_range(addr: usize, len: usize) -> Option<Range<usize>> {
    if !addr.is_multiple_of(PAGE_SIZE) || addr > USER_END || len > USER_END - addr {
        return None;
    }
    Some(addr..addr + page_align(len)?)
}
