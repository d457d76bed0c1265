//! What `/proc/<pid>` shows of an address space.

use super::{
    AddressSpace, Map,
    vma::{Backing, Vma, VmaFlags},
};
use crate::{fs::File, mm::PAGE_SIZE};
use abi::{Errno, Result};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::{fmt::Write, ops::Range, sync::atomic::Ordering};
use vma_tree::Entry;

/// Sizes of an address space, in pages.
#[derive(Clone, Copy, Default, Debug)]
pub struct Usage {
    /// Mapped.
    pub size: usize,
    /// In memory.
    pub resident: usize,
    /// The most that ever was in memory.
    pub resident_peak: usize,
    /// In memory, of files and shared memory.
    pub shared: usize,
    /// Executable parts of files.
    pub text: usize,
    /// Private and writable.
    pub data: usize,
    /// Stacks that grow.
    pub stack: usize,
    /// Locked.
    pub locked: usize,
    /// Page-table pages.
    pub page_tables: usize,
}

/// The column where names begin.
const NAME_COLUMN: usize = 73;

impl AddressSpace {
    /// Sizes for `/proc/<pid>/statm` and `status`, in pages.
    pub fn usage(&self) -> Usage {
        let resident = self.resident();
        self.note_peak(0);
        let map = self.read_map();
        Usage {
            size: map.total,
            resident,
            resident_peak: self.peak.load(Ordering::Relaxed),
            shared: usize::try_from(self.resident_parts().1).unwrap_or(0),
            text: map.text,
            data: map.data,
            stack: map.stack,
            locked: map.locked,
            page_tables: self.tables.count(),
        }
    }

    /// Where the heap begins.
    pub fn brk_start(&self) -> usize {
        self.read_map().brk_start
    }

    /// Pages mapped, unless somebody changes that right now. For code that may hold the lock.
    pub fn size_hint(&self) -> Option<usize> {
        self.map.try_read().map(|map| map.total)
    }

    /// Pages in memory, without a lock (the OOM killer's question).
    pub fn resident_hint(&self) -> usize {
        self.resident() + self.tables.count()
    }

    /// The text of `/proc/<pid>/maps`.
    pub fn format_maps(&self, out: &mut String) {
        let stack = self.layout().start_stack;
        let map = self.read_map();
        let heap = map.heap();
        for entry in map.vmas.iter() {
            format_line(entry, &heap, stack, out);
        }
    }

    /// The file that is mapped at exactly this range.
    pub fn mapped_file(&self, range: Range<usize>) -> Option<Arc<File>> {
        let map = self.read_map();
        let entry = map.vmas.get(range.start)?;
        file_of(entry).filter(|_| (entry.start..entry.end) == range).cloned()
    }

    /// The ranges of all mappings of files; `ENOMEM`.
    pub fn file_mappings(&self) -> Result<Vec<Range<usize>>> {
        let map = self.read_map();
        let mut ranges = Vec::new();
        ranges.try_reserve(map.vmas.len()).map_err(|_| Errno::ENOMEM)?;
        let mapped = map.vmas.iter().filter(|entry| file_of(entry).is_some());
        ranges.extend(mapped.map(|entry| entry.start..entry.end));
        Ok(ranges)
    }
}

impl Map {
    pub(super) fn heap(&self) -> Range<usize> {
        self.brk_start..self.brk
    }
}

fn file_of(entry: &Entry<Vma>) -> Option<&Arc<File>> {
    match &entry.value.backing {
        Backing::Object(object) => object.file.as_ref(),
        Backing::Anonymous => None,
    }
}

/// A mapping's line in `maps`.
pub(super) fn format_line(entry: &Entry<Vma>, heap: &Range<usize>, stack: usize, out: &mut String) {
    let begin = out.len();
    let flags = entry.value.flags;
    let flag = |flag, letter| if flags.contains(flag) { letter } else { '-' };
    let (offset, device, inode) = match &entry.value.backing {
        Backing::Object(object) => {
            let offset = object.first * PAGE_SIZE as u64;
            let metadata = object.file.as_ref().and_then(|file| file.inode().metadata().ok());
            let memory = if flags.contains(VmaFlags::SPECIAL) { (0, 0) } else { (0, 1) };
            metadata.map_or((offset, memory, 0), |m| (offset, (m.dev.major, m.dev.minor), m.ino))
        }
        Backing::Anonymous => (0, (0, 0), 0),
    };
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ",
        entry.start,
        entry.end,
        flag(VmaFlags::READ, 'r'),
        flag(VmaFlags::WRITE, 'w'),
        flag(VmaFlags::EXEC, 'x'),
        if flags.contains(VmaFlags::SHARED) { 's' } else { 'p' },
        offset,
        device.0,
        device.1,
        inode,
    );
    let mut name = |text: &str| push_name(begin, text, out);
    match &entry.value.backing {
        Backing::Object(object) => match &object.file {
            Some(file) => {
                let path = file.path().to_bytes();
                name(&String::from_utf8_lossy(&path).replace('\n', "\\012"));
            }
            None => name(object.source.name()),
        },
        Backing::Anonymous => {
            if entry.start < heap.end && heap.start < entry.end {
                name("[heap]");
            } else if entry.start <= stack && stack < entry.end {
                name("[stack]");
            }
        }
    }
    out.push('\n');
}

/// Puts a name into its column of the line that begins at `begin`.
pub(super) fn push_name(begin: usize, name: &str, out: &mut String) {
    while out.len() < begin + NAME_COLUMN {
        out.push(' ');
    }
    out.push_str(name);
}
