//! What the CPU can do, and turning it on: protection bits, `syscall`, page attributes.

use core::{
    arch::{asm, x86_64::__cpuid_count},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{cpu, gdt, io, io::msr};

/// Facts about the CPUs, found on the first and assumed of the others.
pub struct Features {
    /// `rdfsbase` and its family.
    pub fsgsbase: AtomicBool,
    /// Supervisor-mode access prevention.
    pub smap: AtomicBool,
    /// Fast `rep movsb`.
    pub erms: AtomicBool,
    /// x2APIC mode.
    pub x2apic: AtomicBool,
    /// The timer can be set to a TSC value.
    pub tsc_deadline: AtomicBool,
    /// `rdtscp` and the TSC_AUX register.
    pub rdtscp: AtomicBool,
}

static FEATURES: Features = Features {
    fsgsbase: AtomicBool::new(false),
    smap: AtomicBool::new(false),
    erms: AtomicBool::new(false),
    x2apic: AtomicBool::new(false),
    tsc_deadline: AtomicBool::new(false),
    rdtscp: AtomicBool::new(false),
};

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name() -> bool {
            FEATURES.$name.load(Ordering::Relaxed)
        }
    )*};
}

getters! {
    /// Whether user mode and the kernel may use `rdfsbase` and its family.
    fsgsbase
    /// Whether SMAP is on.
    smap
    /// Whether `rep movsb` is said to be fast.
    erms
    /// Whether there is an x2APIC.
    x2apic
    /// Whether the timer can be set to a TSC value.
    tsc_deadline
    /// Whether there is `rdtscp`.
    rdtscp
}

/// What the auxiliary vector tells programs of the CPU (`AT_HWCAP`, `AT_HWCAP2`): CPUID leaf 1's EDX; bit 1 for usable
/// `rdfsbase`.
pub fn hardware_capabilities() -> (u32, u32) {
    (__cpuid_count(1, 0).edx, u32::from(fsgsbase()) << 1)
}

mod cr0 {
    pub const MP: usize = 1 << 1;
    pub const EM: usize = 1 << 2;
    pub const TS: usize = 1 << 3;
    pub const NE: usize = 1 << 5;
    pub const WP: usize = 1 << 16;
    pub const AM: usize = 1 << 18;
    pub const NW: usize = 1 << 29;
    pub const CD: usize = 1 << 30;
}

mod cr4 {
    pub const PGE: usize = 1 << 7;
    pub const OSFXSR: usize = 1 << 9;
    pub const OSXMMEXCPT: usize = 1 << 10;
    pub const UMIP: usize = 1 << 11;
    pub const FSGSBASE: usize = 1 << 16;
    pub const OSXSAVE: usize = 1 << 18;
    pub const SMEP: usize = 1 << 20;
    pub const SMAP: usize = 1 << 21;
}

mod efer {
    pub const SCE: u64 = 1 << 0;
    pub const NXE: u64 = 1 << 11;
}

/// Runs `f` while this CPU may write to the kernel's read-only pages.
///
/// # Safety
/// Interrupts are off, and `f` writes to no other such pages than it is meant to.
pub(super) unsafe fn without_write_protection(f: impl FnOnce()) {
    let cr0: usize;
    // SAFETY: only the one bit changes, and comes back; the caller's `f` is all that runs meanwhile.
    unsafe {
        asm!("mov {}, cr0", out(reg) cr0, options(nomem, nostack, preserves_flags));
        asm!("mov cr0, {}", in(reg) cr0 & !cr0::WP, options(nostack, preserves_flags));
        f();
        asm!("mov cr0, {}", in(reg) cr0, options(nostack, preserves_flags));
    }
}

/// Write-back, write-through, uncached but for MTRRs, uncached, then write-protect and
/// write-combining: the layout that Limine leaves, so that a hand-over changes no page's type.
const PAT: u64 = 0x0007_0105_0007_0406;
/// Flags that `syscall` clears: trap, interrupt, direction, nested task, I/O level, alignment check.
const SYSCALL_MASK: u64 = 0x4_7700;

/// Sets this CPU up. The first CPU finds the features out, too.
pub(super) fn init(first: bool) {
    let leaf1 = __cpuid_count(1, 0);
    let (ebx7, ecx7) = if max_leaf() >= 7 {
        let leaf = __cpuid_count(7, 0);
        (leaf.ebx, leaf.ecx)
    } else {
        (0, 0)
    };
    if first {
        let extended1 = __cpuid_count(0x8000_0001, 0);
        let set = |flag: &AtomicBool, value: bool| flag.store(value, Ordering::Relaxed);
        set(&FEATURES.fsgsbase, ebx7 & 1 << 0 != 0);
        set(&FEATURES.smap, ebx7 & 1 << 20 != 0);
        set(&FEATURES.erms, ebx7 & 1 << 9 != 0);
        set(&FEATURES.x2apic, leaf1.ecx & 1 << 21 != 0);
        set(&FEATURES.tsc_deadline, leaf1.ecx & 1 << 24 != 0);
        set(&FEATURES.rdtscp, extended1.edx & 1 << 27 != 0);
    }
    let mut cr4 = cr4::PGE | cr4::OSFXSR | cr4::OSXMMEXCPT;
    for (present, bit) in [
        (ebx7 & 1 << 0 != 0, cr4::FSGSBASE),
        (ebx7 & 1 << 7 != 0, cr4::SMEP),
        (ebx7 & 1 << 20 != 0, cr4::SMAP),
        (ecx7 & 1 << 2 != 0, cr4::UMIP),
        (leaf1.ecx & 1 << 26 != 0, cr4::OSXSAVE),
    ] {
        if present {
            cr4 |= bit;
        }
    }
    let star = u64::from(gdt::selector::KERNEL_CODE) << 32 | u64::from(gdt::SYSRET_BASE) << 48;
    // SAFETY: every 64-bit CPU has these registers; the bits set are ones that CPUID announced,
    // and the kernel's mappings already respect write protection, NX, SMEP and SMAP.
    unsafe {
        let mut old_cr0: usize;
        asm!("mov {}, cr0", out(reg) old_cr0, options(nomem, nostack));
        old_cr0 &= !(cr0::EM | cr0::TS | cr0::NW | cr0::CD);
        old_cr0 |= cr0::MP | cr0::NE | cr0::WP | cr0::AM;
        asm!("mov cr0, {}", in(reg) old_cr0, options(nostack));
        let mut old_cr4: usize;
        asm!("mov {}, cr4", out(reg) old_cr4, options(nomem, nostack));
        old_cr4 |= cr4;
        asm!("mov cr4, {}", in(reg) old_cr4, options(nostack));
        io::wrmsr(msr::PAT, PAT);
        io::wrmsr(msr::EFER, io::rdmsr(msr::EFER) | efer::SCE | efer::NXE);
        io::wrmsr(msr::STAR, star);
        io::wrmsr(msr::LSTAR, super::entry::syscall_entry_address() as u64);
        io::wrmsr(msr::CSTAR, super::entry::syscall32_entry_address() as u64);
        io::wrmsr(msr::SFMASK, SYSCALL_MASK);
    }
}

/// Makes `rdtscp` and `rdpid` tell this CPU's number and its node's, as `getcpu(2)` in the vDSO wants it.
pub(super) fn set_tsc_aux(index: usize) {
    if rdtscp() {
        // SAFETY: CPUs with `rdtscp` have the register, and nothing else looks at it.
        unsafe { io::wrmsr(msr::TSC_AUX, u64::from(cpu::number_and_node(index))) };
    }
}

fn max_leaf() -> u32 {
    __cpuid_count(0, 0).eax
}
