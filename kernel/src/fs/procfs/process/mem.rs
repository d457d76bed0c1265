//! `mem`: the memory of the address space that the process had when the file was opened, at its addresses.

use super::{Subject, memory};
use crate::{
    fs::{
        File, FileOps, Inode, IoSink, IoSource, seek,
        synthetic::{Attributes, SyntheticFs},
    },
    mm::{AddressSpace, Frame, PAGE_SIZE, USER_END},
};
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
};

/// The file.
pub fn file(fs: &Arc<SyntheticFs>, subject: &Subject, attributes: Attributes) -> Arc<Inode> {
    let subject = subject.clone();
    let open = move || -> Result<Arc<dyn FileOps>> {
        let mm = memory::open_space(&subject)?;
        Ok(Arc::new(Memory(mm.as_ref().map_or_else(Weak::new, Arc::downgrade))))
    };
    fs.opened(attributes, Box::new(open))
}

struct Memory(Weak<AddressSpace>);

impl Memory {
    /// Moves `len` bytes from `offset` on by `part`, a page's at a time: `EIO` where the first cannot be had, else as far as it goes.
    fn transfer(
        &self,
        len: usize,
        offset: &mut u64,
        page: fn(&AddressSpace, usize) -> Result<Frame>,
        mut part: impl FnMut(&Frame, usize, usize) -> Result<usize>,
    ) -> Result<usize> {
        // A process that has gone has no memory, and no error.
        let Some(mm) = self.0.upgrade() else { return Ok(0) };
        let mut done = 0;
        while done < len {
            let addr = usize::try_from(*offset).ok().filter(|&addr| addr < USER_END);
            let within = *offset as usize % PAGE_SIZE;
            let wanted = (PAGE_SIZE - within).min(len - done);
            let moved = addr
                .ok_or(Errno::EIO)
                .and_then(|addr| page(&mm, addr))
                .and_then(|frame| part(&frame, within, wanted));
            match moved {
                Ok(moved) => {
                    done += moved;
                    *offset += moved as u64;
                    if moved < wanted {
                        break;
                    }
                }
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }
}

impl FileOps for Memory {
    fn read(&self, _: &File, dst: &mut IoSink<'_>, offset: &mut u64) -> Result<usize> {
        self.transfer(dst.remaining(), offset, AddressSpace::page_to_read, |frame, at, len| {
            dst.write_frame(frame, at, len)
        })
    }
    fn write(&self, _: &File, src: &mut IoSource<'_>, offset: &mut u64) -> Result<usize> {
        let mm = self.0.upgrade();
        let _writing = mm.as_ref().map(|mm| mm.write_past_tables());
        self.transfer(src.remaining(), offset, AddressSpace::page_to_write, |frame, at, len| {
            src.read_frame(frame, at, len)
        })
    }
    fn seekable(&self) -> bool {
        true
    }
    fn seek(&self, file: &File, offset: i64, whence: u32) -> Result<u64> {
        seek::without_end(file, offset, whence)
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
