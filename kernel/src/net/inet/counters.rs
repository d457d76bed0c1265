//! What happened, counted on each CPU: the rows of `/proc/net/snmp` (RFC 4113, RFC 4022).

use crate::sync::{PerCpu, per_cpu};
use core::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What is counted.
        #[derive(Clone, Copy)]
        pub enum Counter { $($(#[$doc])* $name,)* }
        const COUNT: usize = [$(Counter::$name),*].len();
    };
}

counters! {
    /// Datagrams that were received by a program's call.
    UdpIn,
    /// Datagrams for ports that nobody has.
    UdpNoPorts,
    /// Datagrams that were lost for other reasons.
    UdpInErrors,
    /// Datagrams that were sent.
    UdpOut,
    /// Of the lost ones: those that the receiver had no room for.
    UdpReceiveBufferErrors,
    /// Connections that began here.
    TcpActiveOpens,
    /// Connections that were made to a listener.
    TcpPassiveOpens,
    /// Connections that were refused.
    TcpAttemptFails,
    /// Connections that ended by a reset.
    TcpEstablishedResets,
}

static COUNTERS: PerCpu<[AtomicU64; COUNT]> = per_cpu!([const { AtomicU64::new(0) }; COUNT]);

/// Counts one.
pub fn count(what: Counter) {
    COUNTERS.here_unguarded()[what as usize].fetch_add(1, Ordering::Relaxed);
}

/// How many there were.
pub fn total(what: Counter) -> u64 {
    COUNTERS.iter().map(|counters| counters[what as usize].load(Ordering::Relaxed)).sum()
}
