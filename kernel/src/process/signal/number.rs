//! Signal numbers, sets of them, and what the kernel does with each by default (`signal(7)`).

/// Signal numbers, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Signal(pub u8);

macro_rules! signals {
    ($($name:ident = $number:literal;)*) => {
        #[expect(dead_code, reason = "all of them have names, also those that the kernel never sends")]
        impl Signal {
            $(pub const $name: Signal = Signal($number);)*
        }
    };
}

signals! {
    SIGHUP = 1; SIGINT = 2; SIGQUIT = 3; SIGILL = 4; SIGTRAP = 5; SIGABRT = 6; SIGBUS = 7; SIGFPE = 8;
    SIGKILL = 9; SIGUSR1 = 10; SIGSEGV = 11; SIGUSR2 = 12; SIGPIPE = 13; SIGALRM = 14; SIGTERM = 15;
    SIGSTKFLT = 16; SIGCHLD = 17; SIGCONT = 18; SIGSTOP = 19; SIGTSTP = 20; SIGTTIN = 21; SIGTTOU = 22;
    SIGURG = 23; SIGXCPU = 24; SIGXFSZ = 25; SIGVTALRM = 26; SIGPROF = 27; SIGWINCH = 28; SIGIO = 29;
    SIGPWR = 30; SIGSYS = 31;
}

/// The first real-time signal as the kernel counts them.
pub const SIGRTMIN: Signal = Signal(32);

/// What a signal does to a process without a handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultAction {
    /// Nothing.
    Ignore,
    /// Stops it.
    Stop,
    /// Ends it.
    Terminate,
    /// Ends it; a core may be dumped.
    Core,
}

impl Signal {
    /// From a number that user space gave; `None` unless 1 to 64.
    pub fn new(number: usize) -> Option<Signal> {
        match u8::try_from(number) {
            Ok(number @ 1..=64) => Some(Signal(number)),
            _ => None,
        }
    }

    /// The position in tables and sets, 0 to 63.
    pub const fn index(self) -> usize {
        (self.0 - 1) as usize
    }

    /// Whether each instance is queued.
    pub fn is_realtime(self) -> bool {
        self >= SIGRTMIN
    }

    /// The default action.
    pub const fn default_action(self) -> DefaultAction {
        if SignalSet::DEFAULT_IGNORE.contains(self) {
            DefaultAction::Ignore
        } else if SignalSet::STOP.contains(self) {
            DefaultAction::Stop
        } else if SignalSet::CORE.contains(self) {
            DefaultAction::Core
        } else {
            DefaultAction::Terminate
        }
    }
}

/// A set of signals; bit n-1 is signal n (`sigset_t`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// None.
    pub const EMPTY: SignalSet = SignalSet(0);
    /// What can be neither caught, blocked nor ignored.
    pub const KERNEL_ONLY: SignalSet = SignalSet::of(&[Signal::SIGKILL, Signal::SIGSTOP]);
    /// What stops a process by default.
    pub const STOP: SignalSet =
        SignalSet::of(&[Signal::SIGSTOP, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU]);
    /// What is ignored by default.
    pub const DEFAULT_IGNORE: SignalSet =
        SignalSet::of(&[Signal::SIGCONT, Signal::SIGCHLD, Signal::SIGWINCH, Signal::SIGURG]);
    /// What ends a process with a core by default.
    pub const CORE: SignalSet = SignalSet::of(&[
        Signal::SIGQUIT,
        Signal::SIGILL,
        Signal::SIGTRAP,
        Signal::SIGABRT,
        Signal::SIGFPE,
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGSYS,
        Signal::SIGXCPU,
        Signal::SIGXFSZ,
    ]);
    /// What the running program itself causes by a fault: delivered before all else.
    pub const SYNCHRONOUS: SignalSet = SignalSet::of(&[
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGILL,
        Signal::SIGTRAP,
        Signal::SIGFPE,
        Signal::SIGSYS,
    ]);

    /// The set of the signals listed.
    pub const fn of(signals: &[Signal]) -> SignalSet {
        let mut set = 0;
        let mut i = 0;
        while i < signals.len() {
            set |= 1 << (signals[i].0 - 1);
            i += 1;
        }
        SignalSet(set)
    }

    /// Whether `signal` is in the set.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << (signal.0 - 1)) != 0
    }

    /// Whether the set has no member.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// This and `signal`.
    pub const fn with(self, signal: Signal) -> SignalSet {
        SignalSet(self.0 | 1 << (signal.0 - 1))
    }

    /// Members of either.
    pub const fn union(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }

    /// Members of both.
    pub const fn intersection(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & other.0)
    }

    /// Members of this that are not in `other`.
    pub const fn difference(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & !other.0)
    }

    /// The lowest member.
    pub const fn first(self) -> Option<Signal> {
        match self.0 {
            0 => None,
            set => Some(Signal(set.trailing_zeros() as u8 + 1)),
        }
    }
}
