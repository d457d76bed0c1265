//! Who has which local port: [`Binding`]s in a table of buckets, one table a protocol.
//!
//! A binding is listed weakly and leaves the table with its last reference, which is held by whoever uses the port: the socket that
//! was bound, the connections that came through it, what waits in `TIME_WAIT`.
//!
//! Locks: a bucket's (class `INET_PORT`). Bindings may be dropped with a socket's lock held, but not with a bucket's.

use super::settings;
use crate::{
    mm::try_alloc,
    process::Capability,
    random, sched,
    sync::{SpinLock, SpinLockGuard, class, rcu},
};
use abi::{Errno, Result};
use alloc::{
    sync::{Arc, Weak},
    vec::Vec,
};
use core::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::atomic::{AtomicBool, Ordering},
};
use inet::ports::{Claim, Parity, Search, conflicts};

const BUCKETS: usize = 1024;

/// The bindings of one protocol.
pub struct Ports([SpinLock<Vec<Weak<Binding>>>; BUCKETS]);

/// The right to a local port.
pub struct Binding {
    table: &'static Ports,
    address: Ipv4Addr,
    port: u16,
    reuse: Reuse,
    user: u32,
    /// It was made by `connect(2)`: other connections may share it.
    automatic: bool,
    listening: AtomicBool,
}

/// What a socket says about sharing its address (`SO_REUSEADDR`, `SO_REUSEPORT`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// `SO_REUSEADDR`.
    pub address: bool,
    /// `SO_REUSEPORT`.
    pub port: bool,
}

/// Whether a search for a port minds who else has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// Nobody may.
    Refused,
    /// As the options say.
    AsAsked,
}

impl Binding {
    /// The local port.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn claim(&self) -> Claim {
        Claim {
            address: self.address.to_bits(),
            reuse_address: self.reuse.address,
            reuse_port: self.reuse.port,
            user: self.user,
            listening: self.listening.load(Ordering::Relaxed),
        }
    }

    /// It no longer listens.
    pub fn stop_listening(&self) {
        self.listening.store(false, Ordering::Relaxed);
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        let mut bucket = self.table.bucket(self.port);
        bucket.retain(|listed| !core::ptr::eq(listed.as_ptr(), self));
    }
}

fn user() -> u32 {
    sched::current().credentials.get(&rcu::read()).fsuid.0
}

fn may_use(port: u16) -> Result<()> {
    let privileged =
        || sched::current().credentials.get(&rcu::read()).has(Capability::NetBindService);
    if port >= settings::FIRST_UNPRIVILEGED || privileged() { Ok(()) } else { Err(Errno::EACCES) }
}

fn search(parity: Parity, start: u32) -> Search {
    let (first, last) = settings::local_ports();
    Search::new(first, last, start, parity)
}

/// A bucket's bindings of one port that somebody still holds. They keep them alive: drop them after the bucket's lock. `ENOMEM`.
fn of_port(bucket: &[Weak<Binding>], port: u16) -> Result<Vec<Arc<Binding>>> {
    let mut found = Vec::new();
    found.try_reserve(bucket.len()).map_err(|_| Errno::ENOMEM)?;
    let held = bucket.iter().filter_map(Weak::upgrade);
    found.extend(held.filter(|binding| binding.port == port));
    Ok(found)
}

/// Lists a binding; `ENOMEM`.
fn list(bucket: &mut Vec<Weak<Binding>>, binding: &Arc<Binding>) -> Result<()> {
    bucket.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
    bucket.push(Arc::downgrade(binding));
    Ok(())
}

impl Ports {
    /// Nothing bound.
    pub const fn new() -> Ports {
        Ports([const { SpinLock::new(&class::INET_PORT, Vec::new()) }; BUCKETS])
    }

    fn bucket(&self, port: u16) -> SpinLockGuard<'_, Vec<Weak<Binding>>> {
        self.0[usize::from(port) % BUCKETS].lock()
    }

    /// Binds to an address and port (`bind(2)`); to a free port when it is 0. `EACCES`, `EADDRINUSE`, `ENOMEM`.
    pub fn bind(&'static self, to: SocketAddrV4, reuse: Reuse) -> Result<Arc<Binding>> {
        if to.port() != 0 {
            may_use(to.port())?;
            return self.try_bind(to, reuse, Sharing::AsAsked)?.ok_or(Errno::EADDRINUSE);
        }
        // A port that is nobody's, before one that could be shared.
        for sharing in [Sharing::Refused, Sharing::AsAsked] {
            for port in search(Parity::Odd, random::word() as u32) {
                let to = SocketAddrV4::new(*to.ip(), port);
                if let Some(binding) = self.try_bind(to, reuse, sharing)? {
                    return Ok(binding);
                }
            }
        }
        Err(Errno::EADDRINUSE)
    }

    fn try_bind(
        &'static self,
        to: SocketAddrV4,
        reuse: Reuse,
        sharing: Sharing,
    ) -> Result<Option<Arc<Binding>>> {
        let binding = self.new_binding(to, reuse, false)?;
        let mut mine = binding.claim();
        if sharing == Sharing::Refused {
            (mine.reuse_address, mine.reuse_port) = (false, false);
        }
        let mut bucket = self.bucket(to.port());
        let others = of_port(&bucket, to.port())?;
        let free = others.iter().all(|other| !conflicts(&mine, &other.claim()));
        let listed = if free { list(&mut bucket, &binding) } else { Ok(()) };
        drop(bucket);
        listed.map(|()| free.then_some(binding))
    }

    fn new_binding(
        &'static self,
        to: SocketAddrV4,
        reuse: Reuse,
        automatic: bool,
    ) -> Result<Arc<Binding>> {
        try_alloc::arc(Binding {
            table: self,
            address: *to.ip(),
            port: to.port(),
            reuse,
            user: user(),
            automatic,
            listening: AtomicBool::new(false),
        })
    }

    /// Lets a bound socket listen; `EADDRINUSE` when another does that it would have to share with, `ENOMEM`.
    pub fn listen(&self, binding: &Arc<Binding>) -> Result<()> {
        let bucket = self.bucket(binding.port);
        let others = of_port(&bucket, binding.port)?;
        let mine = Claim { listening: true, ..binding.claim() };
        let free = others
            .iter()
            .all(|other| Arc::ptr_eq(other, binding) || !conflicts(&mine, &other.claim()));
        if free {
            binding.listening.store(true, Ordering::Relaxed);
        }
        drop(bucket);
        if free { Ok(()) } else { Err(Errno::EADDRINUSE) }
    }

    /// Finds a port for a connection from `address` (`connect(2)`) that `enter` accepts: it enters the connection in its table, under
    /// the lock of the port, unless its four numbers are taken. `EADDRNOTAVAIL`, `ENOMEM`.
    pub fn connect(
        &'static self,
        address: Ipv4Addr,
        reuse: Reuse,
        start: u32,
        mut enter: impl FnMut(&Arc<Binding>) -> bool,
    ) -> Result<Arc<Binding>> {
        for port in search(Parity::Even, start) {
            let mut bucket = self.bucket(port);
            let others = of_port(&bucket, port)?;
            if !others.iter().all(|other| other.automatic) {
                drop(bucket);
                continue;
            }
            let same = |other: &&Arc<Binding>| other.address == address && other.reuse == reuse;
            let shared = others.iter().find(same).cloned();
            let binding = match shared {
                Some(binding) => Ok(binding),
                None => self
                    .new_binding(SocketAddrV4::new(address, port), reuse, true)
                    .and_then(|binding| list(&mut bucket, &binding).map(|()| binding)),
            };
            let entered = binding.as_ref().is_ok_and(&mut enter);
            drop(bucket);
            // One that was listed and is not needed goes with its reference.
            let binding = binding?;
            if entered {
                return Ok(binding);
            }
        }
        Err(Errno::EADDRNOTAVAIL)
    }

    /// Runs `enter` under the lock of a port that is bound already.
    pub fn with_port<R>(&self, port: u16, enter: impl FnOnce() -> R) -> R {
        let _bucket = self.bucket(port);
        enter()
    }
}
