//! Allocation that can fail: for whatever user space decides the size or the number of.

use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use core::alloc::Layout;

/// An empty vector with room for `capacity` elements; `ENOMEM`.
pub fn vec_with_capacity<T>(capacity: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(capacity).map_err(|_| Errno::ENOMEM)?;
    Ok(vec)
}

/// A vector of `len` zero bytes; `ENOMEM`.
pub fn zeroed_bytes(len: usize) -> Result<Vec<u8>> {
    let mut vec = vec_with_capacity(len)?;
    vec.resize(len, 0);
    Ok(vec)
}

/// `Arc::new` that can fail; `ENOMEM`. Memory is tried for first: between the trial and the use another CPU could take it, which the reserve
/// behind kernel allocations makes good.
pub fn arc<T>(value: T) -> Result<Arc<T>> {
    let layout = Layout::new::<(usize, usize, T)>();
    // SAFETY: the layout is not empty.
    let trial = unsafe { alloc::alloc::alloc(layout) };
    if trial.is_null() {
        return Err(Errno::ENOMEM);
    }
    // SAFETY: allocated just above with this layout.
    unsafe { alloc::alloc::dealloc(trial, layout) };
    Ok(Arc::new(value))
}
