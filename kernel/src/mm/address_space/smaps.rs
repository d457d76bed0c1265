//! `/proc/<pid>/smaps` and `smaps_rollup` (`proc_pid_smaps(5)`): how much of each mapping is in memory, and how it is shared.

use super::{
    AddressSpace,
    huge::Part,
    lazy_free::is_free_to_go,
    show::{format_line, push_name},
    tables::{is_counted, map_count},
    vma::{Backing, Vma, VmaFlags},
};
use crate::{
    arch::paging::{Entry, PteFlags},
    mm::PAGE_SIZE,
};
use alloc::string::String;
use core::fmt::Write;
use vma_tree::Entry as MapEntry;

/// Shares of a page are kept in parts of a byte, so that what is lost by division does not add up (`PSS_SHIFT`).
const SHARE_BITS: u32 = 12;

/// What a page is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Private memory.
    Anonymous,
    /// Of an object that lives in memory only.
    Shmem,
    /// Another object's.
    File,
}

/// Bytes, of one mapping or of all.
#[derive(Default)]
struct Sums {
    resident: u64,
    shared_clean: u64,
    shared_dirty: u64,
    private_clean: u64,
    private_dirty: u64,
    referenced: u64,
    anonymous: u64,
    lazy_free: u64,
    huge: u64,
    // From here on in parts of a byte.
    share: u64,
    share_dirty: u64,
    share_anonymous: u64,
    share_file: u64,
    share_shmem: u64,
    share_locked: u64,
}

impl Sums {
    /// Counts what an entry maps. The entry's table is locked.
    fn count(&mut self, entry: Entry, vma: &Vma) {
        const SIZE: u64 = PAGE_SIZE as u64;
        let mappers = u64::from(map_count(entry)).max(1);
        let share = (SIZE << SHARE_BITS) / mappers;
        let kind = kind(entry, vma);
        // Pages without a place on a disk have no state in which they are clean.
        let dirty = entry.has(PteFlags::DIRTY) || kind == Kind::Shmem;
        self.resident += SIZE;
        self.share += share;
        if entry.has(PteFlags::ACCESSED) {
            self.referenced += SIZE;
        }
        if vma.flags.contains(VmaFlags::LOCKED) {
            self.share_locked += share;
        }
        if dirty {
            self.share_dirty += share;
        }
        match kind {
            Kind::Anonymous => {
                self.anonymous += SIZE;
                self.share_anonymous += share;
                if is_free_to_go(entry) {
                    self.lazy_free += SIZE;
                }
            }
            Kind::Shmem => self.share_shmem += share,
            Kind::File => self.share_file += share,
        }
        *match (mappers > 1, dirty) {
            (true, false) => &mut self.shared_clean,
            (true, true) => &mut self.shared_dirty,
            (false, false) => &mut self.private_clean,
            (false, true) => &mut self.private_dirty,
        } += SIZE;
    }

    /// The lines about pages. What does not exist here (swap, merged pages) is 0, as on a Linux without it.
    fn format(&self, rollup: bool, out: &mut String) {
        let share = |share: u64| share >> SHARE_BITS;
        row(out, "Rss", self.resident);
        row(out, "Pss", share(self.share));
        row(out, "Pss_Dirty", share(self.share_dirty));
        if rollup {
            row(out, "Pss_Anon", share(self.share_anonymous));
            row(out, "Pss_File", share(self.share_file));
            row(out, "Pss_Shmem", share(self.share_shmem));
        }
        for (name, bytes) in [
            ("Shared_Clean", self.shared_clean),
            ("Shared_Dirty", self.shared_dirty),
            ("Private_Clean", self.private_clean),
            ("Private_Dirty", self.private_dirty),
            ("Referenced", self.referenced),
            ("Anonymous", self.anonymous),
            ("KSM", 0),
            ("LazyFree", self.lazy_free),
            ("AnonHugePages", self.huge),
            ("ShmemPmdMapped", 0),
            ("FilePmdMapped", 0),
            ("Shared_Hugetlb", 0),
            ("Private_Hugetlb", 0),
            ("Swap", 0),
            ("SwapPss", 0),
            ("Locked", share(self.share_locked)),
        ] {
            row(out, name, bytes);
        }
    }
}

fn kind(entry: Entry, vma: &Vma) -> Kind {
    match &vma.backing {
        _ if entry.has(PteFlags::ANONYMOUS) => Kind::Anonymous,
        Backing::Object(object) if object.source.wants_write_notice() => Kind::File,
        _ => Kind::Shmem,
    }
}

/// `Name:    number kB`.
fn row(out: &mut String, name: &str, bytes: u64) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{name}:{:pad$}{:8} kB", "", bytes / 1024, pad = 15 - name.len());
}

impl AddressSpace {
    /// The text of `/proc/<pid>/smaps`.
    pub fn format_smaps(&self, out: &mut String) {
        let stack = self.layout().start_stack;
        let map = self.read_map();
        let heap = map.heap();
        for entry in map.vmas.iter() {
            let mut sums = Sums::default();
            self.sum_up(entry, &mut sums);
            format_line(entry, &heap, stack, out);
            row(out, "Size", (entry.end - entry.start) as u64);
            row(out, "KernelPageSize", PAGE_SIZE as u64);
            row(out, "MMUPageSize", PAGE_SIZE as u64);
            sums.format(false, out);
            let eligible = u8::from(self.is_huge_eligible(entry));
            let _ = writeln!(out, "THPeligible:    {eligible:8}");
            format_flags(&entry.value, out);
        }
    }

    /// The text of `/proc/<pid>/smaps_rollup`: all mappings as one.
    pub fn format_smaps_rollup(&self, out: &mut String) {
        let map = self.read_map();
        let mut sums = Sums::default();
        let (mut start, mut end) = (None, 0);
        for entry in map.vmas.iter() {
            self.sum_up(entry, &mut sums);
            start.get_or_insert(entry.start);
            end = entry.end;
        }
        let begin = out.len();
        let _ = write!(out, "{:08x}-{end:08x} ---p 00000000 00:00 0 ", start.unwrap_or(0));
        push_name(begin, "[rollup]\n", out);
        sums.format(true, out);
    }

    /// Counts the pages of a mapping. The map is held.
    fn sum_up(&self, entry: &MapEntry<Vma>, sums: &mut Sums) {
        let vma = &entry.value;
        if vma.flags.contains(VmaFlags::FOREIGN) {
            return;
        }
        let range = entry.start..entry.end;
        // The visit never fails.
        let _ = self.tables.for_each_part(range.clone(), |part| {
            let before = sums.resident;
            let is_huge = matches!(part, Part::Huge(_));
            part.for_each_entry(&range, |_, page| {
                if is_counted(page) {
                    sums.count(page, vma);
                }
            });
            if is_huge {
                sums.huge += sums.resident - before;
            }
            Ok(())
        });
    }
}

/// `VmFlags`: two letters a flag, in the order of Linux's bits.
fn format_flags(vma: &Vma, out: &mut String) {
    let has = |flags| vma.flags.contains(flags);
    let shared = has(VmaFlags::SHARED);
    let letters = [
        (has(VmaFlags::READ), "rd"),
        (has(VmaFlags::WRITE), "wr"),
        (has(VmaFlags::EXEC), "ex"),
        // On Linux a shared mapping of a file that is not open for writing is only marked as one that may be shared.
        (vma.writes_through(), "sh"),
        (has(VmaFlags::MAY_READ), "mr"),
        (has(VmaFlags::MAY_WRITE), "mw"),
        (has(VmaFlags::MAY_EXEC), "me"),
        (shared, "ms"),
        (has(VmaFlags::GROWSDOWN), "gd"),
        (has(VmaFlags::FOREIGN), "pf"),
        (has(VmaFlags::LOCKED), "lo"),
        (has(VmaFlags::FOREIGN), "io"),
        (has(VmaFlags::SEQUENTIAL), "sr"),
        (has(VmaFlags::RANDOM), "rr"),
        (has(VmaFlags::DONT_COPY), "dc"),
        (has(VmaFlags::SPECIAL), "de"),
        (has(VmaFlags::LOCK_ON_FAULT), "lf"),
        // What shared memory promises is its object's there.
        (has(VmaFlags::ACCOUNTED) && !shared, "ac"),
        (has(VmaFlags::NORESERVE), "nr"),
        (has(VmaFlags::WIPE_ON_FORK), "wf"),
        (has(VmaFlags::DONT_DUMP), "dd"),
        (has(VmaFlags::SOFT_DIRTY), "sd"),
        (has(VmaFlags::HUGE), "hg"),
        (has(VmaFlags::NO_HUGE), "nh"),
        (has(VmaFlags::MERGEABLE), "mg"),
        (has(VmaFlags::DROPPABLE), "dp"),
        (has(VmaFlags::SEALED), "sl"),
    ];
    out.push_str("VmFlags: ");
    for (_, letters) in letters.into_iter().filter(|(has, _)| *has) {
        out.push_str(letters);
        out.push(' ');
    }
    out.push('\n');
}
