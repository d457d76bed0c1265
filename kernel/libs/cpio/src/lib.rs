//! Reads newc cpio archives, several in a row with zero padding between them, as Linux takes an initramfs
//! (Documentation/driver-api/early-userspace/buffer-format.rst). Nothing is copied: names and data borrow the input.
//!
//! No `unsafe`, no allocation, and no input makes it panic or loop.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

/// What is wrong with an archive, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Neither a header nor padding.
    BadMagic(usize),
    /// A header field is not a hexadecimal number.
    BadNumber(usize),
    /// A name is missing, too long, or has no NUL at its end.
    BadName(usize),
    /// The input ends within an entry.
    Truncated(usize),
    /// A compressed archive (gzip, xz, zstd, lz4, bzip2, lzma).
    Compressed(usize),
}

/// An entry. Numbers are as in `stat(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The path, without its NUL.
    pub name: &'a [u8],
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names of the file.
    pub nlink: u32,
    /// Seconds since 1970.
    pub mtime: u32,
    /// Identifies the file among its names, with `device`.
    pub ino: u32,
    /// Device the file came from: major, minor.
    pub device: (u32, u32),
    /// Device a device node stands for.
    pub rdev: (u32, u32),
    /// Content; the target of a symbolic link.
    pub data: &'a [u8],
    /// Which archive of the input this is in, from 0: links join names of one archive only.
    pub archive: usize,
}

const HEADER: usize = 110;
const NAME_MAX: usize = 4096;
const TRAILER: &[u8] = b"TRAILER!!!";

/// Iterates over the entries; ends after the first error.
pub struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    archive: usize,
    failed: bool,
}

impl<'a> Reader<'a> {
    /// Reads `input` from its start.
    pub fn new(input: &'a [u8]) -> Self {
        Reader { input, at: 0, archive: 0, failed: false }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(len).ok_or(Error::Truncated(self.at))?;
        let bytes = self.input.get(self.at..end).ok_or(Error::Truncated(self.at))?;
        self.at = end;
        Ok(bytes)
    }

    /// Skips to a multiple of four; the padding at the very end may be missing.
    fn align(&mut self) {
        self.at = self.at.next_multiple_of(4).min(self.input.len());
    }

    fn entry(&mut self) -> Result<Option<Entry<'a>>, Error> {
        loop {
            // Between archives, and between entries, zeros mean nothing.
            let rest = &self.input[self.at..];
            self.at += rest.iter().take_while(|&&byte| byte == 0).count();
            if self.at == self.input.len() {
                return Ok(None);
            }
            match self.one()? {
                Some(entry) => return Ok(Some(entry)),
                None => self.archive += 1,
            }
        }
    }

    /// One entry; `None` for the end of an archive.
    fn one(&mut self) -> Result<Option<Entry<'a>>, Error> {
        let start = self.at;
        let rest = &self.input[start..];
        if is_compressed(rest) {
            return Err(Error::Compressed(start));
        }
        if !(rest.starts_with(b"070701") || rest.starts_with(b"070702")) {
            return Err(Error::BadMagic(start));
        }
        let header = self.take(HEADER)?;
        let field = |n: usize| {
            let digits = &header[6 + 8 * n..14 + 8 * n];
            digits.iter().try_fold(0u32, |value, &digit| {
                let digit = (digit as char).to_digit(16)?;
                Some(value << 4 | digit)
            })
        };
        let mut numbers = [0; 12];
        for (n, number) in numbers.iter_mut().enumerate() {
            *number = field(n).ok_or(Error::BadNumber(start))?;
        }
        let [ino, mode, uid, gid, nlink, mtime, size, major, minor, rmajor, rminor, name_len] =
            numbers;
        let name_len = name_len as usize;
        if name_len == 0 || name_len > NAME_MAX {
            return Err(Error::BadName(start));
        }
        let name = self.take(name_len)?;
        // Names may be padded with NULs so that the data is aligned.
        let len = name.iter().position(|&byte| byte == 0).ok_or(Error::BadName(start))?;
        let name = &name[..len];
        self.align();
        let data = self.take(size as usize)?;
        self.align();
        if name == TRAILER {
            return Ok(None);
        }
        if name.is_empty() {
            return Err(Error::BadName(start));
        }
        Ok(Some(Entry {
            name,
            mode,
            uid,
            gid,
            nlink,
            mtime,
            ino,
            device: (major, minor),
            rdev: (rmajor, rminor),
            data,
            archive: self.archive,
        }))
    }
}

fn is_compressed(bytes: &[u8]) -> bool {
    const MAGICS: [&[u8]; 6] = [
        b"\x1f\x8b",
        b"\xfd7zXZ",
        b"\x28\xb5\x2f\xfd",
        b"\x02\x21\x4c\x18",
        b"BZh",
        b"\x5d\x00\x00",
    ];
    MAGICS.iter().any(|magic| bytes.starts_with(magic))
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Entry<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let entry = self.entry();
        self.failed = entry.is_err();
        entry.transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(name: &[u8], mode: u32, data: &[u8]) -> Vec<u8> {
        let mut out = b"070701".to_vec();
        let name_len = name.len() as u32 + 1;
        for n in [7, mode, 1, 2, 1, 99, data.len() as u32, 8, 1, 5, 6, name_len, 0] {
            out.extend_from_slice(format!("{n:08X}").as_bytes());
        }
        out.extend_from_slice(name);
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    fn archive(entries: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut out: Vec<u8> =
            entries.iter().flat_map(|(name, data)| entry(name, 0o100644, data)).collect();
        out.extend(entry(TRAILER, 0, b""));
        out
    }

    #[test]
    fn reads_several_archives_in_a_row() {
        let mut input = archive(&[(b"a", b"one"), (b"dir/b", b"")]);
        input.resize(input.len() + 512, 0);
        input.extend(archive(&[(b"a", b"two")]));
        let all: Vec<_> = Reader::new(&input).map(|entry| entry.expect("good")).collect();
        let brief: Vec<_> = all.iter().map(|e| (e.name, e.data, e.archive)).collect();
        let expected: [(&[u8], &[u8], usize); 3] =
            [(b"a", b"one", 0), (b"dir/b", b"", 0), (b"a", b"two", 1)];
        assert_eq!(brief, expected);
        assert_eq!((all[0].mode, all[0].uid, all[0].gid), (0o100644, 1, 2));
        assert_eq!((all[0].mtime, all[0].device, all[0].rdev), (99, (8, 1), (5, 6)));
    }

    #[test]
    fn an_empty_or_zero_input_has_no_entries() {
        assert_eq!(Reader::new(&[]).count(), 0);
        assert_eq!(Reader::new(&[0; 4096]).count(), 0);
    }

    #[test]
    fn names_what_is_wrong() {
        fn first(input: &[u8]) -> Option<Result<Entry<'_>, Error>> {
            Reader::new(input).next()
        }
        assert_eq!(first(b"\x1f\x8b\x08"), Some(Err(Error::Compressed(0))));
        assert_eq!(first(b"070707"), Some(Err(Error::BadMagic(0))));
        let good = entry(b"x", 0, b"data");
        assert_eq!(first(&good[..50]), Some(Err(Error::Truncated(0))));
        assert_eq!(first(&good[..114]), Some(Err(Error::Truncated(112))));
        let mut bad = good.clone();
        bad[20] = b'g';
        assert_eq!(first(&bad), Some(Err(Error::BadNumber(0))));
        let mut bad = good;
        bad[111] = b'y';
        assert_eq!(first(&bad), Some(Err(Error::BadName(0))));
    }

    #[test]
    fn ends_after_an_error() {
        let mut input = entry(b"x", 0, b"");
        input.extend(b"garbage garbage");
        let mut reader = Reader::new(&input);
        assert!(reader.next().is_some_and(|entry| entry.is_ok()));
        assert!(reader.next().is_some_and(|entry| entry.is_err()));
        assert_eq!(reader.next(), None);
    }

    proptest! {
        #[test]
        fn survives_any_bytes(input in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(Reader::new(&input).count() <= input.len());
        }

        #[test]
        fn survives_damage(at in 0usize..400, with in any::<u8>(), cut in 0usize..400) {
            let mut input = archive(&[(b"name", b"some data"), (b"other", &[7; 100])]);
            let len = input.len();
            input[at % len] = with;
            input.truncate(len - cut % len);
            prop_assert!(Reader::new(&input).count() <= 4);
        }

        #[test]
        fn gives_back_what_was_packed(
            files in proptest::collection::vec(
                ("[a-z/]{1,30}", proptest::collection::vec(any::<u8>(), 0..100)), 0..10),
        ) {
            let files: Vec<(&[u8], &[u8])> =
                files.iter().map(|(name, data)| (name.as_bytes(), data.as_slice())).collect();
            let input = archive(&files);
            let read: Vec<_> =
                Reader::new(&input).map(|e| e.map(|e| (e.name, e.data))).collect();
            let expected: Vec<_> = files.into_iter().map(Ok).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
