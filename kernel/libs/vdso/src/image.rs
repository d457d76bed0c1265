//! The functions of the shared object, with C's calling convention (`vdso(7)`). They run in user mode.
//!
//! What the data page cannot tell is asked for by the system call: the clocks of processes and threads, the alarm clocks, numbers
//! that are no clock's, and everything while the clocks do not follow the counter.

use super::{
    clock::{COARSE_RESOLUTION, Time},
    data::Data,
};
use core::{
    arch::{asm, global_asm},
    ptr::NonNull,
};

const CLOCK_REALTIME: i32 = 0;
const CLOCK_MONOTONIC: i32 = 1;
const CLOCK_MONOTONIC_RAW: i32 = 4;
const CLOCK_REALTIME_COARSE: i32 = 5;
const CLOCK_MONOTONIC_COARSE: i32 = 6;
const CLOCK_BOOTTIME: i32 = 7;
const CLOCK_TAI: i32 = 11;

const SYS_GETTIMEOFDAY: usize = 96;
const SYS_TIME: usize = 201;
const SYS_CLOCK_GETTIME: usize = 228;
const SYS_CLOCK_GETRES: usize = 229;

/// The segment whose limit is the CPU's number, and its node from bit 12 on (`__CPUNODE_SEG` on Linux).
const CPU_NUMBER_SELECTOR: u32 = 0x7b;
const NODE_SHIFT: u32 = 12;

/// `struct timeval`.
#[repr(C)]
struct Timeval {
    seconds: i64,
    micros: i64,
}

/// The names without the prefix, weak as on Linux: a program's own function of that name wins.
macro_rules! aliases {
    ($($name:literal)*) => {$(
        global_asm!(concat!(
            ".weak ", $name, "\n",
            ".type ", $name, ", @function\n",
            ".set ", $name, ", __vdso_", $name,
        ));
    )*};
}
aliases!("clock_gettime" "clock_getres" "gettimeofday" "time" "getcpu");

/// The page in front of the image.
#[inline(always)]
fn data() -> &'static Data {
    let page: *const Data;
    // SAFETY: computes an address. The kernel maps the data page right below the image, which starts with its ELF header, and
    // never takes it away; every field is atomic.
    unsafe {
        asm!("lea {}, [rip + __ehdr_start - 4096]", out(reg) page, options(nomem, nostack, preserves_flags));
        &*page
    }
}

/// The time-stamp counter, read after all loads before it.
#[inline(always)]
fn counter() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: every 64-bit CPU has both instructions, and they change nothing but the registers. Not `nomem`: the compiler must
    // keep it between the reads of the sequence count.
    unsafe {
        asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// # Safety
/// As the system call with this number says for its arguments.
#[inline(always)]
unsafe fn syscall(number: usize, first: usize, second: usize) -> i64 {
    let result: i64;
    // SAFETY: the caller's; the kernel changes rcx and r11 besides.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first,
            in("rsi") second,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

#[inline(always)]
fn now(clock: i32) -> Option<Time> {
    let data = data();
    if !data.follows_counter() {
        return None;
    }
    Some(match clock {
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => {
            Time::from_nanos(data.monotonic_nanos(counter))
        }
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE => data.realtime(counter).0,
        CLOCK_TAI => {
            let (utc, ahead) = data.realtime(counter);
            Time { seconds: utc.seconds.wrapping_add(ahead), ..utc }
        }
        CLOCK_MONOTONIC_RAW => Time::from_nanos(data.raw_nanos(counter)),
        _ => return None,
    })
}

/// `clock_gettime(2)`.
///
/// # Safety
/// `place` may be written, as by the function's contract in C.
#[unsafe(no_mangle)]
unsafe extern "C" fn __vdso_clock_gettime(clock: i32, place: *mut Time) -> i32 {
    match now(clock) {
        Some(time) => {
            // SAFETY: the caller's.
            unsafe { place.write(time) };
            0
        }
        // SAFETY: the caller's.
        None => unsafe { syscall(SYS_CLOCK_GETTIME, clock as usize, place.addr()) as i32 },
    }
}

/// `clock_getres(2)`.
///
/// # Safety
/// `place` is null or may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn __vdso_clock_getres(clock: i32, place: *mut Time) -> i32 {
    let nanos = match clock {
        CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_BOOTTIME | CLOCK_TAI => 1,
        CLOCK_REALTIME_COARSE | CLOCK_MONOTONIC_COARSE => COARSE_RESOLUTION as i64,
        // SAFETY: the caller's.
        _ => return unsafe { syscall(SYS_CLOCK_GETRES, clock as usize, place.addr()) as i32 },
    };
    if let Some(place) = NonNull::new(place) {
        // SAFETY: the caller's.
        unsafe { place.write(Time { seconds: 0, nanos }) };
    }
    0
}

/// `gettimeofday(2)`.
///
/// # Safety
/// Both places are null or may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn __vdso_gettimeofday(time: *mut Timeval, zone: *mut u64) -> i32 {
    if let Some(place) = NonNull::new(time) {
        let Some(time) = now(CLOCK_REALTIME) else {
            // SAFETY: the caller's.
            return unsafe { syscall(SYS_GETTIMEOFDAY, time.addr(), zone.addr()) as i32 };
        };
        // SAFETY: the caller's.
        unsafe { place.write(Timeval { seconds: time.seconds, micros: time.nanos / 1000 }) };
    }
    if let Some(zone) = NonNull::new(zone) {
        // SAFETY: the caller's; two words of four bytes are aligned to four.
        unsafe { zone.write_unaligned(data().timezone()) };
    }
    0
}

/// `time(2)`.
///
/// # Safety
/// `place` is null or may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn __vdso_time(place: *mut i64) -> i64 {
    let Some(time) = now(CLOCK_REALTIME) else {
        // SAFETY: the caller's.
        return unsafe { syscall(SYS_TIME, place.addr(), 0) };
    };
    if let Some(place) = NonNull::new(place) {
        // SAFETY: the caller's.
        unsafe { place.write(time.seconds) };
    }
    time.seconds
}

/// `getcpu(2)`.
///
/// # Safety
/// Both places are null or may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn __vdso_getcpu(cpu: *mut u32, node: *mut u32, _cache: *mut u8) -> i64 {
    let number: u32;
    // SAFETY: reads the limit of a segment that the kernel has set up on every CPU.
    unsafe {
        asm!("lsl {:e}, {:e}", out(reg) number, in(reg) CPU_NUMBER_SELECTOR, options(nomem, nostack));
    }
    if let Some(cpu) = NonNull::new(cpu) {
        // SAFETY: the caller's.
        unsafe { cpu.write(number & ((1 << NODE_SHIFT) - 1)) };
    }
    if let Some(node) = NonNull::new(node) {
        // SAFETY: the caller's.
        unsafe { node.write(number >> NODE_SHIFT) };
    }
    0
}
