//! The atomics: the machine's, or loom's when it checks every interleaving.

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc,
    atomic::{AtomicPtr, Ordering},
};

#[cfg(not(loom))]
pub(crate) use {
    alloc::sync::Arc,
    core::sync::atomic::{AtomicPtr, Ordering},
};
