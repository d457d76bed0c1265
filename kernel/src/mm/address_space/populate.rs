//! Pages that are brought in without an access to them: locked memory, `MAP_POPULATE`, `MADV_POPULATE_*`, and access from elsewhere.

use super::{
    AddressSpace,
    huge::Part,
    tables,
    vma::{Backing, Vma, VmaFlags},
};
use crate::{
    arch::paging::{self, Entry, PteFlags},
    mm::{
        Frame, PAGE_SIZE,
        fault::{self, Access, Brought, Failure, WRITTEN, check_access},
    },
    sched,
};
use abi::{Errno, Result};

impl AddressSpace {
    /// Brings in every page of `range`, for writing where that is what the mapping is for: `mlock`, `MAP_POPULATE`. `ENOMEM` where nothing is mapped or
    /// a page cannot be had.
    pub(super) fn populate(&self, range: core::ops::Range<usize>) -> Result<()> {
        self.populate_for(range, None)
    }

    /// The same for a certain access (`MADV_POPULATE_READ`, `MADV_POPULATE_WRITE`): `EINVAL` where the mapping does not say that it may be, `EFAULT` for
    /// what a program would get a signal for.
    pub(super) fn populate_for(
        &self,
        range: core::ops::Range<usize>,
        wanted: Option<Access>,
    ) -> Result<()> {
        let current = sched::current();
        let mut addr = range.start;
        while addr < range.end {
            if crate::process::signal::fatal_pending(&current) {
                return Err(Errno::EINTR);
            }
            let map = self.read_map();
            let entry = map.vmas.get(addr).ok_or(Errno::ENOMEM)?;
            let access = wanted.unwrap_or_else(|| natural_access(&entry.value));
            let unreadable = access == Access::Read && !entry.value.flags.contains(VmaFlags::READ);
            if wanted.is_some() && (unreadable || entry.value.flags.contains(VmaFlags::FOREIGN)) {
                return Err(Errno::EINVAL);
            }
            if check_access(&entry.value, access).is_err() {
                return Err(if wanted.is_some() { Errno::EINVAL } else { Errno::ENOMEM });
            }
            let brought = self.bring_in(entry, addr, access);
            let brought = brought.map_err(|failure| match (failure, wanted) {
                (Failure::NoPage, Some(_)) => Errno::EFAULT,
                _ => Errno::ENOMEM,
            })?;
            if brought == Brought::Now {
                fault::count(&current);
            }
            // The rest of a huge page that was brought in is there.
            let huge = match entry.value.backing {
                Backing::Anonymous => self.end_of_huge(addr),
                Backing::Object(_) => None,
            };
            addr = huge.map_or(addr + PAGE_SIZE, |end| end.min(entry.end));
        }
        Ok(())
    }

    /// Calls `use_page` with the page behind `addr`, brought in for `access` if need be. The map is held for reading meanwhile: the space keeps the
    /// right to write to the page.
    pub(super) fn with_page<R>(
        &self,
        addr: usize,
        access: Access,
        use_page: impl FnOnce(&Frame) -> R,
    ) -> Result<R, Failure> {
        loop {
            {
                let map = self.read_map();
                let allowed = map
                    .vmas
                    .get(addr)
                    .is_some_and(|entry| check_access(&entry.value, access).is_ok());
                if allowed && let Some(frame) = self.mapped_for(addr, access) {
                    return Ok(use_page(&frame));
                }
            }
            self.fault(addr, access)?;
        }
    }

    /// The same for somebody who looks into the process from outside (`FOLL_FORCE`): what may be made readable counts as
    /// readable, and private memory that may be made writable as writable. A page that is written is the space's own afterwards.
    pub(super) fn with_page_forced<R>(
        &self,
        addr: usize,
        access: Access,
        use_page: impl FnOnce(&Frame) -> R,
    ) -> Result<R, Failure> {
        loop {
            let map = self.read_map();
            let entry = map.vmas.get(addr).ok_or(Failure::Unmapped)?;
            let flags = entry.value.flags;
            if !allows_by_force(flags, access) {
                return Err(Failure::Forbidden);
            }
            let found = if access == Access::Write && !flags.contains(VmaFlags::WRITE) {
                let marks = WRITTEN.difference(PteFlags::WRITE);
                self.mapped_frame(addr, marks, tables::is_sole_owner)
            } else {
                self.mapped_for(addr, access)
            };
            if let Some(frame) = found {
                return Ok(use_page(&frame));
            }
            self.bring_in(entry, addr & !(PAGE_SIZE - 1), access)?;
        }
    }

    /// The page that is mapped at `addr` now, if its entry allows `access`; marked as the CPU would at a write, as the caller writes past the tables.
    fn mapped_for(&self, addr: usize, access: Access) -> Option<Frame> {
        if access == Access::Write {
            self.mapped_frame(addr, WRITTEN, |pte| pte.has(PteFlags::WRITE))
        } else {
            self.mapped_frame(addr, PteFlags::empty(), |_| true)
        }
    }

    /// The page that is mapped at `addr` now, if its entry is as wanted, which gets `marks`.
    fn mapped_frame(
        &self,
        addr: usize,
        marks: PteFlags,
        is_wanted: impl Fn(Entry) -> bool,
    ) -> Option<Frame> {
        let page_of = |pte: Entry| {
            if !tables::is_mapped(pte) || !is_wanted(pte) {
                return None;
            }
            // SAFETY: the entry's reference, which the table's lock keeps where it is; a page of zeros is counted by its static and never freed.
            let page = core::mem::ManuallyDrop::new(unsafe { Frame::from_counted(pte.addr()) });
            Some((*page).clone())
        };
        match self.page_tables().part(addr)? {
            Part::Leaf(leaf) => {
                let _guard = leaf.lock();
                let slot = paging::index(addr, 0);
                let pte = leaf.table().load(slot);
                let page = page_of(pte)?;
                if !pte.has(marks) {
                    leaf.table().set_flags(slot, marks);
                }
                Some(page)
            }
            Part::Huge(huge) => {
                let page = page_of(huge.entry_of(addr))?;
                if !huge.entry().has(marks) {
                    huge.set_flags(marks);
                }
                Some(page)
            }
        }
    }
}

/// Whether `access` is a debugger's to have.
fn allows_by_force(flags: VmaFlags, access: Access) -> bool {
    if flags.contains(VmaFlags::FOREIGN) {
        return false;
    }
    match access {
        Access::Write => {
            let private = flags.contains(VmaFlags::MAY_WRITE) && !flags.contains(VmaFlags::SHARED);
            flags.contains(VmaFlags::WRITE) || private
        }
        _ => flags.intersects(VmaFlags::READ | VmaFlags::MAY_READ),
    }
}

/// What `populate` brings a page in for.
fn natural_access(vma: &Vma) -> Access {
    if vma.flags.contains(VmaFlags::WRITE) && vma.is_private() {
        Access::Write
    } else {
        Access::Read
    }
}
