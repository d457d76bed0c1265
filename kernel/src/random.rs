//! Randomness for the kernel and for user space (`getrandom(2)`, `/dev/urandom`, `AT_RANDOM`, address space layout).
//!
//! One generator (crate `crng`), seeded at boot from the CPU's own source and the clocks, reseeded every minute of
//! use. Its lock is held for one ChaCha block a request, however long. It is ready from the first call on: seeding takes
//! no waiting.
#![forbid(unsafe_code)]

use crate::{
    arch,
    sync::{IrqSpinLock, class},
    time,
};
use crng::Generator;

/// Bits of entropy that a full pool is said to hold (`/proc/sys/kernel/random/poolsize`).
pub const POOL_BITS: u32 = 256;

/// How long a seed is used, in nanoseconds.
const SEED_LIFE: u64 = 60_000_000_000;

struct Pool {
    generator: Generator,
    /// When it was last seeded; never, at 0.
    seeded: u64,
}

static POOL: IrqSpinLock<Pool> =
    IrqSpinLock::new(&class::RANDOM, Pool { generator: Generator::new(), seeded: 0 });

impl Pool {
    fn seed(&mut self, now: u64) {
        for _ in 0..4 {
            self.generator.mix(&arch::random::word().unwrap_or(0).to_le_bytes());
            self.generator.mix(&arch::random::cycles().to_le_bytes());
        }
        self.generator.mix(&now.to_le_bytes());
        self.seeded = now.max(1);
    }
}

/// Fills `out` with random bytes.
pub fn fill(out: &mut [u8]) {
    let now = time::monotonic().0;
    let mut stream = {
        let mut pool = POOL.lock();
        if pool.seeded == 0 || now.saturating_sub(pool.seeded) > SEED_LIFE {
            pool.seed(now);
        }
        pool.generator.split()
    };
    stream.fill(out);
}

/// A random word.
pub fn word() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Mixes in what may be entropy.
pub fn mix(bytes: &[u8]) {
    POOL.lock().generator.mix(bytes);
}

/// Seeds anew at once.
pub fn reseed() {
    let now = time::monotonic().0;
    POOL.lock().seed(now);
}
