//! The local APIC of each CPU: interprocessor interrupts, end of interrupt, the timer's registers.
//! x2APIC registers where the CPU has them, else the memory-mapped ones.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{cpu, features, io, io::msr, irq, trap::vector};
use crate::mm;

/// Register numbers: their offset in the memory-mapped page over 16.
mod register {
    pub const ID: u32 = 0x02;
    pub const EOI: u32 = 0x0b;
    pub const SPURIOUS: u32 = 0x0f;
    pub const ERROR_STATUS: u32 = 0x28;
    pub const COMMAND: u32 = 0x30;
    pub const COMMAND_HIGH: u32 = 0x31;
    pub const TIMER: u32 = 0x32;
    pub const LINT0: u32 = 0x35;
    pub const LINT1: u32 = 0x36;
    pub const ERROR: u32 = 0x37;
    pub const INITIAL_COUNT: u32 = 0x38;
    pub const CURRENT_COUNT: u32 = 0x39;
    pub const DIVIDE: u32 = 0x3e;
}

const MASKED: u32 = 1 << 16;
const DELIVER_NMI: u32 = 4 << 8;
const DELIVER_INIT: u32 = 5 << 8;
const DELIVER_STARTUP: u32 = 6 << 8;
const LEVEL_ASSERT: u32 = 1 << 14;
const PENDING: u32 = 1 << 12;
const TIMER_DEADLINE_MODE: u32 = 2 << 17;
const DIVIDE_BY_1: u32 = 0b1011;

static X2APIC: AtomicBool = AtomicBool::new(false);
static BASE: AtomicUsize = AtomicUsize::new(0);

fn x2apic() -> bool {
    X2APIC.load(Ordering::Relaxed)
}

fn read(number: u32) -> u32 {
    if x2apic() {
        // SAFETY: the CPU is in x2APIC mode, where these registers are.
        unsafe { io::rdmsr(msr::X2APIC_BASE + number) as u32 }
    } else {
        let address = BASE.load(Ordering::Relaxed) + number as usize * 16;
        // SAFETY: `init` mapped the register page, uncached.
        unsafe { (address as *const u32).read_volatile() }
    }
}

fn write(number: u32, value: u32) {
    if x2apic() {
        // SAFETY: as in `read`; the callers write values that the manual allows.
        unsafe { io::wrmsr(msr::X2APIC_BASE + number, u64::from(value)) };
    } else {
        let address = BASE.load(Ordering::Relaxed) + number as usize * 16;
        // SAFETY: as in `read`.
        unsafe { (address as *mut u32).write_volatile(value) };
    }
}

/// Turns this CPU's APIC on with its timer masked. The first CPU chooses the mode for all.
pub(super) fn init(first: bool) {
    const ENABLE: u64 = 1 << 11;
    const X2APIC_MODE: u64 = 1 << 10;
    // SAFETY: every 64-bit CPU has the register.
    let base = unsafe { io::rdmsr(msr::APIC_BASE) };
    if first {
        let x2apic = features::x2apic();
        if !x2apic {
            let page = base as usize & 0x000f_ffff_ffff_f000;
            let address = mm::map_device(page..page + 4096).expect("no memory to map the APIC");
            BASE.store(address.0, Ordering::Relaxed);
        }
        X2APIC.store(x2apic, Ordering::Relaxed);
    }
    let mode = if x2apic() { ENABLE | X2APIC_MODE } else { ENABLE };
    // SAFETY: turns the APIC on where it is.
    unsafe { io::wrmsr(msr::APIC_BASE, base | mode) };
    write(register::SPURIOUS, 1 << 8 | u32::from(vector::SPURIOUS));
    write(register::TIMER, MASKED | u32::from(vector::TIMER));
    write(register::LINT0, MASKED);
    write(register::LINT1, DELIVER_NMI);
    write(register::ERROR, u32::from(vector::ERROR));
    write(register::DIVIDE, DIVIDE_BY_1);
    end_of_interrupt();
    cpu::local().apic_id.store(id(), Ordering::Relaxed);
}

/// This CPU's APIC id.
pub(super) fn id() -> u32 {
    let raw = read(register::ID);
    if x2apic() { raw } else { raw >> 24 }
}

/// Tells the controller that the interrupt was taken.
#[inline]
pub(super) fn end_of_interrupt() {
    write(register::EOI, 0);
}

/// The error register, read and cleared.
pub(super) fn error_status() -> u32 {
    write(register::ERROR_STATUS, 0);
    read(register::ERROR_STATUS)
}

/// Sends `command` to the CPU with APIC id `target`.
fn command(target: u32, command: u32) {
    if x2apic() {
        // The stores that the interrupt is about must be visible before it: this register is the
        // one that does not order them by itself.
        core::sync::atomic::fence(Ordering::SeqCst);
        let value = u64::from(target) << 32 | u64::from(command);
        // SAFETY: the CPU is in x2APIC mode; `command` is one of the forms below.
        unsafe { io::wrmsr(msr::X2APIC_BASE + register::COMMAND, value) };
    } else {
        // Two writes that must not be torn apart by an interrupt handler's own.
        let state = irq::save_and_disable();
        while read(register::COMMAND) & PENDING != 0 {
            core::hint::spin_loop();
        }
        write(register::COMMAND_HIGH, target << 24);
        write(register::COMMAND, command);
        irq::restore(state);
    }
}

/// Interrupts `cpu` with `vector`.
pub(super) fn send_ipi(cpu: usize, vector: u8) {
    let target = cpu::local_of(cpu).apic_id.load(Ordering::Relaxed);
    command(target, LEVEL_ASSERT | u32::from(vector));
}

/// Sends a non-maskable interrupt to `cpu`.
pub(super) fn send_nmi(cpu: usize) {
    let target = cpu::local_of(cpu).apic_id.load(Ordering::Relaxed);
    command(target, LEVEL_ASSERT | DELIVER_NMI);
}

/// Puts the CPU with APIC id `target` into its start-up state.
pub(super) fn send_init(target: u32) {
    command(target, LEVEL_ASSERT | DELIVER_INIT);
}

/// Starts the CPU with APIC id `target` at physical page `page` (below 1 MiB) in real mode.
pub(super) fn send_startup(target: u32, page: u8) {
    command(target, LEVEL_ASSERT | DELIVER_STARTUP | u32::from(page));
}

/// Makes the timer fire once after `ticks` (0: stops it).
pub(super) fn set_timer_count(ticks: u32) {
    write(register::INITIAL_COUNT, ticks);
}

/// Ticks left of the running count.
pub(super) fn timer_count() -> u32 {
    read(register::CURRENT_COUNT)
}

/// Lets the timer interrupt: by count, or at a TSC value.
pub(super) fn unmask_timer(deadline_mode: bool) {
    let mode = if deadline_mode { TIMER_DEADLINE_MODE } else { 0 };
    write(register::TIMER, mode | u32::from(vector::TIMER));
    // The mode must have changed before the first deadline is written.
    core::sync::atomic::fence(Ordering::SeqCst);
}
