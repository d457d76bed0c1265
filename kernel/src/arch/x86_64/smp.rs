//! Starting the other CPUs: INIT and start-up interrupts, a trampoline below 1 MiB from real mode to
//! the kernel. The same on every boot path.
//!
//! One CPU is started at a time, and waited for until it is online. A CPU that does not get there within
//! ten seconds is left out, with those after it, and said so.

use core::{arch::global_asm, ptr};

use super::{
    apic,
    boot::{self, RegionKind},
    clock, cpu,
    cpu::MAX_CPUS,
    features, gdt,
    paging::{self, Entry, PteFlags, Table},
    start,
};
use crate::{
    drivers::acpi,
    mm::{self, KernelStack, PAGE_SIZE, PhysAddr},
};

/// Where on its page the trampoline finds its parameters.
const PARAMETERS: usize = 0xf00;
/// A real CPU takes a millisecond; an emulated one on a busy host may take seconds.
const START_TIMEOUT_NS: u64 = 10_000_000_000;

/// What a starting CPU needs to know, at [`PARAMETERS`].
#[repr(C)]
struct Parameters {
    /// Segments for the way to 64 bits.
    gdt: [u64; 4],
    gdt_limit: u16,
    gdt_base: [u16; 2],
    unused: u16,
    /// 32-bit entry: offset and selector.
    protected: [u16; 4],
    /// 64-bit entry: offset and selector.
    long: [u16; 4],
    root: u64,
    stack_top: u64,
    entry: u64,
    index: u64,
}

const _: () = assert!(core::mem::offset_of!(Parameters, gdt_limit) == 0x20);
const _: () = assert!(core::mem::offset_of!(Parameters, protected) == 0x28);
const _: () = assert!(core::mem::offset_of!(Parameters, long) == 0x30);
const _: () = assert!(core::mem::offset_of!(Parameters, root) == 0x38);

global_asm!(
    r#"
    .section .trampoline, "a", @progbits
    .code16
trampoline_start:
    cli
    cld
    mov ax, cs
    mov ds, ax
    movzx ebx, ax
    shl ebx, 4
    .byte 0x0f, 0x01, 0x16      // lgdt [0xf20]
    .word 0xf20
    mov eax, cr0
    or eax, 1
    mov cr0, eax
    .byte 0x66, 0xff, 0x2e      // far jump through [0xf28]
    .word 0xf28

    .code32
    .global trampoline_protected
trampoline_protected:
    mov ax, 0x10
    mov ds, ax
    mov ss, ax
    mov eax, cr4
    or eax, 1 << 5              // PAE
    mov cr4, eax
    mov eax, [ebx + 0xf38]
    mov cr3, eax
    mov ecx, 0xc0000080         // EFER
    rdmsr
    or eax, (1 << 8) | (1 << 11) // LME, NXE
    wrmsr
    mov eax, cr0
    and eax, ~((1 << 29) | (1 << 30)) // NW, CD
    or eax, (1 << 31) | (1 << 16) // PG, WP
    mov cr0, eax
    .byte 0xff, 0xab            // far jump through [ebx + 0xf30]
    .long 0xf30

    .code64
    .global trampoline_long
trampoline_long:
    mov rsp, [rbx + 0xf40]
    mov rax, [rbx + 0xf48]
    mov rdi, [rbx + 0xf50]
    mov rsi, rsp
    xor ebp, ebp
    call rax
    ud2
    "#
);

unsafe extern "C" {
    static __trampoline_start: u8;
    static __trampoline_end: u8;
    static trampoline_protected: u8;
    static trampoline_long: u8;
}

/// Notes on which NUMA node a CPU is, before it is started.
fn place(index: usize, apic_id: u32) {
    let node = acpi::topology().node_of_cpu(apic_id);
    cpu::local_of(index).set_node(node);
    mm::node::set_node_of_cpu(index, node);
}

/// The same for the first CPU, on it.
pub(super) fn place_first() {
    let index = cpu::id();
    place(index, apic::id());
    gdt::update_cpu_number();
    features::set_tsc_aux(index);
}

/// Starts up to `max` CPUs in all, this one included.
pub fn start_others(max: usize) {
    let me = apic::id();
    let others = acpi::madt().cpus.iter().copied().filter(|&id| id != me);
    let max = max.clamp(1, MAX_CPUS);
    let Some(page) = low_pages() else {
        crate::pr_warn!("smp: no memory below 1 MiB to start CPUs from");
        return;
    };
    let root = identity_tables(page);
    for (apic_id, index) in others.zip(1..max) {
        cpu::local_of(index).set_apic_id(apic_id);
        place(index, apic_id);
        let Ok(stack) = KernelStack::new() else {
            crate::pr_warn!("smp: no stack for CPU {index}");
            return;
        };
        mm::heap::prepare_cpu(index);
        install(page, root, stack.top(), index);
        if start_one(apic_id, page, index) {
            // Its idle task keeps the stack for good.
            core::mem::forget(stack);
        } else {
            crate::pr_warn!("smp: CPU {index} (APIC id {apic_id}) does not start");
            // It may still come up late: what it was given stays its own.
            core::mem::forget(stack);
            return;
        }
    }
}

/// The pages that starting takes: the trampoline, then one table a level.
const LOW_PAGES: usize = 1 + paging::LEVELS;

/// Physical memory below 640 KiB for them. `mm` hands out nothing below 1 MiB.
fn low_pages() -> Option<usize> {
    const END: usize = 0xa_0000;
    boot::info()
        .regions
        .iter()
        .filter(|region| matches!(region.kind, RegionKind::Usable | RegionKind::Loader))
        .map(|region| region.range.start.max(PAGE_SIZE)..region.range.end.min(END))
        .find(|range| range.start + LOW_PAGES * PAGE_SIZE <= range.end)
        .map(|range| range.start)
}

/// Builds tables behind `page` that map it to itself besides the kernel, for a CPU that is about to
/// turn paging on; returns the root.
fn identity_tables(page: usize) -> usize {
    let table_at = |n: usize| PhysAddr(page + n * PAGE_SIZE);
    // SAFETY: the pages are free memory below 1 MiB, which nobody else uses; zeroed, they are empty
    // tables. The kernel's root is a table for ever.
    let (tables, kernel) = unsafe {
        for n in 1..LOW_PAGES {
            table_at(n).to_virt().as_mut_ptr::<u8>().write_bytes(0, PAGE_SIZE);
        }
        ([1, 2, 3, 4].map(|n| Table::at(table_at(n))), Table::at(mm::kernel_root()))
    };
    for index in paging::ENTRIES / 2..paging::ENTRIES {
        tables[0].store(index, kernel.load(index));
    }
    let flags = PteFlags::PRESENT | PteFlags::WRITE;
    for (n, table) in tables.into_iter().enumerate() {
        let level = paging::LEVELS - 1 - n;
        let below = if level == 0 { PhysAddr(page) } else { table_at(n + 2) };
        table.store(paging::index(page, level), Entry::new(below, flags));
    }
    table_at(1).0
}

/// Copies the trampoline to `page` and fills its parameters in.
fn install(page: usize, root: usize, stack_top: usize, index: usize) {
    let code = &raw const __trampoline_start;
    let len = &raw const __trampoline_end as usize - code as usize;
    assert!(len <= PARAMETERS);
    let words = |value: usize| [value as u16, (value >> 16) as u16];
    let far = |label: *const u8, selector: u16| {
        let [low, high] = words(page + (label as usize - code as usize));
        [low, high, selector, 0]
    };
    let parameters = Parameters {
        gdt: [0, 0x00cf_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x00af_9b00_0000_ffff],
        gdt_limit: 31,
        gdt_base: words(page + PARAMETERS),
        unused: 0,
        protected: far(&raw const trampoline_protected, 0x08),
        long: far(&raw const trampoline_long, 0x18),
        root: root as u64,
        stack_top: stack_top as u64,
        entry: start_secondary as *const () as u64,
        index: index as u64,
    };
    let target = PhysAddr(page).to_virt().as_mut_ptr::<u8>();
    // SAFETY: the page is memory below 1 MiB that `mm` does not have, mapped in the direct map; the
    // CPU before has left it, as it is online.
    unsafe {
        ptr::copy_nonoverlapping(code, target, len);
        target.add(PARAMETERS).cast::<Parameters>().write_unaligned(parameters);
    }
}

/// Starts one CPU and waits for it.
fn start_one(apic_id: u32, page: usize, index: usize) -> bool {
    apic::send_init(apic_id);
    // Old boards want 10 ms here; all that run 64-bit code are content with less.
    clock::delay_us(200);
    for _ in 0..2 {
        apic::send_startup(apic_id, (page >> 12) as u8);
        let wait = clock::now_ns() + START_TIMEOUT_NS / 2;
        while clock::now_ns() < wait {
            if cpu::online().contains(index) {
                return true;
            }
            core::hint::spin_loop();
        }
    }
    false
}

extern "C" fn start_secondary(index: usize, stack_top: usize) -> ! {
    start::set_up_secondary(index, stack_top);
    apic::init(false);
    clock::init_timer();
    crate::start_secondary()
}
