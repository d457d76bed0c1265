//! The host side of NOS as a library: what builds, boots and tests it.
//!
//! `cargo xtask` is its command line; other host programs of this workspace (the benchmarks) use it directly.
//!
//! * [`build`]: the kernel and the loader
//! * [`rootfs`], [`cpio`], [`initrd`]: the root file system and the ramdisk it travels in
//! * [`apt`], [`linux`]: downloads, and the reference kernel
//! * [`vm`], [`iso`]: running
//! * [`test`]: all tests
//! * [`syscalls`]: the generated page about system calls
//! * [`fairness`]: no special cases for benchmarks
//! * [`error`], [`paths`], [`process`], [`progress`]: what they share

pub mod apt;
pub mod build;
pub mod cpio;
pub mod error;
pub mod fairness;
pub mod initrd;
pub mod iso;
pub mod linux;
pub mod paths;
pub mod process;
pub mod progress;
pub mod rootfs;
pub mod syscalls;
pub mod test;
pub mod vm;
