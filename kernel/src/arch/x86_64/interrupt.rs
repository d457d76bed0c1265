//! The interrupt descriptor table, and which handler a device vector has.

use core::{
    arch::asm,
    cell::UnsafeCell,
    mem::size_of,
    sync::atomic::{AtomicPtr, Ordering},
};

use super::{
    apic, entry,
    gdt::{Ist, TablePointer, selector},
    ioapic,
    trap::vector,
};
use abi::{Errno, Result};

/// Called with interrupts off, once an interrupt.
pub type Handler = fn();

const COUNT: usize = 256;

#[repr(C)]
#[derive(Clone, Copy)]
struct Gate {
    offset_low: u16,
    selector: u16,
    ist: u8,
    kind: u8,
    offset_mid: u16,
    offset_high: u32,
    reserved: u32,
}

struct Table(UnsafeCell<[Gate; COUNT]>);

// SAFETY: written once, by the first CPU before any other runs.
unsafe impl Sync for Table {}

const EMPTY: Gate = Gate {
    offset_low: 0,
    selector: 0,
    ist: 0,
    kind: 0,
    offset_mid: 0,
    offset_high: 0,
    reserved: 0,
};
static TABLE: Table = Table(UnsafeCell::new([EMPTY; COUNT]));

/// Handlers of the device vectors; null: none.
static HANDLERS: [AtomicPtr<()>; COUNT] = [const { AtomicPtr::new(core::ptr::null_mut()) }; COUNT];
/// Fills the table. Once, on the first CPU.
pub(super) fn init_table() {
    for index in 0..COUNT {
        let address = entry::stubs() + index * entry::STUB_SIZE;
        let ist = match index {
            1 => Ist::Debug,
            2 => Ist::Nmi,
            8 => Ist::DoubleFault,
            18 => Ist::MachineCheck,
            _ => Ist::None,
        };
        // User mode may raise breakpoint and overflow itself.
        let ring = if index == 3 || index == 4 { 3 } else { 0 };
        let gate = Gate {
            offset_low: address as u16,
            selector: selector::KERNEL_CODE,
            ist: ist as u8,
            kind: 0x8e | ring << 5, // present interrupt gate
            offset_mid: (address >> 16) as u16,
            offset_high: (address >> 32) as u32,
            reserved: 0,
        };
        // SAFETY: no CPU has loaded the table yet, and this is the only writer.
        unsafe { (*TABLE.0.get())[index] = gate };
    }
}

/// Loads the table on this CPU.
pub(super) fn init() {
    let pointer = TablePointer {
        limit: (COUNT * size_of::<Gate>() - 1) as u16,
        base: TABLE.0.get() as usize,
    };
    // SAFETY: the table is complete, and every stub in it leads to `trap::handle`.
    unsafe { asm!("lidt [{}]", in(reg) &raw const pointer, options(nostack)) };
}

/// A device's interrupt.
pub(super) fn handle(vector: u8) {
    let slot = usize::from(vector);
    let handler = HANDLERS[slot].load(Ordering::Acquire);
    if !handler.is_null() {
        // SAFETY: only `allocate` stores there, and it stores handlers.
        let handler = unsafe { core::mem::transmute::<*mut (), Handler>(handler) };
        handler();
    }
    apic::end_of_interrupt();
}

/// Gives `handler` a device vector, for message-signalled interrupts. `ENOSPC` when all are taken.
pub fn allocate(handler: Handler) -> Result<u8> {
    for vector in vector::DEVICE_FIRST..=vector::DEVICE_LAST {
        let slot = &HANDLERS[usize::from(vector)];
        let free = slot.compare_exchange(
            core::ptr::null_mut(),
            handler as *mut (),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if free.is_ok() {
            return Ok(vector);
        }
    }
    Err(Errno::ENOSPC)
}

/// Routes an ISA interrupt line (0 to 15, as PCs number them) to `handler` on the first CPU.
pub fn request_isa(line: u8, handler: Handler) -> Result<()> {
    let vector = allocate(handler)?;
    ioapic::route_isa(line, vector)
}
