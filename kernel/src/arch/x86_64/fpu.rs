//! FPU, SSE and AVX state: saved at a switch only if the task used it since it was restored, restored
//! on return to user mode only if the registers do not already hold it.
//!
//! The kernel itself uses none of these registers, so they stay with the last user task of a CPU. A
//! CPU remembers whose state its registers hold (`fpu_owner`), a state remembers which CPU last
//! held it (`last_cpu`): only when both agree are the registers good. A task's
//! [`WorkFlags::FPU_RESTORE`] set means that the memory copy is current; clear, that the registers
//! of the task's CPU are (they are *live*). Only the task itself and the switch look at its state,
//! so there is no lock; preemption off keeps the two apart.
//!
//! Signal frames are written and read by the CPU's own instructions where they can be: with preemption off, from and to live registers.
//! Where that fails (a page that is not there, an image that cannot be loaded as it is) the way is through the memory copy.

use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::{
    arch::{asm, x86_64::__cpuid_count},
    cell::UnsafeCell,
    ptr::{self, NonNull},
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use abi::{Errno, Result};
use slab::Cache;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{cpu, irq, thread::WorkFlags, uaccess};
use crate::mm::UserAddr;

const LEGACY_SIZE: usize = 512;
const HEADER: usize = LEGACY_SIZE;
const HEADER_SIZE: usize = 64;
/// Offset of MXCSR and of its mask in the legacy area.
const MXCSR: usize = 24;
const MXCSR_MASK: usize = 28;
/// What the control words are in a fresh program: all exceptions masked.
const FCW: u16 = 0x37f;
const MXCSR_INITIAL: u32 = 0x1f80;
/// Software's part of the legacy area, where the signal frame says what follows.
const SOFTWARE: usize = 464;
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
const MAGIC2_SIZE: usize = 4;

/// What `xsave` wants of an area.
const ALIGNMENT: usize = 64;
/// Areas of CPUs with AVX. Those of others take little more than half of it, or (with AVX-512) most of a page.
pub const CACHE: Cache = match Layout::from_size_align(832, ALIGNMENT) {
    Ok(layout) => Cache::new("task_xstate", layout),
    Err(_) => unreachable!(),
};

/// x87, SSE, AVX and the three parts of AVX-512.
const WANTED: u64 = 0b1110_0111;
const NO_CPU: u32 = u32::MAX;

/// Bytes of a state area.
static SIZE: AtomicUsize = AtomicUsize::new(LEGACY_SIZE);
/// The components that XCR0 turns on; 0 without XSAVE.
static COMPONENTS: AtomicU64 = AtomicU64::new(0);
static HAS_XSAVEOPT: AtomicBool = AtomicBool::new(false);
static MXCSR_VALID: AtomicU32 = AtomicU32::new(0xffbf);

/// An image of which the CPU reads the control words only: every component is in its initial state.
#[repr(C, align(64))]
struct Initial([u64; (LEGACY_SIZE + HEADER_SIZE) / 8]);

static INITIAL: Initial = {
    let mut words = [0; (LEGACY_SIZE + HEADER_SIZE) / 8];
    words[0] = FCW as u64;
    words[MXCSR / 8] = MXCSR_INITIAL as u64;
    Initial(words)
};

/// Software's part of the legacy area (`struct _fpx_sw_bytes`).
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
struct SignalSoftware {
    magic1: u32,
    extended_size: u32,
    components: u64,
    xstate_size: u32,
    reserved: [u32; 7],
}

/// What stands on a signal frame between the legacy area's registers and the other components'.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct SignalHeader {
    software: SignalSoftware,
    header: [u64; HEADER_SIZE / 8],
}

const _: () = assert!(size_of::<SignalSoftware>() == LEGACY_SIZE - SOFTWARE);

impl SignalHeader {
    fn new() -> SignalHeader {
        SignalHeader {
            software: SignalSoftware {
                magic1: MAGIC1,
                extended_size: (size() + MAGIC2_SIZE) as u32,
                components: components(),
                xstate_size: size() as u32,
                reserved: [0; 7],
            },
            header: [0; HEADER_SIZE / 8],
        }
    }
}

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
    Layout::from_size_align(size(), ALIGNMENT).unwrap_or(Layout::new::<[u64; 64]>())
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

    /// Gives the current task the state of a fresh program: exec, and handlers.
    pub fn reset_current() {
        with_current(|state| {
            load_image(INITIAL.0.as_ptr().cast());
            state.set_live();
        });
    }

    /// Bytes that the state takes on a signal frame (XSAVE layout and magic words included).
    pub fn signal_frame_size() -> usize {
        if components() == 0 { LEGACY_SIZE } else { size() + MAGIC2_SIZE }
    }

    /// Writes the current task's state to the signal frame at `addr` (64-byte aligned).
    pub fn save_to_signal_frame(addr: UserAddr) -> Result<()> {
        let Some(state) = current_state() else { return Ok(()) };
        if components() == 0 {
            put(addr, &state.image()[..SOFTWARE])?;
            return put(addr.add(SOFTWARE), &[0; LEGACY_SIZE - SOFTWARE]);
        }
        // Of XSAVE's header the instruction writes only the first word, and leaves bits in that.
        put(addr.add(SOFTWARE), SignalHeader::new().as_bytes())?;
        put(addr.add(size()), &MAGIC2.to_le_bytes())?;
        let mut saved = false;
        with_current(|state| {
            saved = state.is_live() && uaccess::raw_save_extended(addr.0, size(), components());
        });
        if saved {
            return Ok(());
        }
        let image = state.image();
        put(addr, &image[..SOFTWARE])?;
        put(addr.add(HEADER), &image[HEADER..])
    }

    /// The memory copy, brought up to date. A switch from here on may write it again, with the same bytes, until the task runs user
    /// code.
    fn image(&self) -> &[u8] {
        with_current(FpuState::store_if_live);
        // SAFETY: the area has `size()` initialised bytes.
        unsafe { core::slice::from_raw_parts(self.area.as_ptr(), size()) }
    }

    /// Reads it back on `rt_sigreturn`; null resets the state.
    pub fn restore_from_signal_frame(addr: UserAddr) -> Result<()> {
        if addr.is_null() {
            FpuState::reset_current();
            return Ok(());
        }
        let Some(state) = current_state() else { return Ok(()) };
        let mut software = SignalSoftware::default();
        get(software.as_mut_bytes(), addr.add(SOFTWARE))?;
        let mut magic2 = [0u8; MAGIC2_SIZE];
        let extended = components() != 0
            && software.magic1 == MAGIC1
            && software.xstate_size as usize == size()
            && software.extended_size as usize == size() + MAGIC2_SIZE
            && get(&mut magic2, addr.add(size())).is_ok()
            && u32::from_le_bytes(magic2) == MAGIC2;
        let mut loaded = false;
        if extended {
            let wanted = software.components & components();
            with_current(|state| {
                loaded = uaccess::raw_load_extended(addr.0, size(), wanted);
                if !loaded {
                    state.invalidate_registers();
                    return;
                }
                if wanted != components() {
                    load_components(INITIAL.0.as_ptr().cast(), components() & !wanted);
                }
                state.set_live();
            });
        }
        if loaded {
            return Ok(());
        }
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
            state.sanitize(if extended { software.components } else { 0b11 }, extended);
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
            self.area.as_ptr().cast::<u16>().write(FCW);
            self.area.as_ptr().add(MXCSR).cast::<u32>().write(MXCSR_INITIAL);
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

    /// Whether this CPU's registers, not the memory copy, are current. Preemption is off, and the state is the current task's.
    fn is_live(&self) -> bool {
        !super::thread::current_work().contains(WorkFlags::FPU_RESTORE)
    }

    /// Notes that this CPU's registers hold the state now. Preemption is off, and the state is the current task's.
    fn set_live(&self) {
        self.claim_registers();
        super::thread::clear_current_work(WorkFlags::FPU_RESTORE);
    }

    fn claim_registers(&self) {
        cpu::local().fpu_owner.store(self.area.as_ptr(), Ordering::Relaxed);
        self.last_cpu.store(cpu::id() as u32, Ordering::Relaxed);
    }

    /// Brings the memory copy up to date. Preemption is off, and the state is the current task's.
    fn store_if_live(&self) {
        if self.is_live() {
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

    /// Saves at a switch away from a task whose registers are live. Interrupts are off.
    pub(super) fn switch_out(&self) {
        self.store();
        self.claim_registers();
    }

    /// Makes the registers hold the state before user mode. Interrupts are off.
    pub(super) fn prepare_user(&self) {
        if !self.is_in_registers() {
            load_image(self.area.as_ptr());
            self.claim_registers();
        }
    }
}

impl Drop for FpuState {
    fn drop(&mut self) {
        // SAFETY: allocated with the same layout, which does not change after the first CPU's start.
        unsafe { dealloc(self.area.as_ptr(), layout()) };
    }
}

/// Memory to registers. The image is a valid one: saved from the registers, made by `set_initial`, passed through `sanitize`, or
/// [`INITIAL`].
fn load_image(area: *const u8) {
    if components() == 0 {
        // SAFETY: see above; the kernel uses none of the registers.
        unsafe { asm!("fxrstor64 [{}]", in(reg) area, options(nostack, readonly)) };
    } else {
        load_components(area, components());
    }
}

/// The same for some components.
fn load_components(area: *const u8, components: u64) {
    let (low, high) = (components as u32, (components >> 32) as u32);
    // SAFETY: as in `load_image`. The CPU has XSAVE, or there were no components.
    unsafe {
        asm!("xrstor64 [{}]", in(reg) area, in("eax") low, in("edx") high, options(nostack, readonly));
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
