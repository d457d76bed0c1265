//! Where bytes go to or come from in a read or write: user memory (one buffer or an iovec) or kernel memory. A
//! file's code copies each byte once, straight between its own storage and here.
//!
//! A copy that meets unmapped user memory stops there: it returns the bytes that went before, and `EFAULT` only when there
//! were none. A caller that loops treats `EFAULT` after progress as the end of a short transfer. No locks.

use crate::mm::{Frame, PAGE_SIZE, UserAddr, user};
use abi::{Errno, Result};

/// The most that one call transfers: `INT_MAX` rounded down to a page (`read(2)`).
pub const MAX_RW_COUNT: usize = 0x7fff_f000;

/// One stretch of memory out of a list of them.
#[derive(Clone, Copy)]
struct UserCursor<'a> {
    /// The rest of the present stretch.
    addr: UserAddr,
    len: usize,
    /// Stretches after it.
    rest: &'a [(UserAddr, usize)],
}

impl<'a> UserCursor<'a> {
    fn one(addr: UserAddr, len: usize) -> Self {
        UserCursor { addr, len, rest: &[] }
    }

    fn many(iov: &'a [(UserAddr, usize)]) -> Self {
        let mut cursor = UserCursor { addr: UserAddr(0), len: 0, rest: iov };
        cursor.settle();
        cursor
    }

    /// Steps over empty stretches.
    fn settle(&mut self) {
        while self.len == 0 {
            let Some((&(addr, len), rest)) = self.rest.split_first() else { return };
            (self.addr, self.len, self.rest) = (addr, len, rest);
        }
    }

    fn advance(&mut self, n: usize) {
        self.addr = self.addr.add(n);
        self.len -= n;
        self.settle();
    }

    fn skip(&mut self, mut n: usize) {
        while n > 0 && self.len > 0 {
            let step = n.min(self.len);
            self.advance(step);
            n -= step;
        }
    }

    /// Moves `total` bytes stretch by stretch through `copy(done, user address, length) -> copied`.
    #[inline]
    fn transfer(
        &mut self,
        total: usize,
        mut copy: impl FnMut(usize, UserAddr, usize) -> usize,
    ) -> Result<usize> {
        if total > self.len {
            return self.transfer_stretches(total, copy);
        }
        // Nearly always one stretch holds it all.
        let got = copy(0, self.addr, total);
        self.advance(got);
        if got == 0 && total > 0 { Err(Errno::EFAULT) } else { Ok(got) }
    }

    fn transfer_stretches(
        &mut self,
        total: usize,
        mut copy: impl FnMut(usize, UserAddr, usize) -> usize,
    ) -> Result<usize> {
        let mut done = 0;
        while done < total {
            let want = (total - done).min(self.len);
            if want == 0 {
                break;
            }
            let got = copy(done, self.addr, want);
            self.advance(got);
            done += got;
            if got < want {
                break;
            }
        }
        if done == 0 && total > 0 { Err(Errno::EFAULT) } else { Ok(done) }
    }
}

enum Sink<'a> {
    User(UserCursor<'a>),
    Kernel(&'a mut [u8], usize),
}

/// Where a read puts its bytes.
pub struct IoSink<'a> {
    target: Sink<'a>,
    remaining: usize,
}

#[derive(Clone)]
enum Source<'a> {
    User(UserCursor<'a>),
    /// A page and where its bytes go on.
    Frame(&'a Frame, usize),
}

/// Where a write gets its bytes. A clone reads the same bytes again.
#[derive(Clone)]
pub struct IoSource<'a> {
    origin: Source<'a>,
    remaining: usize,
}

impl<'a> IoSink<'a> {
    /// One user buffer. `len` is bounded to `MAX_RW_COUNT` (0x7ffff000) by the caller.
    pub fn user(addr: UserAddr, len: usize) -> IoSink<'a> {
        IoSink { target: Sink::User(UserCursor::one(addr, len)), remaining: len }
    }
    /// Several user buffers, already copied in and checked (`readv(2)`).
    pub fn user_vec(iov: &'a [(UserAddr, usize)]) -> IoSink<'a> {
        let remaining = iov.iter().map(|&(_, len)| len).sum();
        IoSink { target: Sink::User(UserCursor::many(iov)), remaining }
    }
    /// Kernel memory.
    pub fn kernel(buf: &'a mut [u8]) -> IoSink<'a> {
        let remaining = buf.len();
        IoSink { target: Sink::Kernel(buf, 0), remaining }
    }
    /// Bytes that still fit.
    pub fn remaining(&self) -> usize {
        self.remaining
    }
    /// Appends bytes (at most what remains); how many went. `EFAULT` only when the first byte already failed.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let len = bytes.len().min(self.remaining);
        self.put(
            len,
            |done, addr, n| user::copy_to_user_partial(addr, &bytes[done..done + n]),
            |buf| buf.copy_from_slice(&bytes[..len]),
        )
    }
    /// Appends part of a page.
    pub fn write_frame(&mut self, frame: &Frame, offset: usize, len: usize) -> Result<usize> {
        let len = len.min(self.remaining).min(PAGE_SIZE.saturating_sub(offset));
        self.put(
            len,
            |done, addr, n| frame.copy_to_user(offset + done, addr, n),
            |buf| frame.read(offset, buf),
        )
    }
    /// Leaves room out, without writing there.
    pub fn skip(&mut self, len: usize) -> usize {
        let len = len.min(self.remaining);
        match &mut self.target {
            Sink::User(cursor) => cursor.skip(len),
            Sink::Kernel(_, at) => *at += len,
        }
        self.remaining -= len;
        len
    }
    /// Appends zeros.
    pub fn write_zeros(&mut self, len: usize) -> Result<usize> {
        let len = len.min(self.remaining);
        self.put(len, |_, addr, n| user::clear_user_partial(addr, n), |buf| buf.fill(0))
    }

    fn put(
        &mut self,
        len: usize,
        to_user: impl FnMut(usize, UserAddr, usize) -> usize,
        to_kernel: impl FnOnce(&mut [u8]),
    ) -> Result<usize> {
        let done = match &mut self.target {
            Sink::User(cursor) => cursor.transfer(len, to_user)?,
            Sink::Kernel(buf, at) => {
                to_kernel(&mut buf[*at..*at + len]);
                *at += len;
                len
            }
        };
        self.remaining -= done;
        Ok(done)
    }
}

impl<'a> IoSource<'a> {
    /// One user buffer.
    pub fn user(addr: UserAddr, len: usize) -> IoSource<'a> {
        IoSource { origin: Source::User(UserCursor::one(addr, len)), remaining: len }
    }
    /// Several user buffers (`writev(2)`).
    pub fn user_vec(iov: &'a [(UserAddr, usize)]) -> IoSource<'a> {
        let remaining = iov.iter().map(|&(_, len)| len).sum();
        IoSource { origin: Source::User(UserCursor::many(iov)), remaining }
    }
    /// `len` bytes of a page from `offset` on (splice, sendfile); together at most a page.
    pub fn frame(frame: &'a Frame, offset: usize, len: usize) -> IoSource<'a> {
        debug_assert!(offset + len <= PAGE_SIZE);
        IoSource { origin: Source::Frame(frame, offset), remaining: len }
    }
    /// Bytes left.
    pub fn remaining(&self) -> usize {
        self.remaining
    }
    /// Lets at most `len` more bytes out (`RLIMIT_FSIZE`, file size limits).
    pub fn limit(&mut self, len: usize) {
        self.remaining = self.remaining.min(len);
    }
    /// Takes bytes into `dst`; how many came. `EFAULT` only when the first byte already failed.
    pub fn read(&mut self, dst: &mut [u8]) -> Result<usize> {
        let len = dst.len().min(self.remaining);
        let done = match &mut self.origin {
            Source::User(cursor) => cursor.transfer(len, |done, addr, n| {
                user::copy_from_user_partial(&mut dst[done..done + n], addr)
            })?,
            Source::Frame(frame, offset) => {
                frame.read(*offset, &mut dst[..len]);
                *offset += len;
                len
            }
        };
        self.remaining -= done;
        Ok(done)
    }
    /// Takes bytes into part of a page.
    pub fn read_frame(&mut self, frame: &Frame, offset: usize, len: usize) -> Result<usize> {
        let len = len.min(self.remaining).min(PAGE_SIZE.saturating_sub(offset));
        let done = match &mut self.origin {
            Source::User(cursor) => cursor
                .transfer(len, |done, addr, n| frame.copy_from_user(offset + done, addr, n))?,
            Source::Frame(from, at) => {
                frame.copy_from_frame(offset, from, *at, len);
                *at += len;
                len
            }
        };
        self.remaining -= done;
        Ok(done)
    }
    /// Whether the bytes are a page's.
    pub fn is_page(&self) -> bool {
        matches!(self.origin, Source::Frame(..))
    }
    /// Hands out a reference to what is left of a page, where the bytes are one's: frame, offset, length.
    pub fn take_page(&mut self) -> Option<(Frame, usize, usize)> {
        match &mut self.origin {
            Source::Frame(frame, offset) => {
                let (start, len) = (*offset, self.remaining);
                *offset += len;
                self.remaining = 0;
                Some((Frame::clone(frame), start, len))
            }
            Source::User(_) => None,
        }
    }
    /// Drops bytes (a sink like `/dev/null`).
    pub fn skip(&mut self, len: usize) {
        let len = len.min(self.remaining);
        match &mut self.origin {
            Source::User(cursor) => cursor.skip(len),
            Source::Frame(_, offset) => *offset += len,
        }
        self.remaining -= len;
    }
}
