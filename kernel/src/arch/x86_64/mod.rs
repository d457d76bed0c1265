//! x86-64: the only place with assembly, model-specific registers, control registers and ports.
//!
//! The rest of the kernel calls what this module re-exports.

pub mod clock;
pub mod cpu;
pub mod fpu;
pub mod irq;
pub mod thread;
pub mod trap;
pub mod uaccess;

pub use thread::Thread;
pub use trap::TrapFrame;
