//! The machine. `x86_64` is the only one; everything else in the kernel reaches it through here.

mod x86_64;

pub use x86_64::*;
