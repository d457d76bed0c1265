//! What a dying thread owes to those who wait for it: its robust locks (`set_robust_list(2)`) and the word that
//! `CLONE_CHILD_CLEARTID` names.

use super::{Bitset, OWNER_DIED, Sharing, TID_MASK, Task, WAITERS, wake};
use crate::mm::{UserAddr, user};
use abi::{Errno, Result};
use core::sync::atomic::Ordering;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// More entries than this are not followed: the list may be a circle.
const LIST_LIMIT: usize = 2048;

/// `struct robust_list_head`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
pub struct RobustList {
    /// The first entry; the list ends where it points at the head again. Bit 0: a priority-inheriting lock.
    next: usize,
    /// From an entry to its lock's word.
    offset: usize,
    /// A lock that is being taken or released.
    pending: usize,
}

/// Whether an entry is in the list or is being taken or released.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Listed,
    Pending,
}

/// Marks the locks that the current task still holds as owned by a dead thread, and wakes a waiter of each. exit and exec call
/// it while the address space is still there.
pub fn exit_robust_list(task: &Task) {
    let head = UserAddr(task.robust_list.swap(0, Ordering::Relaxed));
    if !head.is_null() {
        // The list is the program's: where it is broken, the walk ends.
        let _ = walk(task, head);
    }
}

fn walk(task: &Task, head: UserAddr) -> Result<()> {
    let list: RobustList = user::read(head)?;
    let mut next = list.next;
    for _ in 0..LIST_LIMIT {
        let entry = UserAddr(next & !1);
        if entry == head {
            break;
        }
        // Read on before the lock is given away: the entry may be gone then.
        let following = user::read::<usize>(entry);
        if next & !1 != list.pending & !1 {
            release(task, entry.add(list.offset), next & 1 != 0, Position::Listed)?;
        }
        next = following?;
    }
    if list.pending & !1 != 0 {
        let word = UserAddr(list.pending & !1).add(list.offset);
        release(task, word, list.pending & 1 != 0, Position::Pending)?;
    }
    Ok(())
}

/// Gives one lock away if the task owns it.
fn release(task: &Task, word: UserAddr, inherits: bool, position: Position) -> Result<()> {
    if !word.0.is_multiple_of(size_of::<u32>()) {
        return Err(Errno::EINVAL);
    }
    let mut value = user::read::<u32>(word)?;
    // Died between the store that released the lock and the wake-up that follows it.
    if position == Position::Pending && !inherits && value == 0 {
        wake(word, Sharing::Shared, 1, Bitset::ANY)?;
        return Ok(());
    }
    loop {
        if value & TID_MASK != task.tid().0 {
            return Ok(());
        }
        let seen = user::cmpxchg_u32(word, value, value & WAITERS | OWNER_DIED)?;
        if seen == value {
            break;
        }
        value = seen;
    }
    if !inherits && value & WAITERS != 0 {
        // A lock of another kind than the list says has nobody to wake.
        let _ = wake(word, Sharing::Shared, 1, Bitset::ANY);
    }
    Ok(())
}

/// Clears the word that `set_tid_address(2)` or `CLONE_CHILD_CLEARTID` named and wakes who joins the thread. exit and exec call it
/// while the address space is still there and others use it.
pub fn clear_child_tid(task: &Task) {
    let addr = UserAddr(task.clear_child_tid.swap(0, Ordering::Relaxed));
    if addr.is_null() {
        return;
    }
    // An address that cannot be written is the program's affair.
    let _ = user::write(addr, &0u32).and_then(|()| wake(addr, Sharing::Shared, 1, Bitset::ANY));
}
