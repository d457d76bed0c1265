//! The end of threads and processes (`_exit(2)`, `exit_group(2)`).

use super::ExitStatus;

/// Ends the current thread; `status` is what the process reports when this is its last thread and
/// no group exit has set another. The caller holds no reference that would be lost.
pub fn exit_thread(_status: ExitStatus) -> ! {
    todo!()
}
