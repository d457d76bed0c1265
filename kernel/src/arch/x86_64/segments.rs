//! What user mode has in FS, GS, DS and ES: selectors, and the bases of the first two.
//!
//! In 64-bit mode only these bases mean anything, and programs leave all four selectors 0. Linux keeps the selectors all the
//! same, and so does the switch of threads: it looks at what the CPU has, and loads only if there is, was or will be one
//! that is not 0. The kernel itself uses none but GS, by its base, and leaves in the registers what user mode had there.
//!
//! A selector that user mode has loaded can be loaded again, here and on every other CPU: all have the same
//! descriptors, which never change, and there are no local descriptor tables.

use core::{
    arch::asm,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use super::{features, io};

/// The four selectors, 16 bits each, DS lowest, then ES, FS, GS.
#[derive(Clone, Copy, Default)]
struct Selectors(u64);

const FS_SHIFT: u32 = 32;
const GS_SHIFT: u32 = 48;

impl Selectors {
    /// What the CPU has, and whether any is not 0.
    #[inline]
    fn read() -> Selectors {
        let (ds, es, fs, gs): (u64, u64, u64, u64);
        // SAFETY: reads registers; with a 64-bit target the upper bits become 0.
        unsafe {
            asm!(
                "mov {:r}, ds",
                "mov {:r}, es",
                "mov {:r}, fs",
                "mov {:r}, gs",
                out(reg) ds,
                out(reg) es,
                out(reg) fs,
                out(reg) gs,
                options(nomem, nostack, preserves_flags),
            );
        }
        if ds | es | fs | gs == 0 {
            return Selectors(0);
        }
        Selectors(ds | es << 16 | fs << FS_SHIFT | gs << GS_SHIFT)
    }

    fn fs(self) -> u16 {
        (self.0 >> FS_SHIFT) as u16
    }

    fn gs(self) -> u16 {
        (self.0 >> GS_SHIFT) as u16
    }

    fn without_fs(self) -> Selectors {
        Selectors(self.0 & !(0xffff << FS_SHIFT))
    }

    fn without_gs(self) -> Selectors {
        Selectors(self.0 & !(0xffff << GS_SHIFT))
    }

    /// Loads all four. The bases of FS and of user mode's GS become those of the descriptors.
    ///
    /// # Safety
    /// Interrupts are off, and user mode has loaded these selectors, or they are 0.
    #[cold]
    unsafe fn load(self) {
        // SAFETY: the descriptors let user mode load them, so they let the kernel. Between the two `swapgs` there is no kernel
        // GS; interrupts are off, and what comes all the same does not trust GS (see entry.rs).
        unsafe {
            asm!(
                "mov ds, {:x}",
                "mov es, {:x}",
                "mov fs, {:x}",
                "swapgs",
                "mov gs, {:x}",
                "swapgs",
                in(reg) self.0 as u16,
                in(reg) (self.0 >> 16) as u16,
                in(reg) self.fs(),
                in(reg) self.gs(),
                options(nostack, preserves_flags),
            );
        }
    }
}

/// A thread's segments as a value.
#[derive(Clone, Copy, Default)]
pub struct UserSegments {
    selectors: Selectors,
    fs_base: usize,
    gs_base: usize,
}

impl UserSegments {
    /// With `base` as FS base, and no FS selector: what `arch_prctl(ARCH_SET_FS)` and `CLONE_SETTLS` make.
    #[must_use]
    pub fn with_fs_base(self, base: usize) -> UserSegments {
        UserSegments { selectors: self.selectors.without_fs(), fs_base: base, ..self }
    }

    /// The same for GS.
    #[must_use]
    pub fn with_gs_base(self, base: usize) -> UserSegments {
        UserSegments { selectors: self.selectors.without_gs(), gs_base: base, ..self }
    }

    /// FS base: the thread pointer.
    pub fn fs_base(&self) -> usize {
        self.fs_base
    }

    /// GS base of user mode.
    pub fn gs_base(&self) -> usize {
        self.gs_base
    }
}

/// Where a thread's segments are while it is off its CPU. Stale while it runs.
pub(super) struct SavedSegments {
    selectors: AtomicU64,
    fs_base: AtomicUsize,
    gs_base: AtomicUsize,
}

impl SavedSegments {
    pub(super) fn new(segments: UserSegments) -> SavedSegments {
        SavedSegments {
            selectors: AtomicU64::new(segments.selectors.0),
            fs_base: AtomicUsize::new(segments.fs_base),
            gs_base: AtomicUsize::new(segments.gs_base),
        }
    }

    /// What was saved last.
    pub(super) fn get(&self) -> UserSegments {
        UserSegments {
            selectors: Selectors(self.selectors.load(Ordering::Relaxed)),
            fs_base: self.fs_base.load(Ordering::Relaxed),
            gs_base: self.gs_base.load(Ordering::Relaxed),
        }
    }

    fn set(&self, segments: UserSegments) {
        self.selectors.store(segments.selectors.0, Ordering::Relaxed);
        self.fs_base.store(segments.fs_base, Ordering::Relaxed);
        self.gs_base.store(segments.gs_base, Ordering::Relaxed);
    }

    /// Saves what the CPU has: user mode may have changed it. For the running thread, with preemption off.
    #[inline]
    pub(super) fn save(&self) {
        let selectors = Selectors::read();
        if selectors.0 | self.selectors.load(Ordering::Relaxed) != 0 {
            self.selectors.store(selectors.0, Ordering::Relaxed);
        }
        let fs = if features::fsgsbase() {
            let fs: usize;
            // SAFETY: CR4.FSGSBASE is on.
            unsafe { asm!("rdfsbase {}", out(reg) fs, options(nomem, nostack)) };
            fs
        } else {
            // Loading a selector changed it, perhaps. SAFETY: the register exists on every 64-bit CPU.
            unsafe { io::rdmsr(io::msr::FS_BASE) as usize }
        };
        self.fs_base.store(fs, Ordering::Relaxed);
        // SAFETY: as above.
        let gs = unsafe { io::rdmsr(io::msr::KERNEL_GS_BASE) };
        self.gs_base.store(gs as usize, Ordering::Relaxed);
    }

    /// Sets the running thread's segments, at once.
    ///
    /// # Safety
    /// Interrupts are off, and the segments come from `get` of a thread.
    pub(super) unsafe fn replace(&self, segments: UserSegments) {
        self.set(segments);
        // SAFETY: passed on.
        unsafe {
            segments.selectors.load();
            self.load_bases();
        }
    }

    /// Loads the selectors, if that changes anything, after `previous` was saved. The bases are to be loaded after.
    ///
    /// # Safety
    /// Interrupts are off.
    #[inline]
    pub(super) unsafe fn load_selectors(&self, previous: &SavedSegments) {
        let next = self.selectors.load(Ordering::Relaxed);
        if next | previous.selectors.load(Ordering::Relaxed) != 0 {
            // SAFETY: passed on; they are 0, or a thread had them in user mode when they were saved.
            unsafe { Selectors(next).load() };
        }
    }

    /// Loads the bases.
    ///
    /// # Safety
    /// They are canonical: user mode had them, or they are user addresses.
    #[inline]
    pub(super) unsafe fn load_bases(&self) {
        let fs = self.fs_base.load(Ordering::Relaxed);
        let gs = self.gs_base.load(Ordering::Relaxed);
        // SAFETY: the kernel does not use FS, and while in the kernel the user's GS base is in this register.
        unsafe {
            if features::fsgsbase() {
                asm!("wrfsbase {}", in(reg) fs, options(nostack));
            } else {
                io::wrmsr(io::msr::FS_BASE, fs as u64);
            }
            io::wrmsr(io::msr::KERNEL_GS_BASE, gs as u64);
        }
    }
}
