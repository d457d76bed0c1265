//! What a thread is to the machine: its kernel stack, its saved stack pointer, segment bases and
//! extended state; the switch between two of them.
//!
//! A thread is *on a CPU* from the moment that it is switched to until the switch away has saved its
//! last register. [`switch`] waits for that, so the scheduler may put a task on another run queue
//! before its old CPU has quite left it.

use alloc::boxed::Box;
use core::{
    arch::{asm, naked_asm},
    cell::UnsafeCell,
    mem::{offset_of, size_of},
    ptr,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use super::{
    cpu::{self, offset},
    entry,
    fpu::FpuState,
    gdt, irq,
    segments::{SavedSegments, UserSegments},
    trap,
    trap::TrapFrame,
};
use crate::mm::KernelStack;

/// Machine state of one thread.
pub struct Thread {
    /// Kept for its memory. None for idle tasks: they run on their CPU's boot stack, which is never freed.
    _stack: Option<KernelStack>,
    /// The top of the stack, whoever owns it.
    stack_top: usize,
    /// The stack pointer while the thread is not on a CPU.
    stack_pointer: UnsafeCell<usize>,
    segments: SavedSegments,
    /// None for kernel threads.
    fpu: Option<FpuState>,
    work: AtomicU32,
    on_cpu: AtomicBool,
    /// Where it is, or last was.
    cpu: AtomicU32,
}

// SAFETY: the stack pointer is only written by the switch, which `on_cpu` keeps to one CPU at a
// time; the rest is atomic or never changes.
unsafe impl Sync for Thread {}

/// What `switch_stacks` pops, lowest address first.
#[repr(C)]
struct SwitchFrame {
    r15: usize,
    r14: usize,
    r13: usize,
    r12: usize,
    rbx: usize,
    rbp: usize,
    return_address: usize,
}

impl Thread {
    /// A kernel thread that will run `entry`.
    pub fn kernel(stack: KernelStack, entry: Box<dyn FnOnce() + Send>) -> Thread {
        let entry = Box::into_raw(entry);
        // SAFETY: a pointer to a trait object is two words; `kernel_thread_main` puts them together
        // again, once.
        let [data, vtable] = unsafe { core::mem::transmute::<*mut _, [usize; 2]>(entry) };
        // The place of the user registers stays free, so that all stacks look alike.
        let place = stack.top() - size_of::<TrapFrame>() - 8;
        let frame = SwitchFrame {
            r15: 0,
            r14: 0,
            r13: vtable,
            r12: data,
            rbx: 0,
            rbp: 0,
            return_address: kernel_thread_start as *const () as usize,
        };
        Thread::with_stack(stack, place, frame, None, UserSegments::default())
    }

    /// A user thread that will return to user mode with `frame`.
    pub fn user(
        stack: KernelStack,
        frame: TrapFrame,
        fpu: FpuState,
        segments: UserSegments,
    ) -> Thread {
        let registers = stack.top() - size_of::<TrapFrame>();
        // SAFETY: the stack is new, so its top is free memory that nothing else refers to.
        unsafe { (registers as *mut TrapFrame).write(frame) };
        let switch = SwitchFrame {
            r15: 0,
            r14: 0,
            r13: 0,
            r12: 0,
            rbx: 0,
            rbp: 0,
            return_address: user_thread_start as *const () as usize,
        };
        Thread::with_stack(stack, registers, switch, Some(fpu), segments)
    }

    /// The context that this CPU is running on right now (its boot stack), to become its idle task.
    /// Its saved state is filled by the first [`switch`] away from it.
    pub fn running() -> Thread {
        Thread {
            _stack: None,
            stack_top: cpu::local().kernel_stack_top.load(Ordering::Relaxed),
            stack_pointer: UnsafeCell::new(0),
            segments: SavedSegments::new(UserSegments::default()),
            fpu: None,
            work: AtomicU32::new(0),
            on_cpu: AtomicBool::new(true),
            cpu: AtomicU32::new(cpu::id() as u32),
        }
    }

    fn with_stack(
        stack: KernelStack,
        below: usize,
        frame: SwitchFrame,
        fpu: Option<FpuState>,
        segments: UserSegments,
    ) -> Thread {
        let at = below - size_of::<SwitchFrame>();
        // SAFETY: the place is inside the new stack, below what was put there before.
        unsafe { (at as *mut SwitchFrame).write(frame) };
        Thread {
            stack_top: stack.top(),
            _stack: Some(stack),
            stack_pointer: UnsafeCell::new(at),
            segments: SavedSegments::new(segments),
            work: AtomicU32::new(if fpu.is_some() { WorkFlags::FPU_RESTORE.bits() } else { 0 }),
            fpu,
            on_cpu: AtomicBool::new(false),
            cpu: AtomicU32::new(0),
        }
    }

    /// The segments of the current thread or a stopped one.
    pub fn segments(&self) -> UserSegments {
        if self.is_current() {
            irq::preempt_disable();
            self.segments.save();
            irq::preempt_enable();
        }
        self.segments.get()
    }

    /// Sets the segments of the current thread, at once. They come from [`Thread::segments`], with bases that the caller
    /// has checked to be user addresses.
    pub fn set_segments(&self, segments: UserSegments) {
        debug_assert!(self.is_current());
        let interrupts = irq::save_and_disable();
        // SAFETY: interrupts are off; only a thread's registers are a source of selectors.
        unsafe { self.segments.replace(segments) };
        irq::restore(interrupts);
    }

    /// Its user registers, if it is off the CPU: what the kernel was entered with. If it runs meanwhile, they may be a mixture.
    /// A kernel thread's are all 0, but for the system call's number, which is none.
    pub fn user_frame(&self) -> Option<TrapFrame> {
        if self.fpu.is_none() {
            return Some(TrapFrame { orig_rax: usize::MAX, ..TrapFrame::default() });
        }
        let frame = (self.stack_top - size_of::<TrapFrame>()) as *const TrapFrame;
        // SAFETY: a user thread's stack begins with its registers and lives as long as the thread. The read is volatile
        // because the thread may be woken and write them; every value of the words is valid.
        let copy = || unsafe { frame.read_volatile() };
        let is_off = || !self.on_cpu.load(Ordering::Acquire);
        is_off().then(copy).filter(|_| is_off())
    }

    /// Adds work to do before the next return to user mode. From another CPU than the one that runs
    /// the thread it interrupts that one, so that the work is seen at once.
    pub fn set_work(&self, flags: WorkFlags) {
        let old = self.work.fetch_or(flags.bits(), Ordering::SeqCst);
        if old & flags.bits() != flags.bits() && self.on_cpu.load(Ordering::SeqCst) {
            irq::preempt_disable();
            let cpu = self.cpu.load(Ordering::Relaxed) as usize;
            if cpu != cpu::id() {
                cpu::send_reschedule(cpu);
            }
            irq::preempt_enable();
        }
    }

    /// Takes flags away.
    pub fn clear_work(&self, flags: WorkFlags) {
        self.work.fetch_and(!flags.bits(), Ordering::SeqCst);
    }

    /// The flags now.
    #[inline]
    pub fn work(&self) -> WorkFlags {
        WorkFlags::from_bits_retain(self.work.load(Ordering::Relaxed))
    }

    pub(super) fn fpu(&self) -> Option<&FpuState> {
        self.fpu.as_ref()
    }

    fn is_current(&self) -> bool {
        cpu::running_task().is_some_and(|task| ptr::eq(&raw const task.thread, self))
    }
}

/// Switches this CPU from `prev` to `next`: callee-saved registers, stack, `rsp0`, segments, FPU ownership. Returns
/// when somebody switches back to `prev`, perhaps on another CPU. A thread that never ran first calls
/// `sched::finish_switch()` (interrupts are off and the preempt count is 1; both end inside), then its entry.
///
/// # Safety
/// Interrupts are off and the preempt count is 1. `prev` is the running thread. Both stay alive until they are switched
/// away from, and no two CPUs switch to `next` at once. Only `sync::running` calls this.
pub unsafe fn switch(prev: &Thread, next: &Thread) {
    let local = cpu::local();
    let index = cpu::id();
    let (from, to) = (prev, next);
    // Its old CPU may still be saving its registers; that takes a moment and no lock of ours.
    while to.on_cpu.load(Ordering::Acquire) {
        cpu::relax();
    }
    to.on_cpu.store(true, Ordering::Relaxed);
    to.cpu.store(index as u32, Ordering::Relaxed);

    if let Some(fpu) = &from.fpu {
        if !from.work().contains(WorkFlags::FPU_RESTORE) {
            fpu.switch_out();
            from.work.fetch_or(WorkFlags::FPU_RESTORE.bits(), Ordering::Relaxed);
        }
        from.segments.save();
    }
    // SAFETY: interrupts are off; the bases come from user mode or were checked. A kernel thread's selectors are always 0, so
    // what the CPU has are those that were saved last.
    unsafe {
        to.segments.load_selectors(&from.segments);
        if to.fpu.is_some() {
            to.segments.load_bases();
        }
    }
    local.kernel_stack_top.store(to.stack_top, Ordering::Relaxed);
    gdt::set_interrupt_stack(index, to.stack_top);
    // SAFETY: `to` is not on any CPU, so its stack pointer is that of a complete switch frame;
    // `from` is this thread, and its flag is cleared only once its registers are saved.
    unsafe {
        switch_stacks(from.stack_pointer.get(), *to.stack_pointer.get(), from.on_cpu.as_ptr());
    }
}

/// Saves what the calling convention keeps, changes stacks, and marks the old thread as off its CPU.
#[unsafe(naked)]
unsafe extern "C" fn switch_stacks(_save: *mut usize, _load: usize, _off: *mut bool) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "mov rsp, rsi",
        // x86 stores become visible in order: the stack pointer above first.
        "mov byte ptr [rdx], 0",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

#[unsafe(naked)]
unsafe extern "C" fn kernel_thread_start() {
    naked_asm!(
        "mov rdi, r12",
        "mov rsi, r13",
        "xor ebp, ebp",
        "call {main}",
        "ud2",
        main = sym kernel_thread_main,
    )
}

#[unsafe(naked)]
unsafe extern "C" fn user_thread_start() {
    naked_asm!(
        // The stack pointer is at the user registers.
        "mov rdi, rsp",
        "sub rsp, 8",
        "xor ebp, ebp",
        "call {main}",
        "add rsp, 8",
        "jmp {leave}",
        main = sym user_thread_main,
        leave = sym entry::return_from_trap,
    )
}

extern "C" fn kernel_thread_main(data: usize, vtable: usize) -> ! {
    crate::sched::finish_switch();
    // SAFETY: the two words are the box that `Thread::kernel` took apart for this thread alone.
    let body = unsafe {
        Box::from_raw(core::mem::transmute::<[usize; 2], *mut (dyn FnOnce() + Send)>([
            data, vtable,
        ]))
    };
    body();
    crate::process::exit::exit_thread(crate::process::ExitStatus::from_wait_status(0))
}

extern "C" fn user_thread_main(frame: &mut TrapFrame) {
    crate::sched::finish_switch();
    irq::disable();
    trap::exit_to_user(frame);
}

/// The current thread's user registers, at the top of its kernel stack.
pub fn with_user_frame<R>(f: impl FnOnce(&mut TrapFrame) -> R) -> R {
    let top: usize;
    // SAFETY: GS points to this CPU's block, where the switch keeps the running thread's stack top.
    unsafe {
        asm!("mov {}, gs:[{}]", out(reg) top, const offset::KERNEL_STACK_TOP, options(nostack))
    };
    let frame = (top - size_of::<TrapFrame>()) as *mut TrapFrame;
    // SAFETY: every entry from user mode leaves the registers there, and kernel threads keep the
    // place free; only the thread itself gets here.
    f(unsafe { &mut *frame })
}

/// Adds work to the running task without interrupting anybody.
#[inline]
pub(super) fn set_current_work(flags: WorkFlags) {
    if let Some(task) = cpu::running_task() {
        task.thread.work.fetch_or(flags.bits(), Ordering::Relaxed);
    }
}

/// Takes work from the running task.
#[inline]
pub(super) fn clear_current_work(flags: WorkFlags) {
    if let Some(task) = cpu::running_task() {
        task.thread.work.fetch_and(!flags.bits(), Ordering::Relaxed);
    }
}

/// Makes the registers hold the running task's state. Interrupts are off.
pub(super) fn restore_fpu() {
    if let Some(task) = cpu::running_task() {
        if let Some(fpu) = &task.thread.fpu {
            fpu.prepare_user();
        }
        task.thread.work.fetch_and(!WorkFlags::FPU_RESTORE.bits(), Ordering::Relaxed);
    }
}

/// The running task's work.
#[inline]
pub(super) fn current_work() -> WorkFlags {
    cpu::running_task().map_or(WorkFlags::empty(), |task| task.thread.work())
}

bitflags::bitflags! {
    /// Why the return to user mode must take the slow path.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct WorkFlags: u32 {
        /// A signal may be deliverable, or the task is to stop or die.
        const SIGNAL = 1;
        /// A reschedule is due (mirrors the CPU's preempt count bit).
        const RESCHED = 2;
        /// The FPU registers do not hold this task's state.
        const FPU_RESTORE = 4;
        /// The thread's restartable sequence is to be looked at (see `process::rseq`).
        const RSEQ = 8;
    }
}

const _: () = assert!(offset_of!(SwitchFrame, return_address) == 48);
