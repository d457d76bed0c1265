//! The first instructions, and what has to be right on a CPU before anything else.

use core::arch::naked_asm;

use super::{boot, clock, cpu, extable, features, fpu, gdt, interrupt, paging, pcid};

const BOOT_STACK_SIZE: usize = 64 * 1024;

#[repr(C, align(4096))]
struct BootStack(core::cell::UnsafeCell<[u8; BOOT_STACK_SIZE]>);

// SAFETY: only the first CPU runs on it, from its first instruction on.
unsafe impl Sync for BootStack {}

/// The first CPU's stack, which its idle task keeps.
static BOOT_STACK: BootStack = BootStack(core::cell::UnsafeCell::new([0; BOOT_STACK_SIZE]));

/// Where the boot loader enters, on its own stack.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn kernel_entry() -> ! {
    naked_asm!(
        "cli",
        "cld",
        "lea rsp, [rip + {stack} + {size}]",
        "xor ebp, ebp",
        "call {start}",
        "ud2",
        stack = sym BOOT_STACK,
        size = const BOOT_STACK_SIZE,
        start = sym start_first,
    )
}

extern "C" fn start_first() -> ! {
    cpu::install_local(0);
    clock::init_early();
    set_up_cpu(0);
    cpu::set_kernel_stack_top(BOOT_STACK.0.get() as usize + BOOT_STACK_SIZE);
    boot::init();
    crate::start()
}

/// The per-CPU part that needs no memory and no other CPU.
fn set_up_cpu(index: usize) {
    let first = index == 0;
    gdt::init(index);
    if first {
        interrupt::init_table();
        extable::sort();
    }
    interrupt::init();
    features::init(first);
    fpu::init(first);
    if !first {
        // SAFETY: the kernel's tables map the kernel and live for ever.
        unsafe { paging::load_root(crate::mm::kernel_root()) };
        paging::flush_global();
        pcid::init_secondary();
    }
    features::set_tsc_aux(index);
}

/// Another CPU, on the stack that `smp` gave it.
pub(super) fn set_up_secondary(index: usize, stack_top: usize) {
    cpu::install_local(index);
    set_up_cpu(index);
    cpu::set_kernel_stack_top(stack_top);
}
