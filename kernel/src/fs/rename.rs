//! `renameat2(2)`.
//!
//! Locks, in order: the rename lock (only between two directories), both directories (the upper one first, else by address),
//! then a directory that is replaced. The order of checks is Linux's.
//!
//! Only a directory that moves changes the shape of the tree, which the rename lock keeps still so that which directory is the
//! upper one stays true until both are locked. So a file changes its directory without that lock when the second directory's is there
//! for the taking: who does not wait for a lock with another in hand needs no order.

use super::{
    Dentry, Inode, Path, current_credentials, dcache,
    dentry::Place,
    modify::{forget_name, may_create, may_delete},
    permission::{self, Access},
    rename_lock,
    walk::{self, Last, LookupFlags},
};
use crate::sync::RwLockWriteGuard;
use abi::{Errno, Result};
use alloc::{sync::Arc, vec::Vec};

/// What happens to a target that exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// It is replaced.
    Replace,
    /// `RENAME_NOREPLACE`: `EEXIST`.
    Keep,
    /// `RENAME_EXCHANGE`: the two change places.
    Exchange,
}

/// A name in a directory.
struct Name {
    dir: Path,
    name: Vec<u8>,
    slashes: bool,
}

/// Both directories, locked.
struct Locked<'a> {
    _rename: Option<rename_lock::RenameGuard>,
    _first: RwLockWriteGuard<'a, ()>,
    _second: Option<RwLockWriteGuard<'a, ()>>,
}

fn lock_both<'a>(a: &'a Path, b: &'a Path) -> Locked<'a> {
    if Arc::ptr_eq(a.inode(), b.inode()) {
        return Locked { _rename: None, _first: a.inode().lock().write(), _second: None };
    }
    let rename = rename_lock::lock();
    let address = |path: &Path| Arc::as_ptr(path.inode()) as usize;
    let a_first = if a.dentry.is_below(&b.dentry) {
        false
    } else {
        b.dentry.is_below(&a.dentry) || address(a) < address(b)
    };
    let (first, second): (&Arc<Inode>, _) =
        if a_first { (a.inode(), b.inode()) } else { (b.inode(), a.inode()) };
    Locked {
        _rename: Some(rename),
        _first: first.lock().write(),
        _second: Some(second.lock().write()),
    }
}

/// Both of two directories, if the second is free; nobody holds the rename lock for us.
fn try_lock_both<'a>(a: &'a Path, b: &'a Path) -> Option<Locked<'a>> {
    if Arc::ptr_eq(a.inode(), b.inode()) {
        return None;
    }
    let first = a.inode().lock().write();
    let second = b.inode().lock().try_write()?;
    Some(Locked { _rename: None, _first: first, _second: Some(second) })
}

/// What is renamed, and what has the new name, in locked directories.
struct Found<'a> {
    // Let go of first: what was replaced may be freed only outside of the locks.
    _locked: Locked<'a>,
    source: Arc<Dentry>,
    victim: Option<Arc<Dentry>>,
}

impl<'a> Found<'a> {
    fn find(old: &Name, new: &Name, locked: Locked<'a>) -> Result<Found<'a>> {
        let source = walk::find_child_locked(&old.dir.dentry, &old.name)?.ok_or(Errno::ENOENT)?;
        let victim = walk::find_child_locked(&new.dir.dentry, &new.name)?;
        Ok(Found { _locked: locked, source, victim })
    }

    /// Whether a directory may change its place.
    fn has_directory(&self) -> bool {
        self.source.inode().is_dir()
            || self.victim.as_ref().is_some_and(|victim| victim.inode().is_dir())
    }
}

/// Renames `old` to `new`.
pub fn rename(old_base: i32, old: &[u8], new_base: i32, new: &[u8], target: Target) -> Result<()> {
    let (old_dir, old_last) = walk::lookup_parent(old_base, old, LookupFlags::empty())?;
    let (new_dir, new_last) = walk::lookup_parent(new_base, new, LookupFlags::empty())?;
    if !Arc::ptr_eq(&old_dir.mount, &new_dir.mount) {
        return Err(Errno::EXDEV);
    }
    let Last::Name(name, slashes) = old_last else { return Err(Errno::EBUSY) };
    let old = Name { dir: old_dir, name, slashes };
    let Last::Name(name, slashes) = new_last else {
        return Err(if target == Target::Keep { Errno::EEXIST } else { Errno::EBUSY });
    };
    let new = Name { dir: new_dir, name, slashes };
    old.dir.mount.want_write()?;

    let find = |locked| Found::find(&old, &new, locked);
    let files = try_lock_both(&old.dir, &new.dir).map(find).transpose()?;
    let found = match files.filter(|found| !found.has_directory()) {
        Some(files) => files,
        None => find(lock_both(&old.dir, &new.dir))?,
    };
    rename_locked(&old, &new, &found.source, found.victim.as_ref(), target)
}

fn rename_locked(
    old: &Name,
    new: &Name,
    source: &Arc<Dentry>,
    victim: Option<&Arc<Dentry>>,
    target: Target,
) -> Result<()> {
    match (target, victim) {
        (Target::Keep, Some(_)) => return Err(Errno::EEXIST),
        (Target::Exchange, None) => return Err(Errno::ENOENT),
        _ => {}
    }
    let exchange = target == Target::Exchange;
    if exchange && new.slashes && victim.is_some_and(|victim| !victim.inode().is_dir()) {
        return Err(Errno::ENOTDIR);
    }
    if !source.inode().is_dir() && (old.slashes || !exchange && new.slashes) {
        return Err(Errno::ENOTDIR);
    }
    // A directory cannot be moved below itself, nor over one that it is in.
    if new.dir.dentry.is_below(source) {
        return Err(Errno::EINVAL);
    }
    if let Some(victim) = victim
        && old.dir.dentry.is_below(victim)
    {
        return Err(if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY });
    }
    if victim.is_some_and(|victim| Arc::ptr_eq(victim.inode(), source.inode())) {
        return Ok(());
    }

    let who = current_credentials();
    let source_is_dir = source.inode().is_dir();
    may_delete(&old.dir, source, source_is_dir, &who)?;
    match victim {
        None => may_create(&new.dir, &who)?,
        Some(victim) => {
            let as_dir = if exchange { victim.inode().is_dir() } else { source_is_dir };
            may_delete(&new.dir, victim, as_dir, &who)?;
        }
    }
    // `..` of a directory changes with it.
    let same_dir = Arc::ptr_eq(&old.dir.dentry, &new.dir.dentry);
    if !same_dir {
        if source_is_dir {
            permission::check(source.inode(), &who, Access::WRITE)?;
        }
        if let Some(victim) = victim
            && exchange
            && victim.inode().is_dir()
        {
            permission::check(victim.inode(), &who, Access::WRITE)?;
        }
    }
    if source.is_mountpoint() || victim.is_some_and(|victim| victim.is_mountpoint()) {
        return Err(Errno::EBUSY);
    }

    let replaced_dir = victim.filter(|victim| !exchange && victim.inode().is_dir());
    let _victim_lock = replaced_dir.map(|victim| victim.inode().lock().write());
    let (from, to) = (old.dir.inode(), new.dir.inode());
    from.ops().rename(from, &old.name, to, &new.name, exchange)?;

    let place = |at: &Name| {
        Arc::new(Place { parent: Some(at.dir.dentry.clone()), name: at.name.as_slice().into() })
    };
    let new_place = place(new);
    let _moving = rename_lock::Moving::begin();
    source.set_place(new_place.clone());
    match victim {
        Some(victim) if exchange => {
            let old_place = place(old);
            victim.set_place(old_place.clone());
            dcache::add_moved(old_place, victim.clone());
        }
        Some(victim) => {
            victim.set_deleted();
            dcache::forget_below(victim);
            forget_name(&old.dir, &old.name);
        }
        None => forget_name(&old.dir, &old.name),
    }
    dcache::add_moved(new_place, source.clone());
    Ok(())
}
