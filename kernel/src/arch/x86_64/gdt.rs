//! Segments and the task state segment, one set a CPU.
//!
//! The order of the selectors is what `syscall` and `sysret` want: kernel code, kernel data, then
//! 32-bit user code, user data, 64-bit user code.

use core::{arch::asm, cell::UnsafeCell, mem::size_of};

use super::cpu::{self, MAX_CPUS};

/// Selectors.
pub mod selector {
    /// Kernel code.
    pub const KERNEL_CODE: u16 = 0x08;
    /// Kernel data.
    pub const KERNEL_DATA: u16 = 0x10;
    /// User data, as Linux numbers it.
    pub const USER_DATA: u16 = 0x28 | 3;
    /// 64-bit user code, as Linux numbers it.
    pub const USER_CODE: u16 = 0x30 | 3;
    /// The task state segment (two entries).
    pub const TSS: u16 = 0x40;
    /// A data segment whose limit is the number of the CPU and of its node, for the vDSO; as Linux numbers it.
    pub const CPU_NUMBER: u16 = 0x78 | 3;
}

/// `sysret` loads CS from this plus 16 and SS from this plus 8.
pub const SYSRET_BASE: u16 = 0x20 | 3;

/// 32-bit user code, for `sysret`'s arithmetic only.
const USER_CODE_32: u16 = SYSRET_BASE;

const ENTRIES: usize = selector::CPU_NUMBER as usize / 8 + 1;
/// Bytes of the stack that each of the exceptions which may come at any time has a CPU.
const IST_STACK: usize = 8 * 1024;

/// Which emergency stack an exception runs on (1 to 7; 0: none).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ist {
    /// The current stack.
    None = 0,
    /// Double fault.
    DoubleFault = 1,
    /// Non-maskable interrupt.
    Nmi = 2,
    /// Machine check.
    MachineCheck = 3,
    /// Debug exceptions, which can come between `syscall` and the switch of stacks.
    Debug = 4,
}

const IST_COUNT: usize = 4;

#[repr(C, packed(4))]
struct TaskStateSegment {
    reserved0: u32,
    rsp: [u64; 3],
    reserved1: u64,
    ist: [u64; 7],
    reserved2: u64,
    reserved3: u16,
    io_map_base: u16,
}

#[repr(C, align(16))]
struct IstStack([u8; IST_STACK]);

/// A CPU's tables. Only that CPU touches them, and only with interrupts off.
#[repr(C, align(64))]
struct Tables {
    gdt: UnsafeCell<[u64; ENTRIES]>,
    tss: UnsafeCell<TaskStateSegment>,
    stacks: UnsafeCell<[IstStack; IST_COUNT]>,
}

// SAFETY: each CPU writes only its own element, before and while nothing else refers to it.
unsafe impl Sync for Tables {}

impl Tables {
    const fn new() -> Tables {
        let tss = TaskStateSegment {
            reserved0: 0,
            rsp: [0; 3],
            reserved1: 0,
            ist: [0; 7],
            reserved2: 0,
            reserved3: 0,
            // Beyond the limit: no port is open to user mode.
            io_map_base: size_of::<TaskStateSegment>() as u16,
        };
        Tables {
            gdt: UnsafeCell::new([0; ENTRIES]),
            tss: UnsafeCell::new(tss),
            stacks: UnsafeCell::new([const { IstStack([0; IST_STACK]) }; IST_COUNT]),
        }
    }
}

static TABLES: [Tables; MAX_CPUS] = [const { Tables::new() }; MAX_CPUS];

#[repr(C, packed)]
pub(super) struct TablePointer {
    pub limit: u16,
    pub base: usize,
}

/// Loads this CPU's tables. `cpu::install_local` must have run: loading the selectors keeps the GS
/// base, as GS itself is not touched. DS and ES stay without a segment until user mode loads one (see `segments`).
pub(super) fn init(index: usize) {
    let tables = &TABLES[index];
    let tss = tables.tss.get();
    let stacks = tables.stacks.get().cast::<IstStack>();
    for slot in 0..IST_COUNT {
        // SAFETY: `slot` is inside the array; the last 16 bytes of the stack hold the address of
        // the CPU's block, for entries that cannot trust GS (see entry.rs).
        unsafe {
            let top = stacks.add(slot + 1).cast::<u8>().sub(16);
            top.cast::<usize>().write(core::ptr::from_ref(cpu::local_of(index)) as usize);
            (&raw mut (*tss).ist[slot]).write_unaligned(top as u64);
        }
    }
    let base = tss as u64;
    let limit = (size_of::<TaskStateSegment>() - 1) as u64;
    let tss_low = limit
        | (base & 0xff_ffff) << 16
        | 0x89 << 40 // present, available 64-bit TSS
        | (base >> 24 & 0xff) << 56;
    let mut gdt = [0; ENTRIES];
    for (selector, descriptor) in [
        (selector::KERNEL_CODE, 0x00af_9b00_0000_ffff),
        (selector::KERNEL_DATA, 0x00cf_9300_0000_ffff),
        (USER_CODE_32, 0x00cf_fb00_0000_ffff),
        (selector::USER_DATA, 0x00cf_f300_0000_ffff),
        (selector::USER_CODE, 0x00af_fb00_0000_ffff),
        (selector::TSS, tss_low),
        (selector::TSS + 8, base >> 32),
        (selector::CPU_NUMBER, cpu_number(index)),
    ] {
        gdt[usize::from(selector / 8)] = descriptor;
    }
    let pointer = TablePointer { limit: (ENTRIES * 8 - 1) as u16, base: tables.gdt.get() as usize };
    // SAFETY: the table is this CPU's own static and describes flat segments, so nothing that runs
    // now notices the reload; the TSS is not busy, as the CPU has loaded none of ours before.
    unsafe {
        tables.gdt.get().write(gdt);
        asm!(
            "lgdt [{pointer}]",
            "push {code}",
            "lea {scratch}, [rip + 2f]",
            "push {scratch}",
            "retfq",
            "2:",
            "mov ss, {data:x}",
            "mov ds, {none:x}",
            "mov es, {none:x}",
            "ltr {tss:x}",
            pointer = in(reg) &raw const pointer,
            code = const selector::KERNEL_CODE,
            data = in(reg) selector::KERNEL_DATA,
            none = in(reg) 0,
            tss = in(reg) selector::TSS,
            scratch = out(reg) _,
        );
    }
}

/// The descriptor of [`selector::CPU_NUMBER`]: user data, expanding down.
fn cpu_number(index: usize) -> u64 {
    // Nodes and CPUs are few enough for the limit's low sixteen bits.
    0x0040_f500_0000_0000 | u64::from(cpu::number_and_node(index))
}

/// Tells this CPU's user programs anew on which node they are: the first CPU's is known only after it began. Interrupts may be on.
pub(super) fn update_cpu_number() {
    let index = cpu::id();
    let entry = usize::from(selector::CPU_NUMBER / 8);
    // SAFETY: only this CPU uses its table, and loads this segment from user mode alone, where it is not now; the entry is in the table.
    unsafe { (&raw mut (*TABLES[index].gdt.get())[entry]).write_volatile(cpu_number(index)) };
}

/// Where this CPU's interrupts from user mode find their stack. Called at a switch, with
/// interrupts off.
#[inline]
pub(super) fn set_interrupt_stack(index: usize, top: usize) {
    // SAFETY: only this CPU writes its TSS, and only reads it itself on an interrupt, which is off.
    unsafe { (&raw mut (*TABLES[index].tss.get()).rsp[0]).write_unaligned(top as u64) };
}
