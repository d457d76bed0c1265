//! The copy-on-write copy of an address space, for `fork(2)`.
//!
//! Only what cannot be brought in again is copied: entries of private memory. Pages of objects are found by their faults, as their tables cost
//! more to copy than most children ever use.

use super::{
    AddressSpace, Map, for_each_mappings,
    huge::Part,
    map::insert,
    tables::is_mapped,
    tlb::Gather,
    vma::{Backing, Vma, VmaFlags},
};
use crate::{
    arch::paging::{Entry, PteFlags},
    mm::{PAGE_SIZE, address_space::tables, fault, overcommit},
};
use abi::{Errno, Result};
use alloc::sync::Arc;
use core::{ops::Range, sync::atomic::Ordering};
use vma_tree::RangeMap;

impl AddressSpace {
    /// A copy-on-write copy, for fork. The page at `hot`, if there is one, is one that both sides will write at once: the child gets a copy of it now,
    /// which spares both a fault. No other thread may use this space then, as it could write to the page meanwhile.
    pub fn fork(&self, hot: Option<usize>) -> Result<Arc<AddressSpace>> {
        let mut child = AddressSpace::unregistered()?;
        // Nobody else knows the new space yet.
        let target = Arc::get_mut(&mut child).ok_or(Errno::ENOMEM)?;
        let result = {
            let map = self.write_map_killable()?;
            self.fork_into(&map, target, hot.map(|addr| addr & !(PAGE_SIZE - 1)))
        };
        child.set_layout(self.layout());
        child.announced.store(self.announced.load(Ordering::Relaxed), Ordering::Relaxed);
        child.set_no_huge_pages(self.has_no_huge_pages());
        child.inherit_small_pages(self);
        child.this.call_once(|| Arc::downgrade(&child));
        result?;
        // Before the child runs: it has no page of an object in its tables until then.
        let map = child.read_map();
        if let Some(this) = child.this.get() {
            for_each_mappings(&map.vmas, |mappings| mappings.add(this));
        }
        let is_droppable = |vma: &Vma| vma.flags.contains(VmaFlags::DROPPABLE);
        let droppable = map.vmas.iter().any(|entry| is_droppable(&entry.value));
        drop(map);
        if droppable {
            child.may_be_freed_lazily();
        }
        Ok(child)
    }

    fn fork_into(&self, map: &Map, child: &mut AddressSpace, hot: Option<usize>) -> Result<()> {
        let mut copy =
            Map { vmas: RangeMap::new(), lock_future: VmaFlags::empty(), locked: 0, ..*map };
        let mut gather = Gather::new(self);
        let mut copy_all = || {
            for entry in map.vmas.iter() {
                let range = entry.start..entry.end;
                if entry.value.flags.contains(VmaFlags::DONT_COPY) {
                    copy.forget(&entry.value, &range);
                    continue;
                }
                let mut vma = entry.value.clone();
                vma.flags.remove(VmaFlags::LOCKED | VmaFlags::LOCK_ON_FAULT);
                let committed = vma.committed(range.clone());
                map.promise(committed)?;
                if let Err(errno) = insert(&mut copy.vmas, range.clone(), vma) {
                    overcommit::take_back(committed);
                    return Err(errno);
                }
                if entry.value.is_private() && !entry.value.flags.contains(VmaFlags::WIPE_ON_FORK) {
                    self.copy_entries(&entry.value, range, child, hot, &mut gather)?;
                }
            }
            Ok(())
        };
        let result = copy_all();
        // A copy that failed half-way is given back as a whole.
        *child.map.get_mut() = copy;
        result
    }

    /// Shares the private pages of one mapping with the child: neither may write them any more without a copy.
    fn copy_entries(
        &self,
        vma: &Vma,
        range: Range<usize>,
        child: &AddressSpace,
        hot: Option<usize>,
        gather: &mut Gather<'_>,
    ) -> Result<()> {
        let zero_pages_too = matches!(vma.backing, Backing::Anonymous);
        let mut copied = 0;
        let result = self.for_each_whole(range.clone(), |part| {
            let leaf = match part {
                Part::Leaf(leaf) => leaf,
                Part::Huge(huge) => {
                    if huge.entry().has(PteFlags::WRITE) {
                        gather.touch_huge(huge.range().start);
                    }
                    return self.copy_huge(huge, child);
                }
            };
            leaf.settle();
            let mut target = None;
            leaf.table().try_for_each_filled(leaf.indices(&range), |index, entry| {
                let wanted = entry.has(PteFlags::ANONYMOUS)
                    || zero_pages_too && entry.has(PteFlags::UNCOUNTED);
                if !is_mapped(entry) || !wanted {
                    return Ok(());
                }
                let target = match target {
                    Some(target) => target,
                    None => {
                        // Both have leaf tables in the same places, or none.
                        let new = child.tables.leaf_or_new(leaf.base)?.ok_or(Errno::ENOMEM)?;
                        *target.insert(new)
                    }
                };
                if hot == Some(leaf.addr_of(index))
                    && entry.has(PteFlags::WRITE)
                    && let Ok(copy) = fault::copy_of(entry)
                {
                    let own = Entry::new(copy.into_counted(), fault::own_page(vma.flags));
                    target.table().store(index, own);
                    copied += 1;
                    return Ok(());
                }
                if entry.has(PteFlags::WRITE) {
                    leaf.table().clear_flags(index, PteFlags::WRITE);
                    gather.touch(leaf.addr_of(index));
                }
                // SAFETY: the space's lock is held for writing and the table has settled, so the entry stays.
                if let Some(frame) = unsafe { tables::clone_frame(entry) } {
                    frame.into_counted();
                    copied += 1;
                }
                // The child keeps what the parent was advised to give up.
                target.table().store(index, entry.without(PteFlags::WRITE).with(PteFlags::DIRTY));
                Ok(())
            })
        });
        child.count_resident(copied, 0);
        result
    }
}

impl Map {
    /// Takes a mapping that was not copied out of the figures.
    fn forget(&mut self, vma: &Vma, range: &Range<usize>) {
        let pages = range.len() / PAGE_SIZE;
        let mut vma = vma.clone();
        vma.flags.remove(VmaFlags::LOCKED);
        self.account(&vma, pages, false);
    }
}
