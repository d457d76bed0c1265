//! Handlers' frames on the user stack (`struct rt_sigframe`), and `rt_sigreturn(2)`.
//!
//! The layout is Linux's to the byte: debuggers, unwinders and language run-times read it. Above the frame lies the extended
//! state, which `arch::fpu` writes and reads.

use super::{
    Action, ActionFlags, SigInfo, SignalSet, UserSigInfo, alt_stack::UserStack, mask, restart,
};
use crate::{
    arch::{self, TrapFrame, fpu::FpuState},
    mm::{USER_END, UserAddr, user},
    process::Task,
    sched,
};
use abi::{Errno, Result};
use core::sync::atomic::Ordering;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Selectors of user mode.
const USER_CS: u16 = 0x33;
const USER_SS: u16 = 0x2b;

bitflags::bitflags! {
    /// `uc_flags`.
    struct ContextFlags: u64 {
        /// The extended state has XSAVE's header and magic words.
        const FP_XSTATE = 1;
        /// `ss` is saved.
        const SIGCONTEXT_SS = 2;
        /// `ss` is restored as saved.
        const STRICT_RESTORE_SS = 4;
    }
    /// `rflags` bits.
    struct CpuFlags: usize {
        const TRAP = 1 << 8;
        const DIRECTION = 1 << 10;
        const RESUME = 1 << 16;
        /// What a handler may change: arithmetic flags, direction, trap, alignment check, resume.
        const RESTORABLE = 0x5_0dd5;
    }
}

/// `struct sigcontext`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct SigContext {
    r8: usize,
    r9: usize,
    r10: usize,
    r11: usize,
    r12: usize,
    r13: usize,
    r14: usize,
    r15: usize,
    rdi: usize,
    rsi: usize,
    rbp: usize,
    rbx: usize,
    rdx: usize,
    rax: usize,
    rcx: usize,
    rsp: usize,
    rip: usize,
    rflags: usize,
    cs: u16,
    gs: u16,
    fs: u16,
    ss: u16,
    error: usize,
    trap: usize,
    old_mask: u64,
    cr2: usize,
    fpstate: usize,
    reserved: [u64; 8],
}

/// `struct ucontext`.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct UserContext {
    flags: u64,
    link: usize,
    stack: UserStack,
    registers: SigContext,
    mask: u64,
}

/// `struct rt_sigframe`, but for the `siginfo_t` at its end.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct SignalFrame {
    /// Where the handler returns to: the program's restorer.
    return_address: usize,
    context: UserContext,
}

/// Bytes of the whole frame.
const FRAME_SIZE: usize = size_of::<SignalFrame>() + size_of::<UserSigInfo>();

const _: () = assert!(size_of::<SigContext>() == 256);
const _: () = assert!(size_of::<UserContext>() == 304);
const _: () = assert!(FRAME_SIZE == 440);

/// Pushes the frame of `action`'s handler and points `registers` at it. `EFAULT` when the stack cannot take it.
pub(super) fn set_up(
    task: &Task,
    registers: &mut TrapFrame,
    info: &SigInfo,
    action: &Action,
    restored_mask: SignalSet,
) -> Result<()> {
    if !action.flags.contains(ActionFlags::RESTORER) {
        return Err(Errno::EFAULT);
    }
    let signals = &task.signals;
    let place = signals.frame_place(registers.rsp, action.flags.contains(ActionFlags::ONSTACK));
    let fpu_size = FpuState::signal_frame_size();
    let fpstate = place.sp.wrapping_sub(fpu_size) & !63;
    // At the handler's first instruction the stack is as after a call: 8 below a multiple of 16.
    let sp = (fpstate.wrapping_sub(FRAME_SIZE) & !15).wrapping_sub(8);
    if !signals.frame_fits(&place, sp) {
        return Err(Errno::EFAULT);
    }
    FpuState::save_to_signal_frame(UserAddr(fpstate))?;

    let [trap, error, cr2] = [0, 1, 2].map(|i: usize| signals.trap[i].load(Ordering::Relaxed));
    let mut flags = ContextFlags::SIGCONTEXT_SS | ContextFlags::STRICT_RESTORE_SS;
    // The legacy FXSAVE area alone has no header behind it.
    if fpu_size > 512 {
        flags |= ContextFlags::FP_XSTATE;
    }
    let frame = SignalFrame {
        return_address: action.restorer,
        context: UserContext {
            flags: flags.bits(),
            link: 0,
            stack: signals.alt_stack_for_frame(),
            registers: SigContext {
                r8: registers.r8,
                r9: registers.r9,
                r10: registers.r10,
                r11: registers.r11,
                r12: registers.r12,
                r13: registers.r13,
                r14: registers.r14,
                r15: registers.r15,
                rdi: registers.rdi,
                rsi: registers.rsi,
                rbp: registers.rbp,
                rbx: registers.rbx,
                rdx: registers.rdx,
                rax: registers.rax,
                rcx: registers.rcx,
                rsp: registers.rsp,
                rip: registers.rip,
                rflags: registers.rflags,
                cs: registers.cs as u16,
                gs: 0,
                fs: 0,
                ss: registers.ss as u16,
                error,
                trap,
                old_mask: restored_mask.0,
                cr2,
                fpstate,
                reserved: [0; 8],
            },
            mask: restored_mask.0,
        },
    };
    let at = UserAddr(sp);
    let siginfo = at.add(size_of::<SignalFrame>());
    user::write(at, &frame)?;
    // Like Linux: a handler that does not ask for the information gets the address of what was there before.
    if action.flags.contains(ActionFlags::SIGINFO) {
        user::write(siginfo, &info.to_user())?;
    }

    registers.rdi = usize::from(info.signal.0);
    registers.rsi = siginfo.0;
    registers.rdx = at.add(core::mem::offset_of!(SignalFrame, context)).0;
    registers.rax = 0;
    registers.rip = action.handler;
    registers.rsp = sp;
    registers.cs = usize::from(USER_CS);
    registers.ss = usize::from(USER_SS);
    registers.rflags &= !(CpuFlags::DIRECTION | CpuFlags::RESUME | CpuFlags::TRAP).bits();
    // A handler starts with the extended state of a fresh program; the interrupted one is on the frame.
    FpuState::reset_current();
    reachable(registers)
}

/// As if the return to user mode had faulted, for an address that is none: the processor may take that fault in the kernel, with the user's GS base loaded. `EFAULT`.
fn reachable(registers: &TrapFrame) -> Result<()> {
    if registers.rip < USER_END { Ok(()) } else { Err(Errno::EFAULT) }
}

/// `rt_sigreturn(2)`: what goes into `rax`. A frame that cannot be right ends in SIGSEGV.
pub fn sigreturn() -> usize {
    let restored = arch::thread::with_user_frame(restore);
    restored.unwrap_or_else(|_| {
        super::force(SigInfo::kernel(super::Signal::SIGSEGV));
        // What the frame says, where it got that far.
        arch::thread::with_user_frame(|registers| registers.rax)
    })
}

fn restore(registers: &mut TrapFrame) -> Result<usize> {
    let task = sched::current();
    restart::clear_restart();
    // The handler's return has popped the return address.
    let at = UserAddr(registers.rsp.wrapping_sub(size_of::<usize>()));
    let frame: SignalFrame = user::read(at)?;
    mask::set_blocked(&task, SignalSet(frame.context.mask));

    let saved = &frame.context.registers;
    let strict = frame.context.flags & ContextFlags::STRICT_RESTORE_SS.bits() != 0;
    let ss = if strict { saved.ss | 3 } else { USER_SS };
    // Linux lets the return to user mode fault on a bad selector; the outcome is the same.
    if saved.cs | 3 != USER_CS || ss != USER_SS {
        return Err(Errno::EFAULT);
    }
    let restorable = CpuFlags::RESTORABLE.bits();
    *registers = TrapFrame {
        r8: saved.r8,
        r9: saved.r9,
        r10: saved.r10,
        r11: saved.r11,
        r12: saved.r12,
        r13: saved.r13,
        r14: saved.r14,
        r15: saved.r15,
        rdi: saved.rdi,
        rsi: saved.rsi,
        rbp: saved.rbp,
        rbx: saved.rbx,
        rdx: saved.rdx,
        rax: saved.rax,
        rcx: saved.rcx,
        rsp: saved.rsp,
        rip: saved.rip,
        rflags: registers.rflags & !restorable | saved.rflags & restorable,
        cs: usize::from(USER_CS),
        ss: usize::from(USER_SS),
        // What is returned to is not an interrupted call, whatever rax says.
        orig_rax: usize::MAX,
    };
    FpuState::restore_from_signal_frame(UserAddr(saved.fpstate))?;
    // Errors other than a fault are ignored, as on Linux: the stack may be the one in use.
    let _ = task.signals.change_alt_stack(frame.context.stack, registers.rsp);
    // The signal's frame shows these registers.
    reachable(registers)?;
    Ok(registers.rax)
}
