//! Finds one file in a `newc` cpio archive (cpio(5)), and where the archive ends.

const HEADER_LEN: usize = 110;
const PAGE: usize = 4096;
const TRAILER: &str = "TRAILER!!!";

/// A file's name and data and the offset of the header after it.
struct Entry<'a> {
    name: &'a [u8],
    data: &'a [u8],
    next: usize,
}

/// Returns the data of the file called `path` in the archive at the start of `archives`, and the
/// offset of the page after that archive, where the next one begins.
pub fn find<'a>(archives: &'a [u8], path: &str) -> Result<(&'a [u8], usize), &'static str> {
    let mut found = None;
    let mut offset = 0;
    loop {
        let entry = entry_at(archives, offset).ok_or("the boot archive is damaged")?;
        offset = entry.next;
        if entry.name == TRAILER.as_bytes() {
            break;
        }
        if entry.name == path.as_bytes() {
            found = Some(entry.data);
        }
    }
    let rest = offset.next_multiple_of(PAGE).min(archives.len());
    found.map(|data| (data, rest)).ok_or("the boot archive holds no boot/nos")
}

/// Decodes the entry at `offset`, or `None` where the bytes are not a whole `newc` entry.
fn entry_at(archive: &[u8], offset: usize) -> Option<Entry<'_>> {
    let header = archive.get(offset..offset.checked_add(HEADER_LEN)?)?;
    if !header.starts_with(b"070701") {
        return None;
    }
    let field = |index: usize| {
        let digits = core::str::from_utf8(&header[6 + index * 8..14 + index * 8]).ok()?;
        usize::from_str_radix(digits, 16).ok()
    };
    let (size, name_len) = (field(6)?, field(11)?);
    let name_start = offset + HEADER_LEN;
    let name_end = name_start.checked_add(name_len)?;
    let data_start = name_end.checked_next_multiple_of(4)?;
    let data_end = data_start.checked_add(size)?;
    // A name may carry more than one terminator, to put the data on a page boundary.
    let name = archive.get(name_start..name_end)?;
    let name = &name[..name.iter().position(|&byte| byte == 0)?];
    let data = archive.get(data_start..data_end)?;
    Some(Entry { name, data, next: data_end.checked_next_multiple_of(4)? })
}
