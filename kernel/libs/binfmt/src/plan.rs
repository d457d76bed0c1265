//! Where the segments of a program go: what Linux's `elf_load` does, worked out before anything is mapped.

use crate::{PAGE, USER_END, elf::Segment, elf::SegmentKind, page_ceil, page_floor};
use abi::{Errno, Result};
use alloc::vec::Vec;

/// A piece of the program in memory. Addresses are before relocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The file's pages: address, bytes (both whole pages), offset. None when the file has nothing for it.
    pub file: Option<FilePart>,
    /// Bytes on the last file page that must be zero: from the end of the file's bytes to the end of the page.
    pub clear: Option<(u64, u64)>,
    /// Pages of zeros behind: address and bytes.
    pub zero: Option<(u64, u64)>,
    /// Readable.
    pub read: bool,
    /// Writable.
    pub write: bool,
    /// Executable.
    pub execute: bool,
}

/// Whole pages of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FilePart {
    /// Where they go.
    pub addr: u64,
    /// How many bytes.
    pub len: u64,
    /// From where in the file.
    pub offset: u64,
}

/// The whole program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The first page.
    pub start: u64,
    /// Bytes from there to the end of the last piece.
    pub span: u64,
    /// To what the whole must be aligned when it is relocated; a power of two, at least a page.
    pub align: u64,
    /// The pieces, in the file's order.
    pub pieces: Vec<Piece>,
    /// The code's first byte and end.
    pub code: (u64, u64),
    /// The data's first byte and end.
    pub data: (u64, u64),
    /// The end of the highest piece: where the heap may begin.
    pub end: u64,
}

impl Plan {
    /// Plans the loadable segments. `EINVAL` when one is out of user space, has more bytes in the file than in memory, or its place
    /// and its offset do not agree modulo a page; also when there is none.
    pub fn new(segments: &[Segment]) -> Result<Plan> {
        let mut plan = Plan {
            start: u64::MAX,
            span: 0,
            align: PAGE,
            pieces: Vec::new(),
            code: (u64::MAX, 0),
            data: (0, 0),
            end: 0,
        };
        for segment in segments.iter().filter(|segment| segment.kind == SegmentKind::Load) {
            plan.add(segment)?;
        }
        let end = page_ceil(plan.end).ok_or(Errno::EINVAL)?;
        plan.span = end.checked_sub(plan.start).filter(|&span| span != 0).ok_or(Errno::EINVAL)?;
        Ok(plan)
    }

    fn add(&mut self, segment: &Segment) -> Result<()> {
        let in_user_space = |size: u64| {
            segment.vaddr.checked_add(size).filter(|&end| end <= USER_END).ok_or(Errno::EINVAL)
        };
        if segment.file_size > segment.mem_size {
            return Err(Errno::EINVAL);
        }
        let file_end = in_user_space(segment.file_size)?;
        let end = in_user_space(segment.mem_size)?;
        self.pieces.push(piece(segment, file_end, end)?);
        self.start = self.start.min(page_floor(segment.vaddr));
        self.end = self.end.max(end);
        if segment.align.is_power_of_two() {
            self.align = self.align.max(segment.align);
        }
        if segment.execute {
            self.code.1 = self.code.1.max(file_end);
        }
        self.code.0 = self.code.0.min(segment.vaddr);
        self.data.0 = self.data.0.max(segment.vaddr);
        self.data.1 = self.data.1.max(file_end);
        Ok(())
    }
}

fn piece(segment: &Segment, file_end: u64, end: u64) -> Result<Piece> {
    let in_page = segment.vaddr % PAGE;
    let file = if segment.file_size == 0 {
        None
    } else {
        let offset = segment.offset.checked_sub(in_page).ok_or(Errno::EINVAL)?;
        let addr = page_floor(segment.vaddr);
        let len = page_ceil(file_end).ok_or(Errno::EINVAL)? - addr;
        if offset % PAGE != 0 || offset.checked_add(len).is_none() {
            return Err(Errno::EINVAL);
        }
        Some(FilePart { addr, len, offset })
    };
    // Where whole pages of zeros begin: behind the last file page, or at the segment's own first page.
    let (zero_start, clear) = if file.is_some() {
        let start = page_ceil(file_end).ok_or(Errno::EINVAL)?;
        (start, (end > file_end && start > file_end).then(|| (file_end, start - file_end)))
    } else {
        (page_floor(segment.vaddr), None)
    };
    let zero_end = page_ceil(end).ok_or(Errno::EINVAL)?;
    let zero =
        (zero_end > zero_start && end > file_end).then(|| (zero_start, zero_end - zero_start));
    let Segment { read, write, execute, .. } = *segment;
    Ok(Piece { file, clear, zero, read, write, execute })
}

/// Where the program headers are in memory before relocation (`AT_PHDR`): in the segment that holds their offset.
pub fn headers_address(segments: &[Segment], offset: u64) -> Option<u64> {
    let holder = segments.iter().find(|segment| {
        segment.kind == SegmentKind::Load
            && segment.offset <= offset
            && offset - segment.offset < segment.file_size
    })?;
    holder.vaddr.checked_add(offset - holder.offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn load(vaddr: u64, offset: u64, file_size: u64, mem_size: u64) -> Segment {
        Segment {
            kind: SegmentKind::Load,
            read: true,
            write: true,
            execute: false,
            offset,
            vaddr,
            file_size,
            mem_size,
            align: 0x1000,
        }
    }

    #[test]
    fn data_with_bss_has_file_pages_a_cleared_tail_and_zero_pages() {
        let plan = Plan::new(&[load(0x40_1234, 0x1234, 0x100, 0x5000)]).unwrap();
        let piece = plan.pieces[0];
        assert_eq!(piece.file, Some(FilePart { addr: 0x40_1000, len: 0x1000, offset: 0x1000 }));
        assert_eq!(piece.clear, Some((0x40_1334, 0xccc)));
        assert_eq!(piece.zero, Some((0x40_2000, 0x5000)));
        assert_eq!((plan.start, plan.span, plan.end), (0x40_1000, 0x6000, 0x40_6234));
    }

    #[test]
    fn bss_alone_begins_at_its_own_page() {
        let plan = Plan::new(&[load(0x40_1234, 0, 0, 0x10)]).unwrap();
        assert_eq!(plan.pieces[0].file, None);
        assert_eq!(plan.pieces[0].zero, Some((0x40_1000, 0x1000)));
    }

    #[test]
    fn impossible_segments_are_refused() {
        for segment in [
            load(0x40_0000, 0, 2, 1),
            load(0x40_0000, 0x10, 1, 1),
            load(0x40_0010, 0, 1, 1),
            load(USER_END, 0, 0, 1),
            load(u64::MAX, u64::MAX, 1, u64::MAX),
        ] {
            assert_eq!(Plan::new(&[segment]), Err(Errno::EINVAL), "{segment:x?}");
        }
        assert_eq!(Plan::new(&[]), Err(Errno::EINVAL));
    }

    fn any_segment() -> impl Strategy<Value = Segment> {
        let word = || prop_oneof![any::<u64>(), 0..0x10_000u64, (USER_END - 0x10_000)..USER_END];
        (word(), word(), word(), word(), any::<u64>(), any::<bool>()).prop_map(
            |(vaddr, offset, file_size, mem_size, align, execute)| Segment {
                execute,
                align,
                ..load(vaddr, offset, file_size, mem_size)
            },
        )
    }

    proptest! {
        #[test]
        fn every_piece_is_in_the_span_and_in_user_space(
            segments in proptest::collection::vec(any_segment(), 0..4)
        ) {
            if let Ok(plan) = Plan::new(&segments) {
                let range = plan.start..=plan.start + plan.span;
                prop_assert!(*range.end() <= USER_END && plan.align.is_power_of_two());
                for piece in &plan.pieces {
                    if let Some(FilePart { addr, len, offset }) = piece.file {
                        prop_assert!(range.contains(&addr) && range.contains(&(addr + len)));
                        prop_assert!(addr % PAGE == 0 && len % PAGE == 0 && offset % PAGE == 0);
                    }
                    for (addr, len) in piece.clear.into_iter().chain(piece.zero) {
                        prop_assert!(range.contains(&addr) && range.contains(&(addr + len)));
                    }
                }
            }
            let _ = headers_address(&segments, 64);
        }
    }
}
