//! The vDSO (`vdso(7)`): a small shared object that the kernel maps into every process, and the page of data that it reads.
//!
//! | file | what it holds |
//! |---|---|
//! | [`data`] | the data page: what the kernel publishes, and how it is read without a lock |
//! | [`clock`] | what the clocks show, from that page and the time-stamp counter |
//! | `image` | the functions that programs call: only in the shared object, which `kernel/build.rs` makes of this crate |
//!
//! The kernel uses [`data`] and [`clock`] itself, so that a call of the shared object and a system call cannot disagree.
//!
//! The object must not refer to anything outside: no panics, no allocation, no statics. The linker refuses it otherwise.
#![cfg_attr(not(test), no_std)]

pub mod clock;
pub mod data;
#[cfg(vdso_image)]
mod image;
