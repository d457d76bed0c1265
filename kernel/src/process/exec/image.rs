//! The memory of a new program: segments, interpreter, heap, stack with its tables.

use super::{
    arguments::Arguments,
    privileges::Outcome,
    resolve::{ElfFile, Program},
};
use crate::{
    arch,
    mm::{self, AddressSpace, MapKind, MapRequest, MmapFlags, PAGE_SIZE, Prot, USER_END},
    params,
    process::{Resource, Task, rseq},
    random,
};
use abi::{Errno, Result, auxvec};
use alloc::{sync::Arc, vec::Vec};
use binfmt::{
    elf::{self, Kind},
    plan::{Piece, Plan},
    stack,
};
use core::sync::atomic::Ordering::Relaxed;

/// `ADDR_NO_RANDOMIZE` of `personality(2)`.
const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;
/// `READ_IMPLIES_EXEC`.
const READ_IMPLIES_EXEC: u32 = 0x0040_0000;

/// Where position-independent programs with an interpreter go (`ELF_ET_DYN_BASE`): two thirds up.
const RELOCATABLE_BASE: usize = (USER_END / 3 * 2) & !(PAGE_SIZE - 1);

/// Random pages in the place of a relocatable program: 28 bits.
const PROGRAM_RANDOM_PAGES: u64 = 1 << 28;
/// Random pages below the top of the stack: 16 GiB.
const STACK_RANDOM_PAGES: u64 = 1 << 22;
/// Random pages before the heap: 32 MiB.
const HEAP_RANDOM_PAGES: u64 = 1 << 13;

/// Stack that is mapped at once, beyond what the arguments take.
const STACK_SPARE: usize = 128 * 1024;

/// Places chosen before anything is mapped.
pub struct Layout {
    /// Above the stack.
    pub stack_top: usize,
    /// Where mappings begin, downwards.
    mmap_base: usize,
    /// Where the vDSO goes, if there is room.
    vdso: usize,
    randomize: bool,
    read_implies_exec: bool,
}

impl Layout {
    /// Chooses, at random unless the kernel's command line or the personality forbids it.
    pub fn choose(task: &Task) -> Layout {
        let personality = task.personality.load(Relaxed);
        let randomize = !params::get().no_randomize && personality & ADDR_NO_RANDOMIZE == 0;
        let pages =
            |count| if randomize { (random::word() % count) as usize * PAGE_SIZE } else { 0 };
        let stack_limit = task.process.limits().soft(Resource::Stack);
        let random_word = if randomize { Some(random::word()) } else { None };
        let stack_top = USER_END - pages(STACK_RANDOM_PAGES);
        Layout {
            stack_top,
            vdso: stack_top + pages(vdso_places(stack_top)),
            mmap_base: AddressSpace::mmap_top(stack_limit, random_word),
            randomize,
            read_implies_exec: personality & READ_IMPLIES_EXEC != 0,
        }
    }

    fn random_pages(&self, count: u64) -> usize {
        if self.randomize { (random::word() % count) as usize * PAGE_SIZE } else { 0 }
    }
}

/// How many pages the vDSO may start at: as on Linux from the stack's top to the end of the two megabytes that hold it.
fn vdso_places(stack_top: usize) -> u64 {
    const SPAN: usize = 2 << 20;
    let end = (stack_top + mm::VDSO_SIZE).next_multiple_of(SPAN).min(USER_END);
    1 + (end.saturating_sub(mm::VDSO_SIZE).saturating_sub(stack_top) / PAGE_SIZE) as u64
}

/// A program in memory, ready to run.
pub struct Image {
    /// Its address space.
    pub mm: Arc<AddressSpace>,
    /// Where it starts.
    pub entry: usize,
    /// Its initial stack pointer.
    pub stack_pointer: usize,
    /// Its auxiliary vector, ends included.
    pub auxv: Vec<u64>,
}

/// Maps a program and fills its stack.
pub fn load(
    program: &Program,
    layout: &Layout,
    mut arguments: Arguments,
    credentials: &Outcome,
) -> Result<Image> {
    let mm = AddressSpace::new()?;
    mm.set_mmap_base(layout.mmap_base);
    let executable_stack = program.elf.layout.executable_stack || layout.read_implies_exec;
    let main = load_elf(&mm, &program.elf, main_base(program, layout)?)?;
    let interpreter = match &program.interpreter {
        Some(file) => Some(load_elf(&mm, file, Base::Anywhere)?),
        None => None,
    };
    let entry = interpreter.as_ref().map_or(main.entry, |loaded| loaded.entry);
    if entry >= USER_END {
        return Err(Errno::EINVAL);
    }
    let heap = (main.end + PAGE_SIZE - 1) & !(PAGE_SIZE - 1);
    mm.set_brk_start(heap + layout.random_pages(HEAP_RANDOM_PAGES));

    let platform = arguments.bottom().checked_sub(PLATFORM.len()).ok_or(Errno::ENOMEM)?;
    // Caches of two threads should not fight over one set: up to a page and a half of slack, as Linux has it.
    let slack = if layout.randomize { (random::word() % 8192) as usize } else { 0 };
    let platform = (platform - slack) & !15;
    let random_bytes = platform - 16;
    let facts = Facts {
        vdso: mm.map_vdso(layout.vdso)?,
        main: &main,
        program,
        base: interpreter.as_ref().map_or(0, |loaded| loaded.bias),
        platform,
        random_bytes,
        path: arguments.path_address,
    };
    let auxiliary = auxiliary_vector(&facts, credentials);
    let argv = arguments.argument_addresses()?;
    let envp = arguments.environment_addresses()?;
    let table = stack::table(random_bytes as u64, argv.into_iter(), envp.into_iter(), &auxiliary)
        .ok_or(Errno::ENOMEM)?;
    let stack_pointer = table.pointer as usize;

    map_stack(&mm, layout.stack_top, stack_pointer, executable_stack)?;
    for (address, frame) in arguments.take_pages() {
        mm.place(address, frame)?;
    }
    write_all(&mm, platform, PLATFORM)?;
    let mut seed = [0; 16];
    random::fill(&mut seed);
    write_all(&mm, random_bytes, &seed)?;
    let words: Vec<u8> = table.words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    write_all(&mm, stack_pointer, &words)?;

    mm.set_layout(mm::Layout {
        start_code: main.bias + main.plan.code.0 as usize,
        end_code: main.bias + main.plan.code.1 as usize,
        start_data: main.bias + main.plan.data.0 as usize,
        end_data: main.bias + main.plan.data.1 as usize,
        start_stack: stack_pointer,
        arg_start: arguments.bottom(),
        arg_end: arguments.arguments_end,
        env_start: arguments.arguments_end,
        env_end: arguments.environment_end,
    });
    let auxv = auxiliary.iter().flat_map(|&(key, value)| [key, value]).chain([0, 0]).collect();
    Ok(Image { mm, entry, stack_pointer, auxv })
}

/// `AT_PLATFORM`.
const PLATFORM: &[u8] = b"x86_64\0";

/// Where a relocatable file is to go.
enum Base {
    /// At this address, less the file's own first address.
    At(usize),
    /// Where mappings go.
    Anywhere,
}

fn main_base(program: &Program, layout: &Layout) -> Result<Base> {
    if program.interpreter.is_none() {
        // A loader run by hand: it goes where it would go as an interpreter, out of the way of what it will load.
        return Ok(Base::Anywhere);
    }
    Ok(Base::At(RELOCATABLE_BASE + layout.random_pages(PROGRAM_RANDOM_PAGES)))
}

/// An ELF file in memory.
struct Loaded<'a> {
    plan: &'a Plan,
    /// What is added to the file's addresses.
    bias: usize,
    /// Where it starts.
    entry: usize,
    /// The end of its highest segment.
    end: usize,
}

fn load_elf<'a>(mm: &AddressSpace, elf: &'a ElfFile, base: Base) -> Result<Loaded<'a>> {
    let layout = &elf.layout;
    let plan = layout.plan.as_ref().map_err(|error| *error)?;
    let bias = match layout.header.kind {
        Kind::Fixed => 0,
        Kind::Relocatable => choose_bias(mm, plan, base)?,
    };
    let start = bias.wrapping_add(plan.start as usize);
    if start.checked_add(plan.span as usize).is_none_or(|end| end > USER_END) {
        return Err(Errno::ENOMEM);
    }
    for piece in &plan.pieces {
        map_piece(mm, elf, piece, bias)?;
    }
    let entry = bias.wrapping_add(layout.header.entry as usize);
    let end = bias.wrapping_add(plan.end as usize);
    Ok(Loaded { plan, bias, entry, end })
}

/// Finds room for the whole span, aligned as the file wants it.
fn choose_bias(mm: &AddressSpace, plan: &Plan, base: Base) -> Result<usize> {
    let align = usize::try_from(plan.align).map_err(|_| Errno::EINVAL)?;
    let place = match base {
        Base::At(address) => address & !(align - 1),
        Base::Anywhere => {
            // With room to align. Nobody else is in this address space, so the place stays free.
            let len = (plan.span as usize).checked_add(align - PAGE_SIZE).ok_or(Errno::ENOMEM)?;
            let found = mm.find_place(len)?;
            // Downwards from the end, as mappings grow.
            (found + len - plan.span as usize) & !(align - 1)
        }
    };
    Ok(place.wrapping_sub(plan.start as usize))
}

fn map_piece(mm: &AddressSpace, elf: &ElfFile, piece: &Piece, bias: usize) -> Result<()> {
    let at = |address: u64| bias.wrapping_add(address as usize);
    let mut prot = Prot::empty();
    prot.set(Prot::READ, piece.read);
    prot.set(Prot::WRITE, piece.write);
    prot.set(Prot::EXEC, piece.execute);
    if let Some(part) = piece.file {
        mm.map(MapRequest {
            addr: at(part.addr),
            len: part.len as usize,
            prot,
            flags: MmapFlags::PRIVATE | MmapFlags::FIXED,
            kind: MapKind::File(Arc::clone(&elf.file), part.offset),
        })?;
    }
    if let Some((address, len)) = piece.clear
        && piece.write
    {
        // Within one page; a segment that cannot be written keeps the file's bytes, as on Linux.
        write_all(mm, at(address), &[0; PAGE_SIZE][..len as usize])?;
    }
    if let Some((address, len)) = piece.zero {
        mm.map(MapRequest {
            addr: at(address),
            len: len as usize,
            prot: Prot::READ | Prot::WRITE | (prot & Prot::EXEC),
            flags: MmapFlags::PRIVATE | MmapFlags::ANONYMOUS | MmapFlags::FIXED,
            kind: MapKind::Anonymous,
        })?;
    }
    Ok(())
}

fn map_stack(mm: &AddressSpace, top: usize, pointer: usize, executable: bool) -> Result<()> {
    let bottom = (pointer - STACK_SPARE) & !(PAGE_SIZE - 1);
    let mut prot = Prot::READ | Prot::WRITE;
    prot.set(Prot::EXEC, executable);
    mm.map(MapRequest {
        addr: bottom,
        len: top - bottom,
        prot,
        flags: MmapFlags::PRIVATE
            | MmapFlags::ANONYMOUS
            | MmapFlags::FIXED
            | MmapFlags::GROWSDOWN
            | MmapFlags::STACK,
        kind: MapKind::Anonymous,
    })?;
    Ok(())
}

fn write_all(mm: &AddressSpace, address: usize, bytes: &[u8]) -> Result<()> {
    if mm.write_remote(address, bytes) == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
}

/// What the auxiliary vector tells.
struct Facts<'a> {
    vdso: usize,
    main: &'a Loaded<'a>,
    program: &'a Program,
    base: usize,
    platform: usize,
    random_bytes: usize,
    path: usize,
}

/// Bytes that a signal frame takes at most (`AT_MINSIGSTKSZ`): the extended state, its alignment, and the rest of the frame.
fn minimum_signal_stack() -> u64 {
    const FRAME: usize = 440 + 8;
    const ALIGNMENT: usize = 63 + 16;
    (arch::fpu::FpuState::signal_frame_size() + FRAME + ALIGNMENT) as u64
}

fn auxiliary_vector(facts: &Facts<'_>, outcome: &Outcome) -> Vec<(u64, u64)> {
    let layout = &facts.program.elf.layout;
    let header = &layout.header;
    let headers =
        layout.headers_address.map_or(0, |address| facts.main.bias.wrapping_add(address as usize));
    let credentials = &outcome.credentials;
    let (hwcap, hwcap2) = arch::features::hardware_capabilities();
    [
        (auxvec::AT_SYSINFO_EHDR, facts.vdso as u64),
        (auxvec::AT_MINSIGSTKSZ, minimum_signal_stack()),
        (auxvec::AT_HWCAP, u64::from(hwcap)),
        (auxvec::AT_PAGESZ, PAGE_SIZE as u64),
        (auxvec::AT_CLKTCK, 100),
        (auxvec::AT_PHDR, headers as u64),
        (auxvec::AT_PHENT, elf::SEGMENT_SIZE as u64),
        (auxvec::AT_PHNUM, u64::from(header.segment_count)),
        (auxvec::AT_BASE, facts.base as u64),
        (auxvec::AT_FLAGS, 0),
        (auxvec::AT_ENTRY, facts.main.entry as u64),
        (auxvec::AT_UID, u64::from(credentials.uid.0)),
        (auxvec::AT_EUID, u64::from(credentials.euid.0)),
        (auxvec::AT_GID, u64::from(credentials.gid.0)),
        (auxvec::AT_EGID, u64::from(credentials.egid.0)),
        (auxvec::AT_SECURE, u64::from(outcome.secure)),
        (auxvec::AT_RANDOM, facts.random_bytes as u64),
        (auxvec::AT_HWCAP2, u64::from(hwcap2)),
        (auxvec::AT_EXECFN, facts.path as u64),
        (auxvec::AT_PLATFORM, facts.platform as u64),
        (auxvec::AT_RSEQ_FEATURE_SIZE, u64::from(rseq::FEATURE_SIZE)),
        (auxvec::AT_RSEQ_ALIGN, u64::from(rseq::ALIGN)),
    ]
    .map(|(key, value)| (u64::from(key), value))
    .to_vec()
}
