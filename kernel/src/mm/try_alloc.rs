//! Allocation that can fail: for whatever user space decides the size or the number of.

use super::heap;
use abi::{Errno, Result};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
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

/// `Box::new` that can fail; `ENOMEM`.
pub fn boxed<T>(value: T) -> Result<Box<T>> {
    let _ready = heap::ready_for(&Layout::new::<T>()).ok_or(Errno::ENOMEM)?;
    Ok(Box::new(value))
}

/// `Arc::new` that can fail; `ENOMEM`.
pub fn arc<T>(value: T) -> Result<Arc<T>> {
    let _ready = heap::ready_for(&slab::arc_layout::<T>()).ok_or(Errno::ENOMEM)?;
    Ok(Arc::new(value))
}
