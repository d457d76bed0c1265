//! What concerns a process's address space: its arguments and environment, its mappings, its size.

use super::{Subject, may_inspect};
use crate::{
    fs::synthetic::Show,
    mm::{AddressSpace, PAGE_SIZE, References},
    process::Task,
    sched,
};
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    string::String,
    sync::{Arc, Weak},
    vec::Vec,
};
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

/// The address space that a file about it is opened for (`proc_mem_open`): kernel threads and the dead have none. `EACCES`.
pub fn open_space(subject: &Subject) -> Result<Option<Arc<AddressSpace>>> {
    let task = subject.get_task()?;
    let Some(mm) = space(&task) else { return Ok(None) };
    let mine = sched::current().mm.load().is_some_and(|mine| Arc::ptr_eq(&mine, &mm));
    if mine || may_inspect(&task) { Ok(Some(mm)) } else { Err(Errno::EACCES) }
}

/// A text about the space that the process had when the file was opened: empty when that has gone.
fn about(
    subject: &Subject,
    mm: Option<&Arc<AddressSpace>>,
    format: fn(&AddressSpace, &mut String),
) -> Show {
    let subject = subject.clone();
    let mm = mm.map_or_else(Weak::new, Arc::downgrade);
    Box::new(move |out| {
        subject.get_process()?;
        if let Some(mm) = mm.upgrade() {
            format(&mm, out);
        }
        Ok(())
    })
}

/// `maps`.
pub fn maps(subject: &Subject) -> Result<Show> {
    Ok(about(subject, open_space(subject)?.as_ref(), AddressSpace::format_maps))
}

/// `smaps`.
pub fn smaps(subject: &Subject) -> Result<Show> {
    Ok(about(subject, open_space(subject)?.as_ref(), AddressSpace::format_smaps))
}

/// `smaps_rollup`.
pub fn smaps_rollup(subject: &Subject) -> Result<Show> {
    let mm = open_space(subject)?.ok_or(Errno::ESRCH)?;
    Ok(about(subject, Some(&mm), AddressSpace::format_smaps_rollup))
}

/// `clear_refs`: a number that says what to clear.
pub fn clear_refs(subject: &Subject, bytes: &[u8]) -> Result<()> {
    let number = core::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok());
    let what = References::from_number(number.ok_or(Errno::EINVAL)?)?;
    match space(&*subject.get_task()?) {
        Some(mm) => mm.clear_references(what),
        None => Ok(()),
    }
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
