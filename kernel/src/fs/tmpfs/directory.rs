//! A tmpfs directory's entries, and the listing of them.
//!
//! Every entry has a cookie, counted up as entries are made. Listings go from the newest to the oldest, as on Linux, and know
//! their place by cookie: what is made or removed meanwhile neither repeats nor hides another entry (`readdir(3)`).
//! Lock: one a directory, a leaf; user memory is not touched under it.

use super::node;
use crate::{
    fs::{DirSink, File, FileOps, FileType, Inode, IoSink, inode},
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use hashbrown::HashMap;

/// Entries copied out under the lock at a time.
const BATCH: usize = 32;
/// Positions count down from here as cookies count up; beyond `.` and `..`.
const LAST_POSITION: u64 = i64::MAX as u64;

type Name = Arc<[u8]>;

struct Entries {
    by_name: HashMap<Name, u64>,
    by_cookie: BTreeMap<u64, (Name, Arc<Inode>)>,
    next: u64,
}

/// The entries of a directory.
pub struct Directory(SpinLock<Entries>);

impl Directory {
    /// An empty one.
    pub fn new() -> Directory {
        let entries = Entries { by_name: HashMap::new(), by_cookie: BTreeMap::new(), next: 0 };
        Directory(SpinLock::new(&class::DIRECTORY_ENTRIES, entries))
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().by_cookie.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The inode behind a name.
    pub fn find(&self, name: &[u8]) -> Option<Arc<Inode>> {
        let entries = self.0.lock();
        let cookie = entries.by_name.get(name)?;
        entries.by_cookie.get(cookie).map(|(_, inode)| inode.clone())
    }
    /// Adds an entry; `EEXIST`.
    pub fn insert(&self, name: &[u8], inode: &Arc<Inode>) -> Result<()> {
        let name: Name = name.into();
        let mut entries = self.0.lock();
        if entries.by_name.contains_key(&name) {
            return Err(Errno::EEXIST);
        }
        entries.by_name.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let cookie = entries.next;
        entries.next += 1;
        entries.by_name.insert(name.clone(), cookie);
        entries.by_cookie.insert(cookie, (name, inode.clone()));
        Ok(())
    }
    /// Takes an entry out; `ENOENT`.
    pub fn remove(&self, name: &[u8]) -> Result<()> {
        let removed = {
            let mut entries = self.0.lock();
            let cookie = entries.by_name.remove(name).ok_or(Errno::ENOENT)?;
            entries.by_cookie.remove(&cookie)
        };
        drop(removed);
        Ok(())
    }
    /// Takes all entries out.
    pub fn take_all(&self) -> Vec<Arc<Inode>> {
        let mut entries = self.0.lock();
        entries.by_name = HashMap::new();
        let all = core::mem::take(&mut entries.by_cookie);
        drop(entries);
        all.into_values().map(|(_, inode)| inode).collect()
    }

    /// The next entries of a listing that is at `position`, each with its own.
    fn batch(&self, position: u64) -> Vec<(u64, Name, u64, FileType)> {
        let Some(newest) = LAST_POSITION.checked_sub(position) else { return Vec::new() };
        let entries = self.0.lock();
        let older = entries.by_cookie.range(..=newest).rev().take(BATCH);
        older
            .map(|(cookie, (name, inode))| {
                (LAST_POSITION - cookie, name.clone(), inode.ino(), inode.file_type())
            })
            .collect()
    }
}

/// An open directory.
pub struct OpenDirectory;

impl FileOps for OpenDirectory {
    fn read(&self, _: &File, _: &mut IoSink<'_>, _: &mut u64) -> Result<usize> {
        Err(Errno::EISDIR)
    }
    fn pollable(&self) -> bool {
        false
    }
    fn seekable(&self) -> bool {
        true
    }
    fn read_dir(&self, file: &File, sink: &mut dyn DirSink) -> Result<()> {
        let directory = node::of_file(file)?.directory()?;
        if !inode::emit_dots(file, sink) {
            return Ok(());
        }
        loop {
            let batch = directory.batch(file.position());
            if batch.is_empty() {
                return Ok(());
            }
            for (position, name, ino, kind) in batch {
                if !sink.entry(&name, ino, kind, position + 1) {
                    return Ok(());
                }
                file.set_position(position + 1);
            }
        }
    }
    fn sync(&self, _: &File, _: bool) -> Result<()> {
        Ok(())
    }
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}
