//! `map_files`: a link for every mapping of a file, named by the mapping's addresses (`proc(5)`).

use super::{Subject, owner};
use crate::{
    fs::{
        File, FileType, Inode,
        synthetic::{Attributes, DynamicDir, SyntheticFs},
    },
    process::{Capability, capable},
};
use abi::{Errno, Result};
use alloc::{
    format,
    sync::{Arc, Weak},
};
use core::ops::Range;

/// The directory.
pub fn directory(fs: &Arc<SyntheticFs>, subject: &Subject, attributes: Attributes) -> Arc<Inode> {
    let dir = MapFiles { fs: Arc::downgrade(fs), subject: subject.clone() };
    fs.dynamic_dir(attributes, Arc::new(dir))
}

struct MapFiles {
    fs: Weak<SyntheticFs>,
    subject: Subject,
}

/// The file mapped at exactly these addresses.
fn mapped_file(subject: &Subject, range: &Range<usize>) -> Result<Arc<File>> {
    let mm = subject.inspect()?.mm.load().ok_or(Errno::ENOENT)?;
    mm.mapped_file(range.clone()).ok_or(Errno::ENOENT)
}

/// `START-END`, hexadecimal, without leading zeros.
fn parse_range(name: &[u8]) -> Option<Range<usize>> {
    let (start, end) = core::str::from_utf8(name).ok()?.split_once('-')?;
    Some(parse_address(start)?..parse_address(end)?)
}

fn parse_address(digits: &str) -> Option<usize> {
    let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    usize::from_str_radix(digits, 16).ok().filter(|_| plain && !leading_zero)
}

impl DynamicDir for MapFiles {
    fn lookup(&self, name: &[u8]) -> Result<Arc<Inode>> {
        let fs = self.fs.upgrade().ok_or(Errno::ENOENT)?;
        let task = self.subject.inspect()?;
        let range = parse_range(name).ok_or(Errno::ENOENT)?;
        let flags = mapped_file(&self.subject, &range)?.flags();
        let read = if flags.readable() { 0o400 } else { 0 };
        let write = if flags.writable() { 0o200 } else { 0 };
        let (uid, gid) = owner(&task);
        let attributes = Attributes::root(read | write).owned_by(uid, gid);
        let (for_target, for_follow) = (self.subject.clone(), self.subject.clone());
        let same_range = range.clone();
        Ok(fs.magic_link(
            attributes,
            move || Ok(mapped_file(&for_target, &range)?.path().to_bytes()),
            move || {
                // It gives what no descriptor may lead to any more.
                if !capable(Capability::SysAdmin) && !capable(Capability::CheckpointRestore) {
                    return Err(Errno::EPERM);
                }
                Ok(mapped_file(&for_follow, &same_range)?.path().clone())
            },
        ))
    }

    fn list(
        &self,
        from: u64,
        entry: &mut dyn FnMut(&[u8], u64, FileType, u64) -> bool,
    ) -> Result<()> {
        const FIRST: u64 = 2;
        let Some(mm) = self.subject.inspect()?.mm.load() else { return Ok(()) };
        for (cookie, range) in (FIRST..).zip(mm.file_mappings()?) {
            let name = format!("{:x}-{:x}", range.start, range.end);
            if cookie >= from && !entry(name.as_bytes(), 1, FileType::Symlink, cookie) {
                break;
            }
        }
        Ok(())
    }
}
