//! Ports, model-specific registers, control registers: one function an instruction.

use core::arch::asm;

/// Reads a byte from a port.
///
/// # Safety
/// Reading the port must have no effect that the rest of the kernel does not expect.
pub unsafe fn inb(port: u16) -> u8 {
    let value;
    // SAFETY: the caller vouches for the port; the instruction touches no memory.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack)) };
    value
}

/// Writes a byte to a port.
///
/// # Safety
/// As for [`inb`], for writing.
pub unsafe fn outb(port: u16, value: u8) {
    // SAFETY: the caller vouches for the port; the instruction touches no memory.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) };
}

/// Writes a 16-bit word to a port.
///
/// # Safety
/// As for [`inb`], for writing.
pub unsafe fn outw(port: u16, value: u16) {
    // SAFETY: the caller vouches for the port; the instruction touches no memory.
    unsafe { asm!("out dx, ax", in("dx") port, in("ax") value, options(nomem, nostack)) };
}

/// Model-specific registers, by the names of the manuals.
pub mod msr {
    /// Local APIC base and mode.
    pub const APIC_BASE: u32 = 0x1b;
    /// Page attribute table.
    pub const PAT: u32 = 0x277;
    /// The timer's deadline in TSC ticks.
    pub const TSC_DEADLINE: u32 = 0x6e0;
    /// First x2APIC register.
    pub const X2APIC_BASE: u32 = 0x800;
    /// Extended features: SCE, LME, NXE.
    pub const EFER: u32 = 0xc000_0080;
    /// Selectors for `syscall` and `sysret`.
    pub const STAR: u32 = 0xc000_0081;
    /// Target of `syscall`.
    pub const LSTAR: u32 = 0xc000_0082;
    /// Target of `syscall` from 32-bit code.
    pub const CSTAR: u32 = 0xc000_0083;
    /// Flags that `syscall` clears.
    pub const SFMASK: u32 = 0xc000_0084;
    /// FS base.
    pub const FS_BASE: u32 = 0xc000_0100;
    /// GS base.
    pub const GS_BASE: u32 = 0xc000_0101;
    /// What `swapgs` exchanges the GS base with.
    pub const KERNEL_GS_BASE: u32 = 0xc000_0102;
    /// What `rdtscp` and `rdpid` return.
    pub const TSC_AUX: u32 = 0xc000_0103;
}

/// Reads a model-specific register.
///
/// # Safety
/// The CPU must have it.
pub unsafe fn rdmsr(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller vouches for the register; reading one writes no memory.
    unsafe {
        asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nomem, nostack));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Writes a model-specific register.
///
/// # Safety
/// The CPU must have it, and the value must keep the machine as the rest of the kernel expects it.
pub unsafe fn wrmsr(register: u32, value: u64) {
    // SAFETY: the caller vouches for register and value.
    unsafe {
        asm!(
            "wrmsr",
            in("ecx") register,
            in("eax") value as u32,
            in("edx") (value >> 32) as u32,
            options(nostack),
        );
    }
}

/// The faulting address of the last page fault.
pub fn read_cr2() -> usize {
    let value;
    // SAFETY: reading CR2 has no effect.
    unsafe { asm!("mov {}, cr2", out(reg) value, options(nomem, nostack)) };
    value
}

/// The time stamp counter, not ordered with other instructions.
pub fn rdtsc() -> u64 {
    // SAFETY: every 64-bit CPU has it, and the kernel leaves it enabled.
    unsafe { core::arch::x86_64::_rdtsc() }
}
