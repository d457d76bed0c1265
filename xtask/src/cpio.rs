//! Writing `newc` cpio archives, the form in which a kernel takes its first root file system.
//!
//! Several archives in a row make one initial ramdisk. Every archive written here is a multiple
//! of [`PAGE`] bytes long, and the data of every file of a page or more starts at a multiple of
//! [`PAGE`], so that a kernel can use those pages in place. The gap before the data is closed with
//! NUL bytes at the end of the name field, which is counted in the name's length: the kernel's
//! reader, GNU cpio and bsdcpio take the name up to its first NUL.
//!
//! The format: `Documentation/driver-api/early-userspace/buffer-format.rst` of Linux.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::error::{AtPath, Error, Result};

/// The size of a page: data of larger files is aligned to it.
pub const PAGE: usize = 4096;

const HEADER: usize = 110;
/// Linux skips an entry whose name field is longer than this.
const LONGEST_NAME: usize = 4096;

const S_IFIFO: u32 = 0o010_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFBLK: u32 = 0o060_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// An archive being written.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    next_inode: u32,
    newest: Option<u32>,
}

/// Everything a header says about one entry besides its name and data.
#[derive(Clone, Copy, Default)]
struct Attributes {
    inode: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    mtime: u32,
    rdev_major: u32,
    rdev_minor: u32,
}

impl Archive {
    /// An empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// One in which what was changed after `newest` (in seconds since 1970) was changed then.
    pub fn until(newest: u32) -> Self {
        Self { newest: Some(newest), ..Self::default() }
    }

    /// Adds a folder owned by root.
    pub fn folder(&mut self, path: &str, permissions: u32) -> Result<()> {
        let attributes = self.owned_by_root(S_IFDIR | permissions, 2);
        self.entry(path.as_bytes(), attributes, &[])
    }

    /// Adds a regular file owned by root.
    pub fn file(&mut self, path: &str, permissions: u32, data: &[u8]) -> Result<()> {
        let attributes = self.owned_by_root(S_IFREG | permissions, 1);
        self.entry(path.as_bytes(), attributes, data)
    }

    /// Adds a symbolic link owned by root.
    pub fn symlink(&mut self, path: &str, to: &str) -> Result<()> {
        let attributes = self.owned_by_root(S_IFLNK | 0o777, 1);
        self.entry(path.as_bytes(), attributes, to.as_bytes())
    }

    /// Adds a character device owned by root.
    pub fn char_device(&mut self, path: &str, permissions: u32, device: (u32, u32)) -> Result<()> {
        let mut attributes = self.owned_by_root(S_IFCHR | permissions, 1);
        (attributes.rdev_major, attributes.rdev_minor) = device;
        self.entry(path.as_bytes(), attributes, &[])
    }

    /// Adds the content of `folder` at the archive's root, in name order, owned by root.
    pub fn tree(&mut self, folder: &Path) -> Result<()> {
        let mut hard_links = HashMap::new();
        self.children(folder, b"", &mut hard_links)
    }

    /// The finished archive, its trailer written and padded to a whole number of pages.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        let attributes = Attributes { links: 1, ..Attributes::default() };
        self.entry(b"TRAILER!!!", attributes, &[])?;
        pad(&mut self.bytes, PAGE);
        Ok(self.bytes)
    }

    fn owned_by_root(&mut self, mode: u32, links: u32) -> Attributes {
        self.next_inode += 1;
        Attributes { inode: self.next_inode, mode, links, ..Attributes::default() }
    }

    fn children(
        &mut self,
        folder: &Path,
        prefix: &[u8],
        hard_links: &mut HashMap<(u64, u64), HardLinks>,
    ) -> Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).at(folder)? {
            names.push(entry.at(folder)?.file_name());
        }
        names.sort();
        for name in names {
            let host = folder.join(&name);
            let mut path = prefix.to_vec();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            self.host_entry(&host, &path, hard_links)?;
        }
        Ok(())
    }

    fn host_entry(
        &mut self,
        host: &Path,
        path: &[u8],
        hard_links: &mut HashMap<(u64, u64), HardLinks>,
    ) -> Result<()> {
        let metadata = fs::symlink_metadata(host).at(host)?;
        let permissions = metadata.mode() & 0o7777;
        let kind = metadata.file_type();
        let mut attributes = self.owned_by_root(0, 1);
        let changed = u32::try_from(metadata.mtime()).unwrap_or(0);
        attributes.mtime = self.newest.map_or(changed, |newest| changed.min(newest));
        if kind.is_dir() {
            attributes.mode = S_IFDIR | permissions;
            attributes.links = 2;
            self.entry(path, attributes, &[])?;
            return self.children(host, path, hard_links);
        }
        if kind.is_symlink() {
            attributes.mode = S_IFLNK | 0o777;
            let to = fs::read_link(host).at(host)?;
            return self.entry(path, attributes, to.as_os_str().as_bytes());
        }
        if kind.is_file() {
            attributes.mode = S_IFREG | permissions;
            return self.regular_file(host, path, attributes, &metadata, hard_links);
        }
        attributes.mode = permissions
            | match () {
                () if kind.is_fifo() => S_IFIFO,
                () if kind.is_char_device() => S_IFCHR,
                () if kind.is_block_device() => S_IFBLK,
                () => return Ok(()), // a socket has no meaning in an archive
            };
        (attributes.rdev_major, attributes.rdev_minor) = split_device(metadata.rdev());
        self.entry(path, attributes, &[])
    }

    /// Hard links carry the same inode number; the data comes with the last one, as Linux wants.
    fn regular_file(
        &mut self,
        host: &Path,
        path: &[u8],
        mut attributes: Attributes,
        metadata: &fs::Metadata,
        hard_links: &mut HashMap<(u64, u64), HardLinks>,
    ) -> Result<()> {
        let data = fs::read(host).at(host)?;
        if metadata.nlink() == 1 {
            return self.entry(path, attributes, &data);
        }
        // The first link carries the data: both Linux and GNU cpio accept that, and names of the
        // same file outside of the tree then do no harm.
        let key = (metadata.dev(), metadata.ino());
        let first = !hard_links.contains_key(&key);
        let links = hard_links.entry(key).or_insert(HardLinks { inode: attributes.inode });
        attributes.inode = links.inode;
        attributes.links = u32::try_from(metadata.nlink()).unwrap_or(u32::MAX);
        self.entry(path, attributes, if first { &data } else { &[] })
    }

    fn entry(&mut self, path: &[u8], attributes: Attributes, data: &[u8]) -> Result<()> {
        let mut name_size = path.len() + 1;
        if name_size > LONGEST_NAME {
            let path = String::from_utf8_lossy(path);
            return Err(Error::Format(format!("{path}: too long a path for an archive")));
        }
        if data.len() >= PAGE {
            name_size += self.gap(name_size);
            if name_size > LONGEST_NAME {
                // A second header of the root folder in between moves this one past the limit.
                let root = Attributes { mode: S_IFDIR | 0o755, links: 2, ..Attributes::default() };
                self.header(b".", LONGEST_NAME / 2, root, 0)?;
                name_size = path.len() + 1;
                name_size += self.gap(name_size);
            }
        }
        self.header(path, name_size, attributes, data.len())?;
        self.bytes.extend_from_slice(data);
        pad(&mut self.bytes, 4);
        Ok(())
    }

    /// How many bytes are missing to a page boundary after a name field of `name_size` bytes.
    fn gap(&self, name_size: usize) -> usize {
        let data = (self.bytes.len() + HEADER + name_size).next_multiple_of(4);
        data.next_multiple_of(PAGE) - data
    }

    fn header(
        &mut self,
        path: &[u8],
        name_size: usize,
        attributes: Attributes,
        data_size: usize,
    ) -> Result<()> {
        let data_size = u32::try_from(data_size).map_err(|_| {
            let path = String::from_utf8_lossy(path);
            Error::Format(format!("{path}: a cpio archive holds files of up to 4 GiB"))
        })?;
        self.bytes.extend_from_slice(b"070701");
        for field in [
            attributes.inode,
            attributes.mode,
            attributes.uid,
            attributes.gid,
            attributes.links,
            attributes.mtime,
            data_size,
            0,
            0,
            attributes.rdev_major,
            attributes.rdev_minor,
            u32::try_from(name_size).unwrap_or(0),
            0,
        ] {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path);
        self.bytes.resize(self.bytes.len() + name_size - path.len(), 0);
        pad(&mut self.bytes, 4);
        Ok(())
    }
}

/// What is remembered of a file with several names.
struct HardLinks {
    inode: u32,
}

fn pad(bytes: &mut Vec<u8>, multiple: usize) {
    bytes.resize(bytes.len().next_multiple_of(multiple), 0);
}

/// Splits a device number the way glibc's `gnu_dev_major` and `gnu_dev_minor` do.
fn split_device(device: u64) -> (u32, u32) {
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & 0xffff_f000);
    let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
    (u32::try_from(major).unwrap_or(0), u32::try_from(minor).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    /// Name, mode and data of every entry: an independent, simple reader.
    fn read(bytes: &[u8]) -> Vec<(String, u32, usize, Vec<u8>)> {
        let field = |at: usize, index: usize| {
            let start = at + 6 + index * 8;
            let text = std::str::from_utf8(&bytes[start..start + 8]).unwrap();
            usize::from_str_radix(text, 16).unwrap()
        };
        let (mut at, mut entries) = (0, Vec::new());
        loop {
            assert_eq!(&bytes[at..at + 6], b"070701");
            let (mode, size, name_size) = (field(at, 1), field(at, 6), field(at, 11));
            let name = &bytes[at + HEADER..at + HEADER + name_size];
            assert_eq!(name.last(), Some(&0));
            assert!(name_size <= LONGEST_NAME);
            let name = name.split(|byte| *byte == 0).next().unwrap();
            let name = String::from_utf8(name.to_vec()).unwrap();
            let data = (at + HEADER + name_size).next_multiple_of(4);
            if name == "TRAILER!!!" {
                assert_eq!(bytes.len(), data.next_multiple_of(PAGE));
                return entries;
            }
            entries.push((
                name,
                u32::try_from(mode).unwrap(),
                data,
                bytes[data..data + size].into(),
            ));
            at = (data + size).next_multiple_of(4);
        }
    }

    #[test]
    fn entries_are_read_back() {
        let mut archive = Archive::new();
        archive.folder("dev", 0o755).unwrap();
        archive.char_device("dev/console", 0o600, (5, 1)).unwrap();
        archive.symlink("bin", "usr/bin").unwrap();
        archive.file("hello", 0o644, b"hello").unwrap();
        let entries = read(&archive.finish().unwrap());
        let names: Vec<_> = entries.iter().map(|entry| entry.0.as_str()).collect();
        assert_eq!(names, ["dev", "dev/console", "bin", "hello"]);
        assert_eq!(entries[3].3, b"hello");
        assert_eq!(entries[2].1, S_IFLNK | 0o777);
    }

    #[test]
    fn nothing_is_newer_than_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = fs::File::create(folder.path().join("file")).unwrap();
        for (changed, expected) in [(5, 5), (10, 10), (11, 10)] {
            file.set_modified(UNIX_EPOCH + Duration::from_secs(changed)).unwrap();
            let mut archive = Archive::until(10);
            archive.tree(folder.path()).unwrap();
            let bytes = archive.finish().unwrap();
            let mtime = std::str::from_utf8(&bytes[46..54]).unwrap();
            assert_eq!(u32::from_str_radix(mtime, 16), Ok(expected));
        }
    }

    proptest! {
        #[test]
        fn large_files_start_on_a_page(
            files in prop::collection::vec((1_usize..250, 0_usize..3 * PAGE), 1..20)
        ) {
            let mut archive = Archive::new();
            for (index, (name, size)) in files.iter().enumerate() {
                let name = format!("{index}{}", "n".repeat(*name));
                archive.file(&name, 0o644, &vec![7; *size]).unwrap();
            }
            let entries: Vec<_> =
                read(&archive.finish().unwrap()).into_iter().filter(|entry| entry.0 != ".").collect();
            prop_assert_eq!(entries.len(), files.len());
            for (entry, (_, size)) in entries.iter().zip(&files) {
                prop_assert_eq!(entry.3.len(), *size);
                prop_assert!(*size < PAGE || entry.2 % PAGE == 0);
            }
        }
    }
}
