//! `lseek(2)`. No locks: callers hold the position's.

use super::File;
use abi::{Errno, Result};

/// From the start.
pub const SEEK_SET: u32 = 0;
/// From the position.
pub const SEEK_CUR: u32 = 1;
/// From the end.
pub const SEEK_END: u32 = 2;
/// To the next data.
pub const SEEK_DATA: u32 = 3;
/// To the next hole.
pub const SEEK_HOLE: u32 = 4;

/// For what has no end to seek from: `EINVAL`.
pub fn without_end(file: &File, offset: i64, whence: u32) -> Result<u64> {
    match whence {
        SEEK_SET | SEEK_CUR => by_size(file, offset, whence),
        _ => Err(Errno::EINVAL),
    }
}

/// Moves the position and tells it; `EINVAL` before the start or for an unknown `whence`, `EOVERFLOW` past what an offset holds.
pub fn by_size(file: &File, offset: i64, whence: u32) -> Result<u64> {
    let base = match whence {
        SEEK_SET => 0,
        SEEK_CUR => file.position(),
        SEEK_END => file.inode().metadata()?.size,
        SEEK_DATA | SEEK_HOLE => {
            // A file that knows nothing of holes is all data, with a hole at its end.
            let size = file.inode().metadata()?.size;
            let from = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
            if from >= size {
                return Err(Errno::ENXIO);
            }
            let to = if whence == SEEK_DATA { from } else { size };
            file.set_position(to);
            return Ok(to);
        }
        _ => return Err(Errno::EINVAL),
    };
    let base = i64::try_from(base).map_err(|_| Errno::EOVERFLOW)?;
    let to = base.checked_add(offset).ok_or(Errno::EOVERFLOW)?;
    let to = u64::try_from(to).map_err(|_| Errno::EINVAL)?;
    file.set_position(to);
    Ok(to)
}
