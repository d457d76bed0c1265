//! The ring of page references that a pipe is.
//!
//! A buffer is a reference to part of a page. Bytes that were written go to the end of the last page where they fit
//! (so a stream of small writes fills pages), pages that were spliced in are shared and never written. One
//! spare page is kept, so that a pipe in steady use allocates nothing.

use crate::{
    fs::{IoSink, IoSource},
    mm::{Frame, PAGE_SIZE, PageKind},
};
use abi::{Errno, Result};
use alloc::collections::VecDeque;

/// Part of a page with bytes to be read.
pub struct Buffer {
    frame: Frame,
    offset: usize,
    len: usize,
    /// Whether the pipe allocated the page itself, so that it may append to it.
    owned: bool,
    /// One write in packet mode (`O_DIRECT`): a read takes at most this buffer and drops the rest of it.
    packet: bool,
}

impl Buffer {
    /// A page that others may hold too (splice, vmsplice). `offset + len` is at most a page.
    pub fn shared(frame: Frame, offset: usize, len: usize) -> Buffer {
        debug_assert!(offset + len <= PAGE_SIZE);
        Buffer { frame, offset, len, owned: false, packet: false }
    }

    /// A page of its owner alone, who may append to it. It holds `len` bytes.
    pub fn owned(frame: Frame, len: usize) -> Buffer {
        Buffer { frame, offset: 0, len, owned: true, packet: false }
    }

    /// How many bytes can be appended.
    pub fn room(&self) -> usize {
        if self.owned && !self.packet { PAGE_SIZE - self.offset - self.len } else { 0 }
    }

    /// Appends `count` bytes, for which there is room; how many came.
    pub fn append(&mut self, source: &mut IoSource<'_>, count: usize) -> Result<usize> {
        let n = source.read_frame(&self.frame, self.offset + self.len, count)?;
        self.len += n;
        Ok(n)
    }

    /// The page, if nobody else holds it: to be filled anew.
    pub fn into_spare(self) -> Option<Frame> {
        (self.owned && self.frame.ref_count() == 1).then_some(self.frame)
    }

    /// Bytes left in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The page.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Where the bytes begin in the page.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Drops `n` bytes from the front.
    pub fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len);
        self.offset += n;
        self.len -= n;
    }

    /// Another reference to the bytes as they are.
    pub fn reference(&self) -> Buffer {
        Buffer::shared(self.frame.clone(), self.offset, self.len)
    }

    /// Takes the first `len` bytes off, of more that are there.
    pub fn split_front(&mut self, len: usize) -> Buffer {
        let front = self.share_front(len);
        self.consume(front.len);
        front
    }

    /// Another reference to the first `len` bytes (`tee(2)`): neither side appends to the page afterwards.
    fn share_front(&mut self, len: usize) -> Buffer {
        self.owned = false;
        Buffer { frame: self.frame.clone(), len: len.min(self.len), ..*self }
    }
}

/// The buffers of a pipe, oldest first.
pub struct Ring {
    buffers: VecDeque<Buffer>,
    slots: usize,
    spare: Option<Frame>,
}

impl Ring {
    /// An empty ring with room for `slots` pages.
    pub fn new(slots: usize) -> Result<Ring> {
        let mut ring = Ring { buffers: VecDeque::new(), slots: 0, spare: None };
        ring.resize(slots)?;
        Ok(ring)
    }

    /// Changes the number of slots; `EBUSY` when more are in use.
    pub fn resize(&mut self, slots: usize) -> Result<()> {
        if self.buffers.len() > slots {
            return Err(Errno::EBUSY);
        }
        let more = slots.saturating_sub(self.buffers.len());
        self.buffers.try_reserve_exact(more).map_err(|_| Errno::ENOMEM)?;
        if slots < self.slots {
            self.buffers.shrink_to(slots);
        }
        self.slots = slots;
        Ok(())
    }

    /// How many pages it has room for.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Whether every slot is taken.
    pub fn is_full(&self) -> bool {
        self.buffers.len() >= self.slots
    }

    /// Bytes in it (`FIONREAD`).
    pub fn bytes(&self) -> usize {
        self.buffers.iter().map(|buffer| buffer.len).sum()
    }

    /// Takes the oldest buffer out.
    pub fn pop(&mut self) -> Option<Buffer> {
        self.buffers.pop_front()
    }

    /// How many slots are free.
    pub fn free_slots(&self) -> usize {
        self.slots.saturating_sub(self.buffers.len())
    }

    /// Appends buffers that there was room for a moment ago, even if the ring filled up meanwhile.
    pub fn push_late(&mut self, buffers: impl IntoIterator<Item = Buffer>) {
        self.buffers.extend(buffers);
    }

    /// Appends a buffer to a ring that is not full.
    pub fn push(&mut self, buffer: Buffer) {
        debug_assert!(!self.is_full());
        self.buffers.push_back(buffer);
    }

    /// Moves the first `count` bytes of `source` behind its own, as far as there is room; how many.
    pub fn take_from(&mut self, source: &mut Ring, count: usize) -> usize {
        let mut done = 0;
        while done < count
            && !self.is_full()
            && let Some(front) = source.buffers.front_mut()
        {
            let wanted = count - done;
            let piece = if front.len <= wanted {
                source.buffers.pop_front()
            } else {
                Some(front.split_front(wanted))
            };
            done += piece.as_ref().map_or(0, Buffer::len);
            self.buffers.extend(piece);
        }
        done
    }

    /// The same with references to bytes that stay in `source` (`tee(2)`).
    pub fn share_from(&mut self, source: &mut Ring, count: usize) -> usize {
        let mut done = 0;
        for buffer in &mut source.buffers {
            if done == count || self.is_full() {
                break;
            }
            let piece = buffer.share_front(count - done);
            done += piece.len;
            self.buffers.push_back(piece);
        }
        done
    }

    /// Puts back a buffer that was taken from the front, even into a ring that filled up meanwhile.
    pub fn push_front(&mut self, buffer: Buffer) {
        self.buffers.push_front(buffer);
    }

    /// Drops the oldest buffer if it is used up, keeping its page as the spare where possible.
    fn drop_empty_front(&mut self) {
        if self.buffers.front().is_some_and(|buffer| buffer.len == 0)
            && let Some(buffer) = self.buffers.pop_front()
        {
            self.recycle(buffer);
        }
    }

    fn recycle(&mut self, buffer: Buffer) {
        if self.spare.is_none() {
            self.spare = buffer.into_spare();
        }
    }

    /// Moves bytes to `dst` until it is full or the ring is empty; how many.
    pub fn read(&mut self, dst: &mut IoSink<'_>) -> Result<usize> {
        let mut total = 0;
        while dst.remaining() > 0
            && let Some(front) = self.buffers.front_mut()
        {
            let want = front.len.min(dst.remaining());
            let n = match dst.write_frame(&front.frame, front.offset, want) {
                Ok(n) => n,
                Err(_) if total > 0 => break,
                Err(errno) => return Err(errno),
            };
            total += n;
            let packet = front.packet;
            front.consume(if packet && n == want { front.len } else { n });
            self.drop_empty_front();
            if packet || n < want {
                break;
            }
        }
        Ok(total)
    }

    /// Moves bytes from `src` in until it is empty or the ring is full; how many. `EAGAIN` when none fits: a write of
    /// at most `PIPE_BUF` bytes (a page, `pipe(7)`) goes in whole or not at all.
    pub fn write(&mut self, src: &mut IoSource<'_>, packet: bool) -> Result<usize> {
        let mut total = 0;
        // The odd bytes go to the end of the last page, so that whole pages follow page by page.
        let odd = src.remaining() % PAGE_SIZE;
        if odd != 0
            && !packet
            && let Some(last) = self.buffers.back_mut()
            && last.room() >= odd
        {
            let n = last.append(src, odd)?;
            total += n;
            if n < odd {
                return Ok(total);
            }
        }
        while src.remaining() > 0 {
            if self.is_full() {
                return if total > 0 { Ok(total) } else { Err(Errno::EAGAIN) };
            }
            let frame =
                match self.spare.take().map_or_else(|| Frame::alloc_uninit(PageKind::Other), Ok) {
                    Ok(frame) => frame,
                    Err(_) if total > 0 => break,
                    Err(errno) => return Err(errno),
                };
            let want = src.remaining().min(PAGE_SIZE);
            match src.read_frame(&frame, 0, want) {
                Ok(n) => {
                    self.buffers.push_back(Buffer {
                        frame,
                        offset: 0,
                        len: n,
                        owned: true,
                        packet,
                    });
                    total += n;
                    if n < want {
                        break;
                    }
                }
                Err(errno) => {
                    self.spare = Some(frame);
                    return if total > 0 { Ok(total) } else { Err(errno) };
                }
            }
        }
        Ok(total)
    }
}
