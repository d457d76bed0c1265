//! The exception table: which instructions may fault on user memory, and where each goes on if the
//! access is wrong.

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

#[repr(C)]
struct Entry {
    instruction: usize,
    fix_up: usize,
}

unsafe extern "C" {
    static __ex_table_start: Entry;
    static __ex_table_end: Entry;
}

/// Where the instruction at `rip` goes on after a fault, if it may fault. The table has a thousand entries, and only accesses
/// that are wrong look at it.
pub(super) fn fix_up(rip: usize) -> Option<usize> {
    let start = &raw const __ex_table_start;
    let end = &raw const __ex_table_end;
    let count = (end as usize - start as usize) / size_of::<Entry>();
    // SAFETY: the linker script puts the two symbols around the table, which is read-only.
    let table = unsafe { core::slice::from_raw_parts(start, count) };
    table.iter().find(|entry| entry.instruction == rip).map(|entry| entry.fix_up)
}
