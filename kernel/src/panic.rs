//! The end: says what went wrong, where every CPU was, and stops.
//!
//! The first CPU to get here stops the others by an interrupt that they cannot mask; each leaves its
//! registers and halts. Nothing here takes a lock or allocates.
#![forbid(unsafe_code)]

use core::{
    fmt,
    panic::PanicInfo,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    arch::{TrapFrame, backtrace, backtrace::Symbolized, clock, cpu, irq, stop},
    drivers::power,
    klog, params,
};

/// No CPU is panicking.
const NOBODY: usize = usize::MAX;
static PANICKING: AtomicUsize = AtomicUsize::new(NOBODY);

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    begin();
    match info.location() {
        Some(at) => pr_err!("panic: {} ({}:{})", info.message(), at.file(), at.line()),
        None => pr_err!("panic: {}", info.message()),
    }
    print_current();
    print_backtrace(backtrace::frame_pointer());
    finish()
}

/// An exception of the kernel's own that nothing can put right.
pub fn die(frame: &TrapFrame, what: fmt::Arguments<'_>) -> ! {
    begin();
    pr_err!("panic: {what}");
    print_current();
    print_registers(frame);
    pr_err!("  {}", Symbolized(frame.rip));
    print_backtrace(frame.rbp);
    finish()
}

/// Makes this the only CPU that goes on.
fn begin() {
    irq::disable();
    let first = PANICKING.compare_exchange(NOBODY, cpu::id(), Ordering::AcqRel, Ordering::Acquire);
    match first {
        Ok(_) => {}
        Err(other) if other == cpu::id() => {
            // A panic in the panic: what was said has to do.
            power::exit_after_panic();
            cpu::halt_forever();
        }
        Err(_) => cpu::halt_forever(),
    }
    klog::force();
    stop::stop_others();
}

fn finish() -> ! {
    for cpu in stop::others().iter() {
        match stop::registers(cpu) {
            Some(frame) => {
                pr_err!("CPU {cpu} was at:");
                print_registers(frame);
                if !frame.is_from_user() {
                    pr_err!("  {}", Symbolized(frame.rip));
                    print_backtrace(frame.rbp);
                }
            }
            None => pr_err!("CPU {cpu} does not answer"),
        }
    }
    let delay = params::get().panic;
    if delay > 0 {
        clock::delay_us(delay.unsigned_abs().saturating_mul(1_000_000));
    }
    power::exit_after_panic();
    if delay != 0 {
        power::restart();
    }
    pr_err!("stopped");
    cpu::halt_forever()
}

fn print_current() {
    match cpu::running_task() {
        Some(task) => {
            let name = task.name.try_lock().map_or([b'?'; 16], |name| *name);
            let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
            let name = core::str::from_utf8(&name[..end]).unwrap_or("?");
            pr_err!("CPU {}, task {:?} ({name})", cpu::id(), task.tid());
        }
        None => pr_err!("CPU {}, no task yet", cpu::id()),
    }
}

fn print_registers(f: &TrapFrame) {
    pr_err!("  rip {:016x} rsp {:016x} rflags {:08x} cs {:x}", f.rip, f.rsp, f.rflags, f.cs);
    pr_err!("  rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}", f.rax, f.rbx, f.rcx, f.rdx);
    pr_err!("  rsi {:016x} rdi {:016x} rbp {:016x} r8  {:016x}", f.rsi, f.rdi, f.rbp, f.r8);
    pr_err!("  r9  {:016x} r10 {:016x} r11 {:016x} r12 {:016x}", f.r9, f.r10, f.r11, f.r12);
    pr_err!("  r13 {:016x} r14 {:016x} r15 {:016x}", f.r13, f.r14, f.r15);
}

fn print_backtrace(frame_pointer: usize) {
    backtrace::walk(frame_pointer, |call| pr_err!("  {call}"));
}
