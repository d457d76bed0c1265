//! Memory barriers on other CPUs, for `membarrier(2)`.

use super::AddressSpace;
use crate::arch::cpu::{self, CpuMask};
use abi::{Errno, Result};
use core::sync::atomic::{Ordering, fence};

/// A full barrier on every CPU that is online: all are interrupted, which orders their accesses.
pub fn barrier_everywhere() {
    barrier_on(CpuMask(u64::MAX));
}

fn barrier_on(cpus: CpuMask) {
    fence(Ordering::SeqCst);
    cpu::call_on(cpus, &|| fence(Ordering::SeqCst));
}

impl AddressSpace {
    /// Announces that this space's threads will ask for barriers.
    pub fn register_barrier(&self) {
        self.barrier_registered.store(true, Ordering::Release);
    }

    /// A full barrier on every CPU that runs a thread of this space; `EPERM` unless announced.
    pub fn barrier(&self) -> Result<()> {
        if !self.barrier_registered.load(Ordering::Acquire) {
            return Err(Errno::EPERM);
        }
        barrier_on(self.cpu_mask());
        Ok(())
    }
}
