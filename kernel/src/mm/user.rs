//! Copies between kernel and user memory. Every failure is `EFAULT`; sizes are the caller's to bound.
//!
//! The machine's routines check that the range is user space's and recover from faults; what a fault finds is brought in, so these
//! may sleep. With preemption off they copy only what is there.

use super::UserAddr;
use crate::{
    arch::uaccess::{self, SMALL_VALUE},
    mm::try_alloc,
};
use abi::{Errno, Result};
use alloc::vec::Vec;
use core::mem::MaybeUninit;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Fills `dst` from user memory.
#[inline]
pub fn copy_from_user(dst: &mut [u8], src: UserAddr) -> Result<()> {
    complete(uaccess::raw_copy_from_user(dst, src.0))
}

/// Copies `src` to user memory.
#[inline]
pub fn copy_to_user(dst: UserAddr, src: &[u8]) -> Result<()> {
    complete(uaccess::raw_copy_to_user(dst.0, src))
}

/// Copies what can be copied; how many bytes that was.
#[inline]
pub fn copy_to_user_partial(dst: UserAddr, src: &[u8]) -> usize {
    src.len() - uaccess::raw_copy_to_user(dst.0, src)
}

/// Copies what can be copied; how many bytes that was.
#[inline]
pub fn copy_from_user_partial(dst: &mut [u8], src: UserAddr) -> usize {
    dst.len() - uaccess::raw_copy_from_user(dst, src.0)
}

/// Zeroes what can be zeroed; how many bytes that was.
#[inline]
pub fn clear_user_partial(dst: UserAddr, len: usize) -> usize {
    len - uaccess::raw_clear_user(dst.0, len)
}

/// Reads one value.
#[inline]
pub fn read<T: FromBytes + IntoBytes>(src: UserAddr) -> Result<T> {
    let mut value = T::new_zeroed();
    if size_of::<T>() > SMALL_VALUE {
        copy_from_user(value.as_mut_bytes(), src)?;
    } else if !uaccess::raw_read_value(value.as_mut_bytes(), src.0) {
        return Err(Errno::EFAULT);
    }
    Ok(value)
}

/// Writes one value.
#[inline]
pub fn write<T: IntoBytes + Immutable>(dst: UserAddr, value: &T) -> Result<()> {
    if size_of::<T>() > SMALL_VALUE {
        copy_to_user(dst, value.as_bytes())
    } else if uaccess::raw_write_value(dst.0, value.as_bytes()) {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// Reads `count` values; the caller bounds `count`.
pub fn read_array<T: FromBytes + IntoBytes>(src: UserAddr, count: usize) -> Result<Vec<T>> {
    let mut values = try_alloc::vec_with_capacity(count)?;
    values.resize_with(count, T::new_zeroed);
    copy_from_user(values.as_mut_slice().as_mut_bytes(), src)?;
    Ok(values)
}

/// Strings up to this length are read on the stack first.
const SHORT_STRING: usize = 256;

/// Reads a NUL-terminated string of at most `max` bytes without its NUL; `too_long` when none was found by then.
pub fn read_cstr(src: UserAddr, max: usize, too_long: Errno) -> Result<Vec<u8>> {
    let mut short = [MaybeUninit::uninit(); SHORT_STRING];
    let first = &mut short[..max.min(SHORT_STRING)];
    let len = uaccess::raw_strncpy_from_user(first, src.0).ok_or(Errno::EFAULT)?;
    let found = len < first.len();
    let mut string = try_alloc::vec_with_capacity(if found { len } else { max })?;
    // SAFETY: so many bytes were copied there.
    string.extend_from_slice(unsafe { first[..len].assume_init_ref() });
    if found {
        return Ok(string);
    }
    if len == max {
        return Err(too_long);
    }
    let rest = &mut string.spare_capacity_mut()[..max - len];
    let more = uaccess::raw_strncpy_from_user(rest, src.0 + len).ok_or(Errno::EFAULT)?;
    if len + more == max {
        return Err(too_long);
    }
    // SAFETY: so many bytes were copied behind the first.
    unsafe { string.set_len(len + more) };
    Ok(string)
}

/// Reads a path (`PATH_MAX`, `ENAMETOOLONG`; an empty path is the caller's business).
pub fn read_path(src: UserAddr) -> Result<Vec<u8>> {
    read_cstr(src, 4096, Errno::ENAMETOOLONG)
}

/// Replaces the word at `addr` if it holds `expected`; what it held. (futex)
pub fn cmpxchg_u32(addr: UserAddr, expected: u32, new: u32) -> Result<u32> {
    uaccess::raw_cmpxchg_user_u32(addr.0, expected, new).ok_or(Errno::EFAULT)
}

fn complete(left: usize) -> Result<()> {
    if left == 0 { Ok(()) } else { Err(Errno::EFAULT) }
}
