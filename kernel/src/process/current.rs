//! The running task.

pub use crate::sync::Current;
