//! The registers of user mode as they lie on the kernel stack (one layout for system calls, exceptions
//! and interrupts: `struct pt_regs`), what each exception means, and the way back to user mode.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{
    apic, code_switch, cpu, extable, features, gdt, interrupt, io, ipi, irq, section_watch, stop,
    thread::{self, WorkFlags},
};
use crate::{
    mm::{
        USER_END,
        fault::{self, FaultCode, FaultOutcome},
    },
    process::{
        rseq,
        signal::{self, SigInfo, Signal},
    },
};

/// User (or interrupted kernel) registers.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, Immutable)]
pub struct TrapFrame {
    pub r15: usize,
    pub r14: usize,
    pub r13: usize,
    pub r12: usize,
    pub rbp: usize,
    pub rbx: usize,
    pub r11: usize,
    pub r10: usize,
    pub r9: usize,
    pub r8: usize,
    pub rax: usize,
    pub rcx: usize,
    pub rdx: usize,
    pub rsi: usize,
    pub rdi: usize,
    /// System call number, or -1 when the frame is not a system call's.
    pub orig_rax: usize,
    pub rip: usize,
    pub cs: usize,
    pub rflags: usize,
    pub rsp: usize,
    pub ss: usize,
}

/// Bits of the flags register.
pub mod flags {
    /// Always set.
    pub const FIXED: usize = 1 << 1;
    /// Single step.
    pub const TRAP: usize = 1 << 8;
    /// Interrupts are on.
    pub const INTERRUPT: usize = 1 << 9;
    /// Resume: suppresses one debug exception.
    pub const RESUME: usize = 1 << 16;
    /// In the kernel: user memory is open (SMAP).
    pub const USER_ACCESS: usize = 1 << 18;
}

/// Interrupt vectors of the kernel's own.
pub mod vector {
    /// First vector for devices.
    pub const DEVICE_FIRST: u8 = 0x30;
    /// Last vector for devices.
    pub const DEVICE_LAST: u8 = 0xdf;
    /// The local timer.
    pub const TIMER: u8 = 0xec;
    /// Functions to call: see `ipi`.
    pub const CALL: u8 = 0xfc;
    /// Run the scheduler.
    pub const RESCHEDULE: u8 = 0xfd;
    /// Local APIC error.
    pub const ERROR: u8 = 0xfe;
    /// No interrupt after all.
    pub const SPURIOUS: u8 = 0xff;
}

mod exception {
    pub const DIVIDE: u32 = 0;
    pub const DEBUG: u32 = 1;
    pub const NMI: u32 = 2;
    pub const BREAKPOINT: u32 = 3;
    pub const OVERFLOW: u32 = 4;
    pub const BOUND: u32 = 5;
    pub const INVALID_OPCODE: u32 = 6;
    pub const DOUBLE_FAULT: u32 = 8;
    pub const SEGMENT_NOT_PRESENT: u32 = 11;
    pub const STACK: u32 = 12;
    pub const GENERAL_PROTECTION: u32 = 13;
    pub const PAGE_FAULT: u32 = 14;
    pub const X87: u32 = 16;
    pub const ALIGNMENT: u32 = 17;
    pub const SIMD: u32 = 19;
}

/// `si_code` values, by the names of `sigaction(2)`.
mod code {
    pub const FPE_INTDIV: i32 = 1;
    pub const FPE_FLTDIV: i32 = 3;
    pub const FPE_FLTOVF: i32 = 4;
    pub const FPE_FLTUND: i32 = 5;
    pub const FPE_FLTRES: i32 = 6;
    pub const FPE_FLTINV: i32 = 7;
    pub const ILL_ILLOPN: i32 = 2;
    pub const TRAP_TRACE: i32 = 2;
    pub const BUS_ADRALN: i32 = 1;
}

impl TrapFrame {
    /// All registers zero.
    pub const ZERO: TrapFrame = TrapFrame {
        r15: 0,
        r14: 0,
        r13: 0,
        r12: 0,
        rbp: 0,
        rbx: 0,
        r11: 0,
        r10: 0,
        r9: 0,
        r8: 0,
        rax: 0,
        rcx: 0,
        rdx: 0,
        rsi: 0,
        rdi: 0,
        orig_rax: 0,
        rip: 0,
        cs: 0,
        rflags: 0,
        rsp: 0,
        ss: 0,
    };

    /// A frame that enters user mode at `entry` with stack pointer `stack` and all else zero.
    pub fn user(entry: usize, stack: usize) -> TrapFrame {
        TrapFrame {
            rip: entry,
            rsp: stack,
            cs: usize::from(gdt::selector::USER_CODE),
            ss: usize::from(gdt::selector::USER_DATA),
            rflags: flags::FIXED | flags::INTERRUPT,
            orig_rax: usize::MAX,
            ..TrapFrame::ZERO
        }
    }

    /// Whether the frame came from user mode.
    pub fn is_from_user(&self) -> bool {
        self.cs & 3 == 3
    }

    /// The six system call arguments.
    pub fn args(&self) -> [usize; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }

    /// Whether `sysret` can restore it: it loads RIP from RCX and the flags from R11, cannot set the
    /// resume flag, traps too late with the trap flag, and on some CPUs faults in the kernel when
    /// the address is not canonical.
    fn fits_sysret(&self) -> bool {
        self.rcx == self.rip
            && self.r11 == self.rflags
            && self.rip < USER_END
            && self.cs == usize::from(gdt::selector::USER_CODE)
            && self.ss == usize::from(gdt::selector::USER_DATA)
            && self.rflags & (flags::TRAP | flags::RESUME) == 0
    }
}

/// Every vector but `syscall` comes here, interrupts off, from entry.rs.
pub(super) extern "C" fn handle(vector: u32, frame: &mut TrapFrame) {
    if section_watch::ON {
        section_watch::begin();
    }
    // The alignment check flag opens user memory to the kernel; user mode may have set it.
    if features::smap() {
        // SAFETY: SMAP is there. What was interrupted gets its flag back with the others.
        unsafe { core::arch::asm!("clac", options(nostack)) };
    }
    if vector < 32 {
        handle_exception(vector, frame);
    } else {
        irq::enter();
        crate::sched::interrupt_enter();
        handle_interrupt(vector as u8, frame.is_from_user());
        irq::leave();
    }
    if frame.is_from_user() {
        irq::disable();
        exit_to_user(frame);
    } else if vector >= 32 && frame.rflags & flags::INTERRUPT != 0 && irq::preemption_due() {
        crate::sched::preempt_schedule_irq();
    }
    if section_watch::ON && frame.rflags & flags::INTERRUPT != 0 {
        section_watch::end_if_preemptible();
    }
}

fn handle_interrupt(vector: u8, from_user: bool) {
    match vector {
        vector::TIMER => {
            apic::end_of_interrupt();
            crate::time::timer_interrupt(from_user);
        }
        vector::RESCHEDULE => {
            apic::end_of_interrupt();
            irq::set_need_resched();
        }
        vector::CALL => {
            apic::end_of_interrupt();
            ipi::run_calls();
        }
        vector::SPURIOUS => {}
        vector::ERROR => {
            apic::end_of_interrupt();
            crate::pr_err!("APIC error on CPU {}: {:#x}", cpu::id(), apic::error_status());
        }
        _ => interrupt::handle(vector),
    }
}

/// A system call, from entry.rs with interrupts off. Returns whether `sysret` can go back.
pub(super) extern "C" fn handle_syscall(frame: &mut TrapFrame) -> bool {
    irq::enable();
    crate::syscall::dispatch(frame);
    irq::disable();
    exit_to_user(frame);
    frame.fits_sysret()
}

/// What must be done before user mode. Interrupts are off, and are off again afterwards.
///
/// One load tells whether there is anything; each round through the loop may make more, as it runs
/// with interrupts on.
#[inline]
pub(super) fn exit_to_user(frame: &mut TrapFrame) {
    if !thread::current_work().is_empty() {
        exit_to_user_work(frame);
    }
    crate::sync::rcu::note_quiescent();
    if section_watch::ON {
        section_watch::leave_kernel();
    }
}

#[cold]
fn exit_to_user_work(frame: &mut TrapFrame) {
    let slow = WorkFlags::RESCHED | WorkFlags::SIGNAL | WorkFlags::RSEQ;
    loop {
        let work = thread::current_work();
        if !work.intersects(slow) {
            break;
        }
        irq::enable();
        if work.contains(WorkFlags::RESCHED) {
            crate::sched::schedule();
        }
        if work.contains(WorkFlags::SIGNAL) {
            signal::deliver(frame);
        }
        if work.contains(WorkFlags::RSEQ)
            && rseq::before_return(&crate::sched::current(), frame).is_err()
        {
            signal::force(SigInfo::kernel(Signal::SIGSEGV));
        }
        irq::disable();
    }
    if thread::current_work().contains(WorkFlags::FPU_RESTORE) {
        thread::restore_fpu();
    }
}

fn handle_exception(vector: u32, frame: &mut TrapFrame) {
    let error_code = frame.orig_rax;
    frame.orig_rax = usize::MAX;
    match vector {
        exception::PAGE_FAULT => handle_page_fault(frame, error_code as u64),
        exception::NMI => stop::stop_if_asked(frame),
        exception::DOUBLE_FAULT => {
            fatal(frame, format_args!("double fault (kernel stack overflow?)"));
        }
        _ if frame.is_from_user() => {
            // The FPU's status is in the registers until somebody else runs here.
            let info = exception_signal(vector, frame);
            irq::enable();
            signal::record_trap(vector as usize, error_code, 0);
            signal::force(info);
        }
        exception::GENERAL_PROTECTION | exception::STACK if fixed_up(frame) => {}
        exception::BREAKPOINT if code_switch::step_over(frame) => {}
        // Left over from user code that had single-stepping on when it made a system call.
        exception::DEBUG => frame.rflags &= !flags::TRAP,
        _ => fatal(
            frame,
            format_args!("exception {vector} in the kernel, error code {error_code:#x}"),
        ),
    }
}

/// The signal that Linux sends for an exception of user code.
fn exception_signal(vector: u32, frame: &TrapFrame) -> SigInfo {
    match vector {
        exception::DIVIDE => SigInfo::fault(Signal::SIGFPE, code::FPE_INTDIV, frame.rip),
        exception::DEBUG => SigInfo::fault(Signal::SIGTRAP, code::TRAP_TRACE, frame.rip),
        exception::BREAKPOINT => SigInfo::kernel(Signal::SIGTRAP),
        exception::INVALID_OPCODE => SigInfo::fault(Signal::SIGILL, code::ILL_ILLOPN, frame.rip),
        exception::SEGMENT_NOT_PRESENT | exception::STACK => SigInfo::kernel(Signal::SIGBUS),
        exception::X87 => SigInfo::fault(Signal::SIGFPE, x87_code(), frame.rip),
        exception::SIMD => SigInfo::fault(Signal::SIGFPE, simd_code(), frame.rip),
        exception::ALIGNMENT => SigInfo::fault(Signal::SIGBUS, code::BUS_ADRALN, 0),
        // Overflow, bounds, invalid TSS, general protection and what no CPU sends.
        exception::OVERFLOW | exception::BOUND => SigInfo::kernel(Signal::SIGSEGV),
        _ => SigInfo::kernel(Signal::SIGSEGV),
    }
}

/// The `si_code` for the exception bits of x87's status or SSE's MXCSR that are not masked.
fn floating_point_code(raised: u32) -> i32 {
    // In the order of importance that Linux uses.
    [
        (1 << 0, code::FPE_FLTINV),
        (1 << 2, code::FPE_FLTDIV),
        (1 << 3, code::FPE_FLTOVF),
        (1 << 1 | 1 << 4, code::FPE_FLTUND),
        (1 << 5, code::FPE_FLTRES),
    ]
    .into_iter()
    .find(|(bits, _)| raised & bits != 0)
    .map_or(0, |(_, code)| code)
}

fn x87_code() -> i32 {
    let (mut status, mut control) = (0u16, 0u16);
    // SAFETY: stores two words; interrupts are off since the fault, so the registers are those of the task.
    unsafe {
        core::arch::asm!(
            "fnstsw [{}]",
            "fnstcw [{}]",
            in(reg) &raw mut status,
            in(reg) &raw mut control,
            options(nostack),
        );
    }
    floating_point_code(u32::from(status & !control))
}

fn simd_code() -> i32 {
    let mut mxcsr = 0u32;
    // SAFETY: as in `x87_code`.
    unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mxcsr, options(nostack)) };
    floating_point_code(!(mxcsr >> 7) & mxcsr & 0x3f)
}

fn fixed_up(frame: &mut TrapFrame) -> bool {
    match extable::fix_up(frame.rip) {
        Some(fix_up) => {
            frame.rip = fix_up;
            true
        }
        None => false,
    }
}

fn handle_page_fault(frame: &mut TrapFrame, error_code: u64) {
    let address = io::read_cr2();
    let code = FaultCode::from_bits_truncate(error_code);
    if frame.is_from_user() {
        if fault::handle_simple(address, code) {
            return;
        }
        irq::enable();
        match fault::handle(address, code, frame) {
            // Out of memory: whoever was chosen to die makes room, or it was this task, and its
            // signal is delivered on the way out.
            FaultOutcome::Retry | FaultOutcome::OutOfMemory => {}
            FaultOutcome::Signal(signo, code) => {
                signal::record_trap(exception::PAGE_FAULT as usize, error_code as usize, address);
                signal::force(SigInfo::fault(Signal(signo as u8), code, address));
            }
        }
        return;
    }
    // With SMAP no access but a copy's goes there; without, a wrong one finds no fix-up below.
    let user_copy =
        address < USER_END && (!features::smap() || frame.rflags & flags::USER_ACCESS != 0);
    // Where the kernel may not sleep the page cannot be brought in: the copy stops short, and the
    // caller knows to try again outside its section.
    if user_copy && irq::preempt_count() == 0 && frame.rflags & flags::INTERRUPT != 0 {
        irq::enable();
        let outcome = fault::handle(address, code, frame);
        irq::disable();
        if let FaultOutcome::Retry = outcome {
            return;
        }
    }
    if user_copy && fixed_up(frame) {
        return;
    }
    let what = if code.contains(FaultCode::FETCH) {
        "fetch from"
    } else if code.contains(FaultCode::WRITE) {
        "write to"
    } else {
        "read of"
    };
    fatal(
        frame,
        format_args!("kernel {what} bad address {address:#x}, error code {error_code:#x}"),
    );
}

/// An exception that the kernel itself caused.
fn fatal(frame: &TrapFrame, what: core::fmt::Arguments<'_>) -> ! {
    crate::panic::die(frame, what)
}
