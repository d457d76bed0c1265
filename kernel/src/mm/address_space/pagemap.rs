//! `/proc/<pid>/pagemap` and `clear_refs`: what is known of each page, and forgetting its marks.
//!
//! Which pages were written since the marks were cleared is found out by write protection: clearing takes the right to write from every entry, and
//! the fault that gives it back marks the page (`PteFlags::SOFT_DIRTY`). Mappings that are new since then are marked as a whole.

use super::{
    AddressSpace,
    tables::{is_counted, is_mapped, map_count},
    tlb::Gather,
    vma::{Backing, VmaFlags},
};
use crate::{
    arch::paging::{Entry, PteFlags},
    mm::{PAGE_SIZE, USER_END},
};
use abi::{Errno, Result};
use core::sync::atomic::Ordering;

const SOFT_DIRTY: u64 = 1 << 55;
/// No other entry maps the page.
const EXCLUSIVE: u64 = 1 << 56;
/// An object's page.
const FILE: u64 = 1 << 61;
const PRESENT: u64 = 1 << 63;

/// Whether frame numbers are shown: they help an attacker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameNumbers {
    Shown,
    Hidden,
}

/// What `clear_refs` clears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum References {
    /// That pages were used.
    All = 1,
    /// That pages of private memory were.
    Anonymous = 2,
    /// That pages of objects were.
    Mapped = 3,
    /// That pages were written.
    SoftDirty = 4,
    /// The peak of resident memory.
    Peak = 5,
}

impl References {
    /// By number; `EINVAL`.
    pub fn from_number(number: i32) -> Result<References> {
        use References::*;
        [All, Anonymous, Mapped, SoftDirty, Peak]
            .into_iter()
            .find(|&one| one as i32 == number)
            .ok_or(Errno::EINVAL)
    }
}

impl AddressSpace {
    /// A word for each page from number `first` on; how many there are until the end of user memory, at most `words.len()`.
    pub fn page_map(&self, first: u64, words: &mut [u64], numbers: FrameNumbers) -> usize {
        let pages = (USER_END / PAGE_SIZE) as u64;
        let count = pages.saturating_sub(first).min(words.len() as u64) as usize;
        let words = &mut words[..count];
        if count == 0 {
            return 0;
        }
        words.fill(0);
        let start = first as usize * PAGE_SIZE;
        let range = start..start + count * PAGE_SIZE;
        let map = self.read_map();
        for entry in map.vmas.overlapping(range.clone()) {
            let flags = entry.value.flags;
            let part = entry.start.max(range.start)..entry.end.min(range.end);
            if flags.contains(VmaFlags::SOFT_DIRTY) {
                words[(part.start - start) / PAGE_SIZE..(part.end - start) / PAGE_SIZE]
                    .fill(SOFT_DIRTY);
            }
            let own = !flags.contains(VmaFlags::FOREIGN);
            // The visit never fails.
            let _ = self.tables.for_each_part(part.clone(), |tables| {
                tables.for_each_entry(&part, |addr, page| {
                    if is_mapped(page) {
                        words[(addr - start) / PAGE_SIZE] |= describe(page, own, numbers);
                    }
                });
                Ok(())
            });
        }
        count
    }

    /// Clears marks (`clear_refs`). `EINTR`.
    pub fn clear_references(&self, what: References) -> Result<()> {
        let mut map = self.write_map_killable()?;
        let mut gather = Gather::new(self);
        match what {
            References::Peak => self.peak.store(self.resident(), Ordering::Relaxed),
            References::SoftDirty => {
                let mut at = 0;
                while let Some((range, vma)) = map.vmas.find_mut(at) {
                    vma.flags.remove(VmaFlags::SOFT_DIRTY);
                    at = range.end;
                }
                for entry in map.vmas.iter() {
                    let written = PteFlags::WRITE | PteFlags::SOFT_DIRTY;
                    self.clear_marks(entry.start..entry.end, written, &mut gather);
                }
            }
            References::All | References::Anonymous | References::Mapped => {
                for entry in map.vmas.iter() {
                    let flags = entry.value.flags;
                    let mapped = matches!(entry.value.backing, Backing::Object(_))
                        && !flags.contains(VmaFlags::SPECIAL);
                    let left_out = match what {
                        References::Anonymous => mapped,
                        References::Mapped => !mapped,
                        _ => false,
                    };
                    if !left_out && !flags.contains(VmaFlags::FOREIGN) {
                        self.clear_marks(entry.start..entry.end, PteFlags::ACCESSED, &mut gather);
                    }
                }
            }
        }
        drop(gather);
        Ok(())
    }
}

fn describe(page: Entry, own: bool, numbers: FrameNumbers) -> u64 {
    let mut word = PRESENT;
    if numbers == FrameNumbers::Shown {
        word |= u64::from(page.addr().frame_number());
    }
    if page.has(PteFlags::SOFT_DIRTY) {
        word |= SOFT_DIRTY;
    }
    if own && is_counted(page) {
        if !page.has(PteFlags::ANONYMOUS) {
            word |= FILE;
        }
        if map_count(page) == 1 {
            word |= EXCLUSIVE;
        }
    }
    word
}
