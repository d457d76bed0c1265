//! What concerns a process's address space: its arguments and environment, its mappings, its size.

use super::Subject;
use crate::{
    mm::{AddressSpace, PAGE_SIZE},
    process::Task,
};
use abi::{Errno, Result};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt::Write;

/// The most that `cmdline` and `environ` show: what exec lets a program have, and a page.
const STRINGS_MAX: usize = 6 << 20;

fn space(task: &Task) -> Option<Arc<AddressSpace>> {
    if task.is_kernel() { None } else { task.mm.load() }
}

/// Copies strings out of the process; short when its memory is no longer there.
fn read_range(mm: &AddressSpace, start: usize, end: usize) -> Result<Vec<u8>> {
    let len = end.saturating_sub(start).min(STRINGS_MAX);
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(len, 0);
    let read = mm.read_remote(start, &mut bytes);
    bytes.truncate(read);
    Ok(bytes)
}

/// `cmdline`: the arguments, each with its NUL. A process that overwrote the last NUL (`setproctitle`) shows what it
/// wrote, on into its environment.
pub fn cmdline(subject: &Subject) -> Result<Vec<u8>> {
    let Some(mm) = space(&*subject.get_task()?) else { return Ok(Vec::new()) };
    let layout = mm.layout();
    let mut bytes = read_range(&mm, layout.arg_start, layout.arg_end)?;
    if bytes.last().is_some_and(|last| *last != 0) {
        let end = layout.env_end.max(layout.arg_end);
        bytes = read_range(&mm, layout.arg_start, end)?;
        if let Some(nul) = bytes.iter().position(|byte| *byte == 0) {
            bytes.truncate(nul);
        }
    }
    Ok(bytes)
}

/// `environ`.
pub fn environ(subject: &Subject) -> Result<Vec<u8>> {
    let Some(mm) = space(&*subject.inspect()?) else { return Ok(Vec::new()) };
    let layout = mm.layout();
    read_range(&mm, layout.env_start, layout.env_end)
}

/// `auxv`.
pub fn auxv(subject: &Subject) -> Result<Vec<u8>> {
    let task = subject.inspect()?;
    let words = task.process.auxv.lock();
    Ok(words.iter().flat_map(|word| word.to_ne_bytes()).collect())
}

/// `maps`.
pub fn maps(subject: &Subject, out: &mut String) -> Result<()> {
    if let Some(mm) = space(&*subject.inspect()?) {
        mm.format_maps(out);
    }
    Ok(())
}

/// Pages of the program's own code.
pub fn text_pages(mm: &AddressSpace) -> usize {
    let layout = mm.layout();
    (layout.end_code.div_ceil(PAGE_SIZE)).saturating_sub(layout.start_code / PAGE_SIZE)
}

/// `statm`: sizes in pages.
pub fn statm(subject: &Subject, out: &mut String) -> Result<()> {
    let task = subject.get_task()?;
    let mm = space(&task);
    let usage = mm.as_ref().map(|mm| mm.usage()).unwrap_or_default();
    let text = mm.as_ref().map_or(0, |mm| text_pages(mm));
    let _ = writeln!(
        out,
        "{} {} {} {} 0 {} 0",
        usage.size, usage.resident, usage.shared, text, usage.data,
    );
    Ok(())
}
