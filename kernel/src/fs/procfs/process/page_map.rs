//! `pagemap`: a word for each page of the address space that the process had when the file was opened.

use super::{Subject, memory};
use crate::{
    fs::{
        File, FileOps, Inode, IoSink, seek,
        synthetic::{Attributes, SyntheticFs},
    },
    mm::{AddressSpace, FrameNumbers},
    process::{Capability, capable},
};
use abi::{Errno, Result};
use alloc::{
    boxed::Box,
    sync::{Arc, Weak},
};

const WORD: usize = size_of::<u64>();
/// Words that are made at a time.
const WORDS: usize = 64;

/// The file.
pub fn file(fs: &Arc<SyntheticFs>, subject: &Subject, attributes: Attributes) -> Arc<Inode> {
    let subject = subject.clone();
    let open = move || -> Result<Arc<dyn FileOps>> {
        let mm = memory::open_space(&subject)?.ok_or(Errno::ESRCH)?;
        let privileged = capable(Capability::SysAdmin);
        let numbers = if privileged { FrameNumbers::Shown } else { FrameNumbers::Hidden };
        Ok(Arc::new(PageMap { mm: Arc::downgrade(&mm), numbers }))
    };
    fs.opened(attributes, Box::new(open))
}

struct PageMap {
    mm: Weak<AddressSpace>,
    /// As the opener was privileged.
    numbers: FrameNumbers,
}

impl FileOps for PageMap {
    fn read(&self, _: &File, dst: &mut IoSink<'_>, offset: &mut u64) -> Result<usize> {
        let Some(mm) = self.mm.upgrade() else { return Ok(0) };
        if !offset.is_multiple_of(WORD as u64) || !dst.remaining().is_multiple_of(WORD) {
            return Err(Errno::EINVAL);
        }
        let mut done = 0;
        while dst.remaining() > 0 {
            let mut words = [0; WORDS];
            let wanted = WORDS.min(dst.remaining() / WORD);
            let first = *offset / WORD as u64;
            let count = mm.page_map(first, &mut words[..wanted], self.numbers);
            if count == 0 {
                break;
            }
            let mut bytes = [0; WORDS * WORD];
            for (place, word) in bytes.chunks_exact_mut(WORD).zip(words) {
                place.copy_from_slice(&word.to_ne_bytes());
            }
            // Half a word is none: the next read begins with it.
            if dst.write(&bytes[..count * WORD])? < count * WORD {
                return Err(Errno::EFAULT);
            }
            done += count * WORD;
            *offset += (count * WORD) as u64;
        }
        Ok(done)
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
