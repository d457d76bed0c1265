//! Address-space identifiers (x86's PCIDs): what a CPU may go on remembering of an address space that it has left.
//!
//! Without them a CPU forgets its translations whenever it loads other tables. With them each translation is tagged with a number that is
//! loaded along with the tables, and only those tagged with the current one are used. There are few enough of these numbers to be dealt out a CPU: each
//! CPU has [`SLOTS`] of them, for the spaces that it ran last, and notes how many of a space's changes it has taken notice of. A CPU that
//! comes back to a space keeps what it remembers if the space has not changed since, and forgets all of it otherwise. The idea is Linux's
//! (`arch/x86/mm/tlb.c`).
//!
//! # What happens when
//!
//! A *change* is whatever makes translations wrong: entries that lost a right or map something else, tables that were unlinked.
//!
//! - A CPU that goes over to a space, with interrupts off: [`Users::join`], [`Cpu::enter`], loads the tables as that says, and leaves the space
//!   that it came from ([`Users::leave`]).
//! - Whoever has changed entries: [`Space::change`], then [`Users::get`], then has each CPU of that set that has the space loaded do what
//!   [`Cpu::catch_up`] says (with interrupts off there), and waits for it. Only then is what the entries led to used for something else.
//!
//! # Proof that no CPU uses what is wrong
//!
//! Claim: once the one who made change number *n* of a space has waited, no CPU uses a translation from before that change.
//!
//! A slot holds the id of a space and a number *seen*. The invariant of a slot: what its CPU remembers under its number is of that
//! space, and free of what changes 1 to *seen* made wrong. It holds
//!
//! - when `enter` gives the slot to a space, or finds that *seen* is not the space's number of changes: the number is read first, and then the CPU forgets all
//!   that it has under the number of the slot. What it reads from the tables later it reads after the changes up to that number: each was made before
//!   its `change`, a read-modify-write that releases and that the reading of the number acquires. An id is never used again, so a space
//!   that has ended, and whose tables are gone, is never found;
//! - when `catch_up` raises *seen* by one: what that one change made wrong is forgotten;
//! - when it raises it further: as for `enter`.
//!
//! Now take change *n* and a CPU that uses the space. In `enter` it read a number of changes *s*, and by the invariant remembers nothing that
//! changes up to *s* made wrong.
//!
//! 1. *n* <= *s*: nothing is wrong.
//! 2. *n* > *s*: the addition of change *n* comes after the reading in the one order of sequentially consistent operations, `join` comes
//!    before the reading, and `get` after the addition. So `get` sees that the CPU has joined, unless it has left since. If it has left, then it uses the space only
//!    after another `enter`, which comes after `get`: case 1. If it has not, it is called. It runs what it is called for between two
//!    instructions of the program, or after it has left the space, which is the case before. If it has left and come back meanwhile, it is case 1 as well, and `catch_up`
//!    says that there is nothing to do.
//!
//! The order of the numbers needs no lock: of two who change a space at once, one may be called for earlier than its number says. Then
//! `catch_up` finds a gap, and the CPU forgets everything, which includes the change in the gap, as its number was counted before.
#![cfg_attr(not(any(test, loom)), no_std)]

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use core::num::NonZeroU64;

#[cfg(not(loom))]
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
    fence,
};
#[cfg(loom)]
use loom::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
    fence,
};

/// How many spaces a CPU remembers. The ids of eight are one cache line.
pub const SLOTS: usize = 8;

/// Bits of an id that tell which CPU made it.
const CPU_BITS: u32 = 6;

/// The number that tells a space from all others that were and will be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Id(NonZeroU64);

/// What CPUs share of a space.
pub struct Space {
    /// The CPUs that have its tables loaded.
    pub users: Users,
    /// `None`: nothing of it is ever kept.
    id: Option<Id>,
    /// How often it was changed.
    changes: AtomicU64,
}

impl Space {
    /// What belongs to a new space; with an id only if CPUs tag translations.
    pub fn new(id: Option<Id>) -> Space {
        Space { users: Users(AtomicU64::new(0)), id, changes: AtomicU64::new(0) }
    }

    /// Counts a change, after it was made and before the users are looked up.
    #[inline]
    pub fn change(&self) -> Change {
        Change(self.changes.fetch_add(1, SeqCst) + 1)
    }

    fn changes(&self) -> u64 {
        self.changes.load(SeqCst)
    }
}

/// A change of a space, by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Change(u64);

/// The CPUs that have a space's tables loaded, one bit each.
pub struct Users(AtomicU64);

impl Users {
    /// CPU `cpu` is about to load the tables. Whoever changes entries and does not see it has changed them before it loads them.
    #[inline]
    pub fn join(&self, cpu: usize) {
        self.0.fetch_or(1 << cpu, SeqCst);
        // loom knows sequentially consistent fences, but takes such accesses for less than they are.
        #[cfg(loom)]
        fence(SeqCst);
    }

    /// CPU `cpu` has loaded other tables. The space may be gone afterwards.
    #[inline]
    pub fn leave(&self, cpu: usize) {
        self.0.fetch_and(!(1 << cpu), SeqCst);
    }

    /// Who has them loaded. Changes of entries made before come before it.
    #[inline]
    pub fn get(&self) -> u64 {
        fence(SeqCst);
        self.0.load(SeqCst)
    }
}

/// How a CPU loads a space's tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load {
    /// The number to tag translations with: 1 to [`SLOTS`].
    pub asid: u16,
    /// What to do with the translations that have this tag already.
    pub old: Old,
}

/// What becomes of what a CPU remembers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Old {
    /// It is still right.
    Keep,
    /// It is of another space, or may be wrong.
    Forget,
}

/// What a CPU must forget because of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forget {
    /// What it did forget already.
    Nothing,
    /// What the change made wrong.
    Changed,
    /// All that it has of the space.
    Everything,
}

/// What one CPU remembers. Used by that CPU alone, with interrupts off, but for [`Cpu::new_id`].
pub struct Cpu {
    /// The ids of the spaces that have the slots; 0: none.
    ids: [AtomicU64; SLOTS],
    /// For each slot, up to which change what is remembered is right.
    seen: [AtomicU64; SLOTS],
    /// The slot of the space that is loaded.
    current: AtomicUsize,
    /// The slot that is given away next.
    next: AtomicUsize,
    /// Ids made here.
    made: AtomicU64,
}

impl Cpu {
    /// A CPU that remembers nothing.
    #[cfg(not(loom))]
    pub const fn new() -> Cpu {
        Cpu {
            ids: [const { AtomicU64::new(0) }; SLOTS],
            seen: [const { AtomicU64::new(0) }; SLOTS],
            current: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            made: AtomicU64::new(0),
        }
    }
    /// A CPU that remembers nothing.
    #[cfg(loom)]
    pub fn new() -> Cpu {
        Cpu {
            ids: core::array::from_fn(|_| AtomicU64::new(0)),
            seen: core::array::from_fn(|_| AtomicU64::new(0)),
            current: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            made: AtomicU64::new(0),
        }
    }

    /// An id that no other space has; `cpu` is this CPU's number. May be interrupted, and called by who has just moved to another CPU. It takes a CPU that makes one a
    /// nanosecond nine years to use them up.
    pub fn new_id(&self, cpu: usize) -> Option<Id> {
        debug_assert!(cpu < 1 << CPU_BITS);
        let made = self.made.fetch_add(1, Relaxed) + 1;
        NonZeroU64::new(made << CPU_BITS | cpu as u64).map(Id)
    }

    /// How this CPU, which has joined the space's users, is to load its tables. It does so before it turns interrupts on.
    #[inline]
    pub fn enter(&self, space: &Space) -> Load {
        // Before anything is forgotten: what is changed later is not counted as forgotten.
        let changes = space.changes();
        let (slot, old) = match self.find(space.id) {
            Some(slot) if self.seen[slot].load(Relaxed) == changes => (slot, Old::Keep),
            Some(slot) => (slot, Old::Forget),
            None => (self.give_away(space.id), Old::Forget),
        };
        self.seen[slot].store(changes, Relaxed);
        self.current.store(slot, Relaxed);
        Load { asid: slot as u16 + 1, old }
    }

    /// What this CPU, which has `space` loaded, must forget because of one of its changes. It does so before it turns interrupts on.
    #[inline]
    pub fn catch_up(&self, space: &Space, change: Change) -> Forget {
        let current = self.current.load(Relaxed);
        let seen = &self.seen[current];
        debug_assert_eq!(self.ids[current].load(Relaxed), number(space.id));
        match change.0.saturating_sub(seen.load(Relaxed)) {
            0 => Forget::Nothing,
            1 => {
                seen.store(change.0, Relaxed);
                Forget::Changed
            }
            _ => {
                seen.store(space.changes(), Relaxed);
                Forget::Everything
            }
        }
    }

    #[inline]
    fn find(&self, id: Option<Id>) -> Option<usize> {
        let id = number(Some(id?));
        self.ids.iter().position(|slot| slot.load(Relaxed) == id)
    }

    /// The slots are given away in turn.
    fn give_away(&self, id: Option<Id>) -> usize {
        let slot = self.next.load(Relaxed) % SLOTS;
        self.next.store(slot + 1, Relaxed);
        self.ids[slot].store(number(id), Relaxed);
        slot
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

fn number(id: Option<Id>) -> u64 {
    id.map_or(0, |id| id.0.get())
}
