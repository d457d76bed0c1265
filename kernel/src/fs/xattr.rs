//! Extended attributes (`xattr(7)`): the store of a file system that keeps them in memory, and the rules of the namespaces.
//!
//! Lock: each store's, a leaf.

use super::{
    FileMode, FileType, Path,
    permission::{self, Access},
};
use crate::{
    process::{Capability, Credentials},
    sync::{SpinLock, class},
};
use abi::{Errno, Result};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

/// The longest name.
pub const XATTR_NAME_MAX: usize = 255;
/// The largest value.
pub const XATTR_SIZE_MAX: usize = 65536;
/// What one inode may hold in all.
const STORE_MAX: usize = 2 * XATTR_SIZE_MAX;

/// The attributes of one inode.
pub struct XattrStore(SpinLock<Values>);

/// Values by name.
type Values = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// Whether a name may or must exist already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetMode {
    /// Either.
    Any,
    /// `XATTR_CREATE`: `EEXIST` if it does.
    Create,
    /// `XATTR_REPLACE`: `ENODATA` if it does not.
    Replace,
}

impl XattrStore {
    /// An empty store.
    pub const fn new() -> XattrStore {
        XattrStore(SpinLock::new(&class::TABLE, BTreeMap::new()))
    }
    fn get(&self, name: &[u8]) -> Result<Vec<u8>> {
        self.0.lock().get(name).map(|value| value.to_vec()).ok_or(Errno::ENODATA)
    }
    fn set(&self, name: &[u8], value: &[u8], mode: SetMode) -> Result<()> {
        let (key, value): (Box<[u8]>, Box<[u8]>) = (name.into(), value.into());
        let mut store = self.0.lock();
        match (store.contains_key(name), mode) {
            (true, SetMode::Create) => return Err(Errno::EEXIST),
            (false, SetMode::Replace) => return Err(Errno::ENODATA),
            _ => {}
        }
        let others = store.iter().filter(|(have, _)| ***have != *name);
        let used: usize = others.map(|(name, value)| name.len() + value.len()).sum();
        if used + key.len() + value.len() > STORE_MAX {
            return Err(Errno::ENOSPC);
        }
        store.insert(key, value);
        Ok(())
    }
    fn remove(&self, name: &[u8]) -> Result<()> {
        self.0.lock().remove(name).map(drop).ok_or(Errno::ENODATA)
    }
    /// Names, each with its NUL.
    fn list(&self, trusted: bool) -> Vec<u8> {
        let mut names = Vec::new();
        for name in self.0.lock().keys() {
            if trusted || !name.starts_with(b"trusted.") {
                names.extend_from_slice(name);
                names.push(0);
            }
        }
        names
    }
}

/// Checks the namespace of a name: what the kind of file and the caller's rights allow.
fn check(path: &Path, name: &[u8], who: &Credentials, access: Access) -> Result<()> {
    let writes = access == Access::WRITE;
    if writes {
        path.mount.want_write()?;
    }
    let kind = path.inode().file_type();
    if name.starts_with(b"trusted.") {
        return match (who.has(Capability::SysAdmin), writes) {
            (true, _) => Ok(()),
            (false, true) => Err(Errno::EPERM),
            (false, false) => Err(Errno::ENODATA),
        };
    }
    if name.starts_with(b"security.") {
        return if writes && !who.has(Capability::SysAdmin) { Err(Errno::EPERM) } else { Ok(()) };
    }
    if !name.starts_with(b"user.") {
        return Err(Errno::EOPNOTSUPP);
    }
    if !matches!(kind, FileType::Regular | FileType::Directory) {
        return Err(if writes { Errno::EPERM } else { Errno::ENODATA });
    }
    let owner = path.inode().ownership()?;
    if kind == FileType::Directory
        && owner.mode.has(FileMode::STICKY)
        && writes
        && !permission::owner_or_capable(&owner, who)
    {
        return Err(Errno::EPERM);
    }
    permission::check(path.inode(), who, access)
}

/// `getxattr(2)`: the value.
pub fn get(path: &Path, name: &[u8], who: &Credentials) -> Result<Vec<u8>> {
    check(path, name, who, Access::READ)?;
    path.inode().ops().xattrs()?.get(name)
}

/// `setxattr(2)`.
pub fn set(path: &Path, name: &[u8], value: &[u8], mode: SetMode, who: &Credentials) -> Result<()> {
    check(path, name, who, Access::WRITE)?;
    path.inode().ops().xattrs()?.set(name, value, mode)
}

/// `removexattr(2)`.
pub fn remove(path: &Path, name: &[u8], who: &Credentials) -> Result<()> {
    check(path, name, who, Access::WRITE)?;
    path.inode().ops().xattrs()?.remove(name)
}

/// `listxattr(2)`: names, each with its NUL.
pub fn list(path: &Path, who: &Credentials) -> Result<Vec<u8>> {
    let trusted = who.has(Capability::SysAdmin);
    Ok(path.inode().ops().xattrs()?.list(trusted))
}
