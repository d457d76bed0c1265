//! The futex calls of their own number: waiting on many words, and one operation a call.

use super::{futex::absolute_deadline, table::calls};
use crate::{
    mm::{UserAddr, user},
    process::futex::{self, Awaited, Bitset, Deadline, Requeue, Sharing, WAIT_ANY_MAX, Word},
};
use abi::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

calls! {
    futex_waitv => futex_waitv;
    futex_wake => futex_wake;
    futex_wait => futex_wait;
    futex_requeue => futex_requeue;
}

/// `struct futex_waitv`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct WaitEntry {
    value: u64,
    addr: u64,
    flags: u32,
    reserved: u32,
}

const SIZE_32: u32 = 2;
const PRIVATE: u32 = 128;

const CLOCK_REALTIME: i32 = 0;
const CLOCK_MONOTONIC: i32 = 1;

/// `FUTEX2_*`; only words of 32 bits are known.
fn decode_flags(flags: u32) -> Result<Sharing> {
    match flags {
        SIZE_32 => Ok(Sharing::Shared),
        flags if flags == SIZE_32 | PRIVATE => Ok(Sharing::Private),
        _ => Err(Errno::EINVAL),
    }
}

/// A value for a word of 32 bits.
fn word_value(value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Errno::EINVAL)
}

fn decode_deadline(timeout: usize, clock: usize) -> Result<Deadline> {
    if timeout == 0 {
        return Ok(None);
    }
    match (clock as u32).cast_signed() {
        CLOCK_REALTIME => absolute_deadline(timeout, true),
        CLOCK_MONOTONIC => absolute_deadline(timeout, false),
        _ => Err(Errno::EINVAL),
    }
}

impl WaitEntry {
    fn decode(&self) -> Result<Awaited> {
        if self.reserved != 0 {
            return Err(Errno::EINVAL);
        }
        let sharing = decode_flags(self.flags)?;
        let expected = word_value(self.value)?;
        Ok(Awaited { word: Word { addr: UserAddr(self.addr as usize), sharing }, expected })
    }
}

/// `futex_waitv(2)`.
fn futex_waitv(args: &[usize; 6]) -> Result<usize> {
    let &[list, count, flags, timeout, clock, _] = args;
    let count = count as u32 as usize;
    if flags as u32 != 0 || !(1..=WAIT_ANY_MAX).contains(&count) || list == 0 {
        return Err(Errno::EINVAL);
    }
    let deadline = decode_deadline(timeout, clock)?;
    let entries: alloc::vec::Vec<WaitEntry> = user::read_array(UserAddr(list), count)?;
    let words: Result<alloc::vec::Vec<Awaited>> = entries.iter().map(WaitEntry::decode).collect();
    futex::wait_any(&words?, deadline)
}

/// `futex_wake(2)`.
fn futex_wake(args: &[usize; 6]) -> Result<usize> {
    let &[addr, mask, count, flags, ..] = args;
    let sharing = decode_flags(flags as u32)?;
    let bitset = Bitset::new(word_value(mask as u64)?)?;
    let count = (count as u32).cast_signed();
    futex::wake_exactly(UserAddr(addr), sharing, count, bitset)
}

/// `futex_wait(2)`.
fn futex_wait(args: &[usize; 6]) -> Result<usize> {
    let &[addr, value, mask, flags, timeout, clock] = args;
    let sharing = decode_flags(flags as u32)?;
    let (value, mask) = (word_value(value as u64)?, word_value(mask as u64)?);
    let deadline = decode_deadline(timeout, clock)?;
    futex::wait_absolute(UserAddr(addr), sharing, value, Bitset::new(mask)?, deadline)
}

/// `futex_requeue(2)`.
fn futex_requeue(args: &[usize; 6]) -> Result<usize> {
    let &[list, flags, wake, requeue, ..] = args;
    if flags as u32 != 0 || list == 0 {
        return Err(Errno::EINVAL);
    }
    let entries: [WaitEntry; 2] = user::read(UserAddr(list))?;
    let (from, to) = (entries[0].decode()?, entries[1].decode()?);
    let how = Requeue {
        wake: (wake as u32).cast_signed(),
        requeue: (requeue as u32).cast_signed(),
        expected: Some(from.expected),
    };
    futex::requeue(from.word, to.word, how)
}
