//! The time-stamp counter as a clock, and this CPU's timer interrupt.
//!
//! The counter's rate comes from CPUID where the CPU or the hypervisor tells it, else it is measured
//! against the HPET or the interval timer, together with the local timer's.

use core::{
    arch::x86_64::__cpuid,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{apic, boot, features, io, io::msr};
use crate::{
    drivers::{hpet, rtc},
    mm::vdso::data,
};
use vdso::data::Parameters;

const NANOS: u64 = 1_000_000_000;
/// How long a measurement takes.
const CALIBRATION_NS: u64 = 5_000_000;
/// The longest wait that one setting of the timer covers: within every counter's 32 bits.
const LONGEST_NS: u64 = NANOS;

// Written once on the first CPU, before others run and before time is asked for.
static BASE: AtomicU64 = AtomicU64::new(0);
static TSC_HZ: AtomicU64 = AtomicU64::new(0);
/// Local timer ticks per second; unused where the timer takes TSC values.
static TIMER_HZ: AtomicU64 = AtomicU64::new(0);

/// Notes the start of time. Before the first message, so that messages carry times.
pub(super) fn init_early() {
    BASE.store(io::rdtsc(), Ordering::Relaxed);
}

/// Finds out the rates. Once, on the first CPU, after its APIC is on.
pub(super) fn calibrate() {
    let told = tsc_hz_from_cpuid();
    let needs_timer_rate = !features::tsc_deadline();
    let mut hz = told.unwrap_or(0);
    if told.is_none() || needs_timer_rate {
        apic::set_timer_count(u32::MAX);
        let before = apic::timer_count();
        let start = io::rdtsc();
        let elapsed_ns = reference_delay(CALIBRATION_NS);
        let ticks = io::rdtsc() - start;
        let timer_ticks = before - apic::timer_count();
        apic::set_timer_count(0);
        if told.is_none() {
            hz = scale(ticks, NANOS, elapsed_ns);
        }
        TIMER_HZ.store(scale(u64::from(timer_ticks), NANOS, elapsed_ns), Ordering::Relaxed);
    }
    TSC_HZ.store(hz, Ordering::Relaxed);
    // Nobody else reads or writes yet.
    let multiplier = scale(NANOS, 1 << vdso::clock::SHIFT, hz);
    data().publish(&Parameters::start(BASE.load(Ordering::Relaxed), multiplier));
}

/// Lets this CPU's timer interrupt when it is set.
pub(super) fn init_timer() {
    apic::unmask_timer(features::tsc_deadline());
}

/// `value * numerator / denominator` without overflow in between.
fn scale(value: u64, numerator: u64, denominator: u64) -> u64 {
    (u128::from(value) * u128::from(numerator) / u128::from(denominator.max(1))) as u64
}

/// The rate that the CPU states (leaf 0x15), or a hypervisor (leaf 0x40000010).
fn tsc_hz_from_cpuid() -> Option<u64> {
    if __cpuid(0).eax >= 0x15 {
        let leaf = __cpuid(0x15);
        if leaf.eax != 0 && leaf.ebx != 0 && leaf.ecx != 0 {
            return Some(scale(u64::from(leaf.ecx), u64::from(leaf.ebx), u64::from(leaf.eax)));
        }
    }
    let hypervisor = __cpuid(1).ecx & 1 << 31 != 0;
    if hypervisor && __cpuid(0x4000_0000).eax >= 0x4000_0010 {
        let khz = __cpuid(0x4000_0010).eax;
        return (khz != 0).then(|| u64::from(khz) * 1000);
    }
    None
}

/// Waits for about `ns` by a clock of known rate; how long it really was.
fn reference_delay(ns: u64) -> u64 {
    if let Some(hpet) = hpet::counter() {
        let start = hpet.read();
        loop {
            let elapsed = hpet.elapsed_ns(start);
            if elapsed >= ns {
                return elapsed;
            }
        }
    }
    interval_timer_delay(ns)
}

/// The same by the 8254's second channel, whose output can be read.
fn interval_timer_delay(ns: u64) -> u64 {
    const RATE: u64 = 1_193_182;
    const GATE: u16 = 0x61;
    let count = scale(ns, RATE, NANOS).min(0xffff);
    // SAFETY: the 8254's and the system control port; channel 2 drives only the speaker, which stays
    // off.
    unsafe {
        io::outb(GATE, io::inb(GATE) & !2 | 1);
        io::outb(0x43, 0b1011_0000); // channel 2, both bytes, one count
        io::outb(0x42, count as u8);
        io::outb(0x42, (count >> 8) as u8);
        while io::inb(GATE) & 1 << 5 == 0 {
            core::hint::spin_loop();
        }
    }
    scale(count, NANOS, RATE)
}

/// Counter ticks per second.
pub fn tsc_hz() -> u64 {
    TSC_HZ.load(Ordering::Relaxed)
}

/// Nanoseconds since boot, never backwards on one CPU. Callable everywhere.
#[inline]
pub fn now_ns() -> u64 {
    data().monotonic_nanos(io::rdtsc)
}

/// Nanoseconds since boot by the counter's own rate, whatever the clock is steered to. Callable everywhere.
pub fn raw_ns() -> u64 {
    data().raw_nanos(io::rdtsc)
}

/// The counter.
pub fn counter() -> u64 {
    io::rdtsc()
}

/// Has this CPU's timer interrupt at `deadline` on the [`now_ns`] clock (at once if that is past); `None`: no interrupt. Long
/// waits may interrupt early: the handler asks again. Called with interrupts off.
pub fn set_timer(deadline: Option<u64>) {
    let Some(deadline) = deadline else {
        if features::tsc_deadline() {
            // SAFETY: the register is there; 0 disarms.
            unsafe { io::wrmsr(msr::TSC_DEADLINE, 0) };
        } else {
            apic::set_timer_count(0);
        }
        return;
    };
    let wait = data().unsteered(deadline.saturating_sub(now_ns()).min(LONGEST_NS));
    if features::tsc_deadline() {
        let ticks = scale(wait, TSC_HZ.load(Ordering::Relaxed), NANOS);
        // SAFETY: the register is there. A value that is past fires at once; 0 would disarm.
        unsafe { io::wrmsr(msr::TSC_DEADLINE, (io::rdtsc() + ticks).max(1)) };
    } else {
        let ticks = scale(wait, TIMER_HZ.load(Ordering::Relaxed), NANOS);
        apic::set_timer_count(ticks.clamp(1, u64::from(u32::MAX)) as u32);
    }
}

/// Waits without the scheduler: for device start-up, in microseconds.
pub fn delay_us(us: u64) {
    let end = now_ns() + us * 1000;
    while now_ns() < end {
        core::hint::spin_loop();
    }
}

/// Seconds since 1970 (UTC) at boot, from the real-time clock.
pub fn boot_realtime_seconds() -> u64 {
    match boot::info().date {
        Some(date) => date,
        None => rtc::read().saturating_sub(now_ns() / NANOS),
    }
}
