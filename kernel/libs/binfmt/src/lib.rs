//! The parts of `execve` that are arithmetic on bytes from outside: ELF headers ([`elf`]), where their segments go
//! ([`plan`]), the first line of scripts ([`script`]), the words on a new program's stack ([`stack`]).
//!
//! Nothing here touches memory or files, and nothing panics whatever the bytes are: every sum is checked. Errors are the
//! numbers that Linux's loaders give.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod elf;
pub mod plan;
pub mod script;
pub mod stack;

/// Bytes of a file that decide what kind of program it is (`BINPRM_BUF_SIZE`).
pub const HEAD_SIZE: usize = 256;

/// Bytes in a page.
pub const PAGE: u64 = 4096;

/// The first address that user space cannot have (`TASK_SIZE`).
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// `addr` rounded down to its page.
pub const fn page_floor(addr: u64) -> u64 {
    addr & !(PAGE - 1)
}

/// `addr` rounded up to a page; `None` when that overflows.
pub const fn page_ceil(addr: u64) -> Option<u64> {
    match addr.checked_add(PAGE - 1) {
        Some(sum) => Some(page_floor(sum)),
        None => None,
    }
}
