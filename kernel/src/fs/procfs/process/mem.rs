//! `mem`: the memory of the address space that the process had when the file was opened, at its addresses.

use super::{Subject, memory};
use crate::{
    fs::{
        File, FileOps, Inode, IoSink, IoSource, seek,
        synthetic::{Attributes, SyntheticFs},
    },
    mm::{AddressSpace, PAGE_SIZE, USER_END, try_alloc},
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
    /// Moves `len` bytes from `offset` on by `part`, which moves what lies in one page: `EIO` where the first cannot be had, else as far as it goes.
    fn transfer(
        &self,
        len: usize,
        offset: &mut u64,
        mut part: impl FnMut(&AddressSpace, usize, usize) -> Result<usize>,
    ) -> Result<usize> {
        // A process that has gone has no memory, and no error.
        let Some(mm) = self.0.upgrade() else { return Ok(0) };
        let mut done = 0;
        while done < len {
            let addr = usize::try_from(*offset).ok().filter(|&addr| addr < USER_END);
            let wanted = (PAGE_SIZE - *offset as usize % PAGE_SIZE).min(len - done);
            let moved = addr.ok_or(Errno::EIO).and_then(|addr| part(&mm, addr, wanted));
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
        self.transfer(dst.remaining(), offset, |mm, addr, len| {
            dst.write_frame(&mm.page_for_debugger(addr)?, addr % PAGE_SIZE, len)
        })
    }
    fn write(&self, _: &File, src: &mut IoSource<'_>, offset: &mut u64) -> Result<usize> {
        let len = src.remaining();
        let mut bytes = try_alloc::zeroed_bytes(len.min(PAGE_SIZE))?;
        self.transfer(len, offset, |mm, addr, len| {
            let fetched = src.read(&mut bytes[..len])?;
            mm.write_for_debugger(addr, &bytes[..fetched])?;
            Ok(fetched)
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
