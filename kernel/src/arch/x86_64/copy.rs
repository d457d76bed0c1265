//! Copying and zeroing whole pages, by the way that a trial at boot found fastest: real CPUs are best at `rep stosb` and
//! `rep movsb`, emulators at moves of words.

use core::{
    arch::asm,
    sync::atomic::{AtomicU8, Ordering},
};

const PAGE_SIZE: usize = crate::mm::PAGE_SIZE;

/// Ways to do it, in the order of the trial.
const WORDS: u8 = 0;
const STRING_WORDS: u8 = 1;
const STRING_BYTES: u8 = 2;

static ZERO_BY: AtomicU8 = AtomicU8::new(STRING_WORDS);
static COPY_BY: AtomicU8 = AtomicU8::new(STRING_WORDS);

/// Zeroes a page.
///
/// # Safety
/// `page` points to 4096 bytes, aligned to 8, that nobody else uses.
#[inline]
pub unsafe fn zero_page(page: *mut u8) {
    // SAFETY: the caller vouches for the page.
    unsafe { zero_by(ZERO_BY.load(Ordering::Relaxed), page) }
}

/// Copies a page.
///
/// # Safety
/// Both point to 4096 bytes, aligned to 8, that do not overlap; nobody else uses `target`.
#[inline]
pub unsafe fn copy_page(target: *mut u8, source: *const u8) {
    // SAFETY: the caller vouches for the pages.
    unsafe { copy_by(COPY_BY.load(Ordering::Relaxed), target, source) }
}

/// # Safety
/// As [`zero_page`].
#[inline]
unsafe fn zero_by(way: u8, page: *mut u8) {
    // SAFETY: each writes the page's 4096 bytes and nothing else; the direction flag is clear in Rust code.
    unsafe {
        match way {
            WORDS => asm!(
                "2:",
                "mov [{page}], {zero}",
                "mov [{page} + 8], {zero}",
                "mov [{page} + 16], {zero}",
                "mov [{page} + 24], {zero}",
                "mov [{page} + 32], {zero}",
                "mov [{page} + 40], {zero}",
                "mov [{page} + 48], {zero}",
                "mov [{page} + 56], {zero}",
                "add {page}, 64",
                "dec {count:e}",
                "jnz 2b",
                page = inout(reg) page => _,
                count = inout(reg) PAGE_SIZE / 64 => _,
                zero = in(reg) 0usize,
                options(nostack),
            ),
            STRING_WORDS => asm!(
                "rep stosq",
                inout("rdi") page => _,
                inout("rcx") PAGE_SIZE / 8 => _,
                in("rax") 0usize,
                options(nostack, preserves_flags),
            ),
            _ => asm!(
                "rep stosb",
                inout("rdi") page => _,
                inout("rcx") PAGE_SIZE => _,
                in("rax") 0usize,
                options(nostack, preserves_flags),
            ),
        }
    }
}

/// # Safety
/// As [`copy_page`].
#[inline]
unsafe fn copy_by(way: u8, target: *mut u8, source: *const u8) {
    // SAFETY: each reads 4096 bytes, writes 4096 bytes and nothing else; the direction flag is clear in Rust code.
    unsafe {
        match way {
            WORDS => asm!(
                "2:",
                "mov {a}, [{source}]",
                "mov {b}, [{source} + 8]",
                "mov {c}, [{source} + 16]",
                "mov {d}, [{source} + 24]",
                "mov [{target}], {a}",
                "mov [{target} + 8], {b}",
                "mov [{target} + 16], {c}",
                "mov [{target} + 24], {d}",
                "add {source}, 32",
                "add {target}, 32",
                "dec {count:e}",
                "jnz 2b",
                source = inout(reg) source => _,
                target = inout(reg) target => _,
                count = inout(reg) PAGE_SIZE / 32 => _,
                a = out(reg) _,
                b = out(reg) _,
                c = out(reg) _,
                d = out(reg) _,
                options(nostack),
            ),
            STRING_WORDS => asm!(
                "rep movsq",
                inout("rdi") target => _,
                inout("rsi") source => _,
                inout("rcx") PAGE_SIZE / 8 => _,
                options(nostack, preserves_flags),
            ),
            _ => asm!(
                "rep movsb",
                inout("rdi") target => _,
                inout("rsi") source => _,
                inout("rcx") PAGE_SIZE => _,
                options(nostack, preserves_flags),
            ),
        }
    }
}

fn rdtsc() -> u64 {
    // SAFETY: every x86-64 CPU has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Runs of each way in a trial: an emulator translates code when it first meets it.
const TRIALS: usize = 16;

/// The least ticks that `run` takes.
#[inline(always)]
pub(super) fn least_time(mut run: impl FnMut()) -> u64 {
    let mut least = u64::MAX;
    // The same code each time: unrolled, each would be the first run of its own.
    for _ in 0..core::hint::black_box(TRIALS) {
        let start = rdtsc();
        run();
        least = least.min(rdtsc().wrapping_sub(start));
    }
    least
}

/// The place of the least of some times; the first among equals.
pub(super) fn fastest(times: &[u64]) -> usize {
    (0..times.len()).min_by_key(|&way| times[way]).unwrap_or(0)
}

/// Tries each way on two pages and remembers the fastest.
///
/// # Safety
/// Both point to 4096 bytes, aligned to 8, that nobody else uses.
pub unsafe fn calibrate(page: *mut u8, other: *mut u8) {
    // Each way by itself and not chosen in the loop, as it is where it is used.
    macro_rules! times {
        ($run:expr) => {
            [
                least_time(|| $run(WORDS)),
                least_time(|| $run(STRING_WORDS)),
                least_time(|| $run(STRING_BYTES)),
            ]
        };
    }
    // SAFETY: the caller vouches for the pages.
    let zero = times!(|way| unsafe { zero_by(way, page) });
    // SAFETY: the caller vouches for the pages.
    let copy = times!(|way| unsafe { copy_by(way, other, page) });
    ZERO_BY.store(fastest(&zero) as u8, Ordering::Relaxed);
    COPY_BY.store(fastest(&copy) as u8, Ordering::Relaxed);
    crate::pr_info!(
        "a page by words, `rep` of words, `rep` of bytes: zeroed in {zero:?} ticks, copied in {copy:?}"
    );
}
