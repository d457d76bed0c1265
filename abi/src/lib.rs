//! The Linux x86-64 ABI: system call numbers, errno values, structures and flags.
//!
//! No logic lives here. Constants and most structures come from `linux-raw-sys`, which is generated
//! from the kernel's own headers; what this crate adds are the types that make a wrong value
//! impossible ([`Errno`]) and the structures that the kernel copies to and from user memory, which
//! derive `zerocopy`'s traits so that the copies need no `unsafe`.
#![no_std]
#![forbid(unsafe_code)]

mod errno;
pub mod interface;
pub mod mqueue;
pub mod number;
pub mod rtnetlink;
pub mod sysv;

pub use errno::Errno;
pub use linux_raw_sys::{auxvec, elf, general, ioctl, net, prctl, system};

/// What every fallible kernel function returns.
pub type Result<T, E = Errno> = core::result::Result<T, E>;
