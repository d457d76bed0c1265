//! Copies between kernel and user memory: SMAP opened around them, faults fixed up through an
//! exception table. Nothing is walked beforehand. `mm::user` is what other modules call.
//!
//! A faulting instruction between here and `__ex_table` first goes to the page fault handler, which
//! may bring the page in; only an access that is wrong continues at its fix-up.
//!
//! A trial at boot decides how large copies are made: by `rep movsb` where the CPU says that it is fast (an emulator may say
//! so and be slow), by `rep movsq`, or by a loop of eight-byte moves.

use core::{
    arch::{asm, naked_asm},
    mem::MaybeUninit,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{
    copy,
    extable::{exception_entries, exception_entry},
    features,
};
use crate::mm::USER_END;
use arrayvec::ArrayVec;

/// A way to copy: to, from and length; how many bytes it could not copy.
type Copy = unsafe extern "C" fn(*mut u8, *const u8, usize) -> usize;

/// The ways to make a large copy; [`LARGE_COPY`] is a place in it.
const WAYS: [Copy; 3] = [copy_words, copy_quads, copy_string];

/// The way that won the trial.
static LARGE_COPY: AtomicUsize = AtomicUsize::new(0);

/// From this size on string instructions pay for their start-up.
const LARGE: usize = 256;

/// Tries the ways to copy and remembers the fastest.
pub(super) fn calibrate() {
    let source = [0u8; 2048];
    let mut target = [0u8; 2048];
    let eligible = if features::erms() { &WAYS[..] } else { &WAYS[..2] };
    let mut times = ArrayVec::<u64, { WAYS.len() }>::new();
    for way in eligible {
        times.push(copy::least_time(|| {
            // SAFETY: both buffers are 2048 bytes, and on the kernel's side of the address space,
            // which SMAP does not guard.
            unsafe { way(target.as_mut_ptr(), source.as_ptr(), source.len()) };
        }));
    }
    LARGE_COPY.store(copy::fastest(&times), Ordering::Relaxed);
    crate::pr_info!("2 KiB by words, `rep` of words, `rep` of bytes: copied in {times:?} ticks");
}

/// Whether `len` bytes at `addr` are all in the user half. Copies test nothing else.
#[inline]
fn in_user_half(addr: usize, len: usize) -> bool {
    addr.checked_add(len).is_some_and(|end| end <= USER_END)
}

/// Runs `access` with user memory open.
#[inline]
fn with_user_access<R>(access: impl FnOnce() -> R) -> R {
    let guarded = features::smap();
    if guarded {
        // SAFETY: SMAP is there; it is closed again below, and the trap handler closes it on entry.
        unsafe { asm!("stac", options(nostack)) };
    }
    let result = access();
    if guarded {
        // SAFETY: as above.
        unsafe { asm!("clac", options(nostack)) };
    }
    result
}

/// # Safety
/// One side is a valid kernel buffer of `len` bytes, the other is in the user half.
unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) -> usize {
    with_user_access(|| {
        // SAFETY: the caller vouches for the kernel side; faults on the user side are fixed up.
        unsafe {
            match LARGE_COPY.load(Ordering::Relaxed) {
                1 if len >= LARGE => copy_quads(dst, src, len),
                2 if len >= LARGE => copy_string(dst, src, len),
                _ => copy_words(dst, src, len),
            }
        }
    })
}

/// Copies to user memory; returns how many bytes were *not* copied.
pub fn raw_copy_to_user(dst: usize, src: &[u8]) -> usize {
    if !in_user_half(dst, src.len()) {
        return src.len();
    }
    // SAFETY: `src` is valid, and the target is in the user half.
    unsafe { copy(dst as *mut u8, src.as_ptr(), src.len()) }
}

/// Copies from user memory; returns how many bytes were *not* copied.
pub fn raw_copy_from_user(dst: &mut [u8], src: usize) -> usize {
    if !in_user_half(src, dst.len()) {
        return dst.len();
    }
    // SAFETY: `dst` is valid, and the source is in the user half.
    unsafe { copy(dst.as_mut_ptr(), src as *const u8, dst.len()) }
}

/// Zeroes user memory; returns how many bytes were *not* zeroed.
pub fn raw_clear_user(dst: usize, len: usize) -> usize {
    if !in_user_half(dst, len) {
        return len;
    }
    // SAFETY: the target is in the user half, and faults are fixed up.
    with_user_access(|| unsafe { clear_words(dst as *mut u8, len) })
}

/// Runs one instruction on user memory; whether it did not fault. The operands are `asm!`'s; their addresses are in the user half,
/// and the instruction changes nothing of the kernel's.
macro_rules! user_instruction {
    ($instruction:literal, $($operand:tt)*) => {{
        let mut fault: u32 = 0;
        with_user_access(|| {
            // SAFETY: the macro's users vouch for the addresses; a fault continues at label 3 with the mark set.
            unsafe {
                asm!(
                    concat!("2: ", $instruction),
                    "jmp 4f",
                    "3: mov {fault:e}, 1",
                    "4:",
                    exception_entry!("2b", "3b"),
                    fault = inout(reg) fault,
                    $($operand)*
                    options(nostack),
                );
            }
        });
        fault == 0
    }};
}

/// How large a value may be that [`raw_read_value`] and [`raw_write_value`] move without a call.
pub const SMALL_VALUE: usize = 32;

/// Moves four bytes, or some words of eight, between the user's side and the kernel's; whether no move faulted.
macro_rules! move_value {
    ($from:ident, $to:ident, $register:literal, $($at:literal),+) => {
        with_user_access(|| {
            // SAFETY: the functions that use this vouch for both sides; only the user's can fault, and that goes to the label.
            unsafe {
                asm!(
                    $(
                        concat!("2: mov ", $register, ", [{from} + ", $at, "]"),
                        concat!("3: mov [{to} + ", $at, "], ", $register),
                        exception_entries!("2b", "3b" => "{fault}"),
                    )+
                    from = in(reg) $from,
                    to = in(reg) $to,
                    out("rax") _,
                    fault = label { return false },
                    options(nostack),
                );
            }
            true
        })
    };
}

/// Moves `len` bytes, which the compiler knows: 4, or 8 to [`SMALL_VALUE`] in steps of 8.
///
/// # Safety
/// One side is a valid kernel buffer of `len` bytes, the other is in the user half.
#[inline(always)]
unsafe fn move_value(to: *mut u8, from: *const u8, len: usize) -> bool {
    match len {
        4 => move_value!(from, to, "eax", "0"),
        8 => move_value!(from, to, "rax", "0"),
        16 => move_value!(from, to, "rax", "0", "8"),
        24 => move_value!(from, to, "rax", "0", "8", "16"),
        32 => move_value!(from, to, "rax", "0", "8", "16", "24"),
        // SAFETY: the caller's promise.
        _ => unsafe { copy(to, from, len) == 0 },
    }
}

/// Reads a small value of a size that the compiler knows; whether it could.
#[inline(always)]
pub fn raw_read_value(dst: &mut [u8], src: usize) -> bool {
    // SAFETY: `dst` is valid, and the source is in the user half.
    in_user_half(src, dst.len())
        && unsafe { move_value(dst.as_mut_ptr(), src as *const u8, dst.len()) }
}

/// Writes a small value of a size that the compiler knows; whether it could.
#[inline(always)]
pub fn raw_write_value(dst: usize, src: &[u8]) -> bool {
    // SAFETY: `src` is valid, and the target is in the user half.
    in_user_half(dst, src.len()) && unsafe { move_value(dst as *mut u8, src.as_ptr(), src.len()) }
}

/// Saves the `components` of the extended state to user memory (`xsave64`); whether it could. The area is all in the user half.
pub(super) fn raw_save_extended(area: usize, len: usize, components: u64) -> bool {
    let (low, high) = (components as u32, (components >> 32) as u32);
    in_user_half(area, len)
        && user_instruction!("xsave64 [{area}]", area = in(reg) area, in("eax") low, in("edx") high,)
}

/// Loads the `components` of the extended state, of which the kernel uses none, from user memory (`xrstor64`); whether it could:
/// the image may be a bad one. If not, the registers hold anything.
pub(super) fn raw_load_extended(area: usize, len: usize, components: u64) -> bool {
    let (low, high) = (components as u32, (components >> 32) as u32);
    in_user_half(area, len)
        && user_instruction!("xrstor64 [{area}]", area = in(reg) area, in("eax") low, in("edx") high,)
}

/// Copies a string of at most `dst.len()` bytes. `Some(n)`: n bytes before the NUL, which was
/// found (n < len) or not (n == len). `None`: a fault.
pub fn raw_strncpy_from_user(dst: &mut [MaybeUninit<u8>], src: usize) -> Option<usize> {
    // A string may end before the end of the user half that its limit would reach past.
    let limit = dst.len().min(USER_END.checked_sub(src)?);
    // SAFETY: `dst` has at least `limit` bytes, the source is in the user half.
    let left = with_user_access(|| unsafe {
        copy_string_bytes(dst.as_mut_ptr().cast(), src as *const u8, limit)
    });
    match left {
        usize::MAX => None,
        0 if limit < dst.len() => None,
        left => Some(limit - left),
    }
}

/// Atomically replaces the user word at `addr` if it holds `expected`; `None` on a fault, else what
/// it held. (futex, robust lists)
pub fn raw_cmpxchg_user_u32(addr: usize, expected: u32, new: u32) -> Option<u32> {
    if !in_user_half(addr, 4) {
        return None;
    }
    let mut old = expected;
    let done = user_instruction!(
        "lock cmpxchg [{addr}], {new:e}",
        addr = in(reg) addr,
        new = in(reg) new,
        inout("eax") old,
    );
    done.then_some(old)
}

/// Copies `len` bytes; returns how many it could not. Blocks of 128 bytes are counted by `rcx` alone, which runs up to zero from
/// their length below it; a block that faults is tried again byte by byte, so the count is exact.
#[unsafe(naked)]
unsafe extern "C" fn copy_words(_dst: *mut u8, _src: *const u8, _len: usize) -> usize {
    naked_asm!(
        "mov rcx, rdx",
        "and rcx, -128",
        "jz 20f",
        "add rsi, rcx",
        "add rdi, rcx",
        "sub rdx, rcx",
        "neg rcx",
        "10:",
        ".irp at, 0, 32, 64, 96",
        "50: mov r8, [rsi + rcx + \\at]",
        "51: mov r9, [rsi + rcx + \\at + 8]",
        "52: mov r10, [rsi + rcx + \\at + 16]",
        "53: mov r11, [rsi + rcx + \\at + 24]",
        "54: mov [rdi + rcx + \\at], r8",
        "55: mov [rdi + rcx + \\at + 8], r9",
        "56: mov [rdi + rcx + \\at + 16], r10",
        "57: mov [rdi + rcx + \\at + 24], r11",
        exception_entries!("50b", "51b", "52b", "53b", "54b", "55b", "56b", "57b" => "60f"),
        ".endr",
        "sub rcx, -128",
        "jnz 10b",
        // Less than 128 bytes are left: in blocks of 32, of 8, of 4, and the rest.
        "20: sub rdx, 32",
        "jb 24f",
        "70: mov r8, [rsi]",
        "71: mov r9, [rsi + 8]",
        "72: mov r10, [rsi + 16]",
        "73: mov r11, [rsi + 24]",
        "74: mov [rdi], r8",
        "75: mov [rdi + 8], r9",
        "76: mov [rdi + 16], r10",
        "77: mov [rdi + 24], r11",
        "add rsi, 32",
        "add rdi, 32",
        "sub rdx, 32",
        "jae 70b",
        "24: add rdx, 24",
        "jnc 29f",
        "21: mov r8, [rsi]",
        "22: mov [rdi], r8",
        "add rsi, 8",
        "add rdi, 8",
        "sub rdx, 8",
        "jae 21b",
        "29: add rdx, 4",
        "jnc 31f",
        "25: mov r8d, [rsi]",
        "26: mov [rdi], r8d",
        "add rsi, 4",
        "add rdi, 4",
        "sub rdx, 4",
        "31: add rdx, 4",
        "jz 43f",
        "41: movzx eax, byte ptr [rsi]",
        "42: mov [rdi], al",
        "inc rsi",
        "inc rdi",
        "dec rdx",
        "jnz 41b",
        "43: mov rax, rdx",
        "ret",
        // A block faulted: from its start on, byte by byte.
        "60: add rsi, rcx",
        "add rdi, rcx",
        "sub rdx, rcx",
        "jmp 41b",
        // A smaller block faulted: its size was taken off already.
        "61: add rdx, 32",
        "jmp 41b",
        "62: add rdx, 8",
        "jmp 41b",
        exception_entries!("70b", "71b", "72b", "73b", "74b", "75b", "76b", "77b" => "61b"),
        exception_entries!("21b", "22b" => "62b"),
        exception_entries!("25b", "26b" => "31b"),
        exception_entries!("41b", "42b" => "43b"),
    )
}

/// The same by `rep movsq`; what is left after a fault, and the last bytes, by `rep movsb`.
#[unsafe(naked)]
unsafe extern "C" fn copy_quads(_dst: *mut u8, _src: *const u8, _len: usize) -> usize {
    naked_asm!(
        "mov rcx, rdx",
        "shr rcx, 3",
        "and edx, 7",
        "2: rep movsq",
        "3: lea rcx, [rdx + 8 * rcx]",
        "4: rep movsb",
        "5: mov rax, rcx",
        "ret",
        exception_entry!("2b", "3b"),
        exception_entry!("4b", "5b"),
    )
}

/// The same by `rep movsb`, which stops at the exact byte.
#[unsafe(naked)]
unsafe extern "C" fn copy_string(_dst: *mut u8, _src: *const u8, _len: usize) -> usize {
    naked_asm!(
        "mov rcx, rdx",
        "2: rep movsb",
        "3: mov rax, rcx",
        "ret",
        exception_entry!("2b", "3b"),
    )
}

/// Zeroes `len` bytes; returns how many it could not. As `copy_words`.
#[unsafe(naked)]
unsafe extern "C" fn clear_words(_dst: *mut u8, _len: usize) -> usize {
    naked_asm!(
        "xor eax, eax",
        "mov rcx, rsi",
        "and rcx, -128",
        "jz 20f",
        "add rdi, rcx",
        "sub rsi, rcx",
        "neg rcx",
        "10:",
        ".irp at, 0, 32, 64, 96",
        "50: mov [rdi + rcx + \\at], rax",
        "51: mov [rdi + rcx + \\at + 8], rax",
        "52: mov [rdi + rcx + \\at + 16], rax",
        "53: mov [rdi + rcx + \\at + 24], rax",
        exception_entries!("50b", "51b", "52b", "53b" => "60f"),
        ".endr",
        "sub rcx, -128",
        "jnz 10b",
        "20: sub rsi, 8",
        "jb 30f",
        "21: mov [rdi], rax",
        "add rdi, 8",
        "sub rsi, 8",
        "jae 21b",
        "30: add rsi, 8",
        "jz 43f",
        "41: mov [rdi], al",
        "inc rdi",
        "dec rsi",
        "jnz 41b",
        "43: mov rax, rsi",
        "ret",
        "60: add rdi, rcx",
        "sub rsi, rcx",
        "jmp 41b",
        exception_entry!("21b", "30b"),
        exception_entry!("41b", "43b"),
    )
}

/// Copies up to and including a NUL; returns how many bytes of the limit were left when the NUL was
/// found (so limit minus that is the length without it), 0 when none was, all ones on a fault.
///
/// Whole words go over while they hold no zero byte; a word that cannot be read as a whole is read
/// byte by byte, as the string may end before the page does.
#[unsafe(naked)]
unsafe extern "C" fn copy_string_bytes(_dst: *mut u8, _src: *const u8, _limit: usize) -> usize {
    naked_asm!(
        "movabs r8, 0x0101010101010101",
        "movabs r9, 0x8080808080808080",
        "20: cmp rdx, 8",
        "jb 30f",
        "21: mov rax, [rsi]",
        "mov rcx, rax",
        "sub rcx, r8",
        "mov r10, rax",
        "not r10",
        "and rcx, r10",
        "and rcx, r9",
        "jnz 30f",
        "mov [rdi], rax",
        "add rsi, 8",
        "add rdi, 8",
        "sub rdx, 8",
        "jmp 20b",
        "30: test rdx, rdx",
        "jz 33f",
        "31: movzx eax, byte ptr [rsi]",
        "mov [rdi], al",
        "test al, al",
        "jz 33f",
        "inc rsi",
        "inc rdi",
        "dec rdx",
        "jnz 31b",
        "33: mov rax, rdx",
        "ret",
        "34: mov rax, -1",
        "ret",
        exception_entry!("21b", "30b"),
        exception_entry!("31b", "34b"),
    )
}
