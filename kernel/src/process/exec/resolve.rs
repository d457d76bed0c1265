//! From the file that was asked for to the program that runs: scripts lead to their interpreters, an ELF program
//! brings its own.

use super::{Request, arguments::Arguments};
use crate::{
    fs::{self, AT_FDCWD, File, IoSink, LookupFlags},
    process::exec::base_name,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec, vec::Vec};
use binfmt::{
    HEAD_SIZE,
    elf::{self, Header, Segment},
    script,
};

/// How many interpreters may follow one another.
const DEPTH_LIMIT: usize = 5;

/// An ELF file whose headers are sound.
pub struct ElfFile {
    /// The file.
    pub file: Arc<File>,
    /// Its header.
    pub header: Header,
    /// Its program headers.
    pub segments: Vec<Segment>,
}

/// What is going to run.
pub struct Program {
    /// The ELF file.
    pub file: Arc<File>,
    /// Its headers.
    pub elf: ElfFile,
    /// The program that loads it (`PT_INTERP`).
    pub interpreter: Option<ElfFile>,
    /// The new task name: the last component of the path that was asked for.
    pub name: Vec<u8>,
}

/// Follows scripts until a program is found; their lines go before the arguments. `ENOEXEC`, `ELOOP`, and what opening an
/// interpreter gives.
pub fn resolve(request: Request, arguments: &mut Arguments) -> Result<Program> {
    let name = base_name(&request.path).to_vec();
    let Request { mut file, mut path, path_closes } = request;
    for _ in 0..=DEPTH_LIMIT {
        let mut head = [0; HEAD_SIZE];
        read_all_or_less(&file, &mut head, 0)?;
        let Some(script) = script::parse(&head)? else {
            let (elf, interpreter) = open_elf(&file, &head)?;
            return Ok(Program { file, elf, interpreter, name });
        };
        if path_closes {
            return Err(Errno::ENOENT);
        }
        arguments.remove_first();
        arguments.push_argument(&path)?;
        if let Some(argument) = script.argument {
            arguments.push_argument(argument)?;
        }
        arguments.push_argument(script.interpreter)?;
        file = fs::open_exec(AT_FDCWD, script.interpreter, LookupFlags::FOLLOW)?;
        path = script.interpreter.to_vec();
    }
    Err(Errno::ELOOP)
}

/// Reads headers and interpreter of an ELF program.
fn open_elf(file: &Arc<File>, head: &[u8]) -> Result<(ElfFile, Option<ElfFile>)> {
    let header = Header::parse(head)?;
    let segments = read_segments(file, &header).map_err(|_| Errno::ENOEXEC)?;
    let interpreter = match elf::interpreter(&segments)? {
        None => None,
        Some((offset, len)) => {
            let mut path = vec![0; len];
            read_exactly(file, &mut path, offset)?;
            Some(open_interpreter(elf::interpreter_path(&path)?)?)
        }
    };
    Ok((ElfFile { file: Arc::clone(file), header, segments }, interpreter))
}

/// Opens a program interpreter: a bad one is `ELIBBAD`.
fn open_interpreter(path: &[u8]) -> Result<ElfFile> {
    let file = fs::open_exec(AT_FDCWD, path, LookupFlags::FOLLOW)?;
    let mut head = [0; elf::HEADER_SIZE];
    read_exactly(&file, &mut head, 0)?;
    let header = Header::parse(&head).map_err(|_| Errno::ELIBBAD)?;
    let segments = read_segments(&file, &header).map_err(|_| Errno::ELIBBAD)?;
    Ok(ElfFile { file, header, segments })
}

fn read_segments(file: &File, header: &Header) -> Result<Vec<Segment>> {
    let mut bytes = vec![0; header.segments_size()];
    read_exactly(file, &mut bytes, header.segments_offset)?;
    Ok(elf::segments(&bytes))
}

/// Fills the buffer; `EIO` when the file ends before.
fn read_exactly(file: &File, buffer: &mut [u8], offset: u64) -> Result<()> {
    if read_all_or_less(file, buffer, offset)? == buffer.len() { Ok(()) } else { Err(Errno::EIO) }
}

/// Fills the buffer as far as the file goes; how far.
fn read_all_or_less(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize> {
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
