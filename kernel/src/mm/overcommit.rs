//! Overcommit (`vm.overcommit_memory`): what was promised to processes, and whether more may be.
//!
//! Counted as on Linux, in pages: private writable mappings without `MAP_NORESERVE`, objects of shared memory with all of their size, and
//! pages of memory-only files as they come. Mode 0 refuses a single promise of more than all of memory, mode 1 nothing, mode 2 whatever
//! would take the sum above a limit.
//!
//! The sum has a part a CPU: only when that has grown to a batch is it added to what all CPUs share, so promises write nothing in common.
//! Mode 2 asks for the parts only when the sum without them is too close to the limit to tell.

use super::{PAGE_SIZE, current_space, node};
use crate::{
    arch::cpu,
    process::{self, Capability},
};
use abi::{Errno, Result};
use core::sync::atomic::{AtomicI32, AtomicIsize, AtomicU8, AtomicU64, Ordering::Relaxed};

/// What is done about promises that memory may not be able to keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Mode {
    /// Refused if never in the world (`OVERCOMMIT_GUESS`).
    Guess = 0,
    /// Made (`OVERCOMMIT_ALWAYS`).
    Always = 1,
    /// Refused above the limit (`OVERCOMMIT_NEVER`).
    Never = 2,
}

static MODE: AtomicU8 = AtomicU8::new(Mode::Guess as u8);
/// Percent of memory that may be promised in mode 2, unless there is a number of kibibytes.
static RATIO: AtomicI32 = AtomicI32::new(50);
static KIBIBYTES: AtomicU64 = AtomicU64::new(0);
/// Kibibytes that mode 2 keeps for those with `CAP_SYS_ADMIN`, and that the largest process leaves for others.
static ADMIN_RESERVE: AtomicU64 = AtomicU64::new(0);
static USER_RESERVE: AtomicU64 = AtomicU64::new(0);

/// The most that the reserves are at boot, in kibibytes.
const ADMIN_RESERVE_MAX: u64 = 1 << 13;
const USER_RESERVE_MAX: u64 = 1 << 17;
/// Of free memory at boot, a reserve is this part.
const RESERVE_SHARE: u64 = 32;

/// Pages promised, without the CPUs' parts.
static SHARED: AtomicIsize = AtomicIsize::new(0);
/// A CPU's part is below this.
static BATCH: AtomicIsize = AtomicIsize::new(64);
/// All CPUs' parts together are at most this part of memory.
const PARTS_SHARE: usize = 64;
/// The least batch.
const BATCH_MIN: usize = 32;

#[repr(align(128))]
struct Part(AtomicIsize);

static PARTS: [Part; cpu::MAX_CPUS] = [const { Part(AtomicIsize::new(0)) }; cpu::MAX_CPUS];

/// Sets what depends on the size of memory. At boot, when all of it is known.
pub(super) fn init() {
    let batch = (node::total() / PARTS_SHARE / cpu::MAX_CPUS).max(BATCH_MIN);
    BATCH.store(batch as isize, Relaxed);
    let share = kibibytes(node::free_pages()) / RESERVE_SHARE;
    ADMIN_RESERVE.store(share.min(ADMIN_RESERVE_MAX), Relaxed);
    USER_RESERVE.store(share.min(USER_RESERVE_MAX), Relaxed);
}

fn kibibytes(pages: usize) -> u64 {
    (pages * (PAGE_SIZE / 1024)) as u64
}

fn pages(kibibytes: u64) -> usize {
    usize::try_from(kibibytes / (PAGE_SIZE as u64 / 1024)).unwrap_or(usize::MAX)
}

/// The mode.
#[inline]
pub fn mode() -> Mode {
    match MODE.load(Relaxed) {
        1 => Mode::Always,
        2 => Mode::Never,
        _ => Mode::Guess,
    }
}

/// Sets it.
pub fn set_mode(mode: Mode) {
    MODE.store(mode as u8, Relaxed);
}

/// Percent of memory (`vm.overcommit_ratio`).
pub fn ratio() -> i32 {
    RATIO.load(Relaxed)
}

/// Sets it; it takes the place of a number of kibibytes.
pub fn set_ratio(percent: i32) {
    RATIO.store(percent, Relaxed);
    KIBIBYTES.store(0, Relaxed);
}

/// The limit as a number of kibibytes (`vm.overcommit_kbytes`); 0: by percent.
pub fn limit_kibibytes() -> u64 {
    KIBIBYTES.load(Relaxed)
}

/// Sets it; it takes the place of percent.
pub fn set_limit_kibibytes(kibibytes: u64) {
    KIBIBYTES.store(kibibytes, Relaxed);
    RATIO.store(0, Relaxed);
}

/// Kibibytes kept for the privileged (`vm.admin_reserve_kbytes`).
pub fn admin_reserve() -> u64 {
    ADMIN_RESERVE.load(Relaxed)
}

/// Sets it.
pub fn set_admin_reserve(kibibytes: u64) {
    ADMIN_RESERVE.store(kibibytes, Relaxed);
}

/// Kibibytes that a process leaves for others (`vm.user_reserve_kbytes`).
pub fn user_reserve() -> u64 {
    USER_RESERVE.load(Relaxed)
}

/// Sets it.
pub fn set_user_reserve(kibibytes: u64) {
    USER_RESERVE.store(kibibytes, Relaxed);
}

/// The most pages that mode 2 promises in all (`CommitLimit`).
pub fn limit() -> usize {
    match KIBIBYTES.load(Relaxed) {
        0 => node::total().wrapping_mul(RATIO.load(Relaxed) as usize) / 100,
        kibibytes => pages(kibibytes),
    }
}

/// The pages that are promised (`Committed_AS`).
pub fn committed() -> usize {
    let parts: isize = PARTS.iter().map(|part| part.0.load(Relaxed)).sum();
    // The parts are read one after the other: a sum in motion may be below zero.
    usize::try_from(SHARED.load(Relaxed) + parts).unwrap_or(0)
}

/// Counts a promise of `pages` that nothing is to refuse, or (negative) one that is over.
#[inline]
pub(super) fn count(pages: isize) {
    // Should this task move to another CPU in between, it counts on the old one's part: right, only slower.
    let part = &PARTS[cpu::id()].0;
    let sum = part.fetch_add(pages, Relaxed) + pages;
    if sum.abs() >= BATCH.load(Relaxed) {
        SHARED.fetch_add(part.swap(0, Relaxed), Relaxed);
    }
}

/// Promises `pages` to the current process, for a space that has `size` pages mapped; `ENOMEM`.
#[inline]
pub(super) fn promise(pages: usize, size: impl FnOnce() -> usize) -> Result<()> {
    match mode() {
        Mode::Always => {}
        Mode::Guess if pages <= node::total() => {}
        Mode::Guess => return Err(Errno::ENOMEM),
        Mode::Never => return promise_within_limit(pages, size()),
    }
    count(pages as isize);
    Ok(())
}

#[cold]
fn promise_within_limit(promised: usize, size: usize) -> Result<()> {
    // Nobody has so much: the sum of such numbers stays in range.
    let promised = isize::try_from(promised).ok().filter(|&n| n < isize::MAX / 2);
    let promised = promised.ok_or(Errno::ENOMEM)?;
    let mut allowed = limit();
    if !process::capable(Capability::SysAdmin) {
        allowed = allowed.saturating_sub(pages(ADMIN_RESERVE.load(Relaxed)));
    }
    let for_others = pages(USER_RESERVE.load(Relaxed)).min(size / 32);
    let allowed = allowed.saturating_sub(for_others).min(isize::MAX as usize).cast_signed();
    // Counted first, so that two that come at once see each other.
    count(promised);
    let parts = BATCH.load(Relaxed).saturating_mul(cpu::MAX_CPUS as isize);
    let surely = SHARED.load(Relaxed).saturating_add(parts) < allowed;
    if surely || committed().cast_signed() < allowed {
        return Ok(());
    }
    count(-promised);
    Err(Errno::ENOMEM)
}

/// A promise to the current process that no map of an address space keeps: of an object's size or one of its pages. `ENOMEM`.
#[inline]
pub fn promise_object(pages: usize) -> Result<()> {
    // Whoever changes the map has it locked; then the reserve for others is not looked at.
    promise(pages, || current_space().ok().and_then(|space| space.size_hint()).unwrap_or(0))
}

/// Takes it back.
#[inline]
pub fn take_back(pages: usize) {
    count(-(pages as isize));
}

/// Memory that was promised, as long as this lives.
pub struct Commitment(usize);

impl Commitment {
    /// Promises `pages`; `ENOMEM`.
    pub fn new(pages: usize) -> Result<Commitment> {
        promise_object(pages).map(|()| Commitment(pages))
    }
}

impl Drop for Commitment {
    fn drop(&mut self) {
        take_back(self.0);
    }
}
