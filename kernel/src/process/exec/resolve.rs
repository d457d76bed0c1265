//! From the file that was asked for to the program that runs: scripts lead to their interpreters, an ELF program
//! brings its own.

use super::{
    Request,
    arguments::Arguments,
    layout::{self, ElfLayout},
};
use crate::{
    fs::{self, AT_FDCWD, File, LookupFlags},
    process::exec::base_name,
};
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};
use binfmt::{HEAD_SIZE, elf, script};

/// How many interpreters may follow one another.
const DEPTH_LIMIT: usize = 5;

/// An ELF file that was opened for execution.
pub struct ElfFile {
    /// The file.
    pub file: Arc<File>,
    /// What is in it.
    pub layout: Arc<ElfLayout>,
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
        let known = ElfLayout::known(&file);
        if known.is_none() {
            layout::read_all_or_less(&file, &mut head, 0)?;
        }
        let Some(script) = script::parse(&head)? else {
            let layout = known.map_or_else(|| ElfLayout::read(&file, &head), Ok)?;
            let (elf, interpreter) = open_elf(&file, layout)?;
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

/// The program in `file`, and the program that loads it.
fn open_elf(file: &Arc<File>, layout: Arc<ElfLayout>) -> Result<(ElfFile, Option<ElfFile>)> {
    let interpreter = match &layout.interpreter {
        Ok(None) => None,
        Ok(Some(path)) => Some(open_interpreter(path)?),
        Err(error) => return Err(*error),
    };
    Ok((ElfFile { file: Arc::clone(file), layout }, interpreter))
}

/// Opens a program interpreter: a bad one is `ELIBBAD`.
fn open_interpreter(path: &[u8]) -> Result<ElfFile> {
    let file = fs::open_exec(AT_FDCWD, path, LookupFlags::FOLLOW)?;
    let layout = match ElfLayout::known(&file) {
        Some(layout) => layout,
        None => {
            let mut head = [0; elf::HEADER_SIZE];
            layout::read_exactly(&file, &mut head, 0)?;
            ElfLayout::read(&file, &head).map_err(|_| Errno::ELIBBAD)?
        }
    };
    Ok(ElfFile { file, layout })
}
