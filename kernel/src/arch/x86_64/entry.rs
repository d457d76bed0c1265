//! The ways into the kernel and back: `syscall`, and one stub for each interrupt vector.
//!
//! Every way leaves the same [`TrapFrame`] on the stack: for an entry from user mode at the very top
//! of the task's kernel stack, where [`super::thread::with_user_frame`] finds it.
//!
//! Exceptions that can come between any two instructions (NMI, double fault, machine check, debug)
//! have stacks of their own. From user mode they move to the task's stack and go the common way.
//! From the kernel they cannot know whose GS base is loaded, as `swapgs` may be the instruction
//! interrupted: they save the base, take the CPU's own from the top of their stack, and put the
//! saved one back.

use core::{arch::global_asm, mem::offset_of};

use super::{
    cpu::offset,
    gdt::selector,
    io::msr,
    trap::{self, TrapFrame},
};

/// Bytes that one stub takes; stub n is at the start plus n times this.
pub(super) const STUB_SIZE: usize = 16;

unsafe extern "C" {
    fn interrupt_stubs();
    fn syscall_entry();
    fn syscall32_entry();
    /// Pops the frame at the stack pointer and returns to where it says; `thread` enters new user
    /// threads here.
    pub(super) fn return_from_trap();
}

/// The address of the stub for vector 0.
pub(super) fn stubs() -> usize {
    interrupt_stubs as *const () as usize
}

/// Where `syscall` goes.
pub(super) fn syscall_entry_address() -> usize {
    syscall_entry as *const () as usize
}

/// Where `syscall` from a 32-bit segment goes.
pub(super) fn syscall32_entry_address() -> usize {
    syscall32_entry as *const () as usize
}

global_asm!(
    r#"
    // Pushes the registers from rsi down, below ss..rdi.
    .macro PUSH_REGISTERS
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    .endm

    .macro POP_REGISTERS
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
    .endm

    .section .text.entry, "ax"

    // The CPU pushes an error code for vectors 8, 10-14, 17, 21, 29 and 30; the others get -1 there,
    // which as orig_rax means "no system call".
    .balign 16
    .global interrupt_stubs
    .type interrupt_stubs, @function
interrupt_stubs:
    .set vector, 0
    .rept 256
    .balign {stub_size}
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    push -1
    .endif
    push rdi
    .if vector == 1 || vector == 2 || vector == 8 || vector == 18
    mov edi, offset vector
    jmp emergency_entry
    .else
    mov edi, offset vector
    jmp common_entry
    .endif
    .set vector, vector + 1
    .endr

    // edi: vector. On the stack: ss, rsp, rflags, cs, rip, error code or -1, rdi.
    .balign 16
    .type common_entry, @function
common_entry:
    cld
    test byte ptr [rsp + 24], 3
    jz 2f
    swapgs
    PUSH_REGISTERS
    xor ebp, ebp
    jmp 3f
2:
    PUSH_REGISTERS
3:
    mov rsi, rsp
    mov rbx, rsp
    and rsp, -16
    call {trap}
    mov rsp, rbx

    .global return_from_trap
    .type return_from_trap, @function
return_from_trap:
    test byte ptr [rsp + {cs}], 3
    jz 2f
    swapgs
2:
    POP_REGISTERS
    add rsp, 8                  // orig_rax
    iretq

    // As above, on a stack of the vector's own.
    .balign 16
    .type emergency_entry, @function
emergency_entry:
    cld
    test byte ptr [rsp + 24], 3
    jz 2f
    // From user mode: the user's GS base is loaded, and the task's stack is free.
    swapgs
    push rsi
    mov rsi, rsp
    mov rsp, gs:[{kernel_stack_top}]
    push [rsi + 56]             // ss
    push [rsi + 48]             // rsp
    push [rsi + 40]             // rflags
    push [rsi + 32]             // cs
    push [rsi + 24]             // rip
    push [rsi + 16]             // error code
    push [rsi + 8]              // rdi
    mov rsi, [rsi]
    PUSH_REGISTERS
    xor ebp, ebp
    jmp 3b
2:
    PUSH_REGISTERS
    mov ecx, {gs_base}
    rdmsr
    shl rdx, 32
    or rdx, rax
    mov r12, rdx
    mov rdx, [rsp + {frame_size}]  // the word above the frame: this CPU's block
    mov eax, edx
    shr rdx, 32
    wrmsr
    mov rsi, rsp
    mov rbx, rsp
    and rsp, -16
    call {trap}
    mov rsp, rbx
    mov rdx, r12
    mov eax, edx
    shr rdx, 32
    mov ecx, {gs_base}
    wrmsr
    POP_REGISTERS
    add rsp, 8
    iretq

    .balign 16
    .global syscall_entry
    .type syscall_entry, @function
syscall_entry:
    swapgs
    mov gs:[{user_rsp}], rsp
    mov rsp, gs:[{kernel_stack_top}]
    push {user_data}
    push gs:[{user_rsp}]
    push r11                    // rflags
    push {user_code}
    push rcx                    // rip
    push rax                    // orig_rax
    push rdi
    push rsi
    push rdx
    push rcx
    push -38                    // rax: ENOSYS until the call says otherwise
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov rdi, rsp
    sub rsp, 8
    xor ebp, ebp
    call {syscall}
    add rsp, 8
    test al, al
    jz return_from_trap
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
    add rsp, 8                  // orig_rax
    pop rcx                     // rip
    add rsp, 8                  // cs
    pop r11                     // rflags
    pop rsp
    swapgs
    sysretq

    // There is no 32-bit system call interface: what Linux does without IA32 emulation.
    .balign 16
    .global syscall32_entry
    .type syscall32_entry, @function
syscall32_entry:
    mov eax, -38
    sysret
entry_end:

    .size interrupt_stubs, common_entry - interrupt_stubs
    .size common_entry, return_from_trap - common_entry
    .size return_from_trap, emergency_entry - return_from_trap
    .size emergency_entry, syscall_entry - emergency_entry
    .size syscall_entry, syscall32_entry - syscall_entry
    .size syscall32_entry, entry_end - syscall32_entry
    "#,
    stub_size = const STUB_SIZE,
    trap = sym trap::handle,
    syscall = sym trap::handle_syscall,
    cs = const offset_of!(TrapFrame, cs),
    frame_size = const size_of::<TrapFrame>(),
    user_rsp = const offset::USER_RSP,
    kernel_stack_top = const offset::KERNEL_STACK_TOP,
    gs_base = const msr::GS_BASE,
    user_data = const selector::USER_DATA,
    user_code = const selector::USER_CODE,
);
