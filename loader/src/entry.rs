//! The way in (PVH, 32 bits) and the way out (the kernel's entry).

#[cfg(target_os = "none")]
core::arch::global_asm!(
    r#"
    .section .note.pvh, "a", @note
    .balign 4
    .long 4                     // length of the name
    .long 8                     // length of the value
    .long 18                    // XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_entry

    .section .text.entry, "ax"
    .code32
    .global pvh_entry
pvh_entry:
    cli
    cld
    mov esp, offset boot_stack_top
    mov eax, cr4
    or eax, 1 << 5              // PAE
    mov cr4, eax
    mov eax, offset boot_pml4
    mov cr3, eax
    mov ecx, 0xc0000080         // EFER
    rdmsr
    or eax, (1 << 8) | (1 << 11) // LME, NXE
    wrmsr
    mov eax, cr0
    or eax, (1 << 31) | (1 << 16) | 1 // PG, WP, PE
    mov cr0, eax
    lgdt [boot_gdt_pointer]
    push 0x28
    mov eax, offset boot_long_mode
    push eax
    retf

    .code64
boot_long_mode:
    mov ax, 0x30
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    xor ebp, ebp
    mov edi, ebx
    call {load}
    ud2

    // The segments that the protocol promises: 16-bit, 32-bit and 64-bit code and data.
    .section .data.boot, "aw"
    .balign 16
boot_gdt:
    .quad 0
    .quad 0x00009b000000ffff
    .quad 0x000093000000ffff
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00209b0000000000
    .quad 0x0000930000000000
boot_gdt_end:
boot_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .quad boot_gdt

    // The first 4 GiB, one to one.
    .balign 4096
boot_pml4:
    .quad boot_pdpt + 3
    .fill 511, 8, 0
boot_pdpt:
    .quad boot_pd + 3
    .quad boot_pd + 0x1003
    .quad boot_pd + 0x2003
    .quad boot_pd + 0x3003
    .fill 508, 8, 0
boot_pd:
    .set page, 0
    .rept 2048
    .quad (page << 21) | 0x83   // present, writable, large
    .set page, page + 1
    .endr

    .section .bss.boot, "aw", @nobits
    .balign 16
    .skip 65536
boot_stack_top:
    "#,
    load = sym crate::load,
);

/// The physical range that the loader itself takes.
#[cfg(target_os = "none")]
pub fn image() -> core::ops::Range<u64> {
    unsafe extern "C" {
        static __loader_start: u8;
        static __loader_end: u8;
    }
    &raw const __loader_start as u64..&raw const __loader_end as u64
}

/// The host build has no image; see `main`.
#[cfg(not(target_os = "none"))]
pub fn image() -> core::ops::Range<u64> {
    0..0
}

/// Switches to the page tables at `root` and jumps to the kernel, as the protocol describes: a zero
/// return address on the stack, all other registers zero, interrupts off.
pub fn enter_kernel(root: u64, entry: u64, stack_top: u64) -> ! {
    // SAFETY: the tables map this code where it runs, the stack and the entry; nothing of the
    // loader is used after the jump.
    unsafe {
        core::arch::asm!(
            "mov cr3, rax",
            "mov rsp, rsi",
            "push 0",
            "push rdi",
            "xor eax, eax",
            "xor ebx, ebx",
            "xor ecx, ecx",
            "xor edx, edx",
            "xor esi, esi",
            "xor edi, edi",
            "xor ebp, ebp",
            "xor r8d, r8d",
            "xor r9d, r9d",
            "xor r10d, r10d",
            "xor r11d, r11d",
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            "ret",
            in("rax") root,
            in("rdi") entry,
            in("rsi") stack_top,
            options(noreturn),
        )
    }
}
