//! Who maps an object: so that pages which the object gives up (a file that is cut short, a hole punched) leave the page tables.

use super::{AddressSpace, tlb::Gather, vma::Backing};
use crate::{
    arch::paging::PteFlags,
    mm::PAGE_SIZE,
    sync::{SpinLock, class},
};
use alloc::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::ops::Range;

/// The address spaces that map (or once mapped) an object, by their addresses.
pub struct Mappings(SpinLock<Spaces>);

struct Spaces {
    known: BTreeMap<usize, Weak<AddressSpace>>,
    /// At this number those that are gone are sorted out.
    sort_out_at: usize,
}

/// What becomes of the copies that private mappings made of the pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copies {
    /// They go too: the file was cut short.
    Too,
    /// They stay: the pages were only given up.
    Stay,
}

/// The least number of spaces worth sorting out.
const SORT_OUT_MIN: usize = 16;

impl Mappings {
    /// Nobody yet.
    pub const fn new() -> Mappings {
        let spaces = Spaces { known: BTreeMap::new(), sort_out_at: SORT_OUT_MIN };
        Mappings(SpinLock::new(&class::PAGE, spaces))
    }

    pub(super) fn add(&self, space: &Weak<AddressSpace>) {
        let mut spaces = self.0.lock();
        if spaces.known.len() >= spaces.sort_out_at {
            spaces.known.retain(|_, space| space.strong_count() > 0);
            spaces.sort_out_at = (2 * spaces.known.len()).max(SORT_OUT_MIN);
        }
        spaces.known.entry(space.as_ptr().addr()).or_insert_with(|| Weak::clone(space));
    }

    pub(super) fn remove(&self, space: *const AddressSpace) {
        self.0.lock().known.remove(&space.addr());
    }

    /// Takes pages of the object out of all page tables. What is touched afterwards asks the object again: it must have forgotten them, or its size must say so, before. Sleeps; the
    /// caller holds no lock of an address space.
    pub fn unmap(&self, pages: Range<u64>, copies: Copies) {
        let spaces: Vec<Arc<AddressSpace>> =
            self.0.lock().known.values().filter_map(Weak::upgrade).collect();
        for space in spaces {
            space.unmap_object(self, &pages, copies);
        }
    }
}

impl Default for Mappings {
    fn default() -> Self {
        Self::new()
    }
}

impl AddressSpace {
    fn unmap_object(&self, mappings: &Mappings, pages: &Range<u64>, copies: Copies) {
        // For writing: a fault that asked the object before is over then, and its page is in the tables.
        let map = self.write_map();
        let mut gather = Gather::new(self);
        for entry in map.vmas.iter() {
            let Backing::Object(object) = &entry.value.backing else { continue };
            if !object.source.mappings().is_some_and(|its| core::ptr::eq(its, mappings)) {
                continue;
            }
            let shown = (entry.end - entry.start) / PAGE_SIZE;
            let first = pages.start.saturating_sub(object.first).min(shown as u64) as usize;
            let last = pages.end.saturating_sub(object.first).min(shown as u64) as usize;
            if first < last {
                let range = entry.start + first * PAGE_SIZE..entry.start + last * PAGE_SIZE;
                self.before_zap(&entry.value, range.clone(), |page| {
                    copies == Copies::Too || !page.has(PteFlags::ANONYMOUS)
                });
                self.zap_entries(range, copies, &mut gather);
            }
        }
    }
}
