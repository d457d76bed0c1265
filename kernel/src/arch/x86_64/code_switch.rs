//! Switches that are in the code itself, for what is off in all but a few hours of a kernel's life and must cost nothing then. Each place
//! that asks is one instruction that does nothing; turning the switch on writes jumps over them.
//!
//! Other CPUs may be executing what is rewritten, and fetch a mixture of old and new bytes. So it goes by way of a breakpoint, which is
//! one byte: all first bytes become breakpoints; then the other bytes follow, then the first ones. After each step every CPU serializes.
//! A CPU that meets a breakpoint goes on behind the place, as if the switch were off.

use core::{
    ptr,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{TrapFrame, cpu, features, irq};
use crate::sync::{Mutex, class};

/// One switch; off at first.
pub struct CodeSwitch {
    on: AtomicBool,
}

impl CodeSwitch {
    /// A switch that is off.
    pub const fn new() -> CodeSwitch {
        CodeSwitch { on: AtomicBool::new(false) }
    }

    /// Whether it is on, for code that is slow anyway.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }
}

/// Runs a block, which lies aside of the other code, if the switch is on.
macro_rules! if_on {
    ($switch:path, $then:block) => {
        // SAFETY: the instruction does nothing, or jumps to the label.
        unsafe {
            core::arch::asm!(
                "2: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00",
                ".pushsection __code_switches, \"a\", @progbits",
                ".balign 4",
                ".long 2b - ., {on} - ., {switch} - .",
                ".popsection",
                on = label $then,
                switch = sym $switch,
                options(nomem, nostack, preserves_flags),
            );
        }
    };
}
pub(crate) use if_on;

/// Events of the scheduler are counted (`kernel.sched_schedstats`).
pub static SCHED_EVENTS: CodeSwitch = CodeSwitch::new();

/// Whether they are.
#[inline(always)]
pub fn sched_events_on() -> bool {
    if_on!(SCHED_EVENTS, { return true });
    false
}

/// Some thread has had system calls sent to itself (`PR_SET_SYSCALL_USER_DISPATCH`). Never off again.
pub static USER_DISPATCH: CodeSwitch = CodeSwitch::new();

/// Whether one has.
#[inline(always)]
pub fn user_dispatch_on() -> bool {
    if_on!(USER_DISPATCH, { return true });
    false
}

/// Memory is on several nodes. Never off again.
pub static SEVERAL_NODES: CodeSwitch = CodeSwitch::new();

/// Calls a function made by [`preserving_registers!`] with one word, on the stack: the code around a rare call saves nothing for it and
/// keeps its values where it likes.
macro_rules! call_preserving {
    ($function:path, $word:expr) => {
        // SAFETY: the function preserves all registers and leaves its argument to be taken off; there is no red zone in the kernel. A word
        // that is an address comes from a reference, which outlives the call.
        unsafe {
            core::arch::asm!(
                "push {word}",
                "call {function}",
                "add rsp, 8",
                function = sym $function,
                word = in(reg) $word,
            );
        }
    };
}
pub(crate) use call_preserving;

/// The same, if the switch is on. The word is only computed for the call.
macro_rules! call_if_on {
    ($switch:path, $function:path, $word:expr) => {
        $crate::arch::code_switch::if_on!($switch, {
            $crate::arch::code_switch::call_preserving!($function, $word)
        })
    };
}
pub(crate) use call_if_on;

/// Makes a function that calls an `extern "C"` one, perhaps with one word (see [`call_preserving!`]), and preserves every register (the
/// kernel has no others than these), so that the code around a rare call need not save any.
macro_rules! preserving_registers {
    ($(#[$doc:meta])* $name:ident calls $target:path) => {
        $crate::arch::code_switch::preserving_registers!(@ $(#[$doc])* $name $target, "");
    };
    ($(#[$doc:meta])* $name:ident (word) calls $target:path) => {
        $crate::arch::code_switch::preserving_registers!(
            @ $(#[$doc])* $name $target, "mov rdi, [rbp + 16]"
        );
    };
    (@ $(#[$doc:meta])* $name:ident $target:path, $argument:literal) => {
        $(#[$doc])*
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                "push rbp",
                "mov rbp, rsp",
                "push rax",
                "push rcx",
                "push rdx",
                "push rsi",
                "push rdi",
                "push r8",
                "push r9",
                "push r10",
                "push r11",
                $argument,
                // Aligned for the call, as this one's caller need not be.
                "and rsp, -16",
                "call {target}",
                "lea rsp, [rbp - 9 * 8]",
                "pop r11",
                "pop r10",
                "pop r9",
                "pop r8",
                "pop rdi",
                "pop rsi",
                "pop rdx",
                "pop rcx",
                "pop rax",
                "pop rbp",
                "ret",
                target = sym $target,
            )
        }
    };
}
pub(crate) use preserving_registers;

/// A place that asks: distances from the fields themselves.
#[repr(C)]
struct Place {
    instruction: i32,
    /// Where it jumps when the switch is on.
    target: i32,
    switch: i32,
}

impl Place {
    fn resolve(field: &i32) -> usize {
        ptr::from_ref(field).addr().wrapping_add_signed(*field as isize)
    }
    fn at(&self) -> usize {
        Place::resolve(&self.instruction)
    }
    fn target(&self) -> usize {
        Place::resolve(&self.target)
    }
    fn is_of(&self, switch: &CodeSwitch) -> bool {
        Place::resolve(&self.switch) == ptr::from_ref(switch).addr()
    }
}

unsafe extern "C" {
    static __code_switches_start: Place;
    static __code_switches_end: Place;
}

fn places() -> &'static [Place] {
    let start = &raw const __code_switches_start;
    let end = &raw const __code_switches_end;
    let count = (end as usize - start as usize) / size_of::<Place>();
    // SAFETY: the linker script puts the two symbols around the table, which is read-only.
    unsafe { core::slice::from_raw_parts(start, count) }
}

const LENGTH: usize = 5;
const NOTHING: [u8; LENGTH] = [0x0f, 0x1f, 0x44, 0x00, 0x00];
const BREAKPOINT: u8 = 0xcc;
const JUMP: u8 = 0xe9;

/// Who turns a switch.
static TURNING: Mutex<()> = Mutex::new(&class::CODE, ());

/// Turns a switch; may sleep.
pub fn turn(switch: &'static CodeSwitch, on: bool) {
    let _alone = TURNING.lock();
    if switch.is_on() == on {
        return;
    }
    let after = |place: &Place| {
        let mut bytes = NOTHING;
        if on {
            let distance = place.target().wrapping_sub(place.at() + LENGTH) as u32;
            bytes[0] = JUMP;
            bytes[1..].copy_from_slice(&distance.to_le_bytes());
        }
        bytes
    };
    rewrite(switch, 0, |_| [BREAKPOINT]);
    rewrite(switch, 1, |place| after(place)[1..].try_into().unwrap_or([0; LENGTH - 1]));
    rewrite(switch, 0, |place| [after(place)[0]]);
    switch.on.store(on, Ordering::Relaxed);
}

/// Writes bytes at this offset of every place of the switch, and has all CPUs fetch them anew.
fn rewrite<const N: usize>(
    switch: &'static CodeSwitch,
    offset: usize,
    bytes: impl Fn(&Place) -> [u8; N],
) {
    let interrupts = irq::save_and_disable();
    // SAFETY: interrupts are off, so this loop alone runs without write protection. What it writes are instructions of places that the
    // table names, each of them complete: see above for who may be executing them.
    unsafe {
        features::without_write_protection(|| {
            for place in places().iter().filter(|place| place.is_of(switch)) {
                let at = ptr::with_exposed_provenance_mut::<u8>(place.at() + offset);
                for (index, byte) in bytes(place).into_iter().enumerate() {
                    at.add(index).write_volatile(byte);
                }
            }
        });
    }
    irq::restore(interrupts);
    cpu::serialize();
    cpu::call_on(cpu::online(), &cpu::serialize);
}

/// A breakpoint in the kernel: goes on behind the place that is being rewritten. Whether it was one.
pub(super) fn step_over(frame: &mut TrapFrame) -> bool {
    let at = frame.rip - 1;
    let is_place = places().iter().any(|place| place.at() == at);
    if is_place {
        frame.rip = at + LENGTH;
    }
    is_place
}
