//! What `execve` has to know of an ELF file, read and checked once: it stays with the file as long as nobody gets to write to it
//! ([`crate::fs::Inode::writers`]).

use crate::fs::{File, IoSink};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec, vec::Vec};
use binfmt::{
    elf::{self, Header, Segment},
    plan::{self, Plan},
};

/// The most program headers of a file that is kept; programs have a dozen.
const KEPT_SEGMENTS: u16 = 64;

/// An ELF file whose headers are sound.
pub struct ElfLayout {
    /// Its header.
    pub header: Header,
    /// Where its segments go. An error comes when they are to be mapped.
    pub plan: Result<Plan>,
    /// Where its program headers come to lie, before relocation.
    pub headers_address: Option<u64>,
    /// Whether its stack is to be executable.
    pub executable_stack: bool,
    /// The program that loads it (`PT_INTERP`). An error matters to a program, not to an interpreter.
    pub interpreter: Result<Option<Vec<u8>>>,
}

impl ElfLayout {
    /// That of a file opened for execution, if it is known.
    pub fn known(file: &File) -> Option<Arc<ElfLayout>> {
        file.inode().writers().known()?.downcast().ok()
    }

    /// That of a file opened for execution, with the first bytes of it. `ENOEXEC`.
    pub fn read(file: &File, head: &[u8]) -> Result<Arc<ElfLayout>> {
        let header = Header::parse(head)?;
        let segments = read_segments(file, &header).map_err(|_| Errno::ENOEXEC)?;
        let layout = Arc::new(ElfLayout {
            plan: Plan::new(&segments),
            headers_address: plan::headers_address(&segments, header.segments_offset),
            executable_stack: elf::wants_executable_stack(&segments),
            interpreter: read_interpreter(file, &segments),
            header,
        });
        if layout.header.segment_count <= KEPT_SEGMENTS {
            file.inode().writers().learn(layout.clone());
        }
        Ok(layout)
    }
}

fn read_segments(file: &File, header: &Header) -> Result<Vec<Segment>> {
    let mut bytes = vec![0; header.segments_size()];
    read_exactly(file, &mut bytes, header.segments_offset)?;
    Ok(elf::segments(&bytes))
}

fn read_interpreter(file: &File, segments: &[Segment]) -> Result<Option<Vec<u8>>> {
    let Some((offset, len)) = elf::interpreter(segments)? else { return Ok(None) };
    let mut path = vec![0; len];
    read_exactly(file, &mut path, offset)?;
    Ok(Some(elf::interpreter_path(&path)?.to_vec()))
}

/// Fills the buffer; `EIO` when the file ends before.
pub fn read_exactly(file: &File, buffer: &mut [u8], offset: u64) -> Result<()> {
    if read_all_or_less(file, buffer, offset)? == buffer.len() { Ok(()) } else { Err(Errno::EIO) }
}

/// Fills the buffer as far as the file goes; how far.
pub fn read_all_or_less(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        let position = offset.checked_add(done as u64).filter(|&at| i64::try_from(at).is_ok());
        let position = position.ok_or(Errno::EINVAL)?;
        match file.read_at(&mut IoSink::kernel(&mut buffer[done..]), position)? {
            0 => break,
            len => done += len,
        }
    }
    Ok(done)
}
