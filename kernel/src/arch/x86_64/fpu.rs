//! FPU, SSE and AVX state: saved at a switch only if the task used it since it was restored, restored
//! on return to user mode only if the registers do not already hold it.
//!
//! The kernel itself uses none of these registers, so they stay with the last user task of a CPU. A
//! CPU remembers whose state its registers hold (`fpu_owner`), a state remembers which CPU last
//! held it (`last_cpu`): only when both agree are the registers good. A task's
//! [`WorkFlags::FPU_RESTORE`] set means that the memory copy is current; clear, that the registers
//! of the task's CPU are (they are *live*). Only the task itself and the switch look at its state,
//! so there is no lock; preemption off keeps the two apart.

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::{
    arch::{asm, x86_64::__cpuid_count},
    cell::UnsafeCell,
    ptr::{self, NonNull},
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use abi::{Errno, Result};

use super::{cpu, irq, thread::WorkFlags, uaccess};
use crate::mm::UserAddr;

const LEGACY_SIZE: usize = 512;
const HEADER: usize = LEGACY_SIZE;
const HEADER_SIZE: usize = 64;
/// Offset of MXCSR and of its mask in the legacy area.
const MXCSR: usize = 24;
const MXCSR_MASK: usize = 28;
/// Software's part of the legacy area, where the signal frame says what follows.
const SOFTWARE: usize = 464;
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
const MAGIC2_SIZE: usize = 4;

/// x87, SSE, AVX and the three parts of AVX-512.
const WANTED: u64 = 0b1110_0111;
const NO_CPU: u32 = u32::MAX;

/// Bytes of a state area.
static SIZE: AtomicUsize = AtomicUsize::new(LEGACY_SIZE);
/// The components that XCR0 turns on; 0 without XSAVE.
static COMPONENTS: AtomicU64 = AtomicU64::new(0);
static HAS_XSAVEOPT: AtomicBool = AtomicBool::new(false);
static MXCSR_VALID: AtomicU32 = AtomicU32::new(0xffbf);

/// A task's extended state.
pub struct FpuState {
    area: NonNull<u8>,
    /// The CPU whose registers last held this state.
    last_cpu: AtomicU32,
    /// Makes the type neither `Sync` by itself nor copied by accident.
    _cell: UnsafeCell<()>,
}

// SAFETY: the area is plain memory that moves with its owner; see the module text for who touches
// it when.
unsafe impl Send for FpuState {}
// SAFETY: as above: shared references change the area only from the owning task or at its switch.
unsafe impl Sync for FpuState {}

/// Turns the state components on for this CPU; the first one finds out which there are.
pub(super) fn init(first: bool) {
    let has_xsave = __cpuid_count(1, 0).ecx & 1 << 26 != 0;
    if has_xsave {
        let leaf = __cpuid_count(0xd, 0);
        let mut components = (u64::from(leaf.edx) << 32 | u64::from(leaf.eax)) & WANTED;
        // AVX-512's parts come together or not at all.
        if components & 0b1110_0000 != 0b1110_0000 {
            components &= 0b111;
        }
        // SAFETY: CR4.OSXSAVE is on, and CPUID announced the components.
        unsafe {
            asm!("xsetbv", in("ecx") 0, in("eax") components as u32, in("edx") 0, options(nostack));
        }
        if first {
            SIZE.store(__cpuid_count(0xd, 0).ebx as usize, Ordering::Relaxed);
            COMPONENTS.store(components, Ordering::Relaxed);
            HAS_XSAVEOPT.store(__cpuid_count(0xd, 1).eax & 1 != 0, Ordering::Relaxed);
        }
    }
    // SAFETY: loads the state that a reset FPU has.
    unsafe { asm!("fninit", options(nostack)) };
    if first {
        #[repr(C, align(16))]
        struct Legacy([u8; LEGACY_SIZE]);
        let mut image = Legacy([0; LEGACY_SIZE]);
        // SAFETY: the image is as large and aligned as `fxsave` wants.
        unsafe { asm!("fxsave64 [{}]", in(reg) &raw mut image, options(nostack)) };
        let mask = &image.0[MXCSR_MASK..MXCSR_MASK + 4];
        let mask = u32::from_le_bytes([mask[0], mask[1], mask[2], mask[3]]);
        if mask != 0 {
            MXCSR_VALID.store(mask, Ordering::Relaxed);
        }
    }
}

fn size() -> usize {
    SIZE.load(Ordering::Relaxed)
}

fn components() -> u64 {
    COMPONENTS.load(Ordering::Relaxed)
}

fn layout() -> Layout {
    // A CPU's area is a few kilobytes: the layout cannot be out of range.
    Layout::from_size_align(size(), 64).unwrap_or(Layout::new::<[u64; 64]>())
}

impl FpuState {
    /// The state a fresh program starts with.
    pub fn new() -> Result<FpuState> {
        // SAFETY: the layout has a size.
        let area = NonNull::new(unsafe { alloc_zeroed(layout()) }).ok_or(Errno::ENOMEM)?;
        let state = FpuState { area, last_cpu: AtomicU32::new(NO_CPU), _cell: UnsafeCell::new(()) };
        state.set_initial();
        Ok(state)
    }

    /// A copy of the current task's state, for fork.
    pub fn clone_current() -> Result<FpuState> {
        let copy = FpuState::new()?;
        with_current(|state| {
            state.store_if_live();
            // SAFETY: both areas have `size()` bytes; the current task's is up to date and, with
            // preemption off, nothing writes to it.
            unsafe { ptr::copy_nonoverlapping(state.area.as_ptr(), copy.area.as_ptr(), size()) };
        });
        Ok(copy)
    }

    /// Forgets the current task's state, for exec.
    pub fn reset_current() {
        with_current(|state| {
            state.invalidate_registers();
            state.set_initial();
        });
    }

    /// Bytes that the state takes on a signal frame (XSAVE layout and magic words included).
    pub fn signal_frame_size() -> usize {
        if components() == 0 { LEGACY_SIZE } else { size() + MAGIC2_SIZE }
    }

    /// Writes the current task's state to the signal frame at `addr` (64-byte aligned).
    pub fn save_to_signal_frame(addr: UserAddr) -> Result<()> {
        let Some(state) = current_state() else { return Ok(()) };
        with_current(FpuState::store_if_live);
        // The memory copy is current now; a switch from here on may write it again, with the same
        // bytes, as the task runs no user code meanwhile.
        // SAFETY: the area has `size()` initialised bytes.
        let image = unsafe { core::slice::from_raw_parts(state.area.as_ptr(), size()) };
        put(addr, &image[..SOFTWARE])?;
        let mut software = [0u8; LEGACY_SIZE - SOFTWARE];
        if components() != 0 {
            software[0..4].copy_from_slice(&MAGIC1.to_le_bytes());
            software[4..8].copy_from_slice(&((size() + MAGIC2_SIZE) as u32).to_le_bytes());
            software[8..16].copy_from_slice(&components().to_le_bytes());
            software[16..20].copy_from_slice(&(size() as u32).to_le_bytes());
        }
        put(addr.add(SOFTWARE), &software)?;
        if components() != 0 {
            put(addr.add(LEGACY_SIZE), &image[LEGACY_SIZE..])?;
            put(addr.add(size()), &MAGIC2.to_le_bytes())?;
        }
        Ok(())
    }

    /// Reads it back on `rt_sigreturn`; null resets the state.
    pub fn restore_from_signal_frame(addr: UserAddr) -> Result<()> {
        if addr.is_null() {
            FpuState::reset_current();
            return Ok(());
        }
        let Some(state) = current_state() else { return Ok(()) };
        let mut software = [0u8; 24];
        get(&mut software, addr.add(SOFTWARE))?;
        let word = |at: usize| {
            u32::from_le_bytes([software[at], software[at + 1], software[at + 2], software[at + 3]])
        };
        let wanted = u64::from(word(12)) << 32 | u64::from(word(8));
        let mut magic2 = [0u8; 4];
        let extended = components() != 0
            && word(0) == MAGIC1
            && word(16) as usize == size()
            && word(4) as usize == size() + MAGIC2_SIZE
            && get(&mut magic2, addr.add(size())).is_ok()
            && u32::from_le_bytes(magic2) == MAGIC2;
        // From here on the memory copy counts, so a switch during the copy saves nothing over it.
        with_current(FpuState::invalidate_registers);
        state.set_initial();
        let length = if extended { size() } else { LEGACY_SIZE };
        // SAFETY: the area is at least that long, and no switch touches it while the registers
        // are not live.
        let image = unsafe { core::slice::from_raw_parts_mut(state.area.as_ptr(), length) };
        let result = get(image, addr);
        if result.is_err() {
            state.set_initial();
        } else {
            state.sanitize(if extended { wanted } else { 0b11 }, extended);
        }
        result
    }

    fn word_at(&self, offset: usize) -> *mut u64 {
        debug_assert!(offset + 8 <= size());
        // SAFETY: callers stay inside the area.
        unsafe { self.area.as_ptr().add(offset).cast() }
    }

    /// Writes the state of a fresh program: exceptions masked, registers zero.
    fn set_initial(&self) {
        // SAFETY: the offsets are inside the area, which only this task reaches now.
        unsafe {
            ptr::write_bytes(self.area.as_ptr(), 0, size());
            self.area.as_ptr().cast::<u16>().write(0x37f);
            self.area.as_ptr().add(MXCSR).cast::<u32>().write(0x1f80);
            if components() != 0 {
                self.word_at(HEADER).write(0b11);
            }
        }
    }

    /// Makes an image from user space one that can be loaded without a fault.
    fn sanitize(&self, wanted: u64, extended: bool) {
        // SAFETY: the offsets are inside the area, which only this task reaches now.
        unsafe {
            let mxcsr = self.area.as_ptr().add(MXCSR).cast::<u32>();
            mxcsr.write(mxcsr.read() & MXCSR_VALID.load(Ordering::Relaxed));
            if components() != 0 {
                let given = if extended { self.word_at(HEADER).read() } else { 0b11 };
                ptr::write_bytes(self.word_at(HEADER).cast::<u8>(), 0, HEADER_SIZE);
                self.word_at(HEADER).write(given & wanted & components());
            }
        }
    }

    /// Whether this CPU's registers hold this state.
    fn is_in_registers(&self) -> bool {
        cpu::local().fpu_owner.load(Ordering::Relaxed) == self.area.as_ptr()
            && self.last_cpu.load(Ordering::Relaxed) == cpu::id() as u32
    }

    /// Brings the memory copy up to date. Preemption is off, and the state is the current task's.
    fn store_if_live(&self) {
        if !super::thread::current_work().contains(WorkFlags::FPU_RESTORE) {
            self.store();
        }
    }

    fn invalidate_registers(&self) {
        self.last_cpu.store(NO_CPU, Ordering::Relaxed);
        super::thread::set_current_work(WorkFlags::FPU_RESTORE);
    }

    /// Registers to memory. The registers keep the state.
    fn store(&self) {
        let area = self.area.as_ptr();
        let (low, high) = (components() as u32, (components() >> 32) as u32);
        // SAFETY: the area is as large and aligned as the instruction wants.
        unsafe {
            if low == 0 {
                asm!("fxsave64 [{}]", in(reg) area, options(nostack));
            } else if HAS_XSAVEOPT.load(Ordering::Relaxed) {
                asm!("xsaveopt64 [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack));
            } else {
                asm!("xsave64 [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack));
            }
        }
    }

    /// Memory to registers.
    fn load(&self) {
        let area = self.area.as_ptr();
        let (low, high) = (components() as u32, (components() >> 32) as u32);
        // SAFETY: the area holds a valid image: it was saved from the registers, or made by
        // `set_initial`, or passed through `sanitize`.
        unsafe {
            if low == 0 {
                asm!("fxrstor64 [{}]", in(reg) area, options(nostack));
            } else {
                asm!("xrstor64 [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack));
            }
        }
    }

    /// Saves at a switch away from a task whose registers are live. Interrupts are off.
    pub(super) fn switch_out(&self) {
        self.store();
        cpu::local().fpu_owner.store(self.area.as_ptr(), Ordering::Relaxed);
        self.last_cpu.store(cpu::id() as u32, Ordering::Relaxed);
    }

    /// Makes the registers hold the state before user mode. Interrupts are off.
    pub(super) fn prepare_user(&self) {
        if !self.is_in_registers() {
            self.load();
            cpu::local().fpu_owner.store(self.area.as_ptr(), Ordering::Relaxed);
            self.last_cpu.store(cpu::id() as u32, Ordering::Relaxed);
        }
    }
}

impl Drop for FpuState {
    fn drop(&mut self) {
        // SAFETY: allocated with the same layout, which does not change after the first CPU's start.
        unsafe { dealloc(self.area.as_ptr(), layout()) };
    }
}

fn current_state() -> Option<&'static FpuState> {
    cpu::running_task().and_then(|task| task.thread.fpu())
}

/// Runs `f` on the current task's state with preemption off; nothing for a kernel thread.
fn with_current(f: impl FnOnce(&FpuState)) {
    if let Some(state) = current_state() {
        irq::preempt_disable();
        f(state);
        irq::preempt_enable();
    }
}

fn put(dst: UserAddr, src: &[u8]) -> Result<()> {
    if uaccess::raw_copy_to_user(dst.0, src) == 0 { Ok(()) } else { Err(Errno::EFAULT) }
}

fn get(dst: &mut [u8], src: UserAddr) -> Result<()> {
    if uaccess::raw_copy_from_user(dst, src.0) == 0 { Ok(()) } else { Err(Errno::EFAULT) }
}
