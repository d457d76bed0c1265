//! New programs (`execve(2)`).
//!
//! A program is prepared aside, in an address space of its own that nobody runs in: strings are copied ([`arguments`]),
//! scripts followed ([`resolve`]), headers read ([`layout`]), segments mapped ([`image`]). Until then an error leaves the caller as it was. Then the process
//! is changed ([`commit`]), which cannot fail; it can only be overtaken by the process's end.
//!
//! Linux maps segments after its point of no return, so a program that cannot be mapped kills the caller; this one does the
//! same, without having touched anything.

mod arguments;
mod commit;
mod image;
mod layout;
mod privileges;
mod resolve;

pub use arguments::Strings;
pub use image::Layout;

use super::{
    signal::{self, Signal},
    task::TaskFlags,
};
use crate::{fs::File, sched};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};

use arguments::Arguments;

/// What is asked for.
pub struct Request {
    /// The program, opened for execution.
    pub file: Arc<File>,
    /// Its path as the caller gave it: `AT_EXECFN`, and what a script's interpreter is given.
    pub path: Vec<u8>,
    /// Whether `path` names a descriptor that will be closed: an interpreter could not open it.
    pub path_closes: bool,
}

/// Runs a program in the current process. On success the user registers are those of the new program and the result is what
/// the system call returns in them.
pub fn execve(request: Request, argv: Strings<'_>, envp: Strings<'_>) -> Result<usize> {
    let current = sched::current().to_arc();
    if current.flags().contains(TaskFlags::OVER_PROCESS_LIMIT)
        && super::set_ids::over_process_limit(&current)
    {
        return Err(Errno::EAGAIN);
    }
    current.clear_flags(TaskFlags::OVER_PROCESS_LIMIT);
    let layout = Layout::choose(&current);
    let mut arguments = Arguments::new(&layout, &request.path, argv, envp)?;
    let program = resolve::resolve(request, &mut arguments)?;
    let credentials = privileges::after_exec(&current, &program.file);
    let loaded = image::load(&program, &layout, arguments, &credentials);
    let image = loaded.inspect_err(|_| {
        // Where Linux could no longer go back.
        signal::force_fatal(Signal::SIGSEGV);
    })?;
    commit::commit(&current, program, image, credentials)?;
    Ok(0)
}

/// Prepares the first program, for a task that does not exist yet.
pub(super) fn prepare_first(
    request: Request,
    argv: &[Vec<u8>],
    envp: &[Vec<u8>],
) -> Result<(resolve::Program, image::Image)> {
    let layout = Layout::choose(&sched::current());
    let (argv, envp) = (Strings::Kernel(argv), Strings::Kernel(envp));
    let mut arguments = Arguments::new(&layout, &request.path, argv, envp)?;
    let program = resolve::resolve(request, &mut arguments)?;
    let credentials = privileges::Outcome::unchanged(&sched::current());
    let image = image::load(&program, &layout, arguments, &credentials)?;
    Ok((program, image))
}

/// The last component of a path: the new program's name.
pub(super) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}
