//! The CPU's random number source, and its cycle counter as a weak one.

use core::arch::{
    asm,
    x86_64::{__cpuid_count, _rdtsc},
};

const CPUID_1_ECX_RDRAND: u32 = 1 << 30;

/// A word from `rdrand`; `None` when the CPU has none or it ran dry ten times (Intel's rule for giving up).
pub fn word() -> Option<u64> {
    if __cpuid_count(1, 0).ecx & CPUID_1_ECX_RDRAND == 0 {
        return None;
    }
    (0..10).find_map(|_| {
        let value: u64;
        let ok: u8;
        // SAFETY: the CPU has the instruction; it writes a register and the carry flag.
        unsafe {
            asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) ok, options(nomem, nostack));
        }
        (ok != 0).then_some(value)
    })
}

/// The cycle counter.
pub fn cycles() -> u64 {
    // SAFETY: every x86-64 CPU has it, and the kernel may always read it.
    unsafe { _rdtsc() }
}
