//! ELF64 headers for x86-64 (`elf(5)`), checked as Linux's `load_elf_binary` does.

use abi::{Errno, Result};
use alloc::vec::Vec;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// Bytes in the file header.
pub const HEADER_SIZE: usize = size_of::<RawHeader>();

/// Bytes in a program header.
pub const SEGMENT_SIZE: usize = size_of::<RawSegment>();

/// The most bytes of program headers that are read.
const SEGMENTS_LIMIT: usize = 65536;

/// The longest path of an interpreter (`PATH_MAX`).
const PATH_LIMIT: u64 = 4096;

const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const EM_X86_64: u16 = 62;

#[repr(C)]
#[derive(FromBytes, Immutable, KnownLayout)]
struct RawHeader {
    ident: [u8; 16],
    kind: u16,
    machine: u16,
    version: u32,
    entry: u64,
    segments_offset: u64,
    sections_offset: u64,
    flags: u32,
    header_size: u16,
    segment_size: u16,
    segment_count: u16,
    section_size: u16,
    section_count: u16,
    names_index: u16,
}

#[repr(C)]
#[derive(FromBytes, Immutable, KnownLayout)]
struct RawSegment {
    kind: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    paddr: u64,
    file_size: u64,
    mem_size: u64,
    align: u64,
}

/// Where the program may be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// At its own addresses (`ET_EXEC`).
    Fixed,
    /// Anywhere (`ET_DYN`).
    Relocatable,
}

/// The file header's part that matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Where it may be loaded.
    pub kind: Kind,
    /// Where it starts, before relocation.
    pub entry: u64,
    /// Where its program headers are in the file.
    pub segments_offset: u64,
    /// How many there are.
    pub segment_count: u16,
}

impl Header {
    /// Parses the first bytes of a file. `ENOEXEC`: not an ELF program for this machine.
    pub fn parse(head: &[u8]) -> Result<Header> {
        let (raw, _) = RawHeader::read_from_prefix(head).map_err(|_| Errno::ENOEXEC)?;
        if raw.ident[..4] != *b"\x7fELF" || raw.machine != EM_X86_64 {
            return Err(Errno::ENOEXEC);
        }
        let kind = match raw.kind {
            ET_EXEC => Kind::Fixed,
            ET_DYN => Kind::Relocatable,
            _ => return Err(Errno::ENOEXEC),
        };
        let size = usize::from(raw.segment_count) * SEGMENT_SIZE;
        if usize::from(raw.segment_size) != SEGMENT_SIZE || size == 0 || size > SEGMENTS_LIMIT {
            return Err(Errno::ENOEXEC);
        }
        Ok(Header {
            kind,
            entry: raw.entry,
            segments_offset: raw.segments_offset,
            segment_count: raw.segment_count,
        })
    }

    /// How many bytes of program headers there are to read.
    pub fn segments_size(&self) -> usize {
        usize::from(self.segment_count) * SEGMENT_SIZE
    }
}

/// What a segment is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegmentKind {
    /// To be mapped.
    Load,
    /// The path of the program interpreter.
    Interpreter,
    /// The stack's protection.
    Stack,
    /// Nothing to the kernel.
    Other,
}

/// A program header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// What it is for.
    pub kind: SegmentKind,
    /// Readable.
    pub read: bool,
    /// Writable.
    pub write: bool,
    /// Executable.
    pub execute: bool,
    /// Where its bytes are in the file.
    pub offset: u64,
    /// Where they go.
    pub vaddr: u64,
    /// How many bytes the file has.
    pub file_size: u64,
    /// How many there are in memory; the rest is zero.
    pub mem_size: u64,
    /// To what it is aligned.
    pub align: u64,
}

/// Parses program headers; what is left over at the end is ignored.
pub fn segments(bytes: &[u8]) -> Vec<Segment> {
    let raw = bytes.chunks_exact(SEGMENT_SIZE);
    raw.filter_map(|chunk| RawSegment::read_from_bytes(chunk).ok()).map(Segment::from).collect()
}

impl From<RawSegment> for Segment {
    fn from(raw: RawSegment) -> Segment {
        let kind = match raw.kind {
            1 => SegmentKind::Load,
            3 => SegmentKind::Interpreter,
            0x6474_e551 => SegmentKind::Stack,
            _ => SegmentKind::Other,
        };
        Segment {
            kind,
            read: raw.flags & 4 != 0,
            write: raw.flags & 2 != 0,
            execute: raw.flags & 1 != 0,
            offset: raw.offset,
            vaddr: raw.vaddr,
            file_size: raw.file_size,
            mem_size: raw.mem_size,
            align: raw.align,
        }
    }
}

/// Where the interpreter's path is in the file and how many bytes it takes, its NUL included. `ENOEXEC` when that
/// cannot be a path.
pub fn interpreter(segments: &[Segment]) -> Result<Option<(u64, usize)>> {
    let Some(segment) = segments.iter().find(|segment| segment.kind == SegmentKind::Interpreter)
    else {
        return Ok(None);
    };
    if !(2..=PATH_LIMIT).contains(&segment.file_size) {
        return Err(Errno::ENOEXEC);
    }
    Ok(Some((segment.offset, segment.file_size as usize)))
}

/// The path in the bytes read there; `ENOEXEC` unless they end with a NUL. What follows an earlier NUL does not count.
pub fn interpreter_path(bytes: &[u8]) -> Result<&[u8]> {
    match bytes.split_last() {
        Some((0, _)) => Ok(bytes.split(|&byte| byte == 0).next().unwrap_or_default()),
        _ => Err(Errno::ENOEXEC),
    }
}

/// Whether the stack is to be executable (`PT_GNU_STACK`). Without the header it is not, as on x86-64 since Linux 5.8.
pub fn wants_executable_stack(segments: &[Segment]) -> bool {
    let stack = segments.iter().rfind(|segment| segment.kind == SegmentKind::Stack);
    stack.is_some_and(|segment| segment.execute)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn header(kind: u16, count: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        bytes.extend(kind.to_le_bytes());
        bytes.extend(EM_X86_64.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(0x40_1000u64.to_le_bytes());
        bytes.extend(64u64.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        for word in [64, 56, count, 0, 0, 0] {
            bytes.extend(u16::to_le_bytes(word));
        }
        bytes
    }

    #[test]
    fn a_plain_header_is_understood() {
        let header = Header::parse(&header(ET_DYN, 3)).unwrap();
        assert_eq!(header.kind, Kind::Relocatable);
        assert_eq!((header.entry, header.segments_offset), (0x40_1000, 64));
        assert_eq!(header.segments_size(), 168);
    }

    #[test]
    fn what_linux_refuses_is_refused() {
        let good = header(ET_EXEC, 1);
        let refused = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            Header::parse(&bytes) == Err(Errno::ENOEXEC)
        };
        assert!(refused(0, 0), "magic");
        assert!(refused(16, 1), "relocatable object");
        assert!(refused(16, 4), "core file");
        assert!(refused(18, 3), "i386");
        assert!(refused(54, 32), "size of program headers");
        assert!(refused(56, 0), "no program headers");
        assert!(refused(57, 0xff), "too many program headers");
        assert_eq!(Header::parse(&good[..63]), Err(Errno::ENOEXEC), "truncated");
    }

    #[test]
    fn interpreter_paths_are_checked() {
        assert_eq!(interpreter_path(b"/lib/ld.so\0"), Ok(&b"/lib/ld.so"[..]));
        assert_eq!(interpreter_path(b"/lib\0junk\0"), Ok(&b"/lib"[..]));
        assert_eq!(interpreter_path(b"/lib/ld.so"), Err(Errno::ENOEXEC));
        assert_eq!(interpreter_path(b""), Err(Errno::ENOEXEC));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Header::parse(&bytes);
            let segments = segments(&bytes);
            let _ = interpreter(&segments);
            let _ = interpreter_path(&bytes);
        }
    }
}
