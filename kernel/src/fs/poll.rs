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

/// What ends a wait for exceptional conditions.
const URGENT: PollEvents = PollEvents::PRI;

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

fn select_round(
    files: &FdTable,
    wanted: &FdSets,
    found: &mut FdSets,
    count: usize,
    table: &mut PollTable,
) -> Result<usize> {
    let mut bits = 0;
    let sets = wanted.read.iter().zip(&wanted.write).zip(&wanted.except);
    let results = found.read.iter_mut().zip(&mut found.write).zip(&mut found.except);
    for (word, (asked, results)) in sets.zip(results).enumerate() {
        let ((&read, &write), &except) = asked;
        let mut ready = (0, 0, 0);
        let mut left = read | write | except;
        while left != 0 {
            let shift = left.trailing_zeros();
            left &= left - 1;
            let fd = word * 64 + shift as usize;
            if fd >= count {
                break;
            }
            let file = files.get(i32::try_from(fd).map_err(|_| Errno::EBADF)?)?;
            if table.is_registering() {
                let of = |set: u64, events| match set >> shift & 1 {
                    0 => PollEvents::empty(),
                    _ => events,
                };
                table.set_interest(of(read, READABLE) | of(write, WRITABLE) | of(except, URGENT));
            }
            let events = file.poll(table);
            let bit = |events_of: PollEvents| u64::from(events.intersects(events_of)) << shift;
            ready.0 |= bit(READABLE) & read;
            ready.1 |= bit(WRITABLE) & write;
            ready.2 |= bit(URGENT) & except;
            if ready != (0, 0, 0) {
                table.stop_registering();
            }
        }
        let ((read, write), except) = results;
        (*read, *write, *except) = ready;
        bits += (ready.0.count_ones() + ready.1.count_ones() + ready.2.count_ones()) as usize;
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
