//! The end of threads and processes (`_exit(2)`, `exit_group(2)`).

/// Ends the current thread; `status` is the wait status (`wait(2)`) that the process reports when this is its last thread and
/// no group exit has set another. The caller holds no reference that would be lost.
pub fn exit_thread(_status: i32) -> ! {
    todo!()
}
