//! The limits of System V IPC and POSIX message queues (`sysvipc(7)`, `mq_overview(7)`).

use super::{Value, variable};
use crate::{
    ipc::{
        ids::{INDICES, Ids, Object},
        mqueue,
        namespace::{self, Limit},
        shm,
    },
    process::{Capability, capable},
};
use abi::{Errno, Result};
use alloc::{format, string::String};
use core::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use smallvec::SmallVec;

/// How many objects of a kind there can be.
const COUNTS: RangeInclusive<i64> = 0..=INDICES as i64;
const INTS: RangeInclusive<i64> = 0..=i32::MAX as i64;
const ANY_INTS: RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;

/// What a message may be long, at least.
const LEAST_SIZE: i64 = 128;

/// The rows.
pub const VALUES: &[Value] = &[
    variable(
        "fs/mqueue/msg_default",
        || show(&mqueue::limits().msg_default),
        |text| set(&mqueue::limits().msg_default, text, 1..=mqueue::HARD_MESSAGES),
    ),
    variable(
        "fs/mqueue/msg_max",
        || show(&mqueue::limits().msg_max),
        |text| set(&mqueue::limits().msg_max, text, 1..=mqueue::HARD_MESSAGES),
    ),
    variable(
        "fs/mqueue/msgsize_default",
        || show(&mqueue::limits().msgsize_default),
        |text| set(&mqueue::limits().msgsize_default, text, LEAST_SIZE..=mqueue::HARD_SIZE),
    ),
    variable(
        "fs/mqueue/msgsize_max",
        || show(&mqueue::limits().msgsize_max),
        |text| set(&mqueue::limits().msgsize_max, text, LEAST_SIZE..=mqueue::HARD_SIZE),
    ),
    variable(
        "fs/mqueue/queues_max",
        || show(&mqueue::limits().queues_max),
        |text| set(&mqueue::limits().queues_max, text, ANY_INTS),
    ),
    variable(
        "kernel/msgmax",
        || show(&namespace::current().msg_max),
        |text| set(&namespace::current().msg_max, text, INTS),
    ),
    variable(
        "kernel/msgmnb",
        || show(&namespace::current().msg_mnb),
        |text| set(&namespace::current().msg_mnb, text, INTS),
    ),
    variable(
        "kernel/msgmni",
        || show(&namespace::current().msg_mni),
        |text| set(&namespace::current().msg_mni, text, COUNTS),
    ),
    variable(
        "kernel/msg_next_id",
        || show_next(&namespace::current().queues),
        |text| set_next(&namespace::current().queues, text),
    ),
    variable("kernel/sem", show_semaphores, set_semaphores),
    variable(
        "kernel/sem_next_id",
        || show_next(&namespace::current().semaphores),
        |text| set_next(&namespace::current().semaphores, text),
    ),
    variable(
        "kernel/shm_next_id",
        || show_next(&namespace::current().segments),
        |text| set_next(&namespace::current().segments, text),
    ),
    variable("kernel/shm_rmid_forced", show_forced, set_forced),
    variable(
        "kernel/shmall",
        || show_long(&namespace::current().shm_all),
        |text| set_long(&namespace::current().shm_all, text),
    ),
    variable(
        "kernel/shmmax",
        || show_long(&namespace::current().shm_max),
        |text| set_long(&namespace::current().shm_max, text),
    ),
    variable(
        "kernel/shmmni",
        || show(&namespace::current().shm_mni),
        |text| set(&namespace::current().shm_mni, text, COUNTS),
    ),
];

fn show(limit: &Limit) -> String {
    format!("{}", limit.get())
}

fn show_long(limit: &AtomicU64) -> String {
    format!("{}", limit.load(Relaxed))
}

/// The numbers in a text, each within `range`; `EINVAL` when there is none, or something else.
fn numbers(text: &[u8], range: &RangeInclusive<i64>) -> Result<SmallVec<[i32; 4]>> {
    let text = core::str::from_utf8(super::line(text)).map_err(|_| Errno::EINVAL)?;
    let number = |word: &str| -> Result<i32> {
        let value = match word.strip_prefix('-') {
            Some(digits) => {
                -i64::from(u32::try_from(unsigned(digits)?).map_err(|_| Errno::EINVAL)?)
            }
            None => i64::try_from(unsigned(word)?).map_err(|_| Errno::EINVAL)?,
        };
        let in_range = range.contains(&value);
        i32::try_from(value).ok().filter(|_| in_range).ok_or(Errno::EINVAL)
    };
    let numbers: SmallVec<[i32; 4]> =
        text.split_ascii_whitespace().map(number).collect::<Result<_>>()?;
    if numbers.is_empty() { Err(Errno::EINVAL) } else { Ok(numbers) }
}

/// A number as C writes it.
fn unsigned(word: &str) -> Result<u64> {
    let parsed = match (word.strip_prefix("0x"), word.strip_prefix('0')) {
        (Some(digits), _) => u64::from_str_radix(digits, 16),
        (None, Some(digits)) if !digits.is_empty() => u64::from_str_radix(digits, 8),
        _ => word.parse(),
    };
    parsed.map_err(|_| Errno::EINVAL)
}

fn set(limit: &Limit, text: &[u8], range: RangeInclusive<i64>) -> Result<()> {
    let first = numbers(text, &range)?[0];
    limit.set(first);
    Ok(())
}

fn set_long(limit: &AtomicU64, text: &[u8]) -> Result<()> {
    let text = core::str::from_utf8(super::line(text)).map_err(|_| Errno::EINVAL)?;
    let word = text.split_ascii_whitespace().next().ok_or(Errno::EINVAL)?;
    limit.store(unsigned(word)?, Relaxed);
    Ok(())
}

/// The identifier that was asked for, -1 for none.
fn show_next<T: Object>(ids: &Ids<T>) -> String {
    format!("{}", ids.next_id().unwrap_or(-1))
}

/// Asks for an identifier, for programs that put back what they saved (`CAP_CHECKPOINT_RESTORE`).
fn set_next<T: Object>(ids: &Ids<T>, text: &[u8]) -> Result<()> {
    let may = capable(Capability::CheckpointRestore) || capable(Capability::SysAdmin);
    if !may {
        return Err(Errno::EPERM);
    }
    ids.set_next_id(numbers(text, &INTS)?[0]);
    Ok(())
}

fn semaphore_limits() -> [&'static Limit; 4] {
    let namespace = namespace::current();
    [&namespace.sem_msl, &namespace.sem_mns, &namespace.sem_opm, &namespace.sem_mni]
}

fn show_semaphores() -> String {
    let [in_set, in_all, in_call, sets] = semaphore_limits().map(Limit::get);
    format!("{in_set}\t{in_all}\t{in_call}\t{sets}")
}

/// As many of the four as are written; `ERANGE` for more sets than there are indices, which changes the others all the same.
fn set_semaphores(text: &[u8]) -> Result<()> {
    let values = numbers(text, &ANY_INTS)?;
    let too_many = values.get(3).is_some_and(|&sets| !COUNTS.contains(&sets.into()));
    let taken = if too_many { 3 } else { 4 };
    for (limit, value) in semaphore_limits().into_iter().zip(values).take(taken) {
        limit.set(value);
    }
    if too_many { Err(Errno::ERANGE) } else { Ok(()) }
}

fn show_forced() -> String {
    format!("{}", u8::from(namespace::current().shm_rmid_forced.load(Relaxed)))
}

/// Segments that nobody has attached and whose makers are gone end at once.
fn set_forced(text: &[u8]) -> Result<()> {
    let forced = numbers(text, &(0..=1))?[0] == 1;
    namespace::current().shm_rmid_forced.store(forced, Relaxed);
    if forced {
        shm::destroy_orphans();
    }
    Ok(())
}
