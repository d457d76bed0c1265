//! What a process does with each signal (`sigaction(2)`): the table that `CLONE_SIGHAND` shares.
//!
//! The table is behind a lock; two words that summarise it are read without one, because senders only want to know
//! whether a signal would be ignored, and a thread about to run a handler only ever takes the lock once.

use super::{Signal, SignalSet};
use crate::sync::{IrqSpinLock, class};
use core::sync::atomic::{AtomicU64, Ordering};
use zerocopy::{FromBytes, Immutable, IntoBytes};

bitflags::bitflags! {
    /// `SA_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct ActionFlags: u64 {
        const NOCLDSTOP = 1;
        const NOCLDWAIT = 2;
        const SIGINFO = 4;
        const EXPOSE_TAGBITS = 0x800;
        const RESTORER = 0x0400_0000;
        const ONSTACK = 0x0800_0000;
        const RESTART = 0x1000_0000;
        const NODEFER = 0x4000_0000;
        const RESETHAND = 0x8000_0000;
    }
}

/// The default action.
pub const SIG_DFL: usize = 0;
/// Ignored.
pub const SIG_IGN: usize = 1;

/// One signal's action.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// `SIG_DFL`, `SIG_IGN` or the handler's address.
    pub handler: usize,
    /// Flags; what the kernel does not know was cleared.
    pub flags: ActionFlags,
    /// Where the handler returns to.
    pub restorer: usize,
    /// What is blocked while the handler runs.
    pub mask: SignalSet,
}

/// `struct kernel_sigaction`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
pub struct UserAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

impl From<UserAction> for Action {
    fn from(user: UserAction) -> Action {
        Action {
            handler: user.handler,
            flags: ActionFlags::from_bits_truncate(user.flags),
            restorer: user.restorer,
            mask: SignalSet(user.mask).difference(SignalSet::KERNEL_ONLY),
        }
    }
}

impl From<Action> for UserAction {
    fn from(action: Action) -> UserAction {
        UserAction {
            handler: action.handler,
            flags: action.flags.bits(),
            restorer: action.restorer,
            mask: action.mask.0,
        }
    }
}

impl Action {
    const DEFAULT: Action = Action {
        handler: SIG_DFL,
        flags: ActionFlags::empty(),
        restorer: 0,
        mask: SignalSet::EMPTY,
    };
}

/// The table of actions.
pub struct Handlers {
    table: IrqSpinLock<[Action; 64]>,
    /// Signals whose handler is `SIG_IGN`.
    ignored: AtomicU64,
    /// Signals whose handler is `SIG_DFL`.
    default: AtomicU64,
}

impl Handlers {
    /// All default.
    pub fn new() -> Handlers {
        Handlers::with_table([Action::DEFAULT; 64], 0, u64::MAX)
    }

    /// `ignored` and `default` are the signals with these handlers.
    fn with_table(table: [Action; 64], ignored: u64, default: u64) -> Handlers {
        Handlers {
            table: IrqSpinLock::new(&class::SIGNAL_HANDLERS, table),
            ignored: AtomicU64::new(ignored),
            default: AtomicU64::new(default),
        }
    }

    /// A copy, for fork.
    pub fn duplicate(&self) -> Handlers {
        // The words belong to the table, and are only written under its lock.
        let table = self.table.lock();
        let (ignored, default) = (&self.ignored, &self.default);
        let [ignored, default] = [ignored, default].map(|word| word.load(Ordering::Relaxed));
        Handlers::with_table(*table, ignored, default)
    }

    /// What exec and `CLONE_CLEAR_SIGHAND` make of the table: ignored stays ignored, all else
    /// becomes the default.
    pub fn cleared(&self) -> Handlers {
        let mut table = [Action::DEFAULT; 64];
        let ignored = self.ignored.load(Ordering::Relaxed);
        let mut left = ignored;
        while left != 0 {
            table[left.trailing_zeros() as usize].handler = SIG_IGN;
            left &= left - 1;
        }
        Handlers::with_table(table, ignored, !ignored)
    }

    /// The action for `signal`.
    pub fn get(&self, signal: Signal) -> Action {
        self.table.lock()[signal.index()]
    }

    /// Replaces it; the old one.
    pub fn set(&self, signal: Signal, action: Action) -> Action {
        let mut table = self.table.lock();
        let old = core::mem::replace(&mut table[signal.index()], action);
        let bit = 1 << signal.index();
        for (word, value) in [(&self.ignored, SIG_IGN), (&self.default, SIG_DFL)] {
            // Only written under the table's lock.
            let others = word.load(Ordering::Relaxed) & !bit;
            let own = if action.handler == value { bit } else { 0 };
            word.store(others | own, Ordering::Relaxed);
        }
        old
    }

    /// The action for `signal` that is about to run: `SA_RESETHAND` takes effect here.
    pub fn take(&self, signal: Signal) -> Action {
        let action = self.get(signal);
        if action.flags.contains(ActionFlags::RESETHAND) && action.handler > SIG_IGN {
            // Linux resets the handler alone and keeps mask and flags.
            self.set(signal, Action { handler: SIG_DFL, ..action });
        }
        action
    }

    /// Whether the handler is `SIG_IGN`.
    pub fn is_ignored(&self, signal: Signal) -> bool {
        SignalSet(self.ignored.load(Ordering::Relaxed)).contains(signal)
    }

    /// Whether the handler is `SIG_DFL`.
    pub fn is_default(&self, signal: Signal) -> bool {
        SignalSet(self.default.load(Ordering::Relaxed)).contains(signal)
    }

    /// Signals with `SIG_IGN`, and signals with a handler of the program's (`/proc/<pid>/status`).
    pub fn summary(&self) -> (SignalSet, SignalSet) {
        let ignored = self.ignored.load(Ordering::Relaxed);
        let default = self.default.load(Ordering::Relaxed);
        (SignalSet(ignored), SignalSet(!(ignored | default)))
    }
}
