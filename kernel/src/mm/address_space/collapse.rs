//! Collapse: a huge page takes the place of 512 small ones of private memory, because a program asks for it (`MADV_COLLAPSE`) or because `khugepaged` finds them.
//!
//! A *survey* of the leaf table, with the map held for reading, says whether it may be done; a block is allocated with no lock held; then, with the map held for
//! writing, the survey is made anew, and what it allows is done:
//!
//! 1. The leaf table is settled. From here on no fault changes it: those that take no lock of the map see that the counter is odd (see `speculate`), all others need
//!    the map.
//! 2. The place that leads to the table is emptied, and all CPUs that have the space loaded forget what they know of the range. When they have answered, none of them
//!    reads, writes or marks anything through the table, and a fault that had found it with interrupts off is over. Whoever faults waits for the map.
//! 3. The pages are copied to the block, and zeros to where there was none. The table's references go.
//! 4. The huge entry takes the place, and the table is set aside for its split, as if it had been allocated for that.
//!
//! Nothing can fail after the first step. Pages that make up a block already, as after a split, stay where they are: only the entries change.
//!
//! # Why no write is lost
//!
//! After the second step nobody writes through the tables. Who writes past them (`process_vm_writev`, `/proc/<pid>/mem`) holds the map for reading from the look-up of
//! the page until it has written (`remote`), and so comes before or after all of this. A page that only this space may write and that somebody else has a reference to
//! stays (`EAGAIN`), whoever that is.

use super::{
    AddressSpace, Map,
    huge::{Part, has_room},
    tables::{self, Leaf},
    vma::{Backing, Vma, VmaFlags},
};
use crate::{
    arch::paging::{ENTRIES, Entry, PteFlags},
    mm::{
        PhysAddr, fault,
        huge::{self, Event, HUGE_SIZE, HugeFrame, Purpose},
        mlock::{self, Change},
        page::page,
    },
};
use abi::{Errno, Result};
use core::{ops::Range, sync::atomic::Ordering::Acquire};
use numa::MAX_NODES;
use vma_tree::Entry as MapEntry;

/// On whose behalf, and within which limits.
#[derive(Clone, Copy, Debug)]
pub(in crate::mm) enum Asked {
    /// A program's, which knows why: no setting counts.
    ByProgram,
    /// `khugepaged`'s.
    ByScan {
        /// Most pages that are not there yet (`max_ptes_none`).
        empty: usize,
        /// Most pages that others have, too (`max_ptes_shared`).
        shared: usize,
    },
}

/// Why small pages stay (`enum scan_result` on Linux).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::mm) enum Obstacle {
    /// No mapping, or one that gets no huge page here.
    Mapping,
    /// A huge page is there.
    Huge,
    /// Nothing was touched yet.
    NoTable,
    /// No page may be written.
    ReadOnly,
    /// No page was used since somebody cleared the marks of that.
    Unused,
    /// Too many are not there yet.
    Empty,
    /// Too many are others', too.
    Shared,
    /// Somebody else holds a page.
    Held,
    /// No block is free.
    NoBlock,
    /// The task is to die.
    Killed,
}

impl Obstacle {
    /// What `madvise(2)` says.
    fn errno(self) -> Errno {
        match self {
            Obstacle::Held => Errno::EAGAIN,
            Obstacle::NoBlock => Errno::ENOMEM,
            Obstacle::Killed => Errno::ERESTARTSYS,
            _ => Errno::EINVAL,
        }
    }

    /// Whether `madvise(2)` looks no further.
    fn is_final(self) -> bool {
        matches!(self, Obstacle::Mapping | Obstacle::NoTable | Obstacle::NoBlock | Obstacle::Killed)
    }
}

/// What was found in a leaf table that may be collapsed.
struct Survey {
    /// Pages that are not there yet.
    empty: usize,
    /// The block that its pages make up, and nobody else has.
    block: Option<PhysAddr>,
    /// The node that most of them are on.
    node: usize,
}

/// Whether a mapping may have huge pages if the settings say so.
pub(super) fn might_be_huge(vma: &Vma) -> bool {
    matches!(vma.backing, Backing::Anonymous) && huge::permits(vma.flags)
}

/// Looks at a leaf table. The map is held for writing and the table has settled, or what is found is only a hint.
fn survey(leaf: Leaf<'_>, asked: Asked) -> Result<Survey, Obstacle> {
    let (most_empty, most_shared, wants_used) = match asked {
        Asked::ByProgram => (ENTRIES, ENTRIES, false),
        Asked::ByScan { empty, shared } => (empty, shared, true),
    };
    let first = leaf.table().load(0).addr();
    let (mut empty, mut shared) = (0, 0);
    let (mut writable, mut used) = (false, false);
    let mut is_block = first.0.is_multiple_of(HUGE_SIZE);
    let mut on_node = [0_u16; MAX_NODES];
    for index in 0..ENTRIES {
        let entry = leaf.table().load(index);
        if !tables::is_counted(entry) {
            empty += 1;
            if empty > most_empty {
                Event::ScanExceedEmpty.count();
                return Err(Obstacle::Empty);
            }
            continue;
        }
        let frame = entry.addr().frame_number();
        let page = page(frame);
        if page.references().load(Acquire) != 1 {
            // What may be written is this space's alone.
            if entry.has(PteFlags::WRITE) {
                return Err(Obstacle::Held);
            }
            shared += 1;
            if shared > most_shared {
                Event::ScanExceedShared.count();
                return Err(Obstacle::Shared);
            }
        }
        is_block &= frame == first.frame_number() + index as u32;
        writable |= entry.has(PteFlags::WRITE);
        used |= entry.has(PteFlags::ACCESSED);
        on_node[page.node()] += 1;
    }
    if !writable {
        return Err(Obstacle::ReadOnly);
    }
    if wants_used && !used {
        return Err(Obstacle::Unused);
    }
    let node = (0..MAX_NODES).max_by_key(|&node| (on_node[node], MAX_NODES - node)).unwrap_or(0);
    // Blocks are given back to one node.
    let whole = shared == 0 && usize::from(on_node[node]) == ENTRIES;
    let block = (is_block && whole).then_some(first);
    Ok(Survey { empty, block, node })
}

impl AddressSpace {
    /// `MADV_COLLAPSE`.
    pub(super) fn collapse(&self, range: Range<usize>) -> Result<()> {
        let (mut at, mut hole) = (range.start, false);
        while at < range.end {
            let part = {
                let map = self.read_map();
                let Some(entry) = map.vmas.find(at).filter(|entry| entry.start < range.end) else {
                    break;
                };
                hole |= entry.start > at;
                let permitted =
                    has_room(entry) && self.may_collapse(&entry.value, Asked::ByProgram);
                if !permitted || !self.has_own_pages(entry) {
                    return Err(Errno::EINVAL);
                }
                at.max(entry.start)..entry.end.min(range.end)
            };
            at = part.end;
            self.collapse_part(part)?;
        }
        if hole || at < range.end { Err(Errno::ENOMEM) } else { Ok(()) }
    }

    /// The same for a part of one mapping: all huge pages that lie in it, and the error of the last that did not come.
    fn collapse_part(&self, part: Range<usize>) -> Result<()> {
        let (start, end) = (part.start.next_multiple_of(HUGE_SIZE), part.end & !(HUGE_SIZE - 1));
        if start > end {
            // Within one huge page. Between two there is nothing to do.
            return Err(Errno::EINVAL);
        }
        let mut result = Ok(());
        for base in (start..end).step_by(HUGE_SIZE) {
            match self.collapse_at(base, Asked::ByProgram) {
                Ok(()) | Err(Obstacle::Huge) => {}
                Err(obstacle) => {
                    result = Err(obstacle.errno());
                    if obstacle.is_final() {
                        break;
                    }
                }
            }
        }
        result
    }

    /// Puts a huge page in the place of the small ones from `base` on, which is aligned.
    pub(in crate::mm) fn collapse_at(&self, base: usize, asked: Asked) -> Result<(), Obstacle> {
        let hint = {
            let map = self.read_map();
            survey(self.to_be_collapsed(&map, base, asked)?.0, asked)?
        };
        let block = match hint.block {
            Some(_) => None,
            None => Some(Self::block_for(&hint, asked)?),
        };
        let map = self.write_map_killable().map_err(|_| Obstacle::Killed)?;
        let (leaf, flags) = self.to_be_collapsed(&map, base, asked)?;
        leaf.settle();
        let found = survey(leaf, asked)?;
        if found.block.is_none() && block.is_none() {
            // They have become others meanwhile.
            return Err(Obstacle::Held);
        }
        self.replace(leaf, flags, &found, block);
        drop(map);
        Ok(())
    }

    /// A block to copy to.
    fn block_for(found: &Survey, asked: Asked) -> Result<HugeFrame, Obstacle> {
        let purpose = match asked {
            Asked::ByProgram => Purpose::Wanted,
            Asked::ByScan { .. } => Purpose::Spare,
        };
        HugeFrame::alloc_on(found.node, purpose).ok_or(Obstacle::NoBlock)
    }

    /// The leaf table for `base`, if all that it maps is in one mapping that may have a huge page there, and that mapping's flags.
    fn to_be_collapsed(
        &self,
        map: &Map,
        base: usize,
        asked: Asked,
    ) -> Result<(Leaf<'_>, VmaFlags), Obstacle> {
        let entry = map.vmas.get(base).ok_or(Obstacle::Mapping)?;
        let all = entry.start <= base && base + HUGE_SIZE <= entry.end;
        if !all || !self.may_collapse(&entry.value, asked) || self.is_reaped() {
            return Err(Obstacle::Mapping);
        }
        match self.tables.leaf(base) {
            Some(leaf) => Ok((leaf, entry.value.flags)),
            None if self.end_of_huge(base).is_some() => Err(Obstacle::Huge),
            None => Err(Obstacle::NoTable),
        }
    }

    fn may_collapse(&self, vma: &Vma, asked: Asked) -> bool {
        match asked {
            Asked::ByProgram => might_be_huge(vma) && !self.has_no_huge_pages(),
            Asked::ByScan { .. } => self.allows_huge(vma),
        }
    }

    /// Whether a mapping has pages of its own.
    fn has_own_pages(&self, entry: &MapEntry<Vma>) -> bool {
        let range = entry.start..entry.end;
        let visit = |part: Part<'_>| {
            let mut own = false;
            part.for_each_entry(&range, |_, page| own |= page.has(PteFlags::ANONYMOUS));
            if own { Err(Errno::EAGAIN) } else { Ok(()) }
        };
        self.tables.for_each_part(range.clone(), visit).is_err()
    }

    /// Steps 2 to 4. The map is held for writing, the table has settled, and `found` is what it holds. `block` is for its content, unless that is one.
    fn replace(&self, leaf: Leaf<'_>, flags: VmaFlags, found: &Survey, block: Option<HugeFrame>) {
        let Some(slot) = self.tables.slot(leaf.base) else {
            unreachable!("a leaf table is in a table")
        };
        slot.store(Entry::NONE);
        self.flush(leaf.base..leaf.base + HUGE_SIZE);
        let addr = match (found.block, block) {
            // The entries' references become the huge one's.
            (Some(addr), _) => {
                huge::start_mappings(addr);
                addr
            }
            (None, block) => {
                let Some(block) = block else { unreachable!("the caller has one") };
                let locked = flags.contains(VmaFlags::LOCKED);
                for index in 0..ENTRIES {
                    let entry = leaf.table().load(index);
                    if locked && tables::is_counted(entry) {
                        mlock::count(entry.addr(), Change::Unlock);
                    }
                    // SAFETY: the table is in no other table and no CPU remembers it, so its references are ours; nobody looks at its entries again.
                    let page = unsafe { tables::take_frame(entry) };
                    block.fill_page(index, page.as_ref());
                }
                let addr = block.into_counted();
                if locked {
                    mlock::count_huge(addr, Change::Lock);
                }
                addr
            }
        };
        // Pages that were advised to be free stay now, and all count as written, as they are new here.
        let new = Entry::new(addr, fault::own_page(flags) | PteFlags::LARGE);
        let filled = slot.fill(new, leaf.addr());
        debug_assert!(filled, "only holders of the map fill it");
        huge::count_mapping(addr);
        self.count_resident(found.empty as isize, 0);
    }
}
