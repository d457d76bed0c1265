//! `mremap(2)`, and `remap_file_pages(2)`.

use super::{
    AddressSpace, Map, MapKind, MapRequest, MmapFlags, Removed,
    change::check_range,
    huge::Part,
    map::{page_align, prepare},
    max_map_count,
    tables::is_mapped,
    tlb::Gather,
    vma::{Backing, Object, VmaFlags},
};
use crate::{
    arch::paging::{self, Entry, PteFlags},
    mm::{PAGE_SIZE, USER_END, overcommit},
};
use abi::{Errno, Result};
use core::ops::Range;

bitflags::bitflags! {
    /// `MREMAP_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct RemapFlags: u32 {
        /// The mapping may be moved.
        const MAYMOVE = 1;
        /// To the address given.
        const FIXED = 2;
        /// The old place stays mapped, empty.
        const DONTUNMAP = 4;
    }
}

impl AddressSpace {
    /// `mremap(2)`: the new address.
    pub fn remap(
        &self,
        addr: usize,
        old_len: usize,
        new_len: usize,
        flags: RemapFlags,
        new_addr: usize,
    ) -> Result<usize> {
        let moves = flags.intersects(RemapFlags::FIXED | RemapFlags::DONTUNMAP);
        if moves && !flags.contains(RemapFlags::MAYMOVE)
            || flags.contains(RemapFlags::DONTUNMAP) && old_len != new_len
            || !addr.is_multiple_of(PAGE_SIZE)
        {
            return Err(Errno::EINVAL);
        }
        let old_len = page_align(old_len).ok_or(Errno::EINVAL)?;
        let new_len = page_align(new_len).filter(|&len| len != 0).ok_or(Errno::EINVAL)?;
        let mut removed = Removed::new();
        let mut map = self.write_map_killable()?;
        let mut gather = Gather::new(self);
        let result = (|| {
            let entry = map.vmas.get(addr).ok_or(Errno::EFAULT)?;
            entry.value.check_unsealed()?;
            let (start, end, vma_flags) = (entry.start, entry.end, entry.value.flags);
            if moves {
                return self.remap_to(
                    &mut map,
                    addr..addr.saturating_add(old_len),
                    new_len,
                    flags,
                    new_addr,
                    &mut gather,
                    &mut removed,
                );
            }
            if old_len >= new_len {
                if old_len > new_len {
                    if end - addr < old_len
                        && map
                            .vmas
                            .overlapping(addr + new_len..addr.saturating_add(old_len))
                            .next()
                            .is_none()
                    {
                        return Err(Errno::EFAULT);
                    }
                    let range = addr + new_len..addr.checked_add(old_len).ok_or(Errno::EINVAL)?;
                    self.unmap_locked(&mut map, range, &mut gather, &mut removed)?;
                }
                return Ok(addr);
            }
            map.check_resize(addr, old_len, new_len)?;
            let growth = new_len - old_len;
            // In place, when the mapping ends here and there is room above.
            let new_end = addr.saturating_add(new_len);
            if old_len != 0
                && end == addr + old_len
                && new_end <= USER_END
                && map.is_free(end..new_end)
            {
                if vma_flags.contains(VmaFlags::ACCOUNTED) {
                    map.promise(growth / PAGE_SIZE)?;
                }
                map.resize(start, start..new_end);
                map.merge_at(new_end);
                self.note_growth(&map, &(end..new_end));
                return Ok(addr);
            }
            if !flags.contains(RemapFlags::MAYMOVE) {
                return Err(Errno::ENOMEM);
            }
            let target = map.find_new_place(addr, 0, new_len)?;
            self.move_mapping(
                &mut map,
                addr..addr + old_len,
                target..target + new_len,
                false,
                &mut gather,
                &mut removed,
            )
        })();
        drop(gather);
        let populate = result.ok().filter(|_| new_len > old_len).and_then(|at| {
            let locked = map.vmas.get(at)?.value.flags;
            locked.contains(VmaFlags::LOCKED).then_some(at + old_len..at + new_len)
        });
        drop(map);
        if let Some(range) = populate {
            // As for `mmap` of locked memory.
            let _ = self.populate(range);
        }
        result
    }

    /// `remap_file_pages(2)`: shows `pages` of what is mapped at `start` there instead, through a mapping of its own, as on Linux. The caller has checked that
    /// neither range wraps.
    pub fn remap_pages(&self, start: usize, pages: Range<u64>, nonblock: bool) -> Result<()> {
        let mut removed = Removed::new();
        let mut map = self.write_map_killable()?;
        let request = map.again(start, pages, nonblock)?;
        let object = prepare(&request.kind, request.flags, request.len);
        let mapped = self.map_held(&mut map, &request, object, &mut removed);
        drop(map);
        drop(removed);
        self.bring_in_new(mapped?);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one step of `remap`, with its state")]
    fn remap_to(
        &self,
        map: &mut Map,
        old: Range<usize>,
        new_len: usize,
        flags: RemapFlags,
        new_addr: usize,
        gather: &mut Gather<'_>,
        removed: &mut Removed,
    ) -> Result<usize> {
        let target = if flags.contains(RemapFlags::FIXED) {
            let target = check_range(new_addr, new_len).ok_or(Errno::EINVAL)?;
            if target.start < old.end && old.start < target.end {
                return Err(Errno::EINVAL);
            }
            if map.vmas.len() + 2 >= max_map_count().saturating_sub(3) {
                return Err(Errno::ENOMEM);
            }
            self.unmap_locked(map, target.clone(), gather, removed)?;
            target
        } else {
            if map.vmas.len() + 2 >= max_map_count().saturating_sub(3) {
                return Err(Errno::ENOMEM);
            }
            let target = map.find_new_place(old.start, new_addr, new_len)?;
            target..target + new_len
        };
        let mut old = old;
        if old.len() > new_len {
            let cut = old.start + new_len..old.end;
            self.unmap_locked(map, cut, gather, removed)?;
            old.end = old.start + new_len;
        }
        map.check_resize(old.start, old.len(), new_len)?;
        let keep = flags.contains(RemapFlags::DONTUNMAP);
        self.move_mapping(map, old, target, keep, gather, removed)
    }

    /// Moves the pages at `old` to `new`, which is free and at least as long. An empty `old` makes a second view of a shared object.
    fn move_mapping(
        &self,
        map: &mut Map,
        old: Range<usize>,
        new: Range<usize>,
        keep_old: bool,
        gather: &mut Gather<'_>,
        removed: &mut Removed,
    ) -> Result<usize> {
        if map.vmas.len() >= max_map_count().saturating_sub(3) {
            return Err(Errno::ENOMEM);
        }
        let entry = map.vmas.get(old.start).ok_or(Errno::EFAULT)?;
        let vma = entry.value.starting_at(old.start - entry.start);
        let flags = vma.flags;
        if flags.contains(VmaFlags::SPECIAL) && (keep_old || old != (entry.start..entry.end)) {
            return Err(Errno::EINVAL);
        }
        let pages = new.len() / PAGE_SIZE;
        if flags.contains(VmaFlags::ACCOUNTED) {
            // What only moves was promised before; both places count until the old one goes.
            let moved = if keep_old { 0 } else { old.len() / PAGE_SIZE };
            map.promise(pages - moved)?;
            overcommit::count(moved as isize);
        }
        // The tables of the new place come first: after that nothing can fail half-way.
        let linked = self
            .tables
            .for_each_part(old.clone(), |part| {
                let leaf = match part {
                    Part::Leaf(leaf) => leaf,
                    Part::Huge(huge) => {
                        let whole = huge.is_within(&old);
                        let slot = huge.release();
                        let target = slot.base.wrapping_sub(old.start).wrapping_add(new.start);
                        if whole && self.can_move_huge(slot.base, target)? {
                            return Ok(());
                        }
                        // The map's lock has kept it.
                        let Some(huge) = slot.lock_huge() else { return Ok(()) };
                        self.split(huge)
                    }
                };
                // From here on no fault fills an entry whose new place has no table.
                leaf.settle();
                for index in leaf.indices(&old) {
                    if !leaf.table().load(index).is_none() {
                        self.tables.leaf_or_new(leaf.addr_of(index) - old.start + new.start)?;
                    }
                }
                Ok(())
            })
            .and_then(|()| map.link(new.clone(), vma));
        if let Err(errno) = linked {
            if flags.contains(VmaFlags::ACCOUNTED) {
                overcommit::take_back(pages);
            }
            return Err(errno);
        }
        self.move_entries(&old, new.start, gather)?;
        self.note_growth(map, &new);
        if keep_old {
            if flags.contains(VmaFlags::LOCKED) {
                let unlocked = flags.difference(VmaFlags::LOCKED | VmaFlags::LOCK_ON_FAULT);
                map.split_at(old.start)?;
                map.split_at(old.end)?;
                map.set_flags(old.start, unlocked);
            }
        } else if !old.is_empty() {
            self.unmap_locked(map, old, gather, removed)?;
        }
        Ok(new.start)
    }

    fn move_entries(
        &self,
        old: &Range<usize>,
        target: usize,
        gather: &mut Gather<'_>,
    ) -> Result<()> {
        self.tables.for_each_part(old.clone(), |part| {
            let leaf = match part {
                Part::Leaf(leaf) => leaf,
                Part::Huge(huge) => {
                    // Those that cannot move were split before.
                    let from = huge.range().start;
                    gather.touch_huge(from);
                    return self.move_huge(huge, from - old.start + target);
                }
            };
            for index in leaf.indices(old) {
                let entry = leaf.table().swap(index, Entry::NONE);
                if entry.is_none() {
                    continue;
                }
                let from = leaf.addr_of(index);
                let to = from - old.start + target;
                gather.touch(from);
                // It was made before.
                let place = self.tables.leaf_or_new(to)?.ok_or(Errno::ENOMEM)?;
                // The space's lock is held for writing, so the place is empty.
                place.table().store(paging::index(to, 0), written(entry));
            }
            Ok(())
        })?;
        // The old place must be forgotten before anybody writes through the new one and reads through the old.
        gather.flush();
        Ok(())
    }
}

/// A page that was moved counts as written: what watches pages by their addresses has to see that this one is new there.
fn written(entry: Entry) -> Entry {
    if is_mapped(entry) { entry.with(PteFlags::SOFT_DIRTY) } else { entry }
}

impl Map {
    /// What [`AddressSpace::remap_pages`] maps: everything in the range must show the same file in the same way.
    fn again(&self, start: usize, pages: Range<u64>, nonblock: bool) -> Result<MapRequest> {
        let entry = self.vmas.get(start).filter(|entry| entry.value.writes_through());
        let entry = entry.ok_or(Errno::EINVAL)?;
        let Backing::Object(object) = &entry.value.backing else { return Err(Errno::EINVAL) };
        let vma_flags = entry.value.flags;
        let len = (pages.end - pages.start) as usize * PAGE_SIZE;
        let mut at = entry.end;
        while at < start + len {
            let next = self.vmas.get(at).ok_or(Errno::EINVAL)?;
            let same =
                matches!(&next.value.backing, Backing::Object(other) if other.shows_same(object));
            if next.value.flags != vma_flags || !same {
                return Err(Errno::EINVAL);
            }
            at = next.end;
        }
        if pages.end > i64::MAX as u64 / PAGE_SIZE as u64 {
            return Err(Errno::EOVERFLOW);
        }
        let mut flags = MmapFlags::SHARED | MmapFlags::FIXED | MmapFlags::POPULATE;
        flags.set(MmapFlags::NONBLOCK, nonblock);
        flags.set(MmapFlags::LOCKED, vma_flags.contains(VmaFlags::LOCKED));
        let prot = entry.value.prot();
        let kind = MapKind::Again(Object { first: pages.start, ..object.clone() });
        Ok(MapRequest { addr: start, len, prot, flags, kind })
    }

    /// A place for `len` bytes of the mapping at `addr`.
    fn find_new_place(&self, addr: usize, hint: usize, len: usize) -> Result<usize> {
        let flags = MmapFlags::empty();
        match self.vmas.get(addr).map(|entry| &entry.value.backing) {
            Some(Backing::Anonymous) => self.find_private_area(hint, len, flags),
            _ => self.find_area(hint, len, flags),
        }
    }

    /// Whether the mapping at `addr` may become `new_len` long (`vma_to_resize` on Linux).
    fn check_resize(&self, addr: usize, old_len: usize, new_len: usize) -> Result<()> {
        let entry = self.vmas.get(addr).ok_or(Errno::EFAULT)?;
        let vma = &entry.value;
        if old_len == 0 && vma.is_private() {
            return Err(Errno::EINVAL);
        }
        if old_len > entry.end - addr {
            return Err(Errno::EFAULT);
        }
        if new_len == old_len {
            return Ok(());
        }
        if vma.flags.contains(VmaFlags::SPECIAL) && new_len > old_len {
            return Err(Errno::EFAULT);
        }
        if let Backing::Object(object) = &vma.backing {
            let first = object.first + ((addr - entry.start) / PAGE_SIZE) as u64;
            if first.checked_add((new_len / PAGE_SIZE) as u64).is_none() {
                return Err(Errno::EINVAL);
            }
        }
        let growth = new_len.saturating_sub(old_len) / PAGE_SIZE;
        if vma.flags.contains(VmaFlags::LOCKED) {
            self.may_lock(growth)?;
        }
        if !self.may_expand(vma.flags, growth) {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }
}
