//! Access times (`st_atime`): when a read moves them (`mount(8)`: relatime, noatime, strictatime). No locks.

use super::{Path, mount::MountFlags};
use crate::time::Timespec;

/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// Notes an access to what lies at `path`.
pub fn accessed(path: &Path) {
    let flags = path.mount.flags();
    let inode = path.inode();
    if flags.contains(MountFlags::NO_ATIME)
        || flags.contains(MountFlags::NO_DIR_ATIME) && inode.is_dir()
        || path.mount.want_write().is_err()
    {
        return;
    }
    inode.ops().accessed(inode);
}

/// The `relatime` rule: whether an access now moves an access time of `atime`.
pub fn relatime_moves(atime: Timespec, mtime: Timespec, ctime: Timespec, now: Timespec) -> bool {
    let not_after = |a: Timespec, b: Timespec| (a.tv_sec, a.tv_nsec) <= (b.tv_sec, b.tv_nsec);
    not_after(atime, mtime) || not_after(atime, ctime) || now.tv_sec - atime.tv_sec >= DAY
}
