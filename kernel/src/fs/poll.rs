//! `poll(2)` and `select(2)`: one waiting loop over any number of descriptors.
//!
//! The first round registers on every file's wait queues, later rounds only look. Descriptors are looked up anew each
//! round, as on Linux: one that another thread closes meanwhile reports `POLLNVAL` (or `EBADF`).

use super::FdTable;
use crate::{
    sync::{PollEvents, PollTable},
    time::Instant,
};
use abi::{Errno, Result};
use alloc::vec::Vec;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable)]
pub struct PollFd {
    /// Descriptor; negative ones are skipped.
    pub fd: i32,
    /// Events asked for.
    pub events: u16,
    /// Events found.
    pub revents: u16,
}

/// Asks every descriptor, sleeping until one has an event or the deadline passes (`None`: for ever; one in the past: a look only).
/// How many have events. `ERESTARTSYS` on a signal.
pub fn poll(files: &FdTable, fds: &mut [PollFd], deadline: Option<Instant>) -> Result<usize> {
    wait_rounds(deadline, |table| {
        let mut found = 0;
        for entry in fds.iter_mut() {
            entry.revents = if entry.fd < 0 { 0 } else { ask(files, entry, table) };
            if entry.revents != 0 {
                found += 1;
                table.stop_registering();
            }
        }
        Ok(found)
    })
}

fn ask(files: &FdTable, entry: &PollFd, table: &mut PollTable) -> u16 {
    let Ok(file) = files.get(entry.fd) else { return PollEvents::NVAL.bits() as u16 };
    let wanted = PollEvents::from_bits_truncate(entry.events.into());
    table.set_interest(wanted);
    (file.poll(table) & (wanted | PollEvents::ERR | PollEvents::HUP)).bits() as u16
}

/// The three sets of `select(2)`, a word for 64 descriptors. Absent sets are empty.
#[derive(Default)]
pub struct FdSets {
    /// To read.
    pub read: Vec<u64>,
    /// To write.
    pub write: Vec<u64>,
    /// Exceptional conditions.
    pub except: Vec<u64>,
}

/// What ends a wait for reading.
const READABLE: PollEvents = PollEvents::IN
    .union(PollEvents::RDNORM)
    .union(PollEvents::RDBAND)
    .union(PollEvents::HUP)
    .union(PollEvents::ERR);
/// What ends a wait for writing.
const WRITABLE: PollEvents =
    PollEvents::OUT.union(PollEvents::WRNORM).union(PollEvents::WRBAND).union(PollEvents::ERR);

impl FdSets {
    /// Empty sets for `words` words each; `ENOMEM`.
    pub fn with_words(words: usize) -> Result<FdSets> {
        let zeros = || {
            let mut set = Vec::new();
            set.try_reserve_exact(words).map_err(|_| Errno::ENOMEM)?;
            set.resize(words, 0);
            Ok(set)
        };
        Ok(FdSets { read: zeros()?, write: zeros()?, except: zeros()? })
    }
}

/// Asks the descriptors below `count` that are in the sets, as [`poll`] does. The sets found and how many bits they hold; `EBADF` for a
/// member that is not open.
pub fn select(
    files: &FdTable,
    wanted: &FdSets,
    count: usize,
    deadline: Option<Instant>,
) -> Result<(FdSets, usize)> {
    let mut found = FdSets::with_words(wanted.read.len())?;
    let bits =
        wait_rounds(deadline, |table| select_round(files, wanted, &mut found, count, table))?;
    Ok((found, bits))
}

/// What ends the wait for the member `bit` of the sets' word `word`.
fn interest(wanted: &FdSets, word: usize, bit: u64) -> PollEvents {
    let of = |set: &[u64], events| if set[word] & bit != 0 { events } else { PollEvents::empty() };
    of(&wanted.read, READABLE) | of(&wanted.write, WRITABLE) | of(&wanted.except, PollEvents::PRI)
}

fn select_round(
    files: &FdTable,
    wanted: &FdSets,
    found: &mut FdSets,
    count: usize,
    table: &mut PollTable,
) -> Result<usize> {
    let mut bits = 0;
    for word in 0..wanted.read.len() {
        let all = wanted.read[word] | wanted.write[word] | wanted.except[word];
        let (mut read, mut write, mut except) = (0, 0, 0);
        let mut left = all;
        while left != 0 {
            let shift = left.trailing_zeros();
            let bit = 1u64 << shift;
            left &= !bit;
            let fd = word * 64 + shift as usize;
            if fd >= count {
                break;
            }
            let file = files.get(i32::try_from(fd).map_err(|_| Errno::EBADF)?)?;
            table.set_interest(interest(wanted, word, bit));
            let events = file.poll(table);
            let hit = |set: &[u64], events_of: PollEvents| {
                if set[word] & bit != 0 && events.intersects(events_of) { bit } else { 0 }
            };
            read |= hit(&wanted.read, READABLE);
            write |= hit(&wanted.write, WRITABLE);
            except |= hit(&wanted.except, PollEvents::PRI);
            if (read | write | except) != 0 {
                table.stop_registering();
            }
        }
        (found.read[word], found.write[word], found.except[word]) = (read, write, except);
        bits += (read.count_ones() + write.count_ones() + except.count_ones()) as usize;
    }
    Ok(bits)
}

/// Runs `round` until it finds something or the deadline passes.
fn wait_rounds(
    deadline: Option<Instant>,
    mut round: impl FnMut(&mut PollTable) -> Result<usize>,
) -> Result<usize> {
    let look_only = deadline.is_some_and(|at| at <= crate::time::monotonic());
    let mut table = if look_only { PollTable::look() } else { PollTable::for_current() };
    loop {
        let found = round(&mut table)?;
        if found > 0 || look_only {
            return Ok(found);
        }
        table.stop_registering();
        if !table.wait(deadline)? {
            return round(&mut table);
        }
    }
}
