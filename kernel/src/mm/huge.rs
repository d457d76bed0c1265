//! Huge pages of private memory: what may have them, and where they come from.
//!
//! A huge page is a block of 512 frames, aligned to its size, each with its own count: [`HugeFrame`] is a reference to every one of them. So an entry that maps
//! the block can become 512 entries, or be shared by a fork, with no count to put right; docs/memory.md argues it. `address_space::huge` has the entries.
//!
//! The settings are those of `/sys/kernel/mm/transparent_hugepage`, by their names there. No locks.

use super::{
    Frame, PAGE_SIZE, PhysAddr,
    address_space::vma::VmaFlags,
    khugepaged, node,
    page::{self, Page, PageKind},
    reclaim,
    stats::Counter,
};
use crate::arch::{copy, cpu, paging};
use abi::{Errno, Result};
use alloc::string::String;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence};

/// Bytes of a huge page: what an entry one level above the leaf tables maps.
pub const HUGE_SIZE: usize = paging::span(1);
/// Frames in it.
pub const HUGE_PAGES: usize = HUGE_SIZE / PAGE_SIZE;
const ORDER: u8 = HUGE_PAGES.ilog2() as u8;

/// A setting that is one of some names.
pub struct Choice {
    names: &'static [&'static str],
    chosen: AtomicU8,
}

impl Choice {
    const fn new(names: &'static [&'static str], chosen: u8) -> Choice {
        Choice { names, chosen: AtomicU8::new(chosen) }
    }

    fn get(&self) -> u8 {
        self.chosen.load(Ordering::Relaxed)
    }

    /// All names, the chosen one in brackets.
    pub fn show(&self) -> String {
        let chosen = usize::from(self.get());
        let mut out = String::new();
        for (index, name) in self.names.iter().enumerate() {
            let (open, close) = if index == chosen { ("[", "]") } else { ("", "") };
            for part in [if index == 0 { "" } else { " " }, open, name, close] {
                out.push_str(part);
            }
        }
        out
    }

    /// Chooses by name, which may end in a line feed; `EINVAL`.
    pub fn set(&self, text: &[u8]) -> Result<()> {
        self.chosen.store(self.find(text)?, Ordering::Relaxed);
        Ok(())
    }

    fn find(&self, text: &[u8]) -> Result<u8> {
        let name = text.strip_suffix(b"\n").unwrap_or(text);
        let found = (0..).zip(self.names).find(|(_, known)| known.as_bytes() == name);
        Ok(found.ok_or(Errno::EINVAL)?.0)
    }
}

const ALWAYS: u8 = 0;
const MADVISE: u8 = 1;

/// Which memory gets huge pages: all, what was advised to, none. A change is told to [`khugepaged::poke`].
pub static ENABLED: Choice = Choice::new(&["always", "madvise", "never"], ALWAYS);

const DEFRAG_ALWAYS: u8 = 0;
const DEFRAG_DEFER_MADVISE: u8 = 2;
const DEFRAG_MADVISE: u8 = 3;

/// For which memory a fault that finds no block puts one together: has the CPUs and the stock of zeroed pages give back what they keep, as their pages keep
/// others from merging. Idle CPUs do so by and by in any case, which is what `defer` stands for.
pub static DEFRAG: Choice =
    Choice::new(&["always", "defer", "defer+madvise", "madvise", "never"], DEFRAG_MADVISE);

/// What shared memory gets, by Linux's names: no huge pages here, so it is `never` or `deny`.
pub static SHARED: Choice =
    Choice::new(&["always", "within_size", "advise", "never", "deny", "force"], SHARED_NEVER);
const SHARED_NEVER: u8 = 3;
const SHARED_DENY: u8 = 4;

/// Chooses by name; `EINVAL` for what would be huge pages, as on a machine that has none.
pub fn set_shared(text: &[u8]) -> Result<()> {
    match SHARED.find(text)? {
        choice @ (SHARED_NEVER | SHARED_DENY) => SHARED.chosen.store(choice, Ordering::Relaxed),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

static USE_ZERO_PAGE: AtomicBool = AtomicBool::new(true);

/// Whether reads of untouched memory see a huge page of zeros.
pub fn uses_zero_page() -> bool {
    USE_ZERO_PAGE.load(Ordering::Relaxed)
}

/// Sets it.
pub fn set_use_zero_page(on: bool) {
    USE_ZERO_PAGE.store(on, Ordering::Relaxed);
}

/// Whether any memory gets huge pages.
pub(super) fn is_enabled() -> bool {
    matches!(ENABLED.get(), ALWAYS | MADVISE)
}

/// Whether memory of private mappings with `flags` may be in huge pages if the settings say so.
pub(super) fn permits(flags: VmaFlags) -> bool {
    const NEVER: VmaFlags =
        VmaFlags::NO_HUGE.union(VmaFlags::SHARED).union(VmaFlags::SPECIAL).union(VmaFlags::FOREIGN);
    !flags.intersects(NEVER)
}

/// Whether memory of private mappings with `flags` may be in huge pages, by the settings and by advice.
pub(super) fn allows(flags: VmaFlags) -> bool {
    if !permits(flags) {
        return false;
    }
    match ENABLED.get() {
        ALWAYS => true,
        MADVISE => flags.contains(VmaFlags::HUGE),
        _ => false,
    }
}

/// What has happened so often (`/proc/vmstat`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Event {
    /// A fault brought a huge page.
    FaultAlloc,
    /// A fault would have, but none was free.
    FaultFallback,
    /// A block was allocated to collapse small pages to.
    CollapseAlloc,
    /// None was free for it.
    CollapseAllocFailed,
    /// Small pages stayed as more than `max_ptes_none` were not there.
    ScanExceedEmpty,
    /// Small pages stayed as more than `max_ptes_shared` were others', too.
    ScanExceedShared,
    /// An entry was split.
    Split,
    /// The huge page of zeros was made.
    ZeroPage,
    /// It could not be.
    ZeroPageFailed,
}

static EVENTS: [AtomicUsize; Event::ZeroPageFailed as usize + 1] =
    [const { AtomicUsize::new(0) }; Event::ZeroPageFailed as usize + 1];

impl Event {
    /// Counts one more: each stands for the work of thousands of instructions, so one line for all CPUs does.
    pub(super) fn count(self) {
        EVENTS[self as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn total(self) -> usize {
        EVENTS[self as usize].load(Ordering::Relaxed)
    }

    /// How many there were of each, with the names that `vmstat` has for them.
    pub fn by_name() -> impl Iterator<Item = (&'static str, usize)> {
        [
            ("thp_fault_alloc", Event::FaultAlloc),
            ("thp_fault_fallback", Event::FaultFallback),
            ("thp_collapse_alloc", Event::CollapseAlloc),
            ("thp_collapse_alloc_failed", Event::CollapseAllocFailed),
            ("thp_split_pmd", Event::Split),
            ("thp_scan_exceed_none_pte", Event::ScanExceedEmpty),
            ("thp_scan_exceed_share_pte", Event::ScanExceedShared),
            ("thp_zero_page_alloc", Event::ZeroPage),
            ("thp_zero_page_alloc_failed", Event::ZeroPageFailed),
        ]
        .into_iter()
        .map(|(name, event)| (name, event.total()))
    }
}

/// For what small pages are to be collapsed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// A program wants it, whether or not there is plenty.
    Wanted,
    /// It may be of use.
    Spare,
}

/// A counted reference to each frame of a huge page.
#[repr(transparent)]
pub(super) struct HugeFrame(u32);

impl HugeFrame {
    /// Zeroed, for a mapping with `flags`; `None` when memory is not plentiful, or in pieces.
    pub(super) fn alloc_zeroed(flags: VmaFlags) -> Option<HugeFrame> {
        let block = node::alloc_spare_block(ORDER).or_else(|| {
            let defragment = match DEFRAG.get() {
                DEFRAG_ALWAYS => true,
                DEFRAG_DEFER_MADVISE | DEFRAG_MADVISE => flags.contains(VmaFlags::HUGE),
                _ => false,
            };
            if defragment && node::is_plentiful(ORDER) {
                reclaim::give_back_lists();
                node::alloc_spare_block(ORDER)
            } else {
                None
            }
        });
        let Some(first) = block else {
            Event::FaultFallback.count();
            return None;
        };
        for frame in first..first + HUGE_PAGES as u32 {
            node::zero(frame);
        }
        Some(Self::adopt_new(first))
    }

    /// With any content, on a certain node, to collapse small pages to. May wait for the CPUs to give back what they keep.
    pub(super) fn alloc_on(node: usize, purpose: Purpose) -> Option<HugeFrame> {
        let attempt = || match purpose {
            Purpose::Wanted => node::alloc_block_on(node, ORDER),
            Purpose::Spare => node::alloc_spare_block_on(node, ORDER),
        };
        let defragment = || match purpose {
            Purpose::Wanted => true,
            Purpose::Spare => khugepaged::defragments() && node::is_plentiful_on(node, ORDER),
        };
        let block = attempt().or_else(|| {
            if !defragment() {
                return None;
            }
            reclaim::give_back_lists();
            attempt()
        });
        let event = if block.is_some() { Event::CollapseAlloc } else { Event::CollapseAllocFailed };
        event.count();
        block.map(Self::adopt_new)
    }

    fn adopt_new(first: u32) -> HugeFrame {
        let pages = page::pages(first, HUGE_PAGES);
        let counter = pages[0].counter_for(PageKind::Anonymous);
        cpu::count(counter, HUGE_PAGES as isize);
        pages.iter().for_each(|page| page.start_in_block(counter));
        let block = HugeFrame(first);
        start_mappings(block.addr());
        block
    }

    /// Gives page `index` of it the content of `source`, or zeros. Nobody else uses it yet.
    pub(super) fn fill_page(&self, index: usize, source: Option<&Frame>) {
        assert!(index < HUGE_PAGES);
        let target = self.0 + index as u32;
        let Some(source) = source else {
            node::zero(target);
            return;
        };
        let target = PhysAddr::of_frame(target).to_virt().as_mut_ptr();
        // SAFETY: two pages that references keep, ours and the caller's, of which the target is nobody else's.
        unsafe { copy::copy_page(target, source.addr().to_virt().as_mut_ptr()) };
    }

    /// Takes over the references that an entry held.
    ///
    /// # Safety
    /// The caller owns one reference to each of the frames from `addr` on, and gives them up.
    pub(super) unsafe fn from_counted(addr: PhysAddr) -> HugeFrame {
        HugeFrame(addr.frame_number())
    }

    /// Gives the references to an entry: to be taken back with [`HugeFrame::from_counted`].
    pub(super) fn into_counted(self) -> PhysAddr {
        let addr = self.addr();
        core::mem::forget(self);
        addr
    }

    /// Its physical address.
    pub(super) fn addr(&self) -> PhysAddr {
        PhysAddr::of_frame(self.0)
    }
}

/// The frames of the block at `addr`.
fn frames(addr: PhysAddr) -> &'static [Page] {
    page::pages(addr.frame_number(), HUGE_PAGES)
}

/// Whether whoever holds the references to the block at `addr` is the only one. The caller keeps them from being copied meanwhile.
pub(super) fn has_one_owner(addr: PhysAddr) -> bool {
    // None is below one, so they are all one if that is their sum. In chunks, so that the loop costs little.
    let (chunks, _) = frames(addr).as_chunks::<16>();
    let sum = |chunk: &[Page; 16]| -> usize {
        chunk.iter().map(|page| page.references().load(Ordering::Acquire) as usize).sum()
    };
    chunks.iter().map(sum).sum::<usize>() == HUGE_PAGES
}

/// No entry maps the block at `addr` as a whole. What its first frame has in the place of that count may be from when it was free.
pub(super) fn start_mappings(addr: PhysAddr) {
    page::page(addr.frame_number()).mappings().store(0, Ordering::Relaxed);
}

/// Counts an entry that maps the block at `addr` as a whole, and that its page counts as a huge one (`AnonHugePages`).
pub(super) fn count_mapping(addr: PhysAddr) {
    let first = page::page(addr.frame_number());
    if first.mappings().fetch_add(1, Ordering::Relaxed) == 0 {
        Counter::AnonymousHuge.add(first, HUGE_PAGES as isize);
    }
}

/// One did, and does not any more.
pub(super) fn uncount_mapping(addr: PhysAddr) {
    let first = page::page(addr.frame_number());
    if first.mappings().fetch_sub(1, Ordering::Relaxed) == 1 {
        Counter::AnonymousHuge.add(first, -(HUGE_PAGES as isize));
    }
}

/// Counts one more reference to each frame of the block at `addr`, of which the caller holds one.
pub(super) fn count_up(addr: PhysAddr) {
    let (chunks, _) = frames(addr).as_chunks::<16>();
    for chunk in chunks {
        for page in chunk {
            page.references().fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for HugeFrame {
    fn drop(&mut self) {
        if !has_one_owner(self.addr()) {
            for (frame, page) in (self.0..).zip(frames(self.addr())) {
                if page.references().fetch_sub(1, Ordering::Release) == 1 {
                    fence(Ordering::Acquire);
                    node::free_known_page(frame, page);
                }
            }
            return;
        }
        let pages = frames(self.addr());
        debug_assert!(pages.iter().all(Page::is_unlocked), "a locked entry was not counted");
        cpu::count(pages[0].counter_for(PageKind::Anonymous), -(HUGE_PAGES as isize));
        // Nobody else can count up what only we hold.
        for page in pages {
            page.references().store(0, Ordering::Relaxed);
            page.set_free();
        }
        node::free_block(self.0, ORDER);
    }
}

/// The first frame of the huge page of zeros that reads of untouched memory see; 0: there is none yet. It stays once it was made.
static ZEROS: AtomicU32 = AtomicU32::new(0);

/// Where it is; `None` while there is none and none can be made.
pub(super) fn zeros() -> Option<PhysAddr> {
    if !uses_zero_page() {
        return None;
    }
    let first = match ZEROS.load(Ordering::Acquire) {
        0 => make_zeros()?,
        first => first,
    };
    Some(PhysAddr::of_frame(first))
}

#[cold]
fn make_zeros() -> Option<u32> {
    let Some(new) = HugeFrame::alloc_zeroed(VmaFlags::empty()) else {
        Event::ZeroPageFailed.count();
        return None;
    };
    let change = |from, to| frames(new.addr()).iter().for_each(|page| page.change_use(from, to));
    change(PageKind::Anonymous, PageKind::Other);
    match ZEROS.compare_exchange(0, new.0, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            Event::ZeroPage.count();
            Some(new.into_counted().frame_number())
        }
        Err(first) => {
            change(PageKind::Other, PageKind::Anonymous);
            Some(first)
        }
    }
}
