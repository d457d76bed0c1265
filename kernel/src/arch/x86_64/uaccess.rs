//! Copies between kernel and user memory: SMAP opened around them, faults fixed up through an
//! exception table. Nothing is walked beforehand. `mm::user` is what other modules call.

/// Copies to user memory; returns how many bytes were *not* copied.
pub fn raw_copy_to_user(_dst: usize, _src: &[u8]) -> usize {
    todo!()
}

/// Copies from user memory; returns how many bytes were *not* copied.
pub fn raw_copy_from_user(_dst: &mut [u8], _src: usize) -> usize {
    todo!()
}

/// Zeroes user memory; returns how many bytes were *not* zeroed.
pub fn raw_clear_user(_dst: usize, _len: usize) -> usize {
    todo!()
}

/// Copies a string of at most `dst.len()` bytes. `Some(n)`: n bytes before the NUL, which was
/// found (n < len) or not (n == len). `None`: a fault.
pub fn raw_strncpy_from_user(_dst: &mut [u8], _src: usize) -> Option<usize> {
    todo!()
}

/// Atomically replaces the user word at `addr` if it holds `expected`; `None` on a fault, else what
/// it held. (futex, robust lists)
pub fn raw_cmpxchg_user_u32(_addr: usize, _expected: u32, _new: u32) -> Option<u32> {
    todo!()
}
