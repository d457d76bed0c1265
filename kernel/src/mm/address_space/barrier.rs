//! Memory barriers on other CPUs, for `membarrier(2)`.

use super::{ACTIVE, AddressSpace};
use crate::{
    arch::cpu::{self, CpuMask},
    process::rseq,
    sched,
};
use abi::{Errno, Result};
use core::sync::atomic::{Ordering, fence};

bitflags::bitflags! {
    /// What an address space has announced that it will ask for.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Announced: u32 {
        /// To be reached by everybody's barriers.
        const GLOBAL = 1;
        /// Barriers among its own threads, of any kind.
        const PRIVATE = 2;
        /// Plain ones.
        const PLAIN = 4;
        /// Such that instruction streams are read anew, too.
        const CORE = 8;
        /// Such that restartable sequences are aborted, too.
        const RSEQ = 16;
    }
}

/// What a barrier among a space's threads does beside ordering their accesses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BarrierKind {
    /// Nothing.
    Plain,
    /// Later instructions are read anew.
    Core,
    /// Restartable sequences are aborted: on all CPUs, or one.
    Rseq(Option<usize>),
}

impl BarrierKind {
    fn announced(self) -> Announced {
        match self {
            BarrierKind::Plain => Announced::PLAIN,
            BarrierKind::Core => Announced::CORE,
            BarrierKind::Rseq(_) => Announced::RSEQ,
        }
    }
}

/// A full barrier on every CPU that is online: all are interrupted, which orders their accesses.
pub fn barrier_everywhere() {
    fence(Ordering::SeqCst);
    cpu::call_on(CpuMask(u64::MAX), &|| fence(Ordering::SeqCst));
}

impl AddressSpace {
    /// Announces that this space's threads will ask for barriers of a kind.
    pub fn announce_barriers(&self, kind: BarrierKind) {
        let kind = kind.announced() | Announced::PRIVATE;
        self.announced.fetch_or(kind.bits(), Ordering::SeqCst);
    }

    /// Announces that the barriers of others are to reach this space's threads.
    pub fn announce_global_barriers(&self) {
        self.announced.fetch_or(Announced::GLOBAL.bits(), Ordering::SeqCst);
    }

    /// What was announced.
    pub fn announced_barriers(&self) -> Announced {
        Announced::from_bits_retain(self.announced.load(Ordering::SeqCst))
    }

    /// A full barrier on every CPU that runs a thread of this space; `EPERM` unless announced.
    pub fn barrier(&self, kind: BarrierKind) -> Result<()> {
        if !self.announced_barriers().contains(kind.announced()) {
            return Err(Errno::EPERM);
        }
        let cpus = match kind {
            BarrierKind::Rseq(Some(cpu)) if cpu >= cpu::MAX_CPUS => return Ok(()),
            BarrierKind::Rseq(Some(cpu)) => CpuMask(self.cpu_mask().0 & CpuMask::of(cpu).0),
            _ => self.cpu_mask(),
        };
        fence(Ordering::SeqCst);
        let this = core::ptr::from_ref(self).addr();
        cpu::call_on(cpus, &|| {
            fence(Ordering::SeqCst);
            // The interrupt's return reads instructions anew.
            let here = ACTIVE[cpu::id()].load(Ordering::Relaxed).addr() == this;
            if here && matches!(kind, BarrierKind::Rseq(_)) {
                rseq::restart(&sched::current());
            }
        });
        if kind == BarrierKind::Core {
            cpu::serialize();
        }
        Ok(())
    }

    /// The lowest concurrency id that no running thread of this space has. Preemption is off.
    pub fn take_concurrency_id(&self) -> u32 {
        const { assert!(cpu::MAX_CPUS <= u64::BITS as usize) };
        let mut taken = self.concurrency_ids.load(Ordering::Relaxed);
        loop {
            // No CPU runs two threads at once, so one of as many ids as there are CPUs is free.
            let id = taken.trailing_ones();
            match self.concurrency_ids.compare_exchange_weak(
                taken,
                taken | 1 << id,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return id,
                Err(now) => taken = now,
            }
        }
    }

    /// Gives it back.
    pub fn release_concurrency_id(&self, id: u32) {
        self.concurrency_ids.fetch_and(!(1 << id), Ordering::Release);
    }
}
