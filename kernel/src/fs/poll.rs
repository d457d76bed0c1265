//! `poll(2)` and `select(2)`: one waiting loop over any number of descriptors.
//!
//! The first round registers on every file's wait queues, later rounds only look. Descriptors are looked up anew each
//! round, as on Linux: one that another thread closes meanwhile reports `POLLNVAL` (or `EBADF`).

use super::{FdTable, FileLookups};
use crate::{
    sched,
    sync::{PollEvents, PollTable},
    time::Instant,
};
use abi::{Errno, Result};
use smallvec::SmallVec;
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
        let files = files.lookups();
        for entry in fds.iter_mut() {
            entry.revents = ask(&files, entry, table);
            if entry.revents != 0 {
                found += 1;
                table.stop_registering();
            }
        }
        Ok(found)
    })
}

fn ask(files: &FileLookups, entry: &PollFd, table: &mut PollTable) -> u16 {
    let Ok(fd) = u32::try_from(entry.fd) else { return 0 };
    let wanted = PollEvents::from_bits_truncate(entry.events.into());
    let ready = files.with(fd, |file| {
        table.set_interest(wanted);
        file.poll(table) & (wanted | PollEvents::ERR | PollEvents::HUP)
    });
    ready.unwrap_or(PollEvents::NVAL).bits() as u16
}

/// Words of a set that need no memory of their own: 512 descriptors.
const INLINE_WORDS: usize = 8;

/// The three sets of `select(2)`, a word for 64 descriptors: those to read, to write, and with exceptional conditions.
pub struct FdSets {
    sets: SmallVec<[u64; 3 * INLINE_WORDS]>,
}

impl FdSets {
    /// Empty sets of `words` words each; `ENOMEM`.
    pub fn with_words(words: usize) -> Result<FdSets> {
        let mut sets = SmallVec::new();
        sets.try_reserve_exact(3 * words).map_err(|_| Errno::ENOMEM)?;
        sets.resize(3 * words, 0);
        Ok(FdSets { sets })
    }
    fn words(&self) -> usize {
        self.sets.len() / 3
    }
    /// The sets.
    pub fn each(&self) -> [&[u64]; 3] {
        let (read, rest) = self.sets.split_at(self.words());
        let (write, except) = rest.split_at(rest.len() / 2);
        [read, write, except]
    }
    /// The same, to be changed.
    pub fn each_mut(&mut self) -> [&mut [u64]; 3] {
        let words = self.words();
        let (read, rest) = self.sets.split_at_mut(words);
        let (write, except) = rest.split_at_mut(words);
        [read, write, except]
    }
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

/// Asks the descriptors below `count` that are in the sets, as [`poll`] does. The sets found and how many bits they hold; `EBADF` for a
/// member that is not open.
pub fn select(
    files: &FdTable,
    wanted: &FdSets,
    count: usize,
    deadline: Option<Instant>,
) -> Result<(FdSets, usize)> {
    let mut found = FdSets::with_words(wanted.words())?;
    let bits = wait_rounds(deadline, |table| {
        let files = files.lookups();
        let mut bits = 0;
        for word in 0..wanted.words() {
            let asked = wanted.each().map(|set| set[word]);
            let ready = select_word(&files, asked, word, count, table)?;
            for (set, ready) in found.each_mut().into_iter().zip(ready) {
                set[word] = ready;
                bits += ready.count_ones() as usize;
            }
        }
        Ok(bits)
    })?;
    Ok((found, bits))
}

/// Asks the descriptors of one word of the sets. Those that are ready.
fn select_word(
    files: &FileLookups,
    [read, write, except]: [u64; 3],
    word: usize,
    count: usize,
    table: &mut PollTable,
) -> Result<[u64; 3]> {
    let mut ready = (0, 0, 0);
    let mut left = read | write | except;
    // The last word may have bits beyond the count.
    if count - word * 64 < 64 {
        left &= (1 << (count % 64)) - 1;
    }
    while left != 0 {
        let fd = word as u32 * 64 + left.trailing_zeros();
        let bit = left & left.wrapping_neg();
        left ^= bit;
        let events = files.with(fd, |file| {
            if table.is_registering() {
                let of =
                    |set: u64, events| if set & bit != 0 { events } else { PollEvents::empty() };
                table.set_interest(of(read, READABLE) | of(write, WRITABLE) | of(except, URGENT));
            }
            file.poll(table)
        })?;
        let of = |set: u64, bits| if events.intersects(bits) { set & bit } else { 0 };
        ready.0 |= of(read, READABLE);
        ready.1 |= of(write, WRITABLE);
        ready.2 |= of(except, URGENT);
        if ready != (0, 0, 0) {
            table.stop_registering();
        }
    }
    Ok(ready.into())
}

/// Runs `round` until it finds something or the deadline passes.
fn wait_rounds(
    deadline: Option<Instant>,
    mut round: impl FnMut(&mut PollTable) -> Result<usize>,
) -> Result<usize> {
    let look_only = deadline.is_some_and(Instant::has_passed);
    let mut table = if look_only { PollTable::look() } else { PollTable::for_current() };
    loop {
        let found = round(&mut table)?;
        if found == 0 && look_only {
            sched::found_nothing();
        }
        if found > 0 || look_only {
            return Ok(found);
        }
        table.stop_registering();
        if !table.wait(deadline)? {
            return round(&mut table);
        }
    }
}
