//! Allocation that can fail: for whatever user space decides the size or the number of.

use super::heap;
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
    vec::Vec,
};
use core::{alloc::Layout, ptr::NonNull};

/// An empty vector with room for `capacity` elements; `ENOMEM`.
pub fn vec_with_capacity<T>(capacity: usize) -> Result<Vec<T>> {
    let layout = Layout::array::<T>(capacity).map_err(|_| Errno::ENOMEM)?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the layout is not empty.
    let place = unsafe { alloc::alloc::alloc(layout) };
    let place = NonNull::new(place.cast::<T>()).ok_or(Errno::ENOMEM)?;
    // SAFETY: it was just allocated by the allocator that vectors have, with the layout of an array of so many, none of which is there yet.
    Ok(unsafe { Vec::from_raw_parts(place.as_ptr(), 0, capacity) })
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

/// `Arc::new_cyclic` that can fail; `ENOMEM`.
pub fn arc_cyclic<T>(make: impl FnOnce(&Weak<T>) -> T) -> Result<Arc<T>> {
    let _ready = heap::ready_for(&slab::arc_layout::<T>()).ok_or(Errno::ENOMEM)?;
    Ok(Arc::new_cyclic(make))
}
