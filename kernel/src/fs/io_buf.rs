//! Where bytes go to or come from in a read or write: user memory (one buffer or an iovec) or kernel memory. A
//! file's code copies each byte once, straight between its own storage and here.

use crate::mm::{Frame, UserAddr};
use abi::Result;

/// Where a read puts its bytes.
pub struct IoSink<'a>(core::marker::PhantomData<&'a mut [u8]>);

/// Where a write gets its bytes.
#[derive(Clone)]
pub struct IoSource<'a>(core::marker::PhantomData<&'a [u8]>);

impl<'a> IoSink<'a> {
    /// One user buffer. `len` is bounded to `MAX_RW_COUNT` (0x7ffff000) by the caller.
    pub fn user(_addr: UserAddr, _len: usize) -> IoSink<'a> {
        todo!()
    }
    /// Several user buffers, already copied in and checked (`readv(2)`).
    pub fn user_vec(_iov: &'a [(UserAddr, usize)]) -> IoSink<'a> {
        todo!()
    }
    /// Kernel memory.
    pub fn kernel(_buf: &'a mut [u8]) -> IoSink<'a> {
        todo!()
    }
    /// Bytes that still fit.
    pub fn remaining(&self) -> usize {
        todo!()
    }
    /// Appends bytes (at most what remains); how many went. `EFAULT` only when the first byte already failed.
    pub fn write(&mut self, _bytes: &[u8]) -> Result<usize> {
        todo!()
    }
    /// Appends part of a page.
    pub fn write_frame(&mut self, _frame: &Frame, _offset: usize, _len: usize) -> Result<usize> {
        todo!()
    }
    /// Appends zeros.
    pub fn write_zeros(&mut self, _len: usize) -> Result<usize> {
        todo!()
    }
}

impl<'a> IoSource<'a> {
    /// One user buffer.
    pub fn user(_addr: UserAddr, _len: usize) -> IoSource<'a> {
        todo!()
    }
    /// Several user buffers (`writev(2)`).
    pub fn user_vec(_iov: &'a [(UserAddr, usize)]) -> IoSource<'a> {
        todo!()
    }
    /// Kernel memory.
    pub fn kernel(_buf: &'a [u8]) -> IoSource<'a> {
        todo!()
    }
    /// Bytes left.
    pub fn remaining(&self) -> usize {
        todo!()
    }
    /// Takes bytes into `dst`; how many came. `EFAULT` only when the first byte already failed.
    pub fn read(&mut self, _dst: &mut [u8]) -> Result<usize> {
        todo!()
    }
    /// Takes bytes into part of a page.
    pub fn read_frame(&mut self, _frame: &Frame, _offset: usize, _len: usize) -> Result<usize> {
        todo!()
    }
    /// Drops bytes (a sink like `/dev/null`).
    pub fn skip(&mut self, _len: usize) {
        todo!()
    }
}
