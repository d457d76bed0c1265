//! Who called whom: return addresses along the frame pointers, and the names of functions from the
//! symbol table of the kernel's own file, which the boot loader leaves in memory.

use core::fmt;

use super::boot;
use crate::mm::{self, PhysAddr};

/// Deepest backtrace shown.
const MAX_DEPTH: usize = 48;

/// The frame pointer of the function that this is inlined into.
#[inline(always)]
pub fn frame_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {}, rbp", out(reg) pointer, options(nomem, nostack)) };
    pointer
}

/// Calls `show` with each call site along the frame pointers, innermost first, as long as they make
/// sense.
pub fn walk(mut frame: usize, mut show: impl FnMut(Symbolized)) {
    for _ in 0..MAX_DEPTH {
        if !frame.is_multiple_of(8) || !mm::is_mapped(frame) || !mm::is_mapped(frame + 15) {
            return;
        }
        // SAFETY: both words are mapped kernel memory; a wrong frame pointer shows wrong lines.
        let [next, return_address] = unsafe { *(frame as *const [usize; 2]) };
        if return_address == 0 {
            return;
        }
        // The call is just before the address it returns to.
        show(Symbolized(return_address - 1));
        // Frames of callers are further up.
        if next <= frame {
            return;
        }
        frame = next;
    }
}

/// The innermost call sites along the frame pointers, as many as there is room for. What remains of `callers` stays as it is.
pub fn callers(mut frame: usize, callers: &mut [usize]) {
    for caller in callers {
        if !frame.is_multiple_of(8) || !mm::is_mapped(frame) || !mm::is_mapped(frame + 15) {
            return;
        }
        // SAFETY: as in `walk`.
        let [next, return_address] = unsafe { *(frame as *const [usize; 2]) };
        if return_address == 0 {
            return;
        }
        *caller = return_address - 1;
        if next <= frame {
            return;
        }
        frame = next;
    }
}

/// An address in the kernel's text, shown with its function's name.
pub struct Symbolized(pub usize);

impl fmt::Display for Symbolized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match symbol(self.0) {
            Some((name, offset)) => {
                write!(f, "{:016x} {:#}+{offset:#x}", self.0, rustc_demangle::demangle(name))
            }
            None => write!(f, "{:016x}", self.0),
        }
    }
}

/// The function around an address, from the symbol table of the kernel's own file.
fn symbol(address: usize) -> Option<(&'static str, usize)> {
    use xmas_elf::{
        ElfFile,
        sections::SectionData,
        symbol_table::{Entry, Type},
    };
    let file = boot::info().kernel_file.clone();
    let start = PhysAddr(file.start).to_virt().as_mut_ptr::<u8>().cast_const();
    if file.is_empty() || !mm::is_mapped(start as usize) {
        return None;
    }
    // SAFETY: the loader keeps the kernel's file in memory that is never given away, and the direct
    // map shows it.
    let bytes: &'static [u8] = unsafe { core::slice::from_raw_parts(start, file.len()) };
    let elf = ElfFile::new(bytes).ok()?;
    let SectionData::SymbolTable64(symbols) =
        elf.find_section_by_name(".symtab")?.get_data(&elf).ok()?
    else {
        return None;
    };
    let strings = elf.find_section_by_name(".strtab")?.raw_data(&elf);
    let found = symbols.iter().find(|symbol| {
        let start = symbol.value() as usize;
        symbol.get_type() == Ok(Type::Func)
            && (start..start + symbol.size() as usize).contains(&address)
    })?;
    let name = strings.get(found.name() as usize..)?;
    let name = core::ffi::CStr::from_bytes_until_nul(name).ok()?.to_str().ok()?;
    Some((name, address - found.value() as usize))
}
