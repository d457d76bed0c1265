//! Copies between kernel and user memory. Every failure is `EFAULT`; sizes are the caller's to bound.

use super::UserAddr;
use abi::Result;
use alloc::vec::Vec;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Fills `dst` from user memory.
pub fn copy_from_user(_dst: &mut [u8], _src: UserAddr) -> Result<()> {
    todo!()
}

/// Copies `src` to user memory.
pub fn copy_to_user(_dst: UserAddr, _src: &[u8]) -> Result<()> {
    todo!()
}

/// Copies what can be copied; how many bytes that was.
pub fn copy_to_user_partial(_dst: UserAddr, _src: &[u8]) -> usize {
    todo!()
}

/// Copies what can be copied; how many bytes that was.
pub fn copy_from_user_partial(_dst: &mut [u8], _src: UserAddr) -> usize {
    todo!()
}

/// Zeroes user memory.
pub fn clear_user(_dst: UserAddr, _len: usize) -> Result<()> {
    todo!()
}

/// Reads one value.
pub fn read<T: FromBytes + IntoBytes>(_src: UserAddr) -> Result<T> {
    todo!()
}

/// Writes one value.
pub fn write<T: IntoBytes + Immutable>(_dst: UserAddr, _value: &T) -> Result<()> {
    todo!()
}

/// Reads `count` values; the caller bounds `count`.
pub fn read_array<T: FromBytes + IntoBytes>(_src: UserAddr, _count: usize) -> Result<Vec<T>> {
    todo!()
}

/// Reads a NUL-terminated string of at most `max` bytes without its NUL; `too_long` when none was found by then.
pub fn read_cstr(_src: UserAddr, _max: usize, _too_long: abi::Errno) -> Result<Vec<u8>> {
    todo!()
}

/// Reads a path (`PATH_MAX`, `ENAMETOOLONG`; an empty path is the caller's business).
pub fn read_path(src: UserAddr) -> Result<Vec<u8>> {
    read_cstr(src, 4096, abi::Errno::ENAMETOOLONG)
}

/// Replaces the word at `addr` if it holds `expected`; what it held. (futex)
pub fn cmpxchg_u32(_addr: UserAddr, _expected: u32, _new: u32) -> Result<u32> {
    todo!()
}
