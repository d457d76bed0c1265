//! The atomics in use: the processor's, or loom's in its models.

#[cfg(not(loom))]
pub use core::{hint::spin_loop, sync::atomic::*};
#[cfg(loom)]
pub use loom::{hint::spin_loop, sync::atomic::*};
