//! What the system calls itself (`uname(2)`, `sethostname(2)`, `/proc/sys/kernel`).

use crate::sync::{SpinLock, class};
use arrayvec::ArrayVec;

/// The longest host or domain name.
pub const LIMIT: usize = 64;

/// The system's name: programs ask for it to know the ABI, so it is Linux's.
pub const SYSTEM: &str = "Linux";
/// The release: the Linux whose behaviour is followed, and who we are.
pub const RELEASE: &str = "6.12.0-nos";
/// The version.
pub const VERSION: &str = concat!("#1 SMP PREEMPT NOS ", env!("CARGO_PKG_VERSION"));
/// The machine.
pub const MACHINE: &str = "x86_64";

/// A host or domain name.
pub type Name = ArrayVec<u8, LIMIT>;

struct Names {
    host: Name,
    domain: Name,
}

static NAMES: SpinLock<Option<Names>> = SpinLock::new(&class::TABLE, None);

impl Names {
    fn initial() -> Names {
        Names { host: name(b"(none)"), domain: name(b"(none)") }
    }
}

fn name(bytes: &[u8]) -> Name {
    bytes.iter().copied().take(LIMIT).collect()
}

/// Host and domain name.
pub fn names() -> (Name, Name) {
    let mut names = NAMES.lock();
    let names = names.get_or_insert_with(Names::initial);
    (names.host.clone(), names.domain.clone())
}

/// Sets the host name; what is beyond 64 bytes is cut.
pub fn set_host(host: &[u8]) {
    NAMES.lock().get_or_insert_with(Names::initial).host = name(host);
}

/// Sets the domain name.
pub fn set_domain(domain: &[u8]) {
    NAMES.lock().get_or_insert_with(Names::initial).domain = name(domain);
}
