//! The exception table: which instructions may fault on user memory, and where each goes on if the
//! access is wrong.

use super::features;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Assembly that enters a pair of local labels (instruction, fix-up) into the table.
macro_rules! exception_entry {
    ($from:literal, $to:literal) => {
        concat!(
            ".pushsection __ex_table, \"a\", @progbits\n.balign 8\n.quad ",
            $from,
            "\n.quad ",
            $to,
            "\n.popsection"
        )
    };
}
pub(super) use exception_entry;

/// The same for several instructions with one fix-up.
macro_rules! exception_entries {
    ($($from:literal),+ => $to:literal) => {
        concat!($($crate::arch::x86_64::extable::exception_entry!($from, $to), "\n"),+)
    };
}
pub(super) use exception_entries;

/// Atomic, as the table is written once: see [`sort`].
#[repr(C)]
struct Entry {
    instruction: AtomicUsize,
    fix_up: AtomicUsize,
}

impl Entry {
    fn instruction(&self) -> usize {
        self.instruction.load(Ordering::Relaxed)
    }
}

unsafe extern "C" {
    static __ex_table_start: Entry;
    static __ex_table_end: Entry;
}

/// How many entries the table has.
fn count() -> usize {
    let start = &raw const __ex_table_start;
    let end = &raw const __ex_table_end;
    (end as usize - start as usize) / size_of::<Entry>()
}

/// Sorts the table by instruction: the linker puts it together in its own order. At boot, on the first CPU, with interrupts off, before anything touches user memory.
pub(super) fn sort() {
    let start = (&raw const __ex_table_start).cast_mut();
    // SAFETY: the linker script puts the two symbols around the table, which nobody else looks at yet, so that it is ours alone; only it is written.
    unsafe {
        features::without_write_protection(|| {
            core::slice::from_raw_parts_mut(start, count())
                .sort_unstable_by_key(Entry::instruction);
        });
    }
}

/// Where the instruction at `rip` goes on after a fault, if it may fault.
pub(super) fn fix_up(rip: usize) -> Option<usize> {
    // SAFETY: as in `sort`; now it is only read.
    let table = unsafe { core::slice::from_raw_parts(&raw const __ex_table_start, count()) };
    let at = table.binary_search_by_key(&rip, Entry::instruction).ok()?;
    Some(table[at].fix_up.load(Ordering::Relaxed))
}
