//! Moving bytes between files without user space: `sendfile(2)`, `splice(2)`, `tee(2)`, `vmsplice(2)`.
//!
//! What moves into a pipe is page references: pages of the page cache (or, for `vmsplice`, copies of user pages) become
//! buffers of the ring. What moves out of a pipe or from file to file is written by the target from the
//! page it lies in ([`IoSource::frame`]): one copy, or none where the target keeps references itself.

use super::{
    File, FileType, IoSink, IoSource, OpenFlags,
    pipe::{self, Buffer, Pipe, State},
};
use crate::{
    mm::{Frame, PAGE_SIZE, PageIndex, PageKind, PageSource},
    sync::{MutexGuard, PollEvents},
};
use abi::{Errno, Result};
use alloc::sync::Arc;

/// Whether a splice may wait (`SPLICE_F_NONBLOCK` says no; so does a non-blocking pipe).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blocking {
    /// It may.
    Yes,
    /// It returns `EAGAIN`.
    No,
}

/// A pipe as one side of a splice.
struct PipeSide<'a> {
    file: &'a File,
    pipe: &'a Arc<Pipe>,
    blocking: Blocking,
}

impl<'a> PipeSide<'a> {
    fn of(file: &'a File, blocking: Blocking) -> Option<PipeSide<'a>> {
        let end = pipe::of_file(file)?;
        Some(PipeSide { file, pipe: end.pipe(), blocking })
    }

    /// Runs `attempt` until it no longer says `EAGAIN`, waiting for `events` if that is allowed.
    fn wait<R>(&self, events: PollEvents, mut attempt: impl FnMut() -> Result<R>) -> Result<R> {
        match self.blocking {
            Blocking::No => attempt(),
            Blocking::Yes => self.file.wait_for(events, attempt),
        }
    }

    /// The pipe's state, when there are readers (`EPIPE` and its signal) and there is room (`EAGAIN`).
    fn with_room(&self) -> Result<MutexGuard<'a, State>> {
        let state = self.pipe.lock();
        if state.no_readers() {
            drop(state);
            return Err(pipe::broken_pipe());
        }
        if state.ring.is_full() { Err(Errno::EAGAIN) } else { Ok(state) }
    }
}

/// Takes the mutexes of two pipes, which are not the same: that of the lower address first.
fn lock_both<'a>(one: &'a Pipe, other: &'a Pipe) -> (MutexGuard<'a, State>, MutexGuard<'a, State>) {
    if core::ptr::from_ref(one) < core::ptr::from_ref(other) {
        let state = one.lock();
        (state, other.lock())
    } else {
        let state = other.lock();
        (one.lock(), state)
    }
}

/// The pages of a file, one after the other, up to its end.
struct FilePages<'a> {
    file: &'a File,
    source: Arc<dyn PageSource>,
    offset: u64,
}

impl<'a> FilePages<'a> {
    fn new(file: &'a File, offset: u64) -> Result<FilePages<'a>> {
        Ok(FilePages { file, source: file.ops().lent_pages(file)?, offset })
    }

    /// The next piece, at most `limit` bytes and never across a page: frame, offset in it, length. `None` at the end of the file.
    fn next(&mut self, limit: usize) -> Result<Option<(Frame, usize, usize)>> {
        let inode = self.file.inode();
        // A device's pages have no end.
        let end = match inode.file_type() {
            FileType::Regular => inode.metadata()?.size,
            _ => u64::MAX,
        };
        let within = (self.offset % PAGE_SIZE as u64) as usize;
        let left = usize::try_from(end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let len = limit.min(PAGE_SIZE - within).min(left);
        if len == 0 {
            return Ok(None);
        }
        let frame = self.source.page(PageIndex(self.offset / PAGE_SIZE as u64), false)?;
        self.offset += len as u64;
        Ok(Some((frame, within, len)))
    }
}

/// What a transfer that failed part of the way returns: the bytes that went, or the error if none did.
fn progress(done: usize, errno: Errno) -> Result<usize> {
    if done > 0 { Ok(done) } else { Err(errno) }
}

/// Copies up to `count` bytes of `input` from `*offset` on to `output`'s position (`sendfile(2)`).
/// `EINVAL` when `input` has no pages to send or `output` appends.
pub fn sendfile(output: &File, input: &File, offset: &mut u64, count: usize) -> Result<usize> {
    check_directions(input, output)?;
    if output.flags().contains(OpenFlags::APPEND) {
        return Err(Errno::EINVAL);
    }
    if let Some(pipe) = PipeSide::of(output, blocking_of(output)) {
        return file_to_pipe(input, offset, &pipe, count);
    }
    let pages = FilePages::new(input, *offset).map_err(|_| Errno::EINVAL)?;
    let sent = copy_pages(pages, count, |source, _| output.write(source));
    *offset += sent.unwrap_or(0) as u64;
    sent
}

/// Hands up to `count` bytes of `pages`, piece by piece, to `write` with how many went before, until it takes less than it is given.
fn copy_pages(
    mut pages: FilePages<'_>,
    count: usize,
    mut write: impl FnMut(&mut IoSource<'_>, usize) -> Result<usize>,
) -> Result<usize> {
    let mut done = 0;
    while done < count {
        let (frame, within, len) = match pages.next(count - done) {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(errno) => return progress(done, errno),
        };
        match write(&mut IoSource::frame(&frame, within, len), done) {
            Ok(n) => {
                done += n;
                if n < len {
                    break;
                }
            }
            Err(errno) => return progress(done, errno),
        }
    }
    Ok(done)
}

/// Copies a range between regular files (`copy_file_range(2)`); `EINVAL` when it overlaps itself.
pub fn copy_range(
    input: &File,
    from: &mut u64,
    output: &File,
    to: &mut u64,
    count: usize,
) -> Result<usize> {
    let overlaps = from.abs_diff(*to) < count as u64;
    if overlaps && Arc::ptr_eq(input.inode(), output.inode()) {
        return Err(Errno::EINVAL);
    }
    let pages = FilePages::new(input, *from)?;
    let start = *to;
    let copied =
        copy_pages(pages, count, |source, done| output.write_at(source, start + done as u64))?;
    *from += copied as u64;
    *to += copied as u64;
    Ok(copied)
}

fn blocking_of(file: &File) -> Blocking {
    if file.flags().contains(OpenFlags::NONBLOCK) { Blocking::No } else { Blocking::Yes }
}

fn check_directions(input: &File, output: &File) -> Result<()> {
    if input.flags().readable() && output.flags().writable() { Ok(()) } else { Err(Errno::EBADF) }
}

/// An end of a splice: a file and, for files with positions, where in it (`None`: at its own position).
pub struct End<'a> {
    /// The file.
    pub file: &'a File,
    /// A position given by the caller, advanced by what moved; `ESPIPE` with a pipe.
    pub offset: Option<&'a mut u64>,
}

/// `splice(2)`: moves up to `count` bytes; at least one end is a pipe (`EINVAL`).
pub fn splice(input: End<'_>, output: End<'_>, count: usize, blocking: Blocking) -> Result<usize> {
    check_directions(input.file, output.file)?;
    let blocking_for = |file: &File| match blocking {
        Blocking::No => Blocking::No,
        Blocking::Yes => blocking_of(file),
    };
    let from = PipeSide::of(input.file, blocking_for(input.file));
    let to = PipeSide::of(output.file, blocking_for(output.file));
    match (from, to) {
        (Some(from), Some(to)) => {
            if input.offset.is_some() || output.offset.is_some() {
                return Err(Errno::ESPIPE);
            }
            pipe_to_pipe(&from, &to, count, Transfer::Move)
        }
        (None, Some(to)) => {
            if output.offset.is_some() {
                return Err(Errno::ESPIPE);
            }
            match input.offset {
                Some(_) if !input.file.ops().seekable() => Err(Errno::EINVAL),
                Some(offset) => file_to_pipe(input.file, offset, &to, count),
                None => match FilePages::new(input.file, input.file.position()) {
                    Ok(pages) => {
                        input.file.with_position(|offset| pages_to_pipe(pages, offset, &to, count))
                    }
                    Err(_) => stream_to_pipe(input.file, &to, count),
                },
            }
        }
        (Some(from), None) => {
            if input.offset.is_some() {
                return Err(Errno::ESPIPE);
            }
            if output.offset.is_some() && !output.file.ops().seekable() {
                return Err(Errno::EINVAL);
            }
            if output.file.flags().contains(OpenFlags::APPEND) {
                return Err(Errno::EINVAL);
            }
            pipe_to_file(&from, output, count)
        }
        (None, None) => Err(Errno::EINVAL),
    }
}

/// Pages of `input` become buffers of the pipe; `EINVAL` when it has none.
fn file_to_pipe(input: &File, offset: &mut u64, to: &PipeSide<'_>, count: usize) -> Result<usize> {
    let pages = FilePages::new(input, *offset).map_err(|_| Errno::EINVAL)?;
    pages_to_pipe(pages, offset, to, count)
}

/// Pages become buffers of the pipe, as many as it has room for. Waits only for the first.
fn pages_to_pipe(
    mut pages: FilePages<'_>,
    offset: &mut u64,
    to: &PipeSide<'_>,
    count: usize,
) -> Result<usize> {
    // Pages are below pipes in the order of locks: user memory, which may be pages of a file, is copied under the mutex, too.
    let moved = to.wait(PollEvents::OUT, || {
        let mut state = to.with_room()?;
        let mut done = 0;
        while done < count && !state.ring.is_full() {
            let (frame, within, len) = match pages.next(count - done) {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(errno) => return progress(done, errno),
            };
            state.ring.push(Buffer::shared(frame, within, len));
            done += len;
        }
        Ok(done)
    })?;
    *offset += moved as u64;
    if moved > 0 {
        to.pipe.wake_readers();
    }
    Ok(moved)
}

/// A stream that keeps its bytes in pages (a socket): they become buffers of the pipe.
fn stream_to_pipe(input: &File, to: &PipeSide<'_>, count: usize) -> Result<usize> {
    let room = to.wait(PollEvents::OUT, || Ok(to.with_room()?.ring.free_slots()))?;
    let take = || input.ops().take_pages(input, count, room);
    let taken = match to.blocking {
        Blocking::Yes => input.wait_for(PollEvents::IN, take),
        Blocking::No => take(),
    };
    let buffers = match taken {
        Err(Errno::EOPNOTSUPP) => return bytes_to_pipe(input, to, count),
        buffers => buffers?,
    };
    let moved = buffers.iter().map(Buffer::len).sum();
    if moved > 0 {
        to.pipe.lock().ring.push_late(buffers);
        to.pipe.wake_readers();
    }
    Ok(moved)
}

/// A source without pages (a terminal, a device): its bytes are read into fresh pages.
fn bytes_to_pipe(input: &File, to: &PipeSide<'_>, count: usize) -> Result<usize> {
    let frame = Frame::alloc_uninit(PageKind::Other)?;
    let mut bytes = [0; 512];
    let want = count.min(bytes.len());
    let n = input.read(&mut IoSink::kernel(&mut bytes[..want]))?;
    if n > 0 {
        frame.write(0, &bytes[..n]);
        let mut buffer = Some(Buffer::shared(frame, 0, n));
        to.wait(PollEvents::OUT, || {
            let mut state = to.with_room()?;
            buffer.take().into_iter().for_each(|buffer| state.ring.push(buffer));
            Ok(())
        })?;
        to.pipe.wake_readers();
    }
    Ok(n)
}

/// Takes the oldest buffer out; `None` at the end of file, `EAGAIN` when there is nothing yet.
fn take_front(from: &PipeSide<'_>) -> Result<Option<Buffer>> {
    let mut state = from.pipe.lock();
    match state.ring.pop() {
        None if !state.no_writers() => Err(Errno::EAGAIN),
        front => Ok(front),
    }
}

/// Buffers are written to the file from the pages they lie in.
fn pipe_to_file(from: &PipeSide<'_>, output: End<'_>, count: usize) -> Result<usize> {
    let mut done = 0;
    let mut offset = output.offset;
    while done < count {
        let front = match done {
            0 => from.wait(PollEvents::IN, || take_front(from))?,
            _ => take_front(from).unwrap_or(None),
        };
        let Some(mut buffer) = front else { break };
        let len = buffer.len().min(count - done);
        let mut source = IoSource::frame(buffer.frame(), buffer.offset(), len);
        let written = match offset.as_deref_mut() {
            Some(offset) => output.file.write_at(&mut source, *offset).inspect(|n| {
                *offset += *n as u64;
            }),
            None => output.file.write(&mut source),
        };
        let n = *written.as_ref().unwrap_or(&0);
        buffer.consume(n);
        if buffer.len() > 0 {
            from.pipe.lock().ring.push_front(buffer);
            // Somebody may have looked while it was not there.
            from.pipe.wake_readers();
        } else {
            from.pipe.wake_writers();
        }
        done += n;
        match written {
            Err(errno) => return progress(done, errno),
            Ok(n) if n < len => break,
            Ok(_) => {}
        }
    }
    Ok(done)
}

/// What is done with the buffers of two pipes.
#[derive(Clone, Copy)]
enum Transfer {
    /// They go from one to the other.
    Move,
    /// The other gets references to them.
    Share,
}

/// Waits until the first pipe has something, or never will have, and then until the second has room; the bytes that went.
fn pipe_to_pipe(
    from: &PipeSide<'_>,
    to: &PipeSide<'_>,
    count: usize,
    transfer: Transfer,
) -> Result<usize> {
    if Arc::ptr_eq(from.pipe, to.pipe) {
        return Err(Errno::EINVAL);
    }
    loop {
        let (mut source, mut target) = lock_both(from.pipe, to.pipe);
        let waits = source.ring.is_empty() && !source.no_writers();
        if waits || target.no_readers() || target.ring.is_full() {
            drop((source, target));
            if waits {
                from.wait(PollEvents::IN, || readable(from))?;
            }
            to.wait(PollEvents::OUT, || to.with_room().map(drop))?;
            continue;
        }
        let done = match transfer {
            Transfer::Move => target.ring.take_from(&mut source.ring, count),
            Transfer::Share => target.ring.share_from(&mut source.ring, count),
        };
        drop((source, target));
        if done > 0 {
            if matches!(transfer, Transfer::Move) {
                from.pipe.wake_writers();
            }
            to.pipe.wake_readers();
        }
        return Ok(done);
    }
}

/// `EAGAIN` while there may be something later.
fn readable(from: &PipeSide<'_>) -> Result<()> {
    let state = from.pipe.lock();
    if state.ring.is_empty() && !state.no_writers() { Err(Errno::EAGAIN) } else { Ok(()) }
}

/// `tee(2)`: gives the second pipe references to what is in the first, which keeps it.
pub fn tee(input: &File, output: &File, count: usize, blocking: Blocking) -> Result<usize> {
    check_directions(input, output)?;
    let from = PipeSide::of(input, blocking).ok_or(Errno::EINVAL)?;
    let to = PipeSide::of(output, blocking).ok_or(Errno::EINVAL)?;
    pipe_to_pipe(&from, &to, count, Transfer::Share)
}
